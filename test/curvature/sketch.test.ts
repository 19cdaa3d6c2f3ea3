/**
 * Sketched embeddings: inner products of points are entries of the Gauss–Newton Hessian, with the variance of a
 * Johnson–Lindenstrauss sketch.
 */
import { describe, expect, it } from 'vitest';
import { AbortedError, OptionError } from '#hmatrix/core/errors.js';
import { sketchEmbedding } from '#hmatrix/curvature/trees/sketch-embedding.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { LOSSES, type LossName } from '#hmatrix/network/losses/table.js';
import type { Points } from '#hmatrix/source/entry-source.js';
import { denseGaussNewton, randomModel } from './brute-force.js';

const blas = openBlas();
const losses: readonly LossName[] = LOSSES;
const modelOf = (loss: LossName): ReturnType<typeof randomModel> =>
  randomModel({ widths: [6, 5, 4, 5], activation: 'tanh', loss, bias: true, samples: 40, seed: 11 });

const inner = ({ dimension: k, coordinates: x }: Points, a: number, b: number): number => {
  let sum = 0;
  for (let c = 0; c < k; c++) sum += x[a * k + c] * x[b * k + c];
  return sum;
};

describe.each(losses)('%s', (loss) => {
  const model = modelOf(loss);
  const dense = denseGaussNewton(model);
  const size = dense.rows;

  /** Mean over all pairs of (⟨x_a, x_b⟩ − G_ab)²/(G_aa G_bb + G_ab²), and of the differences over √(…). */
  function errors(points: Points): { variance: number; bias: number } {
    let variance = 0;
    let bias = 0;
    let count = 0;
    for (let a = 0; a < size; a++) {
      for (let b = 0; b <= a; b++) {
        const g = dense.data[a + b * size];
        const scale = dense.data[a * (size + 1)] * dense.data[b * (size + 1)] + g * g;
        if (scale === 0) continue;
        const difference = inner(points, a, b) - g;
        variance += difference ** 2 / scale;
        bias += difference / Math.sqrt(scale);
        count++;
      }
    }
    return { variance: variance / count, bias: bias / count };
  }

  it('inner_products_are_entries_with_an_error_that_falls_like_one_over_the_root_of_the_dimension', () => {
    const measured = [32, 128, 512, 2048].map(
      (dimension) => dimension * errors(sketchEmbedding(model, { blas, dimension, seed: 3 })).variance,
    );
    // At most 1 in the mean; pairs of one sketch are correlated, so a factor is allowed for chance, and none for a
    // wrong rate.
    for (const value of measured) {
      expect(value).toBeLessThan(2);
      expect(value).toBeGreaterThan(0.02);
    }
  });

  it('is_unbiased', () => {
    let bias = 0;
    const seeds = 60;
    for (let seed = 0; seed < seeds; seed++)
      bias += errors(sketchEmbedding(model, { blas, dimension: 8, seed })).bias / seeds;
    // 480 rows in all; one row's mean over all pairs varies by less than 1: five standard deviations.
    expect(Math.abs(bias)).toBeLessThan(5 / Math.sqrt(8 * seeds));
  });
});

it('does_not_depend_on_the_batches_and_repeats_with_its_seed', () => {
  const model = modelOf('cross-entropy');
  const whole = sketchEmbedding(model, { blas, dimension: 5, seed: 2 });
  expect(whole.count).toBe(model.network.parameters);
  expect(whole.coordinates.length).toBe(5 * whole.count);
  expect(sketchEmbedding(model, { blas, dimension: 5, seed: 2 }).coordinates).toEqual(whole.coordinates);
  const batches = sketchEmbedding(model, { blas, dimension: 5, seed: 2, batchSize: 7 });
  const other = sketchEmbedding(model, { blas, dimension: 5, seed: 3 });
  const norm = Math.sqrt(inner({ ...whole, dimension: whole.coordinates.length }, 0, 0));
  const distance = (points: Points): number =>
    Math.sqrt(points.coordinates.reduce((sum, value, i) => sum + (value - whole.coordinates[i]) ** 2, 0));
  expect(distance(batches)).toBeLessThan(100 * Number.EPSILON * norm);
  expect(distance(other)).toBeGreaterThan(0.1 * norm);
});

it('weights_of_dead_inputs_lie_at_the_origin', () => {
  const model = randomModel({ widths: [6, 5, 6], activation: 'tanh', loss: 'mse', bias: true, samples: 9 });
  const { inputs } = model.data.batch(0, 9);
  for (let i = 0; i < 9; i++) inputs.data[i * 6 + 2] = 0;
  const points = sketchEmbedding(model, { blas, dimension: 4 });
  for (let p = 0; p < 5; p++) {
    expect(inner(points, p * 7 + 2, p * 7 + 2)).toBe(0);
    expect(inner(points, p * 7 + 3, p * 7 + 3)).toBeGreaterThan(0);
  }
});

it('float32_models_are_widened_progress_is_told_and_aborts_are_honoured', () => {
  const model = randomModel({
    widths: [5, 4, 5],
    activation: 'tanh',
    loss: 'mse',
    bias: true,
    samples: 9,
    precision: 'f32',
  });
  let last = 0;
  const points = sketchEmbedding(model, {
    blas,
    dimension: 3,
    batchSize: 4,
    onProgress: ({ done, total }) => {
      last = done / total;
    },
  });
  expect(points.coordinates.every(Number.isFinite)).toBe(true);
  expect(last).toBe(1);
  expect(() => sketchEmbedding(model, { blas, signal: AbortSignal.abort() })).toThrow(AbortedError);
});

it('bad_input_is_refused', () => {
  const model = modelOf('mse');
  for (const dimension of [0, 1.5, -2, 1e6])
    expect(() => sketchEmbedding(model, { blas, dimension })).toThrow(OptionError);
  expect(() => sketchEmbedding(model, { blas, batchSize: 0 })).toThrow(OptionError);
});
