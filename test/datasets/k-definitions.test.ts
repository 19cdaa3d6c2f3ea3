/**
 * Each test matrix against its definition: dense operators written down term by term, inverted by LAPACK; and the
 * anchors known for it.
 */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block as part, copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { k02 } from '#datasets/k02.js';
import { advectionDiffusion, k13 } from '#datasets/k13.js';
import { k15 } from '#datasets/k15.js';
import { factorFivePoint, FivePointSolver, multiplyFivePoint } from '#datasets/five-point.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';

const blas = openBlas();
const eps = Number.EPSILON;

function dense(source: EntrySource): Matrix {
  const indices = Int32Array.from({ length: source.size }, (_, i) => i);
  const out = zeros(source.size, source.size);
  source.entries(indices, indices, out);
  return out;
}

function inverse(a: Matrix): Matrix {
  const n = a.rows;
  const lu = zeros(n, n);
  copyInto(lu, a);
  const pivots = new Int32Array(n);
  expect(blas.getrf(lu, pivots)).toBe(0);
  const result = zeros(n, n);
  for (let i = 0; i < n; i++) result.data[i * (n + 1)] = 1;
  blas.getrs('N', lu, pivots, result);
  return result;
}

function eigenvalues(a: Matrix): Float64Array {
  const copy = zeros(a.rows, a.rows);
  copyInto(copy, a);
  const values = new Float64Array(a.rows);
  expect(blas.syevd(false, 'L', copy, values)).toBe(0);
  return values;
}

/** a·b or aᵀ·b, divided by its largest eigenvalue. */
function scaledSquare(trans: 'N' | 'T', a: Matrix): Matrix {
  const out = zeros(a.rows, a.rows);
  blas.gemm(trans, 'N', 1, a, a, 0, out);
  const norm = eigenvalues(out)[a.rows - 1];
  for (let p = 0; p < out.data.length; p++) out.data[p] /= norm;
  return out;
}

const largestDifference = (a: Matrix, b: Matrix): number =>
  (a.data as Float64Array).reduce((worst, value, p) => Math.max(worst, Math.abs(value - b.data[p])), 0);

/** Singular values of the block of the first half of the rows and the second half of the columns. */
function offDiagonalSpectrum(source: EntrySource): Float64Array {
  const half = source.size / 2;
  const rows = Int32Array.from({ length: half }, (_, i) => i);
  const out = zeros(half, half);
  source.entries(
    rows,
    rows.map((i) => i + half),
    out,
  );
  const values = new Float64Array(half);
  expect(blas.gesdd(out, values, null, null)).toBe(0);
  return values;
}

const rank = (values: Float64Array, tolerance: number): number => values.filter((σ) => σ > tolerance).length;

describe('K02', () => {
  it.each([5, 12])('is_the_inverse_square_of_the_five_point_operator_for_n_=_%i', (n) => {
    const size = n * n;
    const j = zeros(size, size);
    for (let s = 0; s < n; s++) {
      for (let f = 0; f < n; f++) {
        const i = f + s * n;
        j.data[i * (size + 1)] = 4;
        if (f > 0) j.data[i + (i - 1) * size] = -1;
        if (f + 1 < n) j.data[i + (i + 1) * size] = -1;
        if (s > 0) j.data[i + (i - n) * size] = -1;
        if (s + 1 < n) j.data[i + (i + n) * size] = -1;
      }
    }
    // cond(J) = O(n²), and its inverse is squared.
    expect(largestDifference(dense(k02(size, { blas })), scaledSquare('N', inverse(j)))).toBeLessThan(
      8 * n * n * eps * 10,
    );
  });

  it('has_its_known_spectrum', () => {
    const n = 14;
    const values = eigenvalues(dense(k02(n * n, { blas })));
    const ν = Array.from({ length: n }, (_, k) => 4 * Math.sin((Math.PI * (k + 1)) / (2 * (n + 1))) ** 2);
    const exact = ν.flatMap((a) => ν.map((b) => ((2 * ν[0]) / (a + b)) ** 2)).sort((a, b) => a - b);
    exact.forEach((value, k) => {
      expect(Math.abs(values[k] - value)).toBeLessThan(20 * n * eps);
    });
  });

  it('has_condition_number_2.9e6_at_N_=_4096', () => {
    const n = 64;
    const extremes = [1, n].map((k) => Math.sin((Math.PI * k) / (2 * (n + 1))) ** 2);
    expect((extremes[1] / extremes[0]) ** 2).toBeCloseTo(2.93e6, -4);
    // The smoothest and the roughest sines are its extreme eigenvectors.
    const source = k02(n * n, { blas });
    for (const [k, eigenvalue] of [
      [1, 1],
      [n, (extremes[0] / extremes[1]) ** 2],
    ]) {
      const x = zeros(n * n, 1);
      for (let i = 0; i < n * n; i++)
        x.data[i] =
          Math.sin((Math.PI * k * ((i % n) + 1)) / (n + 1)) *
          Math.sin((Math.PI * k * (Math.floor(i / n) + 1)) / (n + 1));
      const y = zeros(n * n, 1);
      source.operator.applyUnchecked(y, x, 1, 0);
      for (let i = 0; i < n * n; i++) expect(Math.abs(y.data[i] - eigenvalue * x.data[i])).toBeLessThan(n * eps);
    }
  });

  it('has_off_diagonal_blocks_of_low_rank', () => {
    // Ranks at 1e-2, 1e-3, 1e-5 of ‖K‖ are 3, 7, 26 at N = 4,096; they grow with the grid's side at the finest
    // tolerance only.
    const values = offDiagonalSpectrum(k02(1024, { blas }));
    expect([1e-2, 1e-3].map((t) => rank(values, t))).toEqual([3, 7]);
    expect(rank(values, 1e-5)).toBeLessThanOrEqual(26);
  });
});

describe('K13', () => {
  const n = 12;
  const size = n * n;
  const ticks = Float64Array.from({ length: n }, (_, k) => k / (n - 1));
  const operator = advectionDiffusion(n, ticks, 0);

  function denseOf(trans: 'N' | 'T'): Matrix {
    const identity = zeros(size, size);
    for (let i = 0; i < size; i++) identity.data[i * (size + 1)] = 1;
    const out = zeros(size, size);
    multiplyFivePoint(operator, trans, identity, out);
    return out;
  }

  it('J_without_advection_is_symmetric_and_with_it_is_D_a_Dᵀ_plus_the_flow', () => {
    // D: backward difference times n. The coefficient a is read off the operator's couplings: upper_i = −n² a_i + 10³ n
    // v_{i+1}.
    const vx = (f: number, s: number): number => Math.cos(6 * Math.PI * (ticks[s] + ticks[f]));
    const a = zeros(size, size);
    for (let s = 0; s < n; s++)
      for (let f = 0; f < n; f++)
        a.data[(f + s * n) * (size + 1)] =
          f + 1 < n ? (1e3 * n * vx(f + 1, s) - operator.upper[f + s * n]) / n ** 2 : 1;
    for (let i = 0; i < size; i++)
      expect(Math.min(Math.abs(a.data[i * (size + 1)] - 1), Math.abs(a.data[i * (size + 1)] - 1e-4))).toBeLessThan(
        1e-10,
      );
    const difference = zeros(n, n);
    for (let i = 0; i < n; i++) {
      difference.data[i * (n + 1)] = n;
      if (i + 1 < n) difference.data[i + 1 + i * n] = -n;
    }
    const kron = (x: boolean): Matrix => {
      const d = zeros(size, size);
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const [fi, si, fj, sj] = [i % n, Math.floor(i / n), j % n, Math.floor(j / n)];
          d.data[i + j * size] = x
            ? si === sj
              ? difference.data[fi + fj * n]
              : 0
            : fi === fj
              ? difference.data[si + sj * n]
              : 0;
        }
      }
      return d;
    };
    const expected = zeros(size, size);
    for (const x of [true, false]) {
      const d = kron(x);
      const da = zeros(size, size);
      blas.gemm('N', 'N', 1, d, a, 0, da);
      blas.gemm('N', 'T', 1, da, d, 1, expected);
      for (let j = 0; j < size; j++) {
        const [f, s] = [j % n, Math.floor(j / n)];
        const v = x ? vx(f, s) : Math.sin(20 * Math.PI * ticks[s] + 6 * Math.PI * ticks[f]);
        for (let i = 0; i < size; i++)
          expected.data[i + j * size] += 1e3 * (d.data[i + j * size] - d.data[j + i * size]) * v;
      }
    }
    expect(largestDifference(denseOf('N'), expected)).toBeLessThan(1e-9 * n * n);
  });

  it('transposed_products_are_those_of_the_transpose', () => {
    const [j, t] = [denseOf('N'), denseOf('T')];
    for (let c = 0; c < size; c++)
      for (let r = 0; r < size; r++) expect(t.data[r + c * size]).toBe(j.data[c + r * size]);
  });

  it('solves_leave_residuals_of_rounding_only', () => {
    const solver = new FivePointSolver(factorFivePoint(operator, blas), blas);
    expect(solver.backwardError()).toBeLessThan(size * eps);
    for (const trans of ['N', 'T'] as const) {
      const x = zeros(size, 3);
      for (let i = 0; i < x.data.length; i++) x.data[i] = Math.cos(i);
      const b = zeros(size, 3);
      multiplyFivePoint(operator, trans, x, b);
      solver.solve(trans, b);
      // cond(J) is about 10³ here.
      expect(largestDifference(b, x)).toBeLessThan(1e5 * eps);
    }
  });

  it('is_the_inverse_of_J_Jᵀ_scaled', () => {
    const exact = scaledSquare('T', inverse(denseOf('N')));
    expect(largestDifference(dense(k13(size, { blas })), exact)).toBeLessThan(1e-8);
  });

  it('has_off_diagonal_blocks_of_low_rank', () => {
    // 3, 8, 29 at N = 4,096 and 1e-2, 1e-3, 1e-5 of ‖K‖, for another draw of the lines.
    const values = offDiagonalSpectrum(k13(1024, { blas }));
    expect(rank(values, 1e-2)).toBeLessThanOrEqual(8);
    expect(rank(values, 1e-5)).toBeLessThanOrEqual(40);
  });
});

describe('K15', () => {
  /**
   * Periodic differentiation of the trigonometric interpolant, from its Fourier sum: entry (i, j) is the derivative at
   * t_i of the interpolant of δ_j.
   */
  function differentiation(n: number, order: 1 | 2): Matrix {
    const d = zeros(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const t = (2 * Math.PI * (i - j)) / n;
        let sum = 0;
        for (let k = 1; k <= (n - 1) / 2; k++)
          sum += order === 1 ? -2 * k * Math.sin(k * t) : -2 * k * k * Math.cos(k * t);
        if (n % 2 === 0 && order === 2) sum -= (n / 2) ** 2 * Math.cos((n / 2) * t);
        d.data[i + j * n] = sum / n;
      }
    }
    return d;
  }

  it.each([6, 9, 12])('is_JᵀJ_of_the_spectral_operator_for_n_=_%i', (n) => {
    const size = n * n;
    const [d1, d2] = [differentiation(n, 1), differentiation(n, 2)];
    const t = Array.from({ length: n }, (_, k) => -Math.PI + (2 * Math.PI * k) / n);
    const j = zeros(size, size);
    for (let c = 0; c < size; c++) {
      for (let r = 0; r < size; r++) {
        const [yr, xr, yc, xc] = [r % n, Math.floor(r / n), c % n, Math.floor(c / n)];
        let value = r === c ? 1 : 0;
        if (yr === yc) value += -1e-7 * d2.data[xr + xc * n] + Math.sin(16 * t[yr]) ** 2 * d1.data[xr + xc * n];
        if (xr === xc) value += -1e-7 * d2.data[yr + yc * n] + Math.cos(2 * t[xr]) ** 2 * d1.data[yr + yc * n];
        j.data[r + c * size] = value;
      }
    }
    expect(largestDifference(dense(k15(size, { blas })), scaledSquare('T', j))).toBeLessThan(1e-8);
  });

  it('points_are_where_its_velocity_is_taken', () => {
    const points = k15(36, { blas }).points;
    expect([...points.coordinates.subarray(2, 4)]).toEqual([-Math.PI, -Math.PI + (2 * Math.PI) / 6]);
  });

  it('has_off_diagonal_blocks_of_high_rank', () => {
    // Of 2,048, ranks 220, 364 and 536 at 1e-2, 1e-3 and 1e-5 for N = 4,096; relative to the block, more on coarser
    // grids.
    const values = offDiagonalSpectrum(k15(576, { blas }));
    expect(rank(values, 1e-3)).toBeGreaterThan(0.18 * 288);
    expect(rank(values, 1e-5)).toBeGreaterThan(0.26 * 288);
    expect(rank(values, 1e-3)).toBeLessThan(0.6 * 288);
  });

  it('views_of_the_dense_matrix_are_its_blocks', () => {
    const source = k15(49, { blas });
    const k = dense(source);
    const out = zeros(5, 7);
    source.entries(Int32Array.of(0, 1, 2, 3, 4), Int32Array.of(10, 11, 12, 13, 14, 15, 16), out);
    const expected = zeros(5, 7);
    copyInto(expected, part(k, 0, 10, 5, 7));
    expect(out.data).toEqual(expected.data);
  });
});
