/**
 * Entries of Gauss–Newton Hessians against dense ones from brute-force Jacobians: every shape of network, every
 * strategy, every form.
 */
import { describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { ENTRY_STRATEGIES, type EntryStrategy } from '#hmatrix/curvature/entries/entry-blocks.js';
import * as module from '#hmatrix/curvature/entries/gauss-newton-source.js';
import * as sampledModule from '#hmatrix/curvature/entries/sampled-source.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { LossName } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { openSource } from '#hmatrix/source/open-source.js';
import { validateSource } from '#hmatrix/source/validate.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';

const { gaussNewtonSource } = module;
const blas = openBlas();
const eps = Number.EPSILON;

const scattered = (count: number, size: number, seed: number): Int32Array => {
  const random = new RandomStream(seed);
  return Int32Array.from({ length: count }, () => random.integer(size));
};
const range = (first: number, count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => first + i);

function entries(source: EntrySource, rows: Int32Array, cols: Int32Array): Matrix {
  const out = zeros(rows.length, cols.length);
  out.data.fill(Number.NaN);
  source.entries(rows, cols, out);
  return out;
}

/**
 * max |K_ab − G_ab| over the block, relative to √(G_aa G_bb) + a little of the largest: what the sums of products round
 * to.
 */
function worst(block: Matrix, rows: Int32Array, cols: Int32Array, dense: Matrix): number {
  const diagonal = Float64Array.from({ length: dense.rows }, (_, i) => dense.data[i * (dense.rows + 1)]);
  const largest = diagonal.reduce((a, b) => Math.max(a, b), 0);
  let error = 0;
  for (let b = 0; b < cols.length; b++) {
    for (let a = 0; a < rows.length; a++) {
      const difference = Math.abs(
        block.data[block.offset + a + b * block.ld] - dense.data[rows[a] + cols[b] * dense.rows],
      );
      // NaN must fail.
      error =
        difference <= Infinity
          ? Math.max(error, difference / (Math.sqrt(diagonal[rows[a]] * diagonal[cols[b]]) + 1e-3 * largest))
          : Infinity;
    }
  }
  return error;
}

/**
 * Blocks as they are asked for: everything, scattered with repeats, a cluster against scattered rows, inside one unit,
 * one entry, none.
 */
function blocks(size: number): [Int32Array, Int32Array][] {
  const half = size >> 1;
  return [
    [range(0, size), range(0, size)],
    [scattered(40, size, 1), scattered(30, size, 2)],
    [scattered(50, size, 3), range(half, Math.min(9, size - half))],
    [range(0, Math.min(6, size)), range(Math.max(0, size - 7), Math.min(7, size))],
    [range(half, 1), range(0, 1)],
    [range(0, 0), range(0, 3)],
  ];
}

/** Sums of a few hundred products, through a few layers: a hundred roundings, generously. */
const tolerance = 500 * eps;

describe.each(smallModels())('$name', ({ model }) => {
  const dense = denseGaussNewton(model);

  it('entries_are_those_of_the_dense_matrix', () => {
    const source = gaussNewtonSource(model, { blas });
    expect(source.form).toBe('stored');
    for (const [rows, cols] of blocks(source.size))
      expect(worst(entries(source, rows, cols), rows, cols, dense)).toBeLessThan(tolerance);
  });

  it('every_strategy_gives_them', () => {
    for (const strategy of ENTRY_STRATEGIES) {
      const source = gaussNewtonSource(model, { blas, strategy });
      for (const [rows, cols] of blocks(source.size))
        expect(worst(entries(source, rows, cols), rows, cols, dense), strategy).toBeLessThan(tolerance);
    }
  });

  it('diagonal_is_that_of_the_dense_matrix', () => {
    const source = gaussNewtonSource(model, { blas });
    const diagonal = new Float64Array(source.size);
    source.diagonal(diagonal);
    const largest = diagonal.reduce((a, b) => Math.max(a, b), 0);
    for (let a = 0; a < source.size; a++)
      expect(Math.abs(diagonal[a] - dense.data[a * (source.size + 1)])).toBeLessThan(tolerance * largest);
    validateSource(source, 1);
  });

  it('entries_are_the_same_where_memory_is_short', () => {
    for (let memoryLimit = 2 ** 24; memoryLimit > 2 ** 13; memoryLimit /= 2) {
      let source;
      try {
        source = gaussNewtonSource(model, { blas, memoryLimit });
      } catch (error) {
        expect(error).toBeInstanceOf(MemoryError);
        break;
      }
      const [rows, cols] = [scattered(40, source.size, 1), scattered(30, source.size, 2)];
      expect(worst(entries(source, rows, cols), rows, cols, dense), source.form).toBeLessThan(tolerance);
    }
  });
});

const deep = (loss: LossName, samples = 30): Model =>
  randomModel({ widths: [12, 16, 3, 14, 11], activation: 'tanh', loss, bias: true, samples, seed: 5 });
const formOf = (model: Model, memoryLimit: number): string => gaussNewtonSource(model, { blas, memoryLimit }).form;

describe('forms', () => {
  it.each(['mse', 'mean-squared', 'cross-entropy', 'bce'] as const)(
    'factored_recomputed_and_stored_agree_for_%s',
    (loss) => {
      const model = deep(loss);
      const dense = denseGaussNewton(model);
      const seen = new Set<string>();
      for (let memoryLimit = 4e6; memoryLimit > 1e4; memoryLimit *= 0.8) {
        let source;
        try {
          source = gaussNewtonSource(model, { blas, memoryLimit });
        } catch (error) {
          expect(error).toBeInstanceOf(MemoryError);
          break;
        }
        if (seen.has(source.form) && source.form !== 'recomputed') continue;
        seen.add(source.form);
        const all = range(0, source.size);
        expect(worst(entries(source, all, all), all, all, dense), source.form).toBeLessThan(tolerance);
        expect(source.bytes).toBeLessThanOrEqual(memoryLimit);
      }
      expect([...seen].sort()).toEqual(['factored', 'recomputed', 'stored']);
    },
  );

  it.each(ENTRY_STRATEGIES.map((strategy): [EntryStrategy] => [strategy]))('factored_entries_by_%s', (strategy) => {
    const model = randomModel({
      widths: [5, 12, 12, 2],
      activation: 'sigmoid',
      loss: 'cross-entropy',
      bias: true,
      samples: 20,
      seed: 6,
    });
    const dense = denseGaussNewton(model);
    let limit = 2 ** 22;
    while (formOf(model, limit) === 'stored') limit *= 0.9;
    const source = gaussNewtonSource(model, { blas, memoryLimit: limit, strategy });
    expect(source.form).toBe('factored');
    for (const [rows, cols] of blocks(source.size))
      expect(worst(entries(source, rows, cols), rows, cols, dense)).toBeLessThan(tolerance);
  });

  it('samples_and_panels_beyond_one_chunk_add_up', () => {
    const model = randomModel({
      widths: [20, 18, 20],
      activation: 'tanh',
      loss: 'bce',
      bias: true,
      samples: 1100,
      seed: 8,
    });
    const stored = gaussNewtonSource(model, { blas });
    const all = range(0, stored.size);
    expect(stored.size).toBeGreaterThan(512);
    const reference = entries(gaussNewtonSource(model, { blas, strategy: 'tiles' }), all, all);
    for (const strategy of [undefined, 'products', 'scaled rows', 'scaled columns'] as const) {
      const source = gaussNewtonSource(model, strategy === undefined ? { blas } : { blas, strategy });
      expect(worst(entries(source, all, all), all, all, reference)).toBeLessThan(2000 * eps);
    }
    const diagonal = new Float64Array(stored.size);
    stored.diagonal(diagonal);
    diagonal.forEach((value, a) => {
      expect(Math.abs(value - reference.data[a * (stored.size + 1)])).toBeLessThan(2000 * eps * value);
    });
  });

  it('one_hidden_layer_and_squared_errors_need_the_activations_alone', () => {
    const model = randomModel({ widths: [40, 10, 40], activation: 'tanh', loss: 'mse', bias: false, samples: 50 });
    // Āᵀ of both layers, slopes, diagonal, W_L, WᵀW, A.
    expect(gaussNewtonSource(model, { blas }).bytes).toBe(8 * (50 * (40 + 10 + 10) + 800 + 400 + 100 + 100));
  });

  it('beyond_memory_it_refuses_or_samples_where_asked', () => {
    const model = deep('mse');
    let limit = 1e6;
    while (formOf(model, limit) !== 'recomputed') limit *= 0.9;
    expect(() => gaussNewtonSource(model, { blas, memoryLimit: limit, beyondMemory: 'refuse' })).toThrow(MemoryError);
    const sampled = gaussNewtonSource(model, {
      blas,
      memoryLimit: limit,
      beyondMemory: 'sample',
      sampling: { error: 0.3 },
    });
    expect(sampled.form).toBe('sampled');
    expect(() => gaussNewtonSource(model, { blas, memoryLimit: 100 })).toThrow(MemoryError);
    expect(() => gaussNewtonSource(model, { blas, memoryLimit: 100, beyondMemory: 'sample' })).toThrow(MemoryError);
  });
});

describe('the source', () => {
  it('a_block_and_its_transpose_and_a_workers_copy_have_the_same_bits', () => {
    for (const loss of ['mse', 'cross-entropy', 'bce'] as const) {
      const source = gaussNewtonSource(deep(loss), { blas });
      const descriptor = structuredClone(source.descriptor!);
      const copy = openSource(
        descriptor,
        (url) => (url.includes('sampled') ? sampledModule : module) as unknown as Record<string, unknown>,
        { blas },
      );
      const rows = scattered(60, source.size, 4);
      const cols = range(100, 64);
      const block = entries(source, rows, cols);
      const turned = entries(source, cols, rows);
      expect(entries(copy, rows, cols).data).toEqual(block.data);
      for (let b = 0; b < cols.length; b++)
        for (let a = 0; a < rows.length; a++)
          expect(turned.data[b + a * cols.length]).toBe(block.data[a + b * rows.length]);
    }
  });

  it('blocks_lie_inside_larger_matrices', () => {
    const source = gaussNewtonSource(deep('mse'), { blas });
    const rows = scattered(13, source.size, 4);
    const cols = scattered(11, source.size, 5);
    const block = entries(source, rows, cols);
    const outer = new Float64Array(20 * 11 + 3).fill(7);
    source.entries(rows, cols, view(outer, 3, 13, 11, 20));
    for (let b = 0; b < 11; b++)
      for (let a = 0; a < 20; a++)
        if (3 + a + 20 * b < outer.length) expect(outer[3 + a + 20 * b]).toBe(a < 13 ? block.data[a + 13 * b] : 7);
  });

  it('weights_of_dead_inputs_have_exactly_zero_rows', () => {
    const { network, parameters, loss, data } = randomModel({
      widths: [6, 5, 6],
      activation: 'tanh',
      loss: 'mse',
      bias: true,
      samples: 9,
    });
    const { inputs } = data.batch(0, 9);
    for (let i = 0; i < 9; i++) inputs.data[i * 6 + 2] = 0;
    const source = gaussNewtonSource({ network, parameters, loss, data }, { blas });
    const all = range(0, source.size);
    const dense = entries(source, all, all);
    for (let p = 0; p < 5; p++)
      for (let b = 0; b < source.size; b++) expect(dense.data[p * 7 + 2 + b * source.size]).toBe(0);
  });

  it('float32_models_are_widened', () => {
    const shape = {
      widths: [7, 6, 5, 7],
      activation: 'gelu',
      loss: 'squared-error',
      bias: true,
      samples: 12,
      seed: 3,
    } as const;
    const single = randomModel({ ...shape, precision: 'f32' });
    const dense = denseGaussNewton(single);
    const source = gaussNewtonSource(single, { blas });
    const all = range(0, source.size);
    expect(worst(entries(source, all, all), all, all, dense)).toBeLessThan(tolerance);
  });

  it('hands_on_the_operator', () => {
    const model = deep('mse');
    const operator = {
      rows: model.network.parameters,
      cols: model.network.parameters,
      symmetric: true,
      applyUnchecked: () => undefined,
    };
    expect(gaussNewtonSource(model, { blas, operator }).operator).toBe(operator);
    expect(gaussNewtonSource(model, { blas }).operator).toBeUndefined();
  });

  it('bad_input_is_refused', () => {
    const model = deep('mse');
    const source = gaussNewtonSource(model, { blas });
    expect(() => entries(source, Int32Array.of(source.size), range(0, 1))).toThrow(ShapeError);
    expect(() => entries(source, Int32Array.of(-1), range(0, 1))).toThrow(ShapeError);
    expect(() => gaussNewtonSource(model, { blas, memoryLimit: 0 })).toThrow(OptionError);
    expect(() => gaussNewtonSource(model, { blas, strategy: 'fast' as EntryStrategy })).toThrow(OptionError);
    expect(() => gaussNewtonSource(model, { blas, beyondMemory: 'swap' as 'refuse' })).toThrow(OptionError);
    const parameters = Float64Array.from(model.parameters);
    parameters[3] = Number.NaN;
    expect(() => gaussNewtonSource({ ...model, parameters }, { blas })).toThrow(NonFiniteError);
    expect(() => gaussNewtonSource({ ...model, parameters: parameters.subarray(1) }, { blas })).toThrow(ShapeError);
  });
});
