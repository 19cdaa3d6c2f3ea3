/** Blocks on the diagonal are those of the matrix, for layers, units and any ranges. */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { blockDiagonal, blockDiagonalBytes } from '#hmatrix/source/block-diagonal.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { get, squaredNorm, zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { smallModel } from '../network/models.js';
import { layerRanges, unitRanges } from '#hmatrix/network/ranges.js';
import { sharedTeam } from '../teams.js';

let team: Team;
let model: Model;
let source: EntrySource;
let dense: Matrix;
let size: number;

beforeAll(async () => {
  team = await sharedTeam(2);
  // The first layer's block is taller than a panel of 512 rows.
  model = smallModel({ widths: [40, 15, 3], samples: 11 });
  source = gaussNewtonSource(model, { blas: team.blas });
  size = source.size;
  const all = Int32Array.from({ length: size }, (_, i) => i);
  dense = zeros(size, size);
  source.entries(all, all, dense);
});

const normal = (rows: number, cols: number, seed: number, precision: Precision = 'f64'): Matrix => {
  const a = zeros(rows, cols, precision);
  new RandomStream(seed).fillNormal(a.data);
  return a;
};

describe('the blocks', () => {
  it.each([
    ['layers', (): Int32Array => layerRanges(model.network)],
    ['units', (): Int32Array => unitRanges(model.network)],
    ['any ranges', (): Int32Array => Int32Array.of(0, 1, 7, 600, size)],
  ] as const)('multiply_as_those_of_the_dense_matrix_do: %s', async (_, ranges) => {
    const operator = await blockDiagonal(source, ranges(), {}, { team });
    const wanted = zeros(size, size);
    for (let k = 0; k + 1 < operator.ranges.length; k++) {
      for (let j = operator.ranges[k]; j < operator.ranges[k + 1]; j++)
        for (let i = operator.ranges[k]; i < operator.ranges[k + 1]; i++) wanted.data[i + j * size] = get(dense, i, j);
    }
    const x = normal(size, 5, 1);
    const before = normal(size, 5, 2);
    const out = zeros(size, 5);
    out.data.set(before.data);
    operator.applyUnchecked(out, x, 2, -0.5);
    team.blas.gemm('N', 'N', 2, wanted, x, -0.5, before);
    let difference = 0;
    for (let i = 0; i < out.data.length; i++) difference = Math.max(difference, Math.abs(out.data[i] - before.data[i]));
    // A row of a product of `size` terms; entries of a block to a few n·eps of √(G_aa G_bb).
    expect(difference).toBeLessThanOrEqual(4 * size * Number.EPSILON * Math.sqrt(squaredNorm(dense) * squaredNorm(x)));
    expect(operator.bytes).toBe(blockDiagonalBytes(operator.ranges));
    expect(operator.bytes).toBe(operator.values.byteLength + operator.ranges.byteLength);
    operator.release();
    expect(() => {
      operator.applyUnchecked(out, x, 1, 0);
    }).toThrow(OptionError);
  });

  it('multiply_float32_vectors_to_their_precision', async () => {
    const operator = await blockDiagonal(source, unitRanges(model.network), {}, { team });
    const x = normal(size, 1, 3);
    const [double, single] = [zeros(size, 1), zeros(size, 1, 'f32')];
    operator.applyUnchecked(double, x, 1, 0);
    operator.applyUnchecked(single, { ...x, data: Float32Array.from(x.data) }, 1, 0);
    const scale = Math.sqrt(squaredNorm(double));
    for (let i = 0; i < size; i++) expect(Math.abs(single.data[i] - double.data[i])).toBeLessThanOrEqual(1e-6 * scale);
    operator.release();
  });
});

describe('misuse', () => {
  it.each([[[0]], [[1, 5]], [[0, 5, 5]], [[0, 5]]])('is_refused: ranges %j', async (ranges) => {
    await expect(blockDiagonal(source, Int32Array.from(ranges), {}, { team })).rejects.toBeInstanceOf(ShapeError);
  });

  it('is_refused_before_anything_is_allocated', async () => {
    await expect(
      blockDiagonal(source, layerRanges(model.network), { memoryLimit: 1000 }, { team }),
    ).rejects.toBeInstanceOf(MemoryError);
    await expect(
      blockDiagonal(source, layerRanges(model.network), {}, { team, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});
