/**
 * Fisher matrices: against sums of brute-force gradients, and the Monte Carlo one's mean and variance against what is
 * proved of them.
 */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { empiricalFisher, monteCarloFisher } from '#hmatrix/curvature/products/fisher.js';
import { meanOf } from '#hmatrix/network/losses/mean.js';
import { sampleOutputErrors } from '#hmatrix/network/losses/sampled-errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { LOSSES, lossOf } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import {
  bruteForceGradients,
  bruteForceJacobian,
  bruteForceLossHessians,
  bruteForceOutputs,
  denseGaussNewton,
  meanOuterProduct,
  pulledBack,
  randomModel,
  smallModels,
} from './brute-force.js';
import { asymmetry, denseOperator, forgetful } from './operators.js';

const blas = openBlas();
const eps = 2 ** -52;

/** (1/(n·s)) Σ J_iᵀ e_it e_itᵀ J_i from the sampled errors themselves. */
function sampledFisher(model: Model, draws: number, seed: number): Matrix {
  const outputs = bruteForceOutputs(model);
  const errors = zeros(outputs.rows, outputs.cols * draws);
  sampleOutputErrors(model.loss, outputs, { draws, seed, first: 0 }, errors);
  const jacobians = bruteForceJacobian(model);
  return meanOuterProduct(
    pulledBack(
      jacobians.flatMap((j) => new Array<Matrix>(draws).fill(j)),
      errors,
    ),
  );
}

describe('fisher_products', () => {
  it.each(smallModels())('equal_sums_of_outer_products_of_gradients: $name', ({ model }) => {
    const f = denseOperator(empiricalFisher(model, { blas }));
    expect(relativeError(f, meanOuterProduct(bruteForceGradients(model)))).toBeLessThan(300 * eps);
    expect(asymmetry(f)).toBeLessThan(100 * eps);
  });

  it.each(smallModels().filter((_, i) => i % 4 === 1))(
    'equal_sums_over_labels_drawn_from_the_model: $name',
    ({ model }) => {
      for (const draws of [1, 3]) {
        const f = denseOperator(monteCarloFisher(model, { blas, draws, seed: 5 }));
        expect(relativeError(f, sampledFisher(model, draws, 5))).toBeLessThan(300 * eps);
      }
    },
  );

  it.each(smallModels('f32').filter((_, i) => i % 9 === 0))('in_single_precision: $name', ({ model }) => {
    const f = denseOperator(empiricalFisher(model, { blas }));
    expect(relativeError(f, meanOuterProduct(bruteForceGradients(model)))).toBeLessThan(500 * 2 ** -23);
  });

  it('do_not_depend_on_batches_vectors_at_a_time_or_team', async () => {
    const model = randomModel({
      widths: [8, 6, 9],
      activation: 'gelu',
      loss: 'cross-entropy',
      bias: true,
      samples: 500,
    });
    for (const make of [
      empiricalFisher,
      (m: Model, o: Parameters<typeof empiricalFisher>[1]) => monteCarloFisher(m, { ...o, draws: 2, seed: 3 }),
    ]) {
      const alone = make(model, { blas });
      const x = randomMatrix(alone.cols, 33, 1);
      const expected = apply(alone, x);
      const streamed = make(
        { ...model, data: forgetful(model.data) },
        { blas, batchSize: 70, memoryLimit: 8 * 40 * 400 },
      );
      expect(streamed.kept).toBe(false);
      expect(relativeError(apply(streamed, x), expected)).toBeLessThan(1000 * eps);
      const one = { ...x, cols: 1 };
      const single = apply(alone, one);
      expect(relativeError(single, { ...expected, cols: 1 })).toBeLessThan(1000 * eps);
      for (const workers of [1, 2, 3]) {
        const team = await sharedTeam(workers);
        const operator = make(model, { blas, team });
        expect(apply(operator, x).data).toEqual(expected.data);
        expect(apply(operator, one).data).toEqual(single.data);
      }
    }
  });

  it('refuse_counts_that_are_none', () => {
    const { model } = smallModels()[0];
    for (const draws of [0, 1.5, Number.NaN])
      expect(() => monteCarloFisher(model, { blas, draws })).toThrow(OptionError);
    expect(() => monteCarloFisher(model, { blas, seed: 0.5 })).toThrow(OptionError);
  });
});

/** Each outcome of e with its probability, for one sample of a discrete model. */
function outcomes(
  loss: 'cross-entropy' | 'bce',
  p: ArrayLike<number>,
): { readonly probability: number; readonly error: number[] }[] {
  const r = p.length;
  const mean = Array.from(p);
  if (loss === 'cross-entropy')
    return mean.map((probability, c) => ({ probability, error: mean.map((q, k) => q - (k === c ? 1 : 0)) }));
  return Array.from({ length: 2 ** r }, (_, bits) => ({
    probability: mean.reduce((product, q, k) => product * ((bits >> k) & 1 ? q : 1 - q), 1),
    error: mean.map((q, k) => q - ((bits >> k) & 1)),
  }));
}

/**
 * Var(F_ab) of one draw for each sample, N × N: by enumeration of the labels, or Isserlis' theorem for normal ones. And
 * its bound.
 */
function exactVariance(model: Model): { readonly variance: Float64Array; readonly bound: Float64Array } {
  const { loss } = model;
  const outputs = bruteForceOutputs(model);
  const jacobians = bruteForceJacobian(model);
  const hessians = bruteForceLossHessians(model, outputs);
  const factors = lossOf(loss).varianceFactors(outputs);
  const n = jacobians.length;
  const size = model.network.parameters;
  const r = outputs.rows;
  const variance = new Float64Array(size * size);
  const bound = new Float64Array(size * size);
  for (let i = 0; i < n; i++) {
    const j = jacobians[i].data;
    const g = new Float64Array(size * size);
    for (let b = 0; b < size; b++)
      for (let a = 0; a < size; a++)
        for (let k = 0; k < r; k++)
          for (let l = 0; l < r; l++) g[a + b * size] += j[k + a * r] * hessians[i].data[k + l * r] * j[l + b * r];
    const second = new Float64Array(size * size);
    if (loss === 'cross-entropy' || loss === 'bce') {
      const p = meanOf(lossOf(loss), { ...outputs, offset: i * r, cols: 1 }).data;
      for (const { probability, error } of outcomes(loss, p)) {
        const gradient = Float64Array.from({ length: size }, (_, a) =>
          error.reduce((sum, e, k) => sum + e * j[k + a * r], 0),
        );
        for (let b = 0; b < size; b++)
          for (let a = 0; a < size; a++) second[a + b * size] += probability * (gradient[a] * gradient[b]) ** 2;
      }
    }
    for (let b = 0; b < size; b++) {
      for (let a = 0; a < size; a++) {
        const at = a + b * size;
        const product = g[a * (size + 1)] * g[b * (size + 1)];
        bound[at] += (factors[i] * product) / n ** 2;
        variance[at] +=
          (loss === 'cross-entropy' || loss === 'bce' ? second[at] - g[at] ** 2 : product + g[at] ** 2) / n ** 2;
      }
    }
  }
  return { variance, bound };
}

describe('monte_carlo', () => {
  const models = LOSSES.map((loss) => ({
    loss,
    model: randomModel({ widths: [3, 4, 3], activation: 'tanh', loss, bias: true, samples: 5, seed: 4 }),
  }));

  it.each(models)('variance_is_below_its_bound_in_every_entry: $loss', ({ model }) => {
    const { variance, bound } = exactVariance(model);
    const largest = bound.reduce((most, b) => Math.max(most, b), 0);
    for (let k = 0; k < bound.length; k++) expect(variance[k]).toBeLessThanOrEqual(bound[k] + 100 * eps * largest);
  });

  it.each(models)('mean_is_gauss_newton_and_variance_is_the_exact_one: $loss', ({ model }) => {
    const draws = 4000;
    const size = model.network.parameters;
    const g = denseGaussNewton(model).data;
    const { variance } = exactVariance(model);
    const f = denseOperator(monteCarloFisher(model, { blas, draws, seed: 11 })).data;
    // E‖F − G‖_F² = Σ Var/s; its own spread is a fraction of it, for it sums over many directions.
    let squares = 0;
    let expected = 0;
    for (let k = 0; k < size * size; k++) {
      squares += (f[k] - g[k]) ** 2;
      expected += variance[k] / draws;
      // Six standard deviations, each entry.
      expect(Math.abs(f[k] - g[k])).toBeLessThan(6 * Math.sqrt(variance[k] / draws) + 1e-12);
    }
    expect(squares).toBeGreaterThan(expected / 5);
    expect(squares).toBeLessThan(5 * expected);
  });

  it('different_seeds_give_different_matrices_and_equal_ones_the_same', () => {
    const { model } = models[2];
    const x = randomMatrix(model.network.parameters, 1, 1);
    const product = (seed: number) => apply(monteCarloFisher(model, { blas, seed }), x).data;
    expect(product(1)).toEqual(product(1));
    expect(product(1)).not.toEqual(product(2));
  });
});
