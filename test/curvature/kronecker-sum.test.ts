/**
 * Sums of Kronecker products against dense Gauss–Newton Hessians from the definition.
 */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerSum, type KroneckerSumOptions } from '#hmatrix/curvature/kronecker-sum/compress.js';
import { modesOf } from '#hmatrix/curvature/kronecker-sum/modes.js';
import { groupSizes } from '#hmatrix/curvature/kronecker-sum/grid.js';
import type { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import { tablesOf } from '#hmatrix/curvature/eigenbasis/energies.js';
import { rotateModel } from '#hmatrix/curvature/eigenbasis/model.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { ACTIVATIONS } from '#hmatrix/network/activations/table.js';
import { LOSSES } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Layer } from '#hmatrix/network/network.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';
import { bruteForceJacobian, denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { bruteForceFactors, frobenius, kroneckerDense, layerBlock } from './kronecker-reference.js';
import { distance, norm, smoothModel } from './smooth-inputs.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (model: Model, options: KroneckerSumOptions, of: Team = team): Promise<KroneckerSumMatrix> =>
  kroneckerSum(model, options, { team: of });
const dense = (matrix: KroneckerSumMatrix): Matrix => matrix.toDense();
/** The block of two layers rearranged: row (p, p′), column (q, q′) holds G[(ℓ,p,q), (ℓ′,p′,q′)]. */
function rearranged(exact: Matrix, a: Layer, b: Layer): Matrix {
  const out = zeros(a.outputs * b.outputs, a.width * b.width);
  for (let p = 0; p < a.outputs; p++)
    for (let s = 0; s < b.outputs; s++)
      for (let q = 0; q < a.width; q++)
        for (let t = 0; t < b.width; t++)
          out.data[p + a.outputs * s + (q + a.width * t) * out.ld] =
            exact.data[a.offset + p * a.width + q + (b.offset + s * b.width + t) * exact.ld];
  return out;
}

describe('modes', () => {
  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'have_the_singular_values_of_the_rearranged_blocks: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const rotated = rotateModel(model, team.blas, 2 ** 30);
      const modes = await modesOf(tablesOf(rotated), { team });
      const { layers } = model.network;
      const scale = norm(exact.data);
      const last = layers.length - 1;
      for (const { lower, upper, energies, matrices, numbers, count } of modes) {
        const wide = rearranged(exact, layers[lower], layers[upper]);
        if (rotated.complement !== null && upper === last && lower === last) continue;
        const values = new Float64Array(Math.min(wide.rows, wide.cols));
        expect(team.blas.gesdd(wide, values, null, null)).toBe(0);
        // σ² is had to eps·σ_1², the singular values to eps·σ_1.
        for (let j = 0; j < Math.max(values.length, count); j++)
          expect(Math.abs((values[j] ?? 0) ** 2 - (energies[j] ?? 0))).toBeLessThanOrEqual(1e3 * EPS * scale ** 2);
        const m = view(matrices, 0, numbers, count);
        const gram = zeros(count, count);
        team.blas.gemm('T', 'N', 1, m, m, 0, gram);
        for (let j = 0; j < count; j++) gram.data[j * (count + 1)] -= 1;
        expect(norm(gram.data)).toBeLessThanOrEqual(100 * EPS * count);
      }
    },
  );

  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'are_never_worse_than_K-FAC_already_where_there_is_one: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const { layers, parameters } = model.network;
      const kfac = kroneckerDense(layers, parameters, bruteForceFactors(model));
      const modes = await modesOf(tablesOf(rotateModel(model, team.blas, 2 ** 30)), { team });
      layers.forEach((layer, ℓ) => {
        const own = layerBlock(exact, layer);
        const error = frobenius(own, layerBlock(kfac, layer));
        const of = modes.find(({ lower, upper }) => lower === ℓ && upper === ℓ);
        const rest = of === undefined ? 0 : of.energies.subarray(1).reduce((sum, e) => sum + e, 0);
        expect(rest).toBeLessThanOrEqual(error ** 2 + 1e3 * EPS * frobenius(own) ** 2);
      });
    },
  );

  it('are_grouped_one_by_one_at_first', () => {
    expect(groupSizes(0)).toEqual([]);
    expect(groupSizes(1)).toEqual([1]);
    expect(groupSizes(9)).toEqual([1, 1, 2, 2, 3]);
    expect(groupSizes(40).reduce((sum, size) => sum + size, 0)).toBe(40);
  });
});

describe('with everything kept', () => {
  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'is_the_dense_Hessian: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const matrix = await build(model, { tolerance: 0 });
      const size = norm(exact.data);
      expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * size);
      expect(Math.abs(matrix.report.norm - size)).toBeLessThanOrEqual(100 * EPS * exact.rows * size);
      expect(matrix.error).toBe(0);
      expect(matrix.report.met).toBe(true);
      matrix.release();
    },
  );

  it('widens_a_float32_model', async () => {
    const shape = { widths: [5, 4, 3], activation: 'tanh', loss: 'mse', bias: true, samples: 9 } as const;
    const model = randomModel({ ...shape, precision: 'f32' });
    const exact = denseGaussNewton(model);
    const matrix = await build(model, { share: 10 });
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
  });

  it('needs_no_modes_for_one_linear_layer_under_squared_errors', async () => {
    const model = randomModel({ widths: [6, 4], activation: 'linear', loss: 'squared-error', bias: true, samples: 9 });
    const matrix = await build(model, { tolerance: 0 });
    expect(matrix.data.size).toBe(0);
    expect(matrix.bytes).toBe(8 * 7 * 7);
    const exact = denseGaussNewton(model);
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
  });

  it('is_zero_where_nothing_depends_on_anything', async () => {
    const model = randomModel({ widths: [4, 3, 2], activation: 'relu', loss: 'bce', bias: false, samples: 5 });
    model.data.batch(0, 5).inputs.data.fill(0);
    const matrix = await build(model, { tolerance: 0 });
    expect(matrix.report.norm).toBe(0);
    expect(norm(dense(matrix).data)).toBe(0);
    expect(matrix.trace()).toBe(0);
  });

  it.each([
    ['one sample', { widths: [6, 4, 5], samples: 1 }],
    ['one output', { widths: [6, 4, 1], samples: 9 }],
    ['one unit and one input', { widths: [1, 1, 1], samples: 3 }],
    ['two samples of many units', { widths: [3, 9, 8], samples: 2 }],
  ] as const)('is_exact_with_%s', async (_what, shape) => {
    for (const loss of ['mse', 'bce'] as const) {
      const model = randomModel({ activation: 'gelu', loss, bias: true, ...shape });
      const exact = denseGaussNewton(model);
      const matrix = await build(model, { tolerance: 0 });
      expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
    }
  });

  it.each([
    ['more_samples_than', 5, 520],
    ['fewer_samples_than', 34, 530],
  ] as const)('is_exact_with_several_panels_of_samples: %s numbers of an m', async (_what, hidden, samples) => {
    const model = randomModel({ widths: [3, hidden, 2], activation: 'tanh', loss: 'bce', bias: false, samples });
    const exact = denseGaussNewton(model);
    const matrix = await build(model, { tolerance: 0 });
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
  });

  it('leaves_dead_units_and_zero_pixels_out', async () => {
    const model = smoothModel([20, 6, 20], { activation: 'relu' });
    const { inputs } = model.data.batch(0, 60);
    for (let i = 0; i < 60; i++) for (const q of [0, 7, 19]) inputs.data[inputs.offset + q + i * inputs.ld] = 0;
    const { offset, width } = model.network.layers[0];
    model.parameters.fill(0, offset, offset + width);
    const exact = denseGaussNewton(model);
    const matrix = await build(model, { tolerance: 0 });
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
    expect(matrix.layers[0].units).toBe(5);
    expect(matrix.layers[0].inputVectors.cols).toBeLessThan(20);
  });
});

describe('an approximation', () => {
  const model = smoothModel([40, 6, 40]);
  const exact = denseGaussNewton(model);
  const size = norm(exact.data);

  it('states_its_true_error_and_holds_its_share_whatever_the_network', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          input: fc.integer({ min: 1, max: 24 }),
          hidden: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 0, maxLength: 2 }),
          output: fc.integer({ min: 1, max: 7 }),
          activation: fc.constantFrom(...ACTIVATIONS),
          loss: fc.constantFrom(...LOSSES),
          bias: fc.boolean(),
          samples: fc.integer({ min: 1, max: 30 }),
          seed: fc.integer({ min: 1, max: 1000 }),
          share: fc.double({ min: 0.02, max: 0.8, noNaN: true }),
        }),
        async ({ input, hidden, output, share, ...shape }) => {
          const outputs = shape.loss === 'cross-entropy' ? output + 1 : output;
          const one = smoothModel([input, ...hidden, outputs], shape);
          const reference = denseGaussNewton(one);
          const made = await build(one, { share }).catch((error: unknown) => {
            if (error instanceof OptionError && (error.data['least'] as number) > share) return undefined;
            throw error;
          });
          if (made === undefined) return;
          expect(made.bytes).toBeLessThanOrEqual(share * 8 * made.rows ** 2);
          const error = distance(dense(made), reference) / Math.max(norm(reference.data), Number.MIN_VALUE);
          // Where a softmax is saturated, diag(p) − ppᵀ cancels: to eps of 1, not of itself.
          const jacobians = bruteForceJacobian(one).reduce((sum, { data }) => sum + norm(data) ** 2, 0) / shape.samples;
          const cancelled = Math.max(1, jacobians / Math.max(norm(reference.data), Number.MIN_VALUE));
          expect(Math.abs(made.error - error)).toBeLessThanOrEqual(1e-9 * error + cancelled * made.report.rounding);
          // Weyl: no eigenvalue lies below −‖G − G̃‖_F, but for those of syevd, off by rounding.
          const d = dense(made);
          const values = new Float64Array(d.rows);
          expect(team.blas.syevd(false, 'L', d, values)).toBe(0);
          expect(values[0]).toBeGreaterThanOrEqual(
            made.lowerBound - 100 * EPS * d.rows * Math.max(made.report.norm, jacobians),
          );
          made.release();
        },
      ),
      { numRuns: 100, seed: 1 },
    );
  }, 120_000);

  it('errs_less_with_more_memory', async () => {
    const errors: number[] = [];
    for (const share of [0.04, 0.06, 0.1, 0.2, 0.4]) {
      const matrix = await build(model, { share });
      errors.push(matrix.error);
      expect(matrix.share).toBeLessThanOrEqual(share);
      expect(matrix.report.met).toBeUndefined();
    }
    for (let k = 1; k < errors.length; k++) expect(errors[k]).toBeLessThanOrEqual(errors[k - 1]);
    expect(errors[4]).toBeLessThan(errors[0] / 10);
  });

  it('meets_a_tolerance_with_less_memory_the_looser_it_is', async () => {
    const bytes: number[] = [];
    for (const tolerance of [1e-1, 1e-2, 1e-4]) {
      const matrix = await build(model, { tolerance });
      expect(matrix.report.met).toBe(true);
      expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(tolerance * size * (1 + 1e-6));
      bytes.push(matrix.bytes);
    }
    expect(bytes[0]).toBeLessThan(bytes[1]);
    expect(bytes[1]).toBeLessThan(bytes[2]);
  });

  it('tells_small_errors_as_exactly_as_large_ones', async () => {
    const matrix = await build(model, { tolerance: 1e-7 });
    const error = distance(dense(matrix), exact) / size;
    expect(matrix.error).toBeGreaterThan(1e-9);
    expect(Math.abs(matrix.error - error)).toBeLessThanOrEqual(1e-6 * error + matrix.report.rounding);
  });

  it('is_symmetric', async () => {
    const d = dense(await build(model, { share: 0.06 }));
    const n = d.rows;
    let skew = 0;
    for (let j = 0; j < n; j++)
      for (let i = 0; i < j; i++) skew = Math.max(skew, Math.abs(d.data[i + j * n] - d.data[j + i * n]));
    expect(skew).toBeLessThanOrEqual(100 * EPS * size);
  });

  it('counts_the_bytes_of_its_arrays', async () => {
    const matrix = await build(model, { share: 0.06 });
    const { groups, panels, mixingBegin, valuesBegin, mixing, values } = matrix.data;
    const arrays: ArrayBufferView[] = [groups, panels, mixingBegin, valuesBegin, mixing, values];
    for (const layer of matrix.layers)
      for (const m of [layer.inputVectors, layer.outputVectors, layer.complement]) if (m !== null) arrays.push(m.data);
    expect(matrix.bytes).toBe(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const { basis, complement, mixing: mixed, blocks, structure, bytes } = matrix.memory();
    expect(basis + complement + mixed + blocks + structure).toBe(bytes);
  });

  it('multiplies_blocks_as_single_vectors_and_adds_to_what_is_there', async () => {
    const matrix = await build(model, { share: 0.1 });
    const n = matrix.rows;
    const x = zeros(n, 70);
    new RandomStream(2).fillNormal(x.data);
    const y = apply(matrix, x);
    for (const j of [0, 7, 8, 63, 64, 69]) {
      const single = apply(matrix, view(x.data, j * n, n, 1));
      expect(distance(single, view(y.data.slice(j * n, (j + 1) * n), 0, n, 1))).toBeLessThanOrEqual(
        100 * EPS * size * norm(single.data),
      );
    }
    const out = zeros(n, 2);
    out.data.fill(1);
    matrix.applyUnchecked(out, view(x.data, 0, n, 2), -2, 3);
    for (let i = 0; i < 2 * n; i++)
      expect(Math.abs(out.data[i] - (3 - 2 * y.data[i]))).toBeLessThanOrEqual(100 * EPS * size * n);
    const rounded = zeros(n, 1, 'f32');
    rounded.data.set(x.data.subarray(0, n));
    expect(apply(matrix, rounded).data).toBeInstanceOf(Float32Array);
  });

  it('has_the_same_bits_for_every_team', async () => {
    const results: Float64Array[] = [];
    for (const workers of [1, 2, 3]) {
      const matrix = await build(model, { share: 0.06 }, await sharedTeam(workers));
      const x = zeros(matrix.rows, 3);
      new RandomStream(4).fillNormal(x.data);
      results.push(
        Float64Array.from([
          matrix.error,
          matrix.bytes,
          ...matrix.data.mixing,
          ...matrix.data.values,
          ...apply(matrix, x).data,
        ]),
      );
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe('in float32', () => {
  const model = smoothModel([40, 6, 40]);
  const exact = denseGaussNewton(model);
  const size = norm(exact.data);

  it('a_sum_keeps_more_in_the_same_memory_and_states_its_error', async () => {
    for (const share of [0.04, 0.06]) {
      const [wide, narrow] = [await build(model, { share }), await build(model, { share, dtype: 'f32' })];
      expect(narrow.share).toBeLessThanOrEqual(share);
      expect(narrow.precision).toBe('f32');
      expect(narrow.error).toBeLessThan(wide.error);
      const entries = zeros(exact.rows, exact.rows);
      const all = Int32Array.from({ length: exact.rows }, (_, i) => i);
      const source = narrow.source();
      source.entries(all, all, entries);
      expect(Math.abs(narrow.error - distance(entries, exact) / size)).toBeLessThanOrEqual(narrow.report.rounding);
      expect(narrow.report.rounding).toBeLessThan(1e-6);
      // Products round once more, to eps for each of the sums' terms.
      expect(distance(dense(narrow), entries)).toBeLessThanOrEqual(100 * 2 ** -23 * size);
      const diagonal = narrow.diagonal();
      for (let i = 0; i < exact.rows; i++)
        expect(Math.abs(diagonal[i] - entries.data[i * (exact.rows + 1)])).toBeLessThanOrEqual(100 * EPS * size);
    }
  });

  it('a_zero_matrix_has_no_rounding_to_speak_of', async () => {
    // The softmax of one output does not depend on anything.
    const nothing = randomModel({
      widths: [3, 2, 1],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      samples: 5,
    });
    const matrix = await build(nothing, { share: 0.9, dtype: 'f32' });
    expect(matrix.report.rounding).toBeGreaterThanOrEqual(0);
    expect(matrix.report.rounding).toBeLessThan(1e-10);
    expect(matrix.lowerBound).toBeCloseTo(0);
  });

  it('a_sum_of_streamed_modes_is_kept_too', async () => {
    const matrix = await build(model, { share: 0.06, modes: 30, dtype: 'f32' });
    expect(matrix.precision).toBe('f32');
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(3 * matrix.error * size + 1e-5 * size);
  });

  it('has_the_same_bits_for_every_team', async () => {
    const results: Float64Array[] = [];
    for (const workers of [1, 3]) {
      const matrix = await build(model, { share: 0.06, dtype: 'f32' }, await sharedTeam(workers));
      const x = zeros(matrix.rows, 9);
      new RandomStream(4).fillNormal(x.data);
      results.push(Float64Array.from([...matrix.data.values, ...apply(matrix, x).data]));
    }
    expect(results[1]).toEqual(results[0]);
  });
});

describe('bad input', () => {
  const model = randomModel({ widths: [6, 4, 5], activation: 'tanh', loss: 'mse', bias: false, samples: 8 });

  it('refuses_a_share_that_the_exact_part_does_not_fit_in_and_says_which_does', async () => {
    const failure = await build(model, { share: 1e-4 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OptionError);
    expect((failure as OptionError).message).toMatch(/least share/);
    const { least } = (failure as OptionError).data as { least: number };
    expect((await build(model, { share: least })).share).toBeLessThanOrEqual(least);
  });

  it.each([
    [{ share: 0 }],
    [{ share: Number.NaN }],
    [{ tolerance: -1 }],
    [{ share: 0.1, tolerance: 0.1 }],
    [{ memoryLimit: 0 }],
    [{ share: 0.1, dtype: 'f16' as 'f32' }],
  ])('refuses_the_options_%j', async (options) => {
    await expect(build(model, options)).rejects.toBeInstanceOf(OptionError);
  });

  it('refuses_activations_that_are_not_finite', async () => {
    const parameters = Float64Array.from(model.parameters);
    parameters[3] = Number.NaN;
    await expect(build({ ...model, parameters }, { tolerance: 0.1 })).rejects.toBeInstanceOf(NonFiniteError);
  });

  it('refuses_more_memory_than_allowed_before_it_starts', async () => {
    await expect(build(model, { tolerance: 0.1, memoryLimit: 1000 })).rejects.toBeInstanceOf(MemoryError);
  });

  it('does_not_multiply_after_release', async () => {
    const matrix = await build(model, { tolerance: 0.1 });
    matrix.release();
    expect(() => apply(matrix, zeros(matrix.rows, 1))).toThrow(OptionError);
  });

  it('stops_when_aborted', async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(kroneckerSum(model, { tolerance: 0.1 }, { team, signal: abort.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});
