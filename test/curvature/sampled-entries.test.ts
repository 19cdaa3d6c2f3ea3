/** Sampled entries: unbiased, within their bound, pure and symmetric. */
import { describe, expect, it } from 'vitest';
import { MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import * as module from '#hmatrix/curvature/entries/sampled-source.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { denseGaussNewton, randomModel } from './brute-force.js';

const { sampledGaussNewtonSource } = module;
const blas = openBlas();

const models: [string, Model][] = [
  [
    'autoencoder',
    randomModel({ widths: [8, 3, 8], activation: 'tanh', loss: 'mse', bias: true, samples: 60, seed: 1 }),
  ],
  [
    'deep classifier',
    randomModel({
      widths: [6, 7, 5, 4],
      activation: 'sigmoid',
      loss: 'cross-entropy',
      bias: true,
      samples: 60,
      seed: 2,
    }),
  ],
  [
    'deep autoencoder',
    randomModel({ widths: [5, 6, 2, 6, 5], activation: 'gelu', loss: 'bce', bias: false, samples: 60, seed: 3 }),
  ],
];
/** Just enough for inputs, slopes and norms, or for factored Gram vectors too. */
const limits: [string, (model: Model) => number][] = [
  ['with factors', () => 2 ** 28],
  ['bare', smallestLimit],
];

function smallestLimit(model: Model): number {
  let limit = 2 ** 26;
  let bytes = Infinity;
  for (;;) {
    try {
      bytes = sampledGaussNewtonSource(model, { blas, error: 0.5, memoryLimit: limit }).bytes;
    } catch (error) {
      expect(error).toBeInstanceOf(MemoryError);
      return limit / 0.98;
    }
    limit *= 0.98;
    expect(bytes).toBeLessThanOrEqual(limit / 0.98);
  }
}

describe.each(models)('%s', (_, model) => {
  const dense = denseGaussNewton(model);
  const size = dense.rows;
  const exact = (a: number, b: number): number => dense.data[a + b * size];

  describe.each(limits)('%s', (_name, limitOf) => {
    const memoryLimit = limitOf(model);

    it('root_mean_square_error_over_a_thousand_entries_is_within_the_bound', () => {
      const source = sampledGaussNewtonSource(model, { blas, error: 0.1, seed: 5, memoryLimit });
      expect(source.draws).toBe(100);
      const random = new RandomStream(9);
      let sum = 0;
      let count = 0;
      let beyond = 0;
      while (count < 1000) {
        const a = random.integer(size);
        const b = random.integer(size);
        const bound = source.bound(a, b);
        if (a === b || bound === 0) continue;
        expect(Math.abs(bound - 0.1 * Math.sqrt(exact(a, a) * exact(b, b)))).toBeLessThan(1e-12);
        const ratio = (source.entry(a, b) - exact(a, b)) / bound;
        sum += ratio * ratio;
        if (Math.abs(ratio) > 5) beyond++;
        count++;
      }
      // The mean of 1000 squares, each of expectation ≤ 1 and (near-normal) variance ≤ 2: five standard deviations are
      // 0.22.
      expect(sum / count).toBeLessThan(1.22);
      expect(beyond).toBeLessThanOrEqual(1);
      // It is an estimate, not the entry: the draws differ.
      expect(sum).toBeGreaterThan(0);
    });

    it('the_mean_over_many_seeds_is_the_entry', () => {
      const source = sampledGaussNewtonSource(model, { blas, error: 0.25, memoryLimit });
      const random = new RandomStream(10);
      for (let trial = 0; trial < 12; trial++) {
        const a = random.integer(size);
        const b = random.integer(size);
        const repetitions = 800;
        let mean = 0;
        for (let seed = 0; seed < repetitions; seed++) mean += source.entry(a, b, seed) / repetitions;
        // Five standard errors, or rounding on the diagonal.
        expect(Math.abs(mean - exact(a, b))).toBeLessThanOrEqual(
          (5 * source.bound(a, b)) / Math.sqrt(repetitions) + 1e-13,
        );
      }
    });
  });

  it('the_diagonal_is_exact_and_blocks_are_symmetric_and_pure', () => {
    const source = sampledGaussNewtonSource(model, { blas, error: 0.3, seed: 4 });
    const all = Int32Array.from({ length: size }, (_value, i) => i);
    const block = zeros(size, size);
    source.entries(all, all, block);
    const copy = openSource(structuredClone(source.descriptor), () => module as unknown as Record<string, unknown>, {
      blas,
    });
    const part = zeros(5, size);
    copy.entries(all.subarray(3, 8), all, part);
    const diagonal = new Float64Array(size);
    source.diagonal(diagonal);
    for (let b = 0; b < size; b++) {
      for (let a = 0; a < size; a++) expect(block.data[a + b * size]).toBe(block.data[b + a * size]);
      for (let a = 0; a < 5; a++) expect(part.data[a + 5 * b]).toBe(block.data[a + 3 + b * size]);
      expect(Math.abs(diagonal[b] - exact(b, b))).toBeLessThanOrEqual(1e-12 * exact(b, b));
      expect(block.data[b * (size + 1)]).toBe(diagonal[b]);
    }
  });
});

it('sampling_by_importance_is_never_worse_than_its_bound_where_one_sample_dominates', () => {
  // One input a million times the others: uniform sampling would miss it most of the time.
  const model = randomModel({
    widths: [4, 3, 4],
    activation: 'linear',
    loss: 'mse',
    bias: false,
    samples: 500,
    seed: 6,
  });
  const { inputs } = model.data.batch(0, 500);
  for (let q = 0; q < 4; q++) inputs.data[123 * 4 + q] *= 1e6;
  const exact = gaussNewtonSource(model, { blas });
  const source = sampledGaussNewtonSource(model, { blas, error: 0.2 });
  const block = zeros(12, 12);
  const some = Int32Array.from({ length: 12 }, (_, i) => i);
  exact.entries(some, some, block);
  for (let b = 0; b < 12; b++)
    for (let a = 0; a < 12; a++)
      expect(Math.abs(source.entry(a, b) - block.data[a + 12 * b])).toBeLessThan(
        1e-4 * source.bound(a, b) + 1e-9 * Math.abs(block.data[a + 12 * b]),
      );
});

it('bad_input_is_refused', () => {
  const [, model] = models[0];
  expect(() => sampledGaussNewtonSource(model, { blas, error: 0 })).toThrow(OptionError);
  expect(() => sampledGaussNewtonSource(model, { blas, error: 1e-9 })).toThrow(OptionError);
  expect(() => sampledGaussNewtonSource(model, { blas, error: Number.NaN })).toThrow(OptionError);
  expect(() => sampledGaussNewtonSource(model, { blas, memoryLimit: 1000 })).toThrow(MemoryError);
  const source = sampledGaussNewtonSource(model, { blas });
  expect(() => source.entry(0, source.size)).toThrow(ShapeError);
  expect(() => source.entry(-1, 0)).toThrow(ShapeError);
});
