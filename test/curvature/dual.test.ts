/** The dual form against the primal one: norm, spectrum, solutions, products with the Jacobian. */
import { describe, expect, it } from 'vitest';
import { MemoryError, NotPositiveDefiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { randomMatrix, relativeError } from '../support.js';
import { bruteForceJacobian, bruteForceOutputs, denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { applyLossFactor } from '#hmatrix/network/losses/evaluate.js';
import { block, view } from '#hmatrix/dense/matrix.js';

const blas = openBlas();
const eps = Number.EPSILON;

describe.each(smallModels())('$name', ({ model }) => {
  const dense = denseGaussNewton(model);
  const size = dense.rows;
  const dual = dualForm(model, { blas });
  const norm = Math.sqrt(squaredNorm(dense));

  it('frobenius_norm_and_spectrum_are_those_of_the_primal', () => {
    expect(Math.abs(dual.frobeniusNorm - norm)).toBeLessThan(500 * eps * norm);
    const copy = zeros(size, size);
    copy.data.set(dense.data);
    const ascending = new Float64Array(size);
    expect(blas.syevd(false, 'L', copy, ascending)).toBe(0);
    const values = dual.eigenvalues();
    for (let k = 0; k < Math.max(size, dual.order); k++) {
      expect(Math.abs((values[k] ?? 0) - (k < size ? ascending[size - 1 - k] : 0))).toBeLessThan(1000 * eps * norm);
    }
  });

  it('solutions_are_those_of_the_dense_system', () => {
    for (const relative of [1, 1e-3]) {
      const shift = relative * norm;
      const b = randomMatrix(size, 3, 4);
      const x = dual.solve(b, shift);
      // (G + λI)x against b: the residual of a backward stable solution, times cond.
      const residual = zeros(size, 3);
      residual.data.set(x.data);
      blas.gemm('N', 'N', 1, dense, x, shift, residual);
      expect(relativeError(residual, b)).toBeLessThan((1000 * eps) / relative);
    }
  });

  it('products_with_the_jacobian_are_those_of_the_definition', () => {
    const jacobian = scaledJacobian();
    const x = randomMatrix(size, 2, 5);
    const y = randomMatrix(dual.order, 2, 6);
    const jx = zeros(dual.order, 2);
    const jy = zeros(size, 2);
    dual.applyJacobian(x, jx);
    dual.applyJacobianTransposed(y, jy);
    const expected = zeros(dual.order, 2);
    const transposed = zeros(size, 2);
    blas.gemm('N', 'N', 1, jacobian, x, 0, expected);
    blas.gemm('T', 'N', 1, jacobian, y, 0, transposed);
    const scale = Math.sqrt(squaredNorm(jacobian) * 2 * size);
    expect(distance(jx, expected)).toBeLessThan(500 * eps * scale);
    expect(distance(jy, transposed)).toBeLessThan(500 * eps * scale);
    const t = zeros(dual.order, dual.order);
    blas.gemm('N', 'T', 1, jacobian, jacobian, 0, t);
    expect(distance(dual.matrix, t)).toBeLessThan(500 * eps * norm);
  });

  /** Ĵ with rows S_iᵀJ_i/√n. */
  function scaledJacobian(): Matrix {
    const outputs = bruteForceOutputs(model);
    const { outputs: r } = model.network;
    const n = model.data.samples;
    const all = zeros(n * r, size);
    bruteForceJacobian(model).forEach((j, i) => {
      for (let c = 0; c < size; c++) {
        const column = view(j.data, c * r, r, 1);
        applyLossFactor(model.loss, view(outputs.data, i * r, r, 1), 'T', column, column);
        for (let k = 0; k < r; k++) all.data[i * r + k + c * n * r] = j.data[k + c * r] / Math.sqrt(n);
      }
    });
    return all;
  }
});

function distance(a: Matrix, b: Matrix): number {
  return Math.sqrt((a.data as Float64Array).reduce((sum, value, i) => sum + (value - b.data[i]) ** 2, 0));
}

describe('limits and views', () => {
  const model = randomModel({ widths: [6, 4, 5], activation: 'tanh', loss: 'mse', bias: true, samples: 20 });

  it('beyond_its_size_it_says_what_to_do', () => {
    expect(() => dualForm(model, { blas, largestOrder: 99 })).toThrow(/at most 19 samples/);
    expect(() => dualForm(model, { blas, largestOrder: 99 })).toThrow(OptionError);
    expect(() => dualForm(model, { blas, memoryLimit: 1e4 })).toThrow(MemoryError);
    expect(dualForm(model, { blas, largestOrder: 100 }).order).toBe(100);
  });

  it('bad_input_is_refused', () => {
    const dual = dualForm(model, { blas });
    const b = zeros(dual.parameters, 1);
    for (const shift of [0, -1, Number.NaN, Infinity]) expect(() => dual.solve(b, shift)).toThrow(OptionError);
    expect(() => dual.solve(zeros(3, 1), 1)).toThrow(ShapeError);
    expect(() => dual.applyJacobian(zeros(3, 1), zeros(dual.order, 1))).toThrow(ShapeError);
    expect(() => dual.applyJacobianTransposed(zeros(dual.order, 1), zeros(dual.parameters, 2))).toThrow(ShapeError);
    // T of 100 rows has rank below N = 53: a shift far below its rounding is lost.
    expect(() => dual.solve(b, 1e-300)).toThrow(NotPositiveDefiniteError);
  });

  it('right_hand_sides_lie_inside_larger_matrices', () => {
    const dual = dualForm(model, { blas });
    const outer = randomMatrix(dual.parameters + 7, 4, 8);
    const inner = block(outer, 3, 1, dual.parameters, 2);
    const copy = zeros(dual.parameters, 2);
    for (let c = 0; c < 2; c++)
      for (let i = 0; i < dual.parameters; i++)
        copy.data[i + c * dual.parameters] = outer.data[3 + i + (c + 1) * outer.rows];
    expect(dual.solve(inner, 0.5).data).toEqual(dual.solve(copy, 0.5).data);
  });

  it('float32_models_are_widened', () => {
    const single = randomModel({
      widths: [6, 4, 5],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      samples: 10,
      precision: 'f32',
    });
    const norm = Math.sqrt(squaredNorm(denseGaussNewton(single)));
    expect(Math.abs(dualForm(single, { blas }).frobeniusNorm - norm)).toBeLessThan(500 * eps * norm);
  });
});
