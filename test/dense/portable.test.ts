/**
 * The portable backend: the conformance suite, and what is its own — matrices larger than its staging tiles, hard
 * spectra, the exponential. Large results are checked on random vectors (R. Freivalds, "Probabilistic machines can use
 * less running time", IFIP 1977): a wrong entry shows in the product with a normal vector with probability one.
 */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { ShapeError } from '#hmatrix/core/errors.js';
import type { Side, Transpose, Triangle } from '#hmatrix/dense/blas.js';
import { block, copyInto, get, view, zeros } from '#hmatrix/dense/matrix.js';
import type { Matrix } from '#hmatrix/dense/matrix.js';
import { expInPlace } from '#hmatrix/dense/elementwise.js';
import { createPortableBlas } from '#hmatrix/dense/portable/portable-blas.js';
import { describeBlas } from './conformance.js';
import {
  combine,
  distance,
  duplicate,
  epsilonOf,
  expectAtMost,
  generate,
  guarded,
  identity,
  inTriangle,
  norm,
  op,
  product,
  randomOrthogonal,
  randomView,
  symmetric,
  toFloat64,
  transpose,
  triangular,
} from './reference.js';

const blas = createPortableBlas();
const eps = epsilonOf('f64');
const SIDES: readonly Side[] = ['L', 'R'];
const TRIANGLES: readonly Triangle[] = ['L', 'U'];
const TRANSPOSES: readonly Transpose[] = ['N', 'T'];

describeBlas('portable (WebAssembly)', createPortableBlas);

const probe = (n: number, random: RandomStream): Matrix => generate(n, 2, () => random.normal());
/** A symmetric matrix with eigenvalues in about [1, 3]. */
const dominant = (n: number, random: RandomStream): Matrix => {
  const a = guarded(n, n, 'f64', () => random.normal() / (4 * Math.sqrt(n))).a;
  for (let i = 0; i < n; i++) a.data[a.offset + i * (a.ld + 1)] += 2;
  return a;
};

describe('matrices larger than a staging tile', () => {
  it('gemm_agrees_on_random_vectors_in_both_precisions', () => {
    for (const precision of ['f64', 'f32'] as const) {
      const random = new RandomStream(1);
      const [m, n, k] = [517, 541, 523];
      for (const transA of TRANSPOSES)
        for (const transB of TRANSPOSES) {
          const a = randomView(transA === 'N' ? m : k, transA === 'N' ? k : m, precision, random).a;
          const b = randomView(transB === 'N' ? k : n, transB === 'N' ? n : k, precision, random).a;
          const c = randomView(m, n, precision, random);
          const before = toFloat64(c.a);
          blas.gemm(transA, transB, -0.5, a, b, 2, c.a);
          c.expectGuardsIntact();
          const x = probe(n, random);
          const expected = combine(-0.5, product(op(transA, a), product(op(transB, b), x)), 2, product(before, x));
          expectAtMost(
            distance(product(c.a, x), expected),
            2 * k * epsilonOf(precision) * norm(a) * norm(b) * norm(x),
            `gemm ${transA}${transB} ${precision}`,
          );
        }
    }
  });

  it('syrk_and_symm_use_one_triangle', () => {
    const random = new RandomStream(2);
    const [n, k] = [547, 515];
    for (const uplo of TRIANGLES) {
      for (const trans of TRANSPOSES) {
        const a = randomView(trans === 'N' ? n : k, trans === 'N' ? k : n, 'f64', random).a;
        const c = guarded(n, n, 'f64', () => 7);
        blas.syrk(uplo, trans, 1, a, 0, c.a);
        c.expectGuardsIntact();
        const x = probe(n, random);
        const left = op(trans, a);
        expectAtMost(
          distance(product(symmetric(uplo, c.a), x), product(left, product(transpose(left), x))),
          2 * k * eps * norm(a) ** 2 * norm(x),
          `syrk ${uplo}${trans}`,
        );
        for (let j = 0; j < n; j++)
          for (let i = 0; i < n; i++)
            if (!inTriangle(uplo, i, j) && get(c.a, i, j) !== 7)
              expect.fail(`syrk ${uplo}${trans} wrote to (${i}, ${j})`);
      }
      for (const side of SIDES) {
        const a = guarded(n, n, 'f64', (i, j) => (inTriangle(uplo, i, j) ? random.normal() : Number.NaN)).a;
        const b = side === 'L' ? randomView(n, 37, 'f64', random).a : randomView(37, n, 'f64', random).a;
        const c = guarded(b.rows, b.cols, 'f64', () => Number.NaN);
        blas.symm(side, uplo, 1, a, b, 0, c.a);
        c.expectGuardsIntact();
        const full = symmetric(uplo, a);
        const x = probe(b.cols, random);
        const expected = side === 'L' ? product(full, product(b, x)) : product(b, product(full, x));
        expectAtMost(
          distance(product(c.a, x), expected),
          2 * n * eps * norm(full) * norm(b) * norm(x),
          `symm ${side}${uplo}`,
        );
      }
    }
  });

  it('trsm_undoes_trmm', () => {
    const random = new RandomStream(3);
    const n = 549;
    const a = dominant(n, random);
    for (const side of SIDES)
      for (const uplo of TRIANGLES)
        for (const trans of TRANSPOSES) {
          const b = side === 'L' ? randomView(n, 23, 'f64', random) : randomView(23, n, 'f64', random);
          const before = toFloat64(b.a);
          blas.trmm(side, uplo, trans, 'N', 3, a, b.a);
          const t = op(trans, triangular(uplo, 'N', a));
          const expected = side === 'L' ? product(t, before) : product(before, t);
          expectAtMost(
            distance(b.a, combine(3, expected, 0, expected)),
            8 * n * eps * norm(t) * norm(before),
            `trmm ${side}${uplo}${trans}`,
          );
          blas.trsm(side, uplo, trans, 'N', 1 / 3, a, b.a);
          expectAtMost(distance(b.a, before), 8 * n * eps * norm(t) * norm(before), `trsm∘trmm ${side}${uplo}${trans}`);
          b.expectGuardsIntact();
        }
  });

  it('potrf_reconstructs_and_names_a_late_failure', () => {
    const random = new RandomStream(4);
    const n = 565;
    const full = symmetric('L', dominant(n, random));
    for (const uplo of TRIANGLES) {
      const a = duplicate(full, 'f64');
      expect(blas.potrf(uplo, a.a)).toBe(0);
      a.expectGuardsIntact();
      const l = uplo === 'L' ? triangular('L', 'N', a.a) : transpose(triangular('U', 'N', a.a));
      const x = probe(n, random);
      expectAtMost(
        distance(product(l, product(transpose(l), x)), product(full, x)),
        8 * n * eps * norm(full) * norm(x),
        `potrf ${uplo}`,
      );
      const bad = duplicate(full, 'f64').a;
      bad.data[bad.offset + 549 * (bad.ld + 1)] = -1;
      expect(blas.potrf(uplo, bad)).toBe(550);
    }
  });

  it('getrf_and_getrs_solve', () => {
    const random = new RandomStream(5);
    for (const [m, n] of [
      [620, 530],
      [460, 620],
      [545, 545],
    ]) {
      const a = randomView(m, n, 'f64', random);
      const input = toFloat64(a.a);
      const k = Math.min(m, n);
      const pivots = new Int32Array(k);
      expect(blas.getrf(a.a, pivots)).toBe(0);
      a.expectGuardsIntact();
      const l = generate(m, k, (i, j) => (i === j ? 1 : i > j ? get(a.a, i, j) : 0));
      const u = generate(k, n, (i, j) => (i <= j ? get(a.a, i, j) : 0));
      const x = probe(n, random);
      const expected = product(input, x);
      for (let i = 0; i < k; i++)
        for (let j = 0; j < x.cols; j++) {
          const [p, q] = [i + j * m, pivots[i] + j * m];
          [expected.data[p], expected.data[q]] = [expected.data[q], expected.data[p]];
        }
      expectAtMost(
        distance(product(l, product(u, x)), expected),
        8 * m * eps * norm(l) * norm(u) * norm(x),
        `getrf ${m} × ${n}`,
      );
      if (m === n) {
        for (const trans of TRANSPOSES) {
          const b = probe(n, random);
          const y = duplicate(b, 'f64').a;
          blas.getrs(trans, a.a, pivots, y);
          expectAtMost(
            distance(product(op(trans, input), y), b),
            8 * n * eps * norm(l) * norm(u) * norm(y),
            `getrs ${trans}`,
          );
        }
      }
    }
  });

  it('geqrf_geqp3_and_ormqr_reconstruct', () => {
    const random = new RandomStream(6);
    for (const [m, n] of [
      [1010, 550],
      [530, 1040],
    ]) {
      for (const pivoted of [false, true]) {
        const a = randomView(m, n, 'f64', random);
        const input = toFloat64(a.a);
        const k = Math.min(m, n);
        const tau = new Float64Array(k);
        const pivots = Int32Array.from({ length: n }, (_, j) => j);
        if (pivoted) blas.geqp3(a.a, pivots, tau);
        else blas.geqrf(a.a, tau);
        a.expectGuardsIntact();
        const x = probe(n, random);
        const permuted = generate(n, 2, (i, j) => get(x, pivots[i], j));
        const rx = product(triangular('U', 'N', block(a.a, 0, 0, k, n)), permuted);
        const qrx = zeros(m, 2);
        copyInto(block(qrx, 0, 0, k, 2), rx);
        blas.ormqr('L', 'N', a.a, tau, qrx);
        const bound = 8 * (m + n) * eps * norm(input) * norm(x);
        expectAtMost(distance(qrx, product(input, x)), bound, `${pivoted ? 'geqp3' : 'geqrf'} ${m} × ${n}`);
        // Q from the other side: (Qᵀ·y)ᵀ = yᵀ·Q.
        const y = generate(m, 3, () => random.normal());
        const left = duplicate(y, 'f64').a;
        const right = duplicate(transpose(y), 'f64').a;
        blas.ormqr('L', 'T', a.a, tau, left);
        blas.ormqr('R', 'N', a.a, tau, right);
        expectAtMost(distance(left, transpose(right)), 8 * m * eps * norm(y), 'QᵀY and YᵀQ');
        blas.ormqr('R', 'T', a.a, tau, right);
        expectAtMost(distance(right, transpose(y)), 8 * m * eps * norm(y), 'YᵀQQᵀ');
        if (pivoted)
          for (let i = 1; i < k; i++)
            expectAtMost(Math.abs(get(a.a, i, i)), Math.abs(get(a.a, i - 1, i - 1)) * (1 + 1e-12), `|R(${i}, ${i})|`);
      }
    }
  });

  it('results_do_not_depend_on_what_the_memory_held_before', () => {
    const random = new RandomStream(7);
    const a = randomView(300, 200, 'f64', random).a;
    const first = zeros(200, 200);
    blas.syrk('L', 'T', 1, a, 0, first);
    // Larger than what is kept: the memory grows, is given back, and starts anew.
    const large = zeros(1_200_000, 8);
    for (let p = 0; p < large.data.length; p++) large.data[p] = (p * 31) % 101;
    blas.geqp3(large, new Int32Array(8), new Float64Array(8));
    const second = zeros(200, 200);
    blas.syrk('L', 'T', 1, a, 0, second);
    expect(second.data).toEqual(first.data);
  });
});

describe('hard spectra', () => {
  it('pivoted_qr_finds_the_rank_where_running_norms_cancel', () => {
    // Kahan's matrix, columns scaled apart: the example on which unsafe downdating fails.
    const n = 96;
    const c = 0.285;
    const s = Math.sqrt(1 - c * c);
    const a = guarded(n, n, 'f64', (i, j) => (i > j ? 0 : s ** i * (i === j ? 1 : -c) * (1 + 1e-10 * (n - j)))).a;
    const input = toFloat64(a);
    const tau = new Float64Array(n);
    const pivots = new Int32Array(n);
    blas.geqp3(a, pivots, tau);
    const r = triangular('U', 'N', a);
    // Every diagonal entry dominates what is left of the columns behind it.
    for (let k = 0; k < n; k++) {
      for (let j = k + 1; j < n; j++)
        expectAtMost(
          norm(block(r, k, j, n - k, 1)),
          Math.abs(get(r, k, k)) * (1 + 1e-7) + 8 * n * eps * norm(input),
          `column ${j} behind pivot ${k}`,
        );
    }
  });

  it('svd_of_a_rank_deficient_matrix_has_orthogonal_factors', () => {
    const random = new RandomStream(8);
    for (const [m, n, rank] of [
      [40, 30, 7],
      [30, 40, 0],
      [50, 50, 49],
      [20, 1, 0],
    ]) {
      const a =
        rank === 0
          ? zeros(m, n)
          : product(
              generate(m, rank, () => random.normal()),
              generate(rank, n, () => random.normal()),
            );
      const k = Math.min(m, n);
      const input = toFloat64(a);
      const s = new Float64Array(k);
      const u = zeros(m, k);
      const vt = zeros(k, n);
      expect(blas.gesdd(a, s, u, vt)).toBe(0);
      expectAtMost(distance(product(transpose(u), u), identity(k)), 8 * m * eps * Math.sqrt(k), 'UᵀU − I');
      expectAtMost(distance(product(vt, transpose(vt)), identity(k)), 8 * m * eps * Math.sqrt(k), 'VᵀV − I');
      for (let i = rank; i < k; i++) expectAtMost(s[i], 8 * m * eps * norm(input), `σ(${i})`);
      expectAtMost(
        distance(
          product(
            generate(m, k, (i, j) => get(u, i, j) * s[j]),
            vt,
          ),
          input,
        ),
        8 * m * eps * norm(input),
        'A − UΣVᵀ',
      );
    }
  });

  it('graded_singular_values_keep_their_relative_accuracy', () => {
    // A·D with A well conditioned: Jacobi finds each σ to about eps·cond(A), however far D spreads them.
    const random = new RandomStream(9);
    const n = 20;
    const q = randomOrthogonal(n, random);
    const grades = Array.from({ length: n }, (_, i) => 10 ** (-6 * i));
    const s = new Float64Array(n);
    expect(
      blas.gesdd(
        generate(n, n, (i, j) => get(q, i, j) * grades[j]),
        s,
        null,
        null,
      ),
    ).toBe(0);
    for (let i = 0; i < n; i++)
      expectAtMost(Math.abs(s[i] / grades[i] - 1), 64 * n * eps, `σ(${i}) of order ${grades[i]}`);
  });

  it('scale_does_not_matter', () => {
    const random = new RandomStream(10);
    const n = 30;
    const a = symmetric(
      'L',
      generate(n, n, () => random.normal()),
    );
    const plain = new Float64Array(n);
    const scaled = new Float64Array(n);
    for (const exponent of [-900, 900]) {
      const factor = 2 ** exponent;
      const larger = (): Matrix => combine(factor, a, 0, a);
      blas.gesdd(toFloat64(a), plain, null, null);
      expect(blas.gesdd(larger(), scaled, null, null)).toBe(0);
      for (let i = 0; i < n; i++)
        expectAtMost(Math.abs(scaled[i] / factor - plain[i]), 8 * n * eps * plain[0], `σ(${i})·2^${exponent}`);
      blas.syevd(false, 'L', toFloat64(a), plain);
      expect(blas.syevd(true, 'L', larger(), scaled)).toBe(0);
      for (let i = 0; i < n; i++)
        expectAtMost(Math.abs(scaled[i] / factor - plain[i]), 8 * n * eps * norm(a), `λ(${i})·2^${exponent}`);
      // Householder vectors of columns whose squares vanish or overflow.
      const tall = generate(n, 2, (i, j) => factor * get(a, i, j));
      const tau = new Float64Array(2);
      blas.geqrf(tall, tau);
      expectAtMost(
        Math.abs(Math.abs(tall.data[0] / factor) - norm(block(a, 0, 0, n, 1))),
        8 * n * eps * norm(a),
        `R(0, 0)·2^${exponent}`,
      );
    }
  });

  it('repeated_eigenvalues_and_non_finite_entries', () => {
    const n = 25;
    for (const a of [identity(n), zeros(n, n), generate(n, n, () => 1)]) {
      const input = toFloat64(a);
      const w = new Float64Array(n);
      expect(blas.syevd(true, 'U', a, w)).toBe(0);
      expectAtMost(
        distance(
          product(input, a),
          generate(n, n, (i, j) => get(a, i, j) * w[j]),
        ),
        8 * n * eps * Math.max(1, norm(input)),
        'AV − VΛ',
      );
      expectAtMost(distance(product(transpose(a), a), identity(n)), 8 * n * eps * Math.sqrt(n), 'VᵀV − I');
    }
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const a = generate(4, 4, (i, j) => (i === 2 && j === 2 ? value : 1));
      expect(blas.syevd(true, 'L', toFloat64(a), new Float64Array(4))).toBeGreaterThan(0);
      expect(blas.gesdd(toFloat64(a), new Float64Array(4), null, null)).toBeGreaterThan(0);
      expect(blas.potrf('L', toFloat64(a))).toBeGreaterThan(0);
    }
  });
});

describe('expInPlace', () => {
  it('is_within_two_ulp_over_the_whole_range', () => {
    const random = new RandomStream(11);
    const x = Float64Array.from({ length: 20000 }, (_, i) =>
      i % 2 === 0 ? -745 + 1454 * random.uniform() : random.normal(),
    );
    const y = x.slice();
    expInPlace(y);
    // Math.exp is itself good to 1 ulp.
    for (let i = 0; i < x.length; i++) {
      const expected = Math.exp(x[i]);
      const ulp = Math.max(2 ** -1074, 2 ** (Math.floor(Math.log2(expected)) - 52));
      expectAtMost(Math.abs(y[i] - expected), 3 * ulp, `exp(${x[i]})`);
    }
  });

  it('has_the_right_limits', () => {
    const x = Float64Array.of(
      0,
      -0,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      709.78,
      709.79,
      1e300,
      -745.13,
      -745.14,
      -1e300,
      5e-324,
      Math.LN2,
    );
    const y = x.slice();
    expInPlace(y);
    expect(Array.from(y.slice(0, 5))).toEqual([1, 1, Number.NaN, Number.POSITIVE_INFINITY, 0]);
    expect(y[5]).toBeGreaterThan(1e308);
    expect(Array.from(y.slice(6, 12))).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      2 ** -1074,
      0,
      0,
      1,
    ]);
    expect(Math.abs(y[12] - 2)).toBeLessThanOrEqual(eps * 2);
  });

  it('gives_the_same_bits_at_every_position_and_touches_nothing_else', () => {
    const random = new RandomStream(12);
    const x = Float64Array.from({ length: 9000 }, () => 10 * random.normal());
    const whole = x.slice();
    expInPlace(whole);
    for (const [offset, length] of [
      [0, 1],
      [1, 1],
      [3, 7],
      [5, 8],
      [17, 4096],
      [1, 8999],
      [4, 4097],
      [9000, 0],
    ]) {
      const part = x.slice();
      expInPlace(part, offset, length);
      const expected = x.slice();
      expected.set(whole.subarray(offset, offset + length), offset);
      expect(part).toEqual(expected);
    }
  });

  it('refuses_a_range_outside_the_array', () => {
    const x = new Float64Array(4);
    for (const [offset, length] of [
      [0, 5],
      [3, 2],
      [-1, 1],
      [0.5, 1],
    ])
      expect(() => expInPlace(x, offset, length)).toThrow(ShapeError);
    expect(Array.from(view(x, 0, 4, 1).data)).toEqual([0, 0, 0, 0]);
  });
});

describe('portable syevd on a matrix of low rank', () => {
  it('converges_where_most_eigenvalues_are_rounding_errors', () => {
    const blas = createPortableBlas();
    const [n, rank] = [80, 30];
    const factor = zeros(n, rank);
    new RandomStream(3).fillNormal(factor.data);
    const gram = zeros(n, n);
    blas.gemm('N', 'T', 1, factor, factor, 0, gram);
    const trace = Array.from({ length: n }, (_, i) => gram.data[i + n * i]).reduce((a, b) => a + b, 0);
    const w = new Float64Array(n);
    expect(blas.syevd(true, 'L', gram, w)).toBe(0);
    for (let i = 0; i < n - rank; i++) expect(Math.abs(w[i])).toBeLessThan(n * Number.EPSILON * trace);
    expect(w[n - rank]).toBeGreaterThan(1e-6 * trace);
    expect(Math.abs(w.reduce((a, b) => a + b, 0) - trace)).toBeLessThan(n * Number.EPSILON * trace);
  });
});
