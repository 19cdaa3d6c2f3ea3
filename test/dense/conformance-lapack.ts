/**
 * Conformance suite, second part: the LAPACK routines of the dense contract.
 * Backward errors c·n·eps·‖A‖ (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., ch. 9, 10, 19),
 * orthogonality c·n·eps, spectra against closed forms (Weyl: a backward error moves no singular value or eigenvalue by
 * more than its norm).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Blas, Side, Transpose, Triangle } from '#hmatrix/dense/blas.js';
import { get, view } from '#hmatrix/dense/matrix.js';
import type { FloatArray, Matrix, Precision } from '#hmatrix/dense/matrix.js';
import {
  distance,
  duplicate,
  epsilonOf,
  expectAtMost,
  floats,
  generate,
  guarded,
  identity,
  inTriangle,
  norm,
  op,
  poisonOpposite,
  product,
  randomOrthogonal,
  randomView,
  symmetric,
  toFloat64,
  transpose,
  triangular,
} from './reference.js';

const TRIANGLES: readonly Triangle[] = ['L', 'U'];
const TRANSPOSES: readonly Transpose[] = ['N', 'T'];
const SIDES: readonly Side[] = ['L', 'R'];
const ORDERS = [0, 1, 2, 3, 5, 8, 31, 64, 100, 145];
/** m, n: empty, rows and columns alone, tall, wide, square, off every block size. */
const SHAPES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0, 3],
  [3, 0],
  [1, 1],
  [1, 6],
  [6, 1],
  [5, 3],
  [3, 5],
  [8, 8],
  [70, 33],
  [33, 70],
  [65, 65],
  [140, 20],
  [20, 140],
  [101, 99],
];
/** The constant of every normwise bound c·n·eps. */
const C = 8;

export function describeLapack(precision: Precision, blas: () => Blas): void {
  const eps = epsilonOf(precision);
  const tolerance = (n: number): number => C * Math.max(1, n) * eps;
  describeCholesky(precision, blas, tolerance);
  describeQr(precision, blas, tolerance);
  describeSpectra(precision, blas, tolerance);
  describeLu(precision, blas, tolerance);
}

type Tolerance = (n: number) => number;

/** Q·diag(values)·Qᵀ. */
function withSpectrum(values: readonly number[], random: RandomStream): Matrix {
  const n = values.length;
  const q = randomOrthogonal(n, random);
  return product(
    generate(n, n, (i, j) => get(q, i, j) * values[j]),
    transpose(q),
  );
}

const geometric = (n: number, last: number): number[] =>
  Array.from({ length: n }, (_, i) => (n > 1 ? last ** (i / (n - 1)) : 1));

function describeCholesky(precision: Precision, blas: () => Blas, tolerance: Tolerance): void {
  it('potrf_reconstructs_and_leaves_the_other_triangle', () => {
    const random = new RandomStream(21);
    for (const n of ORDERS) {
      for (const uplo of TRIANGLES) {
        const full = withSpectrum(geometric(n, 1e-3), random);
        const a = guarded(n, n, precision, (i, j) => (inTriangle(uplo, i, j) ? get(full, i, j) : -7));
        const input = symmetric(uplo, a.a);
        expect(blas().potrf(uplo, a.a)).toBe(0);
        const l = triangular(uplo, 'N', a.a);
        const back = uplo === 'L' ? product(l, transpose(l)) : product(transpose(l), l);
        expectAtMost(distance(back, input), tolerance(n) * norm(input), `potrf ${uplo} ${n}: ‖A − LLᵀ‖`);
        for (let j = 0; j < n; j++)
          for (let i = 0; i < n; i++)
            if (!inTriangle(uplo, i, j) && get(a.a, i, j) !== -7)
              expect.fail(`potrf ${uplo} ${n} wrote to (${i}, ${j})`);
        a.expectGuardsIntact();
      }
    }
  });

  it('potrf_names_the_first_minor_that_is_not_positive_definite', () => {
    for (const n of [1, 4, 33, 120]) {
      for (const k of new Set([0, 1, n >> 1, n - 1])) {
        if (k >= n) continue;
        for (const uplo of TRIANGLES) {
          const a = guarded(n, n, precision, (i, j) =>
            i === j ? (i === k ? -1 : 4) : i + 1 === j || j + 1 === i ? 1 : 0,
          ).a;
          expect(blas().potrf(uplo, a), `n = ${n}, ${uplo}`).toBe(k + 1);
        }
      }
    }
  });

  it('a_cholesky_solve_is_exact_to_the_condition_number', () => {
    const random = new RandomStream(22);
    const n = 80;
    const condition = precision === 'f64' ? 1e6 : 1e3;
    const full = withSpectrum(geometric(n, 1 / condition), random);
    for (const uplo of TRIANGLES) {
      const a = guarded(n, n, precision, (i, j) => get(full, i, j)).a;
      const solution = randomView(n, 3, precision, random).a;
      const b = guarded(n, 3, precision).a;
      blas().symm('L', uplo, 1, a, solution, 0, b);
      expect(blas().potrf(uplo, a)).toBe(0);
      blas().trsm('L', uplo, uplo === 'L' ? 'N' : 'T', 'N', 1, a, b);
      blas().trsm('L', uplo, uplo === 'L' ? 'T' : 'N', 'N', 1, a, b);
      expectAtMost(distance(b, solution), tolerance(n) * condition * norm(solution), `Cholesky solve ${uplo}: error`);
    }
  });
}

/** The full Q of a geqrf or geqp3 factorization, m × m, by applying it to the identity. */
function fullQ(blas: Blas, a: Matrix, tau: FloatArray, precision: Precision): Matrix {
  const q = guarded(a.rows, a.rows, precision, (i, j) => (i === j ? 1 : 0));
  blas.ormqr('L', 'N', a, tau, q.a);
  q.expectGuardsIntact();
  return toFloat64(q.a);
}

const orthogonalityError = (q: Matrix): number => distance(product(transpose(q), q), identity(q.cols));

function describeQr(precision: Precision, blas: () => Blas, tolerance: Tolerance): void {
  it('geqrf_reconstructs_with_an_orthogonal_q', () => {
    const random = new RandomStream(23);
    for (const [m, n] of SHAPES) {
      const a = randomView(m, n, precision, random);
      const input = toFloat64(a.a);
      const tau = floats(Math.min(m, n), precision);
      blas().geqrf(a.a, tau);
      a.expectGuardsIntact();
      const q = fullQ(blas(), a.a, tau, precision);
      expectAtMost(
        orthogonalityError(q),
        tolerance(Math.max(m, n)) * Math.sqrt(Math.max(1, m)),
        `geqrf ${m} × ${n}: ‖QᵀQ − I‖`,
      );
      expectAtMost(
        distance(product(q, triangular('U', 'N', a.a)), input),
        tolerance(Math.max(m, n)) * norm(input),
        `geqrf ${m} × ${n}: ‖A − QR‖`,
      );
    }
  });

  it('ormqr_applies_q_on_both_sides_and_transposed', () => {
    const random = new RandomStream(24);
    for (const [m, n] of SHAPES) {
      const a = randomView(m, n, precision, random).a;
      const tau = floats(Math.min(m, n), precision);
      blas().geqrf(a, tau);
      const q = fullQ(blas(), a, tau, precision);
      for (const side of SIDES) {
        for (const trans of TRANSPOSES) {
          for (const width of [0, 1, 37]) {
            const before = randomView(side === 'L' ? m : width, side === 'L' ? width : m, precision, random).a;
            const c = duplicate(before, precision);
            blas().ormqr(side, trans, a, tau, c.a);
            const expected = side === 'L' ? product(op(trans, q), before) : product(before, op(trans, q));
            expectAtMost(
              distance(c.a, expected),
              2 * tolerance(Math.max(m, n)) * norm(before),
              `ormqr ${side}${trans} ${m} × ${n}, width ${width}`,
            );
            c.expectGuardsIntact();
          }
        }
      }
    }
  });

  it('geqp3_reconstructs_with_pivots_that_put_the_largest_remaining_column_first', () => {
    const random = new RandomStream(25);
    for (const [m, n] of SHAPES) {
      const scales = Float64Array.from({ length: n }, () => 10 ** (2 * random.uniform() - 1));
      const a = guarded(m, n, precision, (_, j) => scales[j] * random.normal());
      const input = toFloat64(a.a);
      const k = Math.min(m, n);
      const tau = floats(k, precision);
      // What stands in pivots on entry does not matter.
      const pivots = Int32Array.from({ length: n }, (_, j) => 5 - 3 * j);
      blas().geqp3(a.a, pivots, tau);
      a.expectGuardsIntact();
      expect(
        Array.from(pivots).sort((x, y) => x - y),
        `geqp3 ${m} × ${n}: pivots are a permutation`,
      ).toEqual(Array.from({ length: n }, (_, j) => j));
      const q = fullQ(blas(), a.a, tau, precision);
      const r = triangular('U', 'N', a.a);
      const permuted = generate(m, n, (i, j) => get(input, i, pivots[j]));
      expectAtMost(
        orthogonalityError(q),
        tolerance(Math.max(m, n)) * Math.sqrt(Math.max(1, m)),
        `geqp3 ${m} × ${n}: ‖QᵀQ − I‖`,
      );
      expectAtMost(
        distance(product(q, r), permuted),
        tolerance(Math.max(m, n)) * norm(input),
        `geqp3 ${m} × ${n}: ‖AP − QR‖`,
      );
      expectPivotsDominate(r, k, precision, norm(input), `geqp3 ${m} × ${n}`);
    }
  });

  it('geqp3_reveals_the_rank', () => {
    const random = new RandomStream(26);
    for (const [m, n, rank] of [
      [40, 30, 7],
      [30, 90, 12],
      [120, 100, 33],
      [9, 9, 0],
    ]) {
      const left = generate(m, rank, () => random.normal());
      const right = generate(rank, n, () => random.normal());
      const full = product(left, right);
      const a = guarded(m, n, precision, (i, j) => get(full, i, j)).a;
      const pivots = new Int32Array(n);
      const tau = floats(Math.min(m, n), precision);
      blas().geqp3(a, pivots, tau);
      for (let j = 0; j < rank; j++) expect(Math.abs(get(a, j, j))).toBeGreaterThan(1e-3 * Math.abs(get(a, 0, 0)));
      for (let j = rank; j < Math.min(m, n); j++)
        expectAtMost(
          Math.abs(get(a, j, j)),
          4 * tolerance(Math.max(m, n)) * norm(full),
          `geqp3 rank ${rank}: |R(${j}, ${j})|`,
        );
    }
  });
}

/**
 * |R(j,j)|² ≥ Σ_{i=j..} R(i,l)² for l > j; norms are downdated, hence known to about √eps only (Drmač, Bujanović, ACM
 * TOMS 35(2), 2008).
 */
function expectPivotsDominate(r: Matrix, k: number, precision: Precision, scale: number, what: string): void {
  const eps = epsilonOf(precision);
  for (let j = 0; j < k; j++) {
    const pivot = Math.abs(get(r, j, j));
    for (let l = j + 1; l < r.cols; l++) {
      let sum = 0;
      for (let i = j; i < Math.min(r.rows, l + 1); i++) sum += get(r, i, l) ** 2;
      expectAtMost(
        Math.sqrt(sum),
        pivot * (1 + 30 * Math.sqrt(eps)) + C * r.rows * eps * scale,
        `${what}: column ${l} against pivot ${j}`,
      );
    }
  }
}

function describeSpectra(precision: Precision, blas: () => Blas, tolerance: Tolerance): void {
  it('gesdd_reconstructs_and_finds_the_given_singular_values', () => {
    const random = new RandomStream(27);
    for (const [m, n] of SHAPES) {
      const k = Math.min(m, n);
      const sigma = geometric(k, 1e-4);
      const left = randomOrthogonal(m, random);
      const right = randomOrthogonal(n, random);
      const exact = product(
        generate(m, k, (i, j) => get(left, i, j) * sigma[j]),
        view(transpose(right).data, 0, k, n, Math.max(1, n)),
      );
      const a = guarded(m, n, precision, (i, j) => get(exact, i, j));
      const input = toFloat64(a.a);
      const s = floats(k, precision);
      const u = guarded(m, k, precision);
      const vt = guarded(k, n, precision);
      expect(blas().gesdd(a.a, s, u.a, vt.a)).toBe(0);
      for (const guardedView of [a, u, vt]) guardedView.expectGuardsIntact();
      const what = `gesdd ${m} × ${n}`;
      const bound = 2 * tolerance(Math.max(m, n));
      for (let i = 0; i < k; i++) {
        expectAtMost(Math.abs(s[i] - sigma[i]), bound, `${what}: σ(${i})`);
        if (i > 0) expect(s[i]).toBeLessThanOrEqual(s[i - 1]);
        expect(s[i]).toBeGreaterThanOrEqual(0);
      }
      const back = product(
        generate(m, k, (i, j) => get(u.a, i, j) * s[j]),
        vt.a,
      );
      expectAtMost(distance(back, input), bound * norm(input), `${what}: ‖A − UΣVᵀ‖`);
      expectAtMost(orthogonalityError(toFloat64(u.a)), bound * Math.sqrt(Math.max(1, k)), `${what}: ‖UᵀU − I‖`);
      expectAtMost(orthogonalityError(transpose(vt.a)), bound * Math.sqrt(Math.max(1, k)), `${what}: ‖VᵀV − I‖`);

      const again = duplicate(input, precision);
      const values = floats(k, precision);
      expect(blas().gesdd(again.a, values, null, null)).toBe(0);
      again.expectGuardsIntact();
      for (let i = 0; i < k; i++) expectAtMost(Math.abs(values[i] - sigma[i]), bound, `${what}: σ(${i}), values only`);
    }
  });

  it('gesdd_converges_where_divide_and_conquer_alone_does_not', () => {
    // A triangle of a QR factorization, graded over 15 digits, on which OpenBLAS' dgesdd ends with info 1.
    const { buffer, byteOffset, byteLength } = readFileSync(join(import.meta.dirname, 'graded-triangle.bin'));
    const packed = new Float64Array(buffer.slice(byteOffset, byteOffset + byteLength));
    const n = 60;
    const a = guarded(n, n, precision, (i, j) => (i <= j ? packed[(j * (j + 1)) / 2 + i] : 0));
    const input = toFloat64(a.a);
    const s = floats(n, precision);
    const u = guarded(n, n, precision);
    const vt = guarded(n, n, precision);
    expect(blas().gesdd(a.a, s, u.a, vt.a)).toBe(0);
    const back = product(
      generate(n, n, (i, j) => get(u.a, i, j) * s[j]),
      vt.a,
    );
    expectAtMost(distance(back, input), 2 * tolerance(n) * norm(input), '‖A − UΣVᵀ‖');
    for (let i = 1; i < n; i++) expect(s[i]).toBeLessThanOrEqual(s[i - 1]);
  });

  it('syevd_diagonalizes_and_reads_one_triangle', () => {
    const random = new RandomStream(28);
    for (const n of ORDERS) {
      for (const uplo of TRIANGLES) {
        const a = guarded(n, n, precision, () => random.normal());
        const full = symmetric(uplo, a.a);
        poisonOpposite(uplo, 'N', a.a);
        const w = floats(n, precision);
        expect(blas().syevd(true, uplo, a.a, w)).toBe(0);
        a.expectGuardsIntact();
        const v = toFloat64(a.a);
        const what = `syevd ${uplo} ${n}`;
        for (let i = 1; i < n; i++) expect(w[i]).toBeGreaterThanOrEqual(w[i - 1]);
        expectAtMost(orthogonalityError(v), 2 * tolerance(n) * Math.sqrt(Math.max(1, n)), `${what}: ‖VᵀV − I‖`);
        expectAtMost(
          distance(
            product(full, v),
            generate(n, n, (i, j) => get(v, i, j) * w[j]),
          ),
          2 * tolerance(n) * norm(full),
          `${what}: ‖AV − VΛ‖`,
        );
      }
    }
  });

  it('syevd_finds_the_eigenvalues_of_the_second_difference', () => {
    for (const n of [1, 2, 10, 77, 128]) {
      for (const uplo of TRIANGLES) {
        for (const vectors of [true, false]) {
          const a = guarded(n, n, precision, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0)).a;
          const w = floats(n, precision);
          expect(blas().syevd(vectors, uplo, a, w)).toBe(0);
          for (let k = 0; k < n; k++)
            expectAtMost(
              Math.abs(w[k] - (2 - 2 * Math.cos(((k + 1) * Math.PI) / (n + 1)))),
              4 * tolerance(n),
              `eigenvalue ${k} of ${n}, vectors ${vectors}`,
            );
        }
      }
    }
  });
}

function describeLu(precision: Precision, blas: () => Blas, tolerance: Tolerance): void {
  it('getrf_reconstructs_with_multipliers_at_most_one', () => {
    const random = new RandomStream(29);
    for (const [m, n] of SHAPES) {
      const k = Math.min(m, n);
      const a = randomView(m, n, precision, random);
      const input = toFloat64(a.a);
      const pivots = new Int32Array(k).fill(-9);
      expect(blas().getrf(a.a, pivots)).toBe(0);
      a.expectGuardsIntact();
      const l = generate(m, k, (i, j) => (i === j ? 1 : i > j ? get(a.a, i, j) : 0));
      const u = generate(k, n, (i, j) => (i <= j ? get(a.a, i, j) : 0));
      const rows = Array.from({ length: m }, (_, i) => i);
      for (let i = 0; i < k; i++) {
        expect(pivots[i]).toBeGreaterThanOrEqual(i);
        expect(pivots[i]).toBeLessThan(m);
        [rows[i], rows[pivots[i]]] = [rows[pivots[i]], rows[i]];
      }
      for (let j = 0; j < k; j++)
        for (let i = j + 1; i < m; i++)
          expectAtMost(Math.abs(get(l, i, j)), 1 + 4 * epsilonOf(precision), `getrf ${m} × ${n}: |L(${i}, ${j})|`);
      expectAtMost(
        distance(
          product(l, u),
          generate(m, n, (i, j) => get(input, rows[i], j)),
        ),
        tolerance(Math.max(m, n)) * norm(l) * norm(u),
        `getrf ${m} × ${n}: ‖PA − LU‖`,
      );
    }
  });

  it('getrf_names_the_first_zero_pivot', () => {
    const random = new RandomStream(30);
    for (const n of [1, 3, 40, 110]) {
      for (const k of new Set([0, n >> 1, n - 1])) {
        const a = guarded(n, n, precision, (_, j) => (j === k ? 0 : random.normal())).a;
        expect(blas().getrf(a, new Int32Array(n)), `n = ${n}`).toBe(k + 1);
      }
    }
  });

  it('getrs_solves_with_a_small_residual', () => {
    const random = new RandomStream(31);
    for (const n of ORDERS) {
      const a = randomView(n, n, precision, random).a;
      const input = toFloat64(a);
      const pivots = new Int32Array(n);
      expect(blas().getrf(a, pivots)).toBe(0);
      const kept = Int32Array.from(pivots);
      const factorNorms = norm(triangular('L', 'U', a)) * norm(triangular('U', 'N', a));
      for (const trans of TRANSPOSES) {
        for (const width of [0, 1, 9]) {
          const b = randomView(n, width, precision, random).a;
          const x = duplicate(b, precision);
          blas().getrs(trans, a, pivots, x.a);
          x.expectGuardsIntact();
          expectAtMost(
            distance(product(op(trans, input), x.a), b),
            tolerance(n) * factorNorms * norm(x.a),
            `getrs ${trans} ${n}: residual`,
          );
        }
      }
      expect(pivots).toEqual(kept);
    }
  });
}
