/** Gauss–Newton operators of models that the caller differentiates. */
import { beforeAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { AsymmetryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { approximate } from '#hmatrix/approximation/approximate.js';
import { topEigenvalues } from '#hmatrix/approximation/top-eigenvalues.js';
import { curvatureOf, type OwnModel } from '#hmatrix/curvature/own/curvature-of.js';
import { block, matrixOver, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compressProducts } from '#hmatrix/hierarchical/from-products/compress.js';
import { spectralDensity } from '#hmatrix/krylov/spectral-density.js';
import { estimateDiagonal } from '#hmatrix/lowrank/estimate-diagonal.js';
import { trace } from '#hmatrix/lowrank/trace.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solve } from '#hmatrix/solve/solve.js';
import { randomMatrix, relativeError } from '../../support.js';
import { sharedTeam } from '../../teams.js';
import { treeOfLeaves } from '../../hierarchical/trees.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

/** J (m × n) and H = 2·I + 1·1ᵀ, as functions of blocks of vectors; and G. */
function linear(m: number, n: number, seed = 1): { model: OwnModel; g: Matrix; j: Matrix } {
  const { blas } = team;
  const j = randomMatrix(m, n, seed);
  const times = (trans: 'N' | 'T', x: Float64Array, count: number): Float64Array => {
    const [rows, inner] = trans === 'N' ? [m, n] : [n, m];
    const out = new Float64Array(rows * count);
    blas.gemm(trans, 'N', 1, j, view(x, 0, inner, count), 0, view(out, 0, rows, count));
    return out;
  };
  const lossHessian = (u: Float64Array, count: number): Float64Array => {
    const out = u.map((value) => 2 * value);
    for (let c = 0; c < count; c++) {
      const sum = u.subarray(c * m, (c + 1) * m).reduce((all, one) => all + one, 0);
      for (let i = c * m; i < (c + 1) * m; i++) out[i] += sum;
    }
    return out;
  };
  const hj = view(lossHessian(j.data as Float64Array, n), 0, m, n);
  const g = zeros(n, n);
  blas.gemm('T', 'N', 1, j, hj, 0, g);
  const model: OwnModel = {
    parameters: n,
    jvp: (v, count) => times('N', v, count),
    vjp: (u, count) => times('T', u, count),
    lossHessian,
  };
  return { model, g, j };
}

describe('an operator of the caller’s functions', () => {
  it('is_the_gauss_newton_matrix_in_blocks_of_any_width', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 7),
        fc.constantFrom(1, 3, 12),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1, 2, 3, 8),
        (m, n, columns, vectorsAtOnce) => {
          const { model, g } = linear(m, n);
          const operator = curvatureOf({ ...model, vectorsAtOnce });
          expect(operator).toMatchObject({ rows: n, cols: n, symmetric: true, outputs: m });
          const x = block(randomMatrix(n + 2, columns, 3), 1, 0, n, columns);
          const before = randomMatrix(n + 1, columns, 4);
          const out = block({ ...before, data: before.data.slice() }, 1, 0, n, columns);
          operator.applyUnchecked(out, x, 0.5, -2);
          const right = block(before, 1, 0, n, columns);
          team.blas.gemm('N', 'N', 0.5, g, x, -2, right);
          expect(relativeError(out, right)).toBeLessThan(1e-13);
          const fresh = view(new Float64Array(n * columns).fill(NaN), 0, n, columns);
          operator.applyUnchecked(fresh, x, 1, 0);
          expect(fresh.data.every(Number.isFinite)).toBe(true);
        },
      ),
    );
  });

  it('takes_the_parameters_plain_arrays_and_no_loss_hessian', () => {
    const { j } = linear(3, 4);
    const operator = curvatureOf({
      parameters: [0, 0, 0, 0],
      jvp: (v) => Array.from({ length: 3 }, (_, i) => v.reduce((sum, value, k) => sum + j.data[i + 3 * k] * value, 0)),
      vjp: (u) => Array.from({ length: 4 }, (_, k) => u.reduce((sum, value, i) => sum + j.data[i + 3 * k] * value, 0)),
    });
    const jtj = zeros(4, 4);
    team.blas.gemm('T', 'N', 1, j, j, 0, jtj);
    const out = zeros(4, 4);
    operator.applyUnchecked(
      out,
      matrixOver(
        new Float64Array(16).map((_, i) => (i % 5 === 0 ? 1 : 0)),
        4,
        4,
      ),
      1,
      0,
    );
    expect(relativeError(out, jtj)).toBeLessThan(1e-14);
    expect(operator.flops).toBeUndefined();
    expect(curvatureOf({ ...linear(2, 2).model, flops: 7 }).flops?.(3)).toBe(21);
  });

  it('lets_functions_use_their_arrays_again', () => {
    const { model, g } = linear(5, 5);
    const kept = new Float64Array(5);
    const again =
      (f: OwnModel['jvp']) =>
      (x: Float64Array, count: number): Float64Array => {
        kept.set(f(x, count));
        x.fill(NaN);
        return kept;
      };
    const operator = curvatureOf({
      parameters: 5,
      jvp: again(model.jvp),
      vjp: again(model.vjp),
      lossHessian: again(model.lossHessian!),
    });
    const x = randomMatrix(5, 2, 1);
    const [out, right] = [zeros(5, 2), zeros(5, 2)];
    operator.applyUnchecked(out, x, 1, 0);
    team.blas.gemm('N', 'N', 1, g, x, 0, right);
    expect(relativeError(out, right)).toBeLessThan(1e-13);
  });

  it('goes_into_the_methods_for_operators', async () => {
    const n = 60;
    const { model, g } = linear(40, n);
    const operator = curvatureOf({ ...model, vectorsAtOnce: 16 });
    const dense = denseOperator(g, true, { blas: team.blas });
    const b = randomMatrix(n, 2, 2);
    const { x } = await solve(operator, b, { shift: 0.5, tolerance: 1e-10 }, { team });
    const residual = matrixOver(b.data.slice(), n, 2);
    team.blas.gemm('N', 'N', -1, g, x as Matrix, 1, residual);
    for (let i = 0; i < 2 * n; i++) residual.data[i] -= 0.5 * (x as Matrix).data[i];
    expect(
      relativeError(
        matrixOver(
          residual.data.map((value, i) => value + b.data[i]),
          n,
          2,
        ),
        b,
      ),
    ).toBeLessThan(1e-9);
    const [ours, theirs] = await Promise.all([operator, dense].map((one) => topEigenvalues(one, 3, {}, { team })));
    ours.values.forEach((value, i) => expect(Math.abs(value / theirs.values[i] - 1)).toBeLessThan(1e-8));
    let right = 0;
    for (let i = 0; i < n; i++) right += g.data[i * (n + 1)];
    expect(Math.abs((await trace(operator, {}, { team })).value / right - 1)).toBeLessThan(1e-12);
    const { values } = await estimateDiagonal(operator, {}, { team });
    values.forEach((value, i) => expect(Math.abs(value / g.data[i * (n + 1)] - 1)).toBeLessThan(1e-12));
    const density = await spectralDensity(operator, { blas: team.blas });
    expect(density).toBeDefined();
    const { operator: close } = await approximate(operator, 'nystrom', { share: 0.9 }, {}, { team });
    const [product, exact] = [zeros(n, 2), zeros(n, 2)];
    close.applyUnchecked(product, b, 1, 0);
    dense.applyUnchecked(exact, b, 1, 0);
    expect(relativeError(product, exact)).toBeLessThan(1e-6);
    const matrix = await compressProducts(
      operator,
      treeOfLeaves([15, 15, 15, 15], 1),
      { format: 'hss', maxRank: 30, tolerance: 1e-8, seed: 1 },
      { team },
    );
    const [p, q] = [zeros(n, 2), zeros(n, 2)];
    matrix.applyUnchecked(p, b, 1, 0);
    dense.applyUnchecked(q, b, 1, 0);
    expect(relativeError(p, q)).toBeLessThan(1e-6);
  });
});

describe('functions that are not what they are called', () => {
  const expectError = (change: Partial<OwnModel>, type: new (...args: never[]) => Error, text: RegExp): void => {
    const { model } = linear(6, 5);
    const act = (): unknown => curvatureOf({ ...model, ...change });
    expect(act).toThrow(type);
    expect(act).toThrow(text);
  };

  it('are_refused_with_what_is_wrong', () => {
    const { model } = linear(6, 5);
    const { jvp, vjp, lossHessian } = model;
    const other = linear(6, 5, 2).model;
    expectError({ vjp: other.vjp }, AsymmetryError, /vjp is not the transpose of jvp/);
    expectError({ vjp: (u, c) => Float64Array.from(vjp(u, c), (value) => -value) }, AsymmetryError, /transpose/);
    expectError({ vjp: (u, c) => Float64Array.from(vjp(u, c), (value) => value / 6) }, AsymmetryError, /transpose/);
    // A value instead of a derivative.
    expectError(
      { jvp: (v, c) => Float64Array.from(jvp(v, c), (value) => value + 1) },
      OptionError,
      /jvp is not linear/,
    );
    expectError({ lossHessian: (u) => u.map((value) => value ** 2) }, OptionError, /lossHessian is not linear/);
    expectError(
      { lossHessian: (u, c) => Float64Array.from(lossHessian!(u, c), (value, i) => value + (i === 0 ? u[3] : 0)) },
      AsymmetryError,
      /lossHessian is not symmetric/,
    );
    expectError({ vjp: (u) => u }, ShapeError, /vjp returned 6 numbers for Jᵀ·u: it must return 5/);
    expectError({ lossHessian: () => new Float64Array(2) }, ShapeError, /must return 6/);
    expectError({ jvp: () => [] }, ShapeError, /no numbers/);
    expectError({ jvp: () => [1, NaN] }, NonFiniteError, /NaN at place 1/);
    expectError({ jvp: () => ['1'] as never }, OptionError, /no number/);
    expectError({ jvp: (() => Promise.resolve([1])) as never }, OptionError, /at once/);
    expectError({ jvp: (() => ({ shape: [3] })) as never }, OptionError, /dataSync/);
  });

  it('functions_that_take_two_vectors_for_something_else_are_refused', () => {
    const { model } = linear(4, 3);
    // All but the first vector is passed over.
    const first =
      (f: OwnModel['jvp']): OwnModel['jvp'] =>
      (vectors, count) => {
        const one = Array.from(f(vectors.slice(0, vectors.length / count), 1));
        return Array.from({ length: count }, () => one).flat();
      };
    expect(() => curvatureOf({ ...model, vectorsAtOnce: 2 })).not.toThrow();
    expect(() => curvatureOf({ ...model, jvp: first(model.jvp) })).not.toThrow();
    for (const wrong of [
      { jvp: first(model.jvp) },
      { vjp: first(model.vjp) },
      { lossHessian: first(model.lossHessian!) },
    ])
      expect(() => curvatureOf({ ...model, ...wrong, vectorsAtOnce: 2 })).toThrow(
        /takes two vectors for something else/,
      );
  });

  it('and_other_options_are_refused', () => {
    expectError({ parameters: 0 }, OptionError, /parameters/);
    expectError({ parameters: 2.5 }, OptionError, /parameters/);
    expectError({ parameters: 'θ' as never }, OptionError, /parameters/);
    expectError({ jvp: undefined as never }, OptionError, /jvp/);
    expectError({ vjp: 3 as never }, OptionError, /vjp/);
    expectError({ vectorsAtOnce: 0 }, OptionError, /vectorsAtOnce/);
    expectError({ precision: 'double' as never }, OptionError, /f64/);
    expectError({ flops: -1 }, OptionError, /flops/);
    expectError({ jpv: 1 } as never, OptionError, /jvp/);
    expect(() => curvatureOf(5 as never)).toThrow(/curvatureOf\(\{/);
  });

  it('may_round_to_float32', () => {
    const { model } = linear(300, 200);
    const rounded = (f: OwnModel['jvp']) => (x: Float64Array, count: number) => Float32Array.from(f(x, count));
    const single = {
      ...model,
      jvp: rounded(model.jvp),
      vjp: rounded(model.vjp),
      lossHessian: rounded(model.lossHessian!),
    };
    expect(curvatureOf({ ...single, precision: 'f32' }).precision).toBe('f32');
  });

  it('of_a_model_without_any_effect_give_zero', () => {
    const operator = curvatureOf({ parameters: 3, jvp: () => [0, 0], vjp: () => [0, 0, 0] });
    const out = zeros(3, 1);
    operator.applyUnchecked(out, randomMatrix(3, 1, 1), 1, 0);
    expect([...out.data]).toEqual([0, 0, 0]);
  });
});
