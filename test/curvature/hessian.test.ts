/**
 * Hessian products: against fourth-order differences of brute-force gradients, and by identities that hold to rounding.
 */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { bruteForceGradients, bruteForceOutputs, denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { asymmetry, denseOperator, forgetful } from './operators.js';

const blas = openBlas();
const eps = 2 ** -52;

function meanGradient(model: Model): Float64Array {
  const { data, rows, cols } = bruteForceGradients(model);
  const mean = new Float64Array(rows);
  for (let i = 0; i < cols; i++) for (let a = 0; a < rows; a++) mean[a] += data[a + i * rows] / cols;
  return mean;
}

/**
 * Columns (−g(2h) + 8g(h) − 8g(−h) + g(−2h))/12h. Error: h⁴ times fifth derivatives, and eps·|g|/h; h is small enough
 * that no unit of the models crosses relu's kink.
 */
function differencedHessian(model: Model, h = 1e-4): Matrix {
  const size = model.network.parameters;
  const dense = zeros(size, size);
  for (let b = 0; b < size; b++) {
    for (const [steps, weight] of [
      [-2, 1],
      [-1, -8],
      [1, 8],
      [2, -1],
    ]) {
      const parameters = Float64Array.from(model.parameters);
      parameters[b] += steps * h;
      const gradient = meanGradient({ ...model, parameters });
      for (let a = 0; a < size; a++) dense.data[a + b * size] += (weight * gradient[a]) / (12 * h);
    }
  }
  return dense;
}

describe('hessian_products', () => {
  it.each(smallModels())('equal_differences_of_gradients: $name', ({ model }) => {
    const h = denseOperator(hessian(model, { blas }));
    expect(relativeError(h, differencedHessian(model))).toBeLessThan(1e-9);
    expect(asymmetry(h)).toBeLessThan(500 * eps);
  });

  it('equal_gauss_newton_where_the_network_is_one_linear_layer', () => {
    for (const loss of LOSSES) {
      const model = randomModel({ widths: [5, 4], activation: 'linear', loss, bias: true, samples: 9 });
      expect(relativeError(denseOperator(hessian(model, { blas })), denseGaussNewton(model))).toBeLessThan(100 * eps);
    }
  });

  it('equal_gauss_newton_where_the_targets_are_the_outputs', () => {
    // All terms that Gauss–Newton drops are multiples of the residuals.
    const model = randomModel({
      widths: [4, 6, 5, 9],
      activation: ['tanh', 'gelu', 'softplus'],
      loss: 'mse',
      bias: true,
      samples: 12,
    });
    const deep = randomModel({
      widths: [4, 3, 9],
      activation: 'sigmoid',
      loss: 'squared-error',
      bias: false,
      samples: 12,
    });
    for (const { network, parameters, loss, data } of [model, deep]) {
      const { inputs } = data.batch(0, 12);
      const outputs = zeros(9, 12);
      const fitted = { network, parameters, loss, data: memoryDataSet(inputs, outputs) };
      copyInto(outputs, bruteForceOutputs(fitted));
      expect(relativeError(denseOperator(hessian(fitted, { blas })), denseGaussNewton(fitted))).toBeLessThan(500 * eps);
    }
  });

  it('give_each_vector_its_product_and_honour_alpha_and_beta', () => {
    const model = randomModel({
      widths: [6, 5, 4, 12],
      activation: ['gelu', 'tanh', 'sigmoid'],
      loss: 'cross-entropy',
      bias: true,
      samples: 250,
    });
    const operator = hessian(model, { blas });
    const x = randomMatrix(operator.cols, 40, 2);
    const together = apply(operator, x);
    for (const j of [0, 17, 39]) {
      const column = { ...x, offset: j * x.ld, cols: 1 };
      expect(relativeError(apply(operator, column), { ...together, offset: j * x.rows, cols: 1 })).toBeLessThan(
        1000 * eps,
      );
    }
    const out = zeros(operator.rows, 40);
    copyInto(out, together);
    operator.applyUnchecked(out, x, -2, 2);
    expect(Math.max(...out.data.map(Math.abs))).toBeLessThan(8 * eps * Math.max(...together.data.map(Math.abs)));
  });

  it.each(smallModels('f32').filter((_, i) => i % 9 === 0))('in_single_precision: $name', ({ model }) => {
    const wide: Model = { ...model, parameters: Float64Array.from(model.parameters), data: widened(model) };
    const h = denseOperator(hessian(wide, { blas }));
    expect(relativeError(denseOperator(hessian(model, { blas })), h)).toBeLessThan(500 * 2 ** -23);
  });
});

function widened({ data }: Model): Model['data'] {
  const { inputs, targets } = data.batch(0, data.samples);
  const wide = (a: Matrix): Matrix => ({ ...a, data: Float64Array.from(a.data) });
  return memoryDataSet(wide(inputs), wide(targets));
}

describe('batches_and_teams', () => {
  const model = randomModel({ widths: [9, 7, 6, 20], activation: 'softplus', loss: 'mse', bias: true, samples: 400 });
  const nonlinear = randomModel({
    widths: [9, 7, 8],
    activation: 'tanh',
    outputActivation: 'gelu',
    loss: 'bce',
    bias: false,
    samples: 400,
  });

  it('change_rounding_only', () => {
    for (const one of [model, nonlinear]) {
      const whole = hessian(one, { blas });
      const x = randomMatrix(whole.cols, 5, 1);
      for (const batchSize of [7, 100, 399]) {
        const operator = hessian({ ...one, data: forgetful(one.data) }, { blas, batchSize, memoryLimit: 8 * 40 * 399 });
        expect(operator.kept).toBe(false);
        expect(relativeError(apply(operator, x), apply(whole, x))).toBeLessThan(2000 * eps);
      }
    }
  });

  it('of_any_size_give_the_same_bits', async () => {
    for (const one of [model, nonlinear]) {
      const alone = hessian(one, { blas });
      const blocks = [1, 5, 40].map((vectors) => randomMatrix(alone.cols, vectors, vectors));
      const expected = blocks.map((x) => apply(alone, x).data);
      for (const workers of [1, 2, 3]) {
        const team = await sharedTeam(workers);
        const operator = hessian(one, { blas, team });
        blocks.forEach((x, i) => {
          expect(apply(operator, x).data).toEqual(expected[i]);
          expect(apply(operator, x).data).toEqual(expected[i]);
        });
      }
    }
  });
});

describe('targets_are_checked', () => {
  it('for_numbers_and_for_the_loss', () => {
    const model = randomModel({ widths: [3, 4, 2], activation: 'tanh', loss: 'cross-entropy', bias: true, samples: 5 });
    const { inputs, targets } = model.data.batch(0, 5);
    const changed = (value: number): Model => {
      const copy = zeros(2, 5);
      copyInto(copy, targets);
      copy.data[4] = value;
      return { ...model, data: memoryDataSet(inputs, copy) };
    };
    expect(() => hessian(changed(Number.NaN), { blas })).toThrow(NonFiniteError);
    expect(() => hessian(changed(3), { blas })).toThrow(OptionError);
    // Gauss–Newton does not look at them.
    expect(gaussNewton(changed(3), { blas }).rows).toBe(model.network.parameters);
  });
});
