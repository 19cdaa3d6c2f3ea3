/** What the compiler knows of results: flat arrays of float64 give matrices over a Float64Array. */
import { describe, expectTypeOf, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import type { Factorization, FloatArray, LinearOperator, Matrix, SolveResult } from '#hmatrix/index.js';

type Doubles = Matrix<Float64Array>;

declare const operator: LinearOperator;
declare const matrix: hmatrix.HierarchicalMatrix;
declare const factorization: Factorization;
declare const kronecker: hmatrix.curvature.KroneckerFactorization;
declare const dual: hmatrix.curvature.DualForm;
declare const damped: hmatrix.curvature.DampedInverse;
declare const any: Matrix;

describe('flat arrays of numbers', () => {
  it('give_matrices_over_a_Float64Array', () => {
    const flat = [1, 2, 3];
    const doubles = Float64Array.from(flat);
    const { apply, toDense } = hmatrix.operators;
    const results = (): void => {
      expectTypeOf(apply(operator, flat)).toEqualTypeOf<Doubles>();
      expectTypeOf(apply(operator, doubles).data).toEqualTypeOf<Float64Array>();
      expectTypeOf(apply(operator, hmatrix.dense.zeros(3, 2))).toEqualTypeOf<Doubles>();
      expectTypeOf(matrix.apply(flat)).toEqualTypeOf<Doubles>();
      for (const solver of [factorization, kronecker]) {
        expectTypeOf(solver.solve(flat)).toEqualTypeOf<Doubles>();
        expectTypeOf(solver.applyFactor(doubles)).toEqualTypeOf<Doubles>();
        expectTypeOf(solver.applyInverseFactor(doubles)).toEqualTypeOf<Doubles>();
        expectTypeOf(solver.sample()).toEqualTypeOf<Doubles>();
      }
      expectTypeOf(dual.solve(any, 1)).toEqualTypeOf<Doubles>();
      expectTypeOf(damped.sample()).toEqualTypeOf<Doubles>();
      expectTypeOf(toDense(operator)).toEqualTypeOf<Doubles>();
      expectTypeOf(hmatrix.solve(operator, flat)).resolves.toEqualTypeOf<SolveResult<Float64Array>>();
      expectTypeOf(hmatrix.solve(operator, doubles, { shift: 1 }))
        .resolves.toHaveProperty('x')
        .toEqualTypeOf<Doubles>();
    };
    expectTypeOf(results).returns.toBeVoid();
  });

  it('of_another_precision_or_an_out_of_the_callers_are_what_they_are', () => {
    const single = new Float32Array(3);
    const results = (): void => {
      expectTypeOf(hmatrix.operators.apply(operator, single).data).toEqualTypeOf<FloatArray>();
      expectTypeOf(hmatrix.operators.apply(operator, any)).toEqualTypeOf<Matrix>();
      const out = hmatrix.dense.matrixOver(single, 3, 1);
      expectTypeOf(hmatrix.operators.apply(operator, single, out)).toEqualTypeOf<Matrix<Float32Array>>();
      expectTypeOf(hmatrix.solve(operator, [1, 2], { out })).resolves.toEqualTypeOf<SolveResult>();
      expectTypeOf(hmatrix.dense.zeros(2, 2, 'f32')).toEqualTypeOf<Matrix>();
    };
    expectTypeOf(results).returns.toBeVoid();
  });
});
