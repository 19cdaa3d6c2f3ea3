import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { InterpolativeDecomposition } from '#hmatrix/dense/interpolative.js';
import { squaredNorm, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { gaussianSource, randomMatrix } from '../support.js';

const blas = openBlas();
const copy = (a: Matrix): Matrix => view(a.data.slice(a.offset, a.offset + a.rows * a.cols), 0, a.rows, a.cols);

/** ‖A(:, redundant) − A(:, skeleton)·T‖_F, formed from the original. */
function residualOf(a: Matrix, id: InterpolativeDecomposition): number {
  const { rank: k } = id;
  const n = a.cols;
  const pick = (from: number, to: number): Matrix => {
    const out = zeros(a.rows, to - from);
    for (let j = from; j < to; j++)
      out.data.set(a.data.subarray(id.columns[j] * a.rows, (id.columns[j] + 1) * a.rows) as never, (j - from) * a.rows);
    return out;
  };
  const rest = pick(k, n);
  if (k > 0 && k < n) blas.gemm('N', 'T', -1, pick(0, k), id.interpolation, 1, rest);
  return Math.sqrt(squaredNorm(rest));
}

function kernelBlock(m: number, n: number, h: number): Matrix {
  const source = gaussianSource(m + n, 6, h, blas);
  const a = zeros(m, n);
  source.entries(
    Int32Array.from({ length: m }, (_, i) => i),
    Int32Array.from({ length: n }, (_, j) => m + j),
    a,
  );
  return a;
}

describe('interpolative decomposition', () => {
  it('meets_its_threshold_and_knows_its_residual', () => {
    for (const [h, tolerance] of [
      [2, 1e-2],
      [4, 1e-4],
      [8, 1e-7],
      [8, 1e-11],
    ] as const) {
      const a = kernelBlock(260, 120, h);
      const norm = Math.sqrt(squaredNorm(a));
      const id = new InterpolativeDecomposition(blas, 120, 120);
      id.decompose(copy(a), { threshold: tolerance * norm, maxRank: 120 });
      const residual = residualOf(a, id) / norm;
      expect(residual).toBeLessThanOrEqual(1.001 * tolerance + 1e-14);
      expect(Math.abs(residual - id.residual / norm)).toBeLessThanOrEqual(1e-3 * tolerance + 1e-14);
    }
  });

  it('is_as_good_as_column_pivoted_qr_at_the_same_rank', () => {
    const a = kernelBlock(300, 150, 3);
    const id = new InterpolativeDecomposition(blas, 150, 150);
    for (const rank of [10, 40, 90]) {
      id.decompose(copy(a), { threshold: 0, maxRank: rank });
      const qr = copy(a);
      blas.geqp3(qr, new Int32Array(150), new Float64Array(150));
      let square = 0;
      for (let j = rank; j < 150; j++) for (let i = rank; i <= j; i++) square += qr.data[i + j * 300] ** 2;
      expect(id.rank).toBe(rank);
      expect(residualOf(a, id)).toBeLessThanOrEqual(1.01 * Math.sqrt(square));
    }
  });

  it('exact_rank_is_found_and_reconstructed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 1, max: 1000 }),
        (m, n, r, seed) => {
          const rank = Math.min(m, n, r);
          const a = zeros(m, n);
          if (rank > 0) blas.gemm('N', 'T', 1, randomMatrix(m, rank, seed), randomMatrix(n, rank, seed + 1), 0, a);
          const id = new InterpolativeDecomposition(blas, n, n);
          id.decompose(copy(a), { threshold: 1e-12 * Math.sqrt(squaredNorm(a)), maxRank: n });
          expect(id.rank).toBe(rank);
          expect(residualOf(a, id)).toBeLessThanOrEqual(1e-11 * Math.sqrt(squaredNorm(a)));
          expect([...id.columns.subarray(0, n)].sort((x, y) => x - y)).toEqual(Array.from({ length: n }, (_, i) => i));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('graded_columns_over_twenty_orders_of_magnitude_keep_their_relative_residual', () => {
    const a = randomMatrix(80, 40, 5);
    for (let j = 0; j < 40; j++) for (let i = 0; i < 80; i++) a.data[i + 80 * j] *= 10 ** (-j / 2);
    const norm = Math.sqrt(squaredNorm(a));
    const id = new InterpolativeDecomposition(blas, 40, 40);
    for (const tolerance of [1e-3, 1e-8, 1e-13]) {
      id.decompose(copy(a), { threshold: tolerance * norm, maxRank: 40 });
      expect(residualOf(a, id)).toBeLessThanOrEqual(1.01 * tolerance * norm);
      expect(id.rank).toBeLessThan(40);
    }
  });

  it('zero_matrix_has_rank_zero', () => {
    const id = new InterpolativeDecomposition(blas, 5, 5);
    id.decompose(zeros(7, 5), { threshold: 0, maxRank: 5 });
    expect(id.rank).toBe(0);
    expect(id.residual).toBe(0);
  });
});
