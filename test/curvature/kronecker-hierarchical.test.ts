/**
 * Hierarchical matrices in the Kronecker eigenbasis against dense Gauss–Newton Hessians from the definition.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerHierarchical, type KroneckerHierarchicalOptions } from '#hmatrix/curvature/eigenbasis/compress.js';
import type { KroneckerHierarchicalMatrix } from '#hmatrix/curvature/eigenbasis/matrix.js';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { checkHierarchicalData } from '#hmatrix/hierarchical/matrix/check-data.js';
import type { LossName } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { distance, norm, smoothInputs } from './smooth-inputs.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (
  model: Model,
  options: KroneckerHierarchicalOptions,
  of: Team = team,
): Promise<KroneckerHierarchicalMatrix> => kroneckerHierarchical(model, options, { team: of });

function identity(n: number): Matrix {
  const one = zeros(n, n);
  for (let i = 0; i < n; i++) one.data[i * (n + 1)] = 1;
  return one;
}

const dense = (matrix: KroneckerHierarchicalMatrix): Matrix => apply(matrix, identity(matrix.rows));

/** Smooth inputs, so that the eigenvalues of A fall: what real data is like. */
function smoothAutoencoder(widths: readonly number[], loss: LossName = 'mse', samples = 60): Model {
  const model = randomModel({ widths, activation: 'sigmoid', loss, bias: false, samples, seed: 5 });
  smoothInputs(model, 1);
  return model;
}

describe('with everything kept', () => {
  // Per model: rotations and sums of n terms at rounding level; 100·eps·N covers orders up to 200.
  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'is_the_dense_Hessian: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const matrix = await build(model, { tolerance: 0, leafSize: 8 });
      const size = norm(exact.data);
      expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * size);
      expect(Math.abs(matrix.report.norm - size)).toBeLessThanOrEqual(100 * EPS * exact.rows * size);
      expect(matrix.error).toBe(0);
      matrix.release();
    },
  );

  it('widens_a_float32_model', async () => {
    const model = randomModel({
      widths: [5, 4, 3],
      activation: 'tanh',
      loss: 'mse',
      bias: true,
      samples: 9,
      precision: 'f32',
    });
    const exact = denseGaussNewton(model);
    const matrix = await build(model, { share: 10, leafSize: 4 });
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
  });

  it('needs_no_blocks_for_one_linear_layer_under_squared_errors', async () => {
    const model = randomModel({ widths: [6, 4], activation: 'linear', loss: 'squared-error', bias: true, samples: 9 });
    const matrix = await build(model, { tolerance: 0 });
    expect(matrix.core).toBeNull();
    expect(matrix.bytes).toBe(8 * 7 * 7);
    const exact = denseGaussNewton(model);
    expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(100 * EPS * exact.rows * norm(exact.data));
  });

  it('is_zero_where_nothing_depends_on_anything', async () => {
    const model = randomModel({ widths: [4, 3, 2], activation: 'relu', loss: 'bce', bias: false, samples: 5 });
    const { inputs } = model.data.batch(0, 5);
    inputs.data.fill(0);
    const matrix = await build(model, { tolerance: 0 });
    expect(matrix.report.norm).toBe(0);
    expect(norm(dense(matrix).data)).toBe(0);
  });
});

describe('an approximation', () => {
  const model = smoothAutoencoder([20, 5, 20]);
  const exact = denseGaussNewton(model);
  const size = norm(exact.data);

  it.each([0.1, 0.2, 0.25])('holds_the_share_%d_and_reports_its_true_error', async (share) => {
    const matrix = await build(model, { share, leafSize: 4 });
    expect(matrix.share).toBeLessThanOrEqual(share);
    const error = distance(dense(matrix), exact) / size;
    expect(Math.abs(matrix.error - error)).toBeLessThanOrEqual(1e-6 * error + 100 * EPS * exact.rows);
    expect(matrix.error).toBeGreaterThan(0);
  });

  it.each(['bce', 'cross-entropy'] as const)('reports_its_true_error_under_%s', async (loss) => {
    const other = smoothAutoencoder([12, 4, 6], loss);
    const reference = denseGaussNewton(other);
    const matrix = await build(other, { tolerance: 1e-2, leafSize: 4 });
    const error = distance(dense(matrix), reference) / norm(reference.data);
    expect(matrix.error).toBeGreaterThan(0);
    expect(Math.abs(matrix.error - error)).toBeLessThanOrEqual(1e-6 * error + 100 * EPS * reference.rows);
  });

  it('errs_less_with_more_memory', async () => {
    const errors: number[] = [];
    for (const share of [0.08, 0.12, 0.2, 0.3, 0.5]) errors.push((await build(model, { share, leafSize: 4 })).error);
    for (let k = 1; k < errors.length; k++) expect(errors[k]).toBeLessThanOrEqual(errors[k - 1]);
    expect(errors[4]).toBeLessThan(errors[0] / 10);
  });

  it('meets_a_tolerance_with_less_memory_the_looser_it_is', async () => {
    const bytes: number[] = [];
    for (const tolerance of [1e-1, 1e-2, 1e-4]) {
      const matrix = await build(model, { tolerance, leafSize: 4 });
      expect(distance(dense(matrix), exact)).toBeLessThanOrEqual(tolerance * size * (1 + 1e-6));
      bytes.push(matrix.bytes);
    }
    expect(bytes[0]).toBeLessThan(bytes[1]);
    expect(bytes[1]).toBeLessThan(bytes[2]);
  });

  it('keeps_the_complement_exactly', async () => {
    // Columns of V outside the range of W_L: G V = c·A·V there, whatever else was dropped.
    const matrix = await build(model, { share: 0.1, leafSize: 4 });
    const { offset, width, outputs, outputVectors } = matrix.layers[1];
    const v = zeros(exact.rows, 1);
    const random = new RandomStream(3);
    for (let q = 0; q < width; q++) {
      const row = Float64Array.from({ length: outputs }, () => random.normal());
      for (let k = 0; k < matrix.layers[1].units; k++) {
        const u = outputVectors!.data.subarray(k * outputs, (k + 1) * outputs);
        let dot = 0;
        for (let p = 0; p < outputs; p++) dot += u[p] * row[p];
        for (let p = 0; p < outputs; p++) row[p] -= dot * u[p];
      }
      for (let p = 0; p < outputs; p++) v.data[offset + q + p * width] = row[p];
    }
    const product = zeros(exact.rows, 1);
    team.blas.gemm('N', 'N', 1, exact, v, 0, product);
    expect(distance(apply(matrix, v), product)).toBeLessThanOrEqual(100 * EPS * exact.rows * size * norm(v.data));
  });

  it('is_symmetric', async () => {
    const matrix = await build(model, { share: 0.1, leafSize: 4 });
    const d = dense(matrix);
    const n = d.rows;
    let skew = 0;
    for (let j = 0; j < n; j++)
      for (let i = 0; i < j; i++) skew = Math.max(skew, Math.abs(d.data[i + j * n] - d.data[j + i * n]));
    expect(skew).toBeLessThanOrEqual(100 * EPS * size);
  });

  it.each(['mse', 'mean-squared', 'bce'] as const)('knows_its_diagonal_under_%s', async (loss) => {
    const matrix = await build(loss === 'mse' ? model : smoothAutoencoder([12, 4, 6], loss), {
      share: 0.2,
      leafSize: 4,
    });
    const d = dense(matrix);
    const diagonal = matrix.diagonal();
    for (let i = 0; i < d.rows; i++)
      expect(Math.abs(diagonal[i] - d.data[i * (d.rows + 1)])).toBeLessThanOrEqual(100 * EPS * norm(d.data));
  });

  it('counts_the_bytes_of_its_arrays', async () => {
    const matrix = await build(model, { share: 0.1, leafSize: 4 });
    const { tree, lists, skeletons, offsets, values } = matrix.core!.data;
    const arrays: ArrayBufferView[] = [
      tree.order,
      tree.begin,
      tree.end,
      lists.nearBegin,
      lists.near,
      lists.far,
      ...(Object.values(skeletons) as Int32Array[]),
      ...(Object.values(offsets) as Float64Array[]),
      values,
    ];
    for (const layer of matrix.layers)
      for (const m of [layer.inputVectors, layer.outputVectors, layer.complement]) if (m !== null) arrays.push(m.data);
    expect(matrix.bytes).toBe(arrays.reduce((sum, { byteLength }) => sum + byteLength, 0));
    const { basis, complement, near, diagonal, structure, bytes } = matrix.memory();
    expect(basis + complement + near + diagonal + structure).toBe(bytes);
  });

  it('has_a_core_that_is_a_valid_hierarchical_matrix', async () => {
    const matrix = await build(model, { share: 0.1, leafSize: 4 });
    checkHierarchicalData(matrix.core!.data, matrix.core!.elements, (what) => {
      throw new Error(what);
    });
    // Some indices were not worth their memory: they are isolated.
    expect(matrix.report.keptSize).toBeLessThanOrEqual(matrix.core!.rows);
    expect(matrix.report.blocks).toBeGreaterThan(0);
  });

  it('multiplies_blocks_as_single_vectors', async () => {
    const matrix = await build(model, { share: 0.2, leafSize: 4 });
    const n = matrix.rows;
    const x = zeros(n, 70);
    new RandomStream(2).fillNormal(x.data);
    const y = apply(matrix, x);
    for (const j of [0, 63, 64, 69]) {
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
      const other = await sharedTeam(workers);
      const matrix = await build(model, { share: 0.15, leafSize: 4 }, other);
      const x = zeros(matrix.rows, 3);
      new RandomStream(4).fillNormal(x.data);
      results.push(
        Float64Array.from([matrix.error, matrix.bytes, ...matrix.core!.data.values, ...apply(matrix, x).data]),
      );
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('is_far_better_than_the_diagonal_in_the_same_basis', async () => {
    // EKFAC keeps the diagonal of H: the least share that holds diagonal blocks at all, against ten times it.
    const least = await build(model, { tolerance: 0.99, leafSize: 1 });
    const more = await build(model, { share: Math.min(1, 10 * least.share), leafSize: 4 });
    expect(more.error).toBeLessThan(least.error / 5);
  });
});

describe('bad input', () => {
  const model = randomModel({ widths: [6, 4, 5], activation: 'tanh', loss: 'mse', bias: false, samples: 8 });

  it('refuses_a_share_that_the_basis_does_not_fit_in_and_says_which_does', async () => {
    const failure = await build(model, { share: 1e-4 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OptionError);
    expect((failure as OptionError).message).toMatch(/least share/);
    const { least } = (failure as OptionError).data as { least: number };
    expect((await build(model, { share: 1.01 * least })).share).toBeLessThanOrEqual(1.01 * least);
  });

  it.each([
    [{ share: 0 }],
    [{ share: Number.NaN }],
    [{ tolerance: -1 }],
    [{ share: 0.1, tolerance: 0.1 }],
    [{ leafSize: 0 }],
    [{ memoryLimit: 0 }],
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
    await expect(
      kroneckerHierarchical(model, { tolerance: 0.1 }, { team, signal: abort.signal }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});
