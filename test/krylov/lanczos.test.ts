/**
 * Lanczos against syevd: extreme eigenvalues within their bounds, whatever the spectrum; every outcome occurs where it
 * should.
 */
import { describe, expect, it } from 'vitest';
import { AbortedError, MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { createPortableBlas } from '#hmatrix/dense/portable/portable-blas.js';
import { get, type Matrix } from '#hmatrix/dense/matrix.js';
import { extremeEigenvalues, type ExtremeEigenvalues } from '#hmatrix/krylov/lanczos.js';
import { converted } from '#hmatrix/operator/converted.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import { derived } from '#hmatrix/operator/self-check.js';
import { expectAtMost, generate, product, randomOrthogonal, transpose } from '../dense/reference.js';

const blas = openBlas();
const random = new RandomStream(21);
const EPS = Number.EPSILON;

/** Q diag(values) Qᵀ with a random orthogonal Q. */
function withSpectrum(values: ArrayLike<number>): Matrix {
  const n = values.length;
  const q = randomOrthogonal(n, random);
  return product(
    generate(n, n, (i, j) => get(q, i, j) * values[j]),
    transpose(q),
  );
}

function syevd(a: Matrix): Float64Array {
  const copy = generate(a.rows, a.cols, (i, j) => get(a, i, j));
  const values = new Float64Array(a.rows);
  expect(blas.syevd(false, 'L', copy, values)).toBe(0);
  return values;
}

const spectrum = (n: number, value: (i: number) => number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => value(i));

/** ‖A y − θ y‖ of column j of the vectors, and ‖y‖. */
function residual(a: Matrix, found: ExtremeEigenvalues, j: number): { residual: number; length: number } {
  const n = a.rows;
  const y = generate(n, 1, (i) => get(found.vectors, i, j));
  const image = product(a, y);
  const { value } = j === 0 ? found.smallest : found.largest;
  return { residual: Math.hypot(...image.data.map((z, i) => z - value * y.data[i])), length: Math.hypot(...y.data) };
}

const cases: [string, Float64Array][] = [
  ['one by one', spectrum(1, () => -3)],
  ['two by two', Float64Array.of(-1, 2)],
  ['the zero matrix, small', spectrum(5, () => 0)],
  ['a small matrix', spectrum(40, (i) => i - 11)],
  ['positive definite', spectrum(150, (i) => (i + 1) ** -2)],
  ['indefinite', spectrum(150, (i) => Math.cos(i))],
  ['negative definite', spectrum(150, (i) => -1 - i)],
  ['clustered at both ends', spectrum(150, (i) => (i < 60 ? 1 + 1e-13 * i : i < 120 ? -1 : i / 1000))],
  ['of three distinct eigenvalues', spectrum(150, (i) => [-2, 0, 5][i % 3])],
  ['of rank one', spectrum(150, (i) => (i === 17 ? 4 : 0))],
  ['of rank one and negative', spectrum(150, (i) => (i === 17 ? -4 : 0))],
  ['the zero matrix', spectrum(150, () => 0)],
  ['a multiple of the identity', spectrum(150, () => 7)],
  ['a huge multiple of the identity', spectrum(150, () => 1e200)],
  ['of a tiny smallest eigenvalue', spectrum(150, (i) => (i === 0 ? -1e-5 : 1 + i / 150))],
  ['just above the size that is decomposed', spectrum(65, (i) => i)],
];

describe.each(cases)('the extreme eigenvalues of a matrix %s', (_, values) => {
  const a = withSpectrum(values);
  const exact = syevd(a);
  const [low, high] = [exact[0], exact[exact.length - 1]];
  const n = a.rows;
  const norm = Math.max(Math.abs(low), Math.abs(high));
  const rounding = 8 * n * EPS * norm;

  it('lie_within_their_bounds_and_bounds_meet_the_tolerance', async () => {
    const found = await extremeEigenvalues(denseOperator(a, true, { blas }), { blas, tolerance: 1e-8, seed: 3 });
    expect(found.outcome).toBe('converged');
    for (const [ritz, eigenvalue] of [
      [found.smallest, low],
      [found.largest, high],
    ] as const) {
      // The bound is the distance to some eigenvalue; within a cluster, that need not be the outermost one.
      expectAtMost(
        Math.min(...exact.map((other) => Math.abs(ritz.value - other))),
        ritz.bound + rounding,
        'distance to the spectrum',
      );
      expectAtMost(Math.abs(ritz.value - eigenvalue), 1e-8 * norm + rounding, 'error');
      expectAtMost(ritz.bound, 2e-8 * norm + rounding, 'bound');
    }
    // Rayleigh quotients lie between the extremes.
    expectAtMost(low - rounding, found.smallest.value, 'smallest');
    expectAtMost(found.largest.value, high + rounding, 'largest');
    for (const j of [0, 1]) {
      const true_ = residual(a, found, j);
      expectAtMost(Math.abs(true_.length - 1), 4 * n * EPS, 'length of a Ritz vector');
      expectAtMost(true_.residual, (j === 0 ? found.smallest : found.largest).bound + rounding, 'residual');
    }
    expect(found.iterations).toBeLessThanOrEqual(200);
  });
});

describe('a basis that is smaller than the run', () => {
  // Both ends crowd together: the method needs many more steps than the basis has vectors.
  const n = 400;
  const values = spectrum(n, (i) => Math.cos((Math.PI * i) / (n - 1)));
  const operator = diagonalOperator(values);

  it('restarts_and_finds_what_a_large_basis_finds', async () => {
    const small = await extremeEigenvalues(operator, { blas, tolerance: 1e-7, basisSize: 40, maxIterations: 2000 });
    const large = await extremeEigenvalues(operator, { blas, tolerance: 1e-7, basisSize: 400, maxIterations: 400 });
    expect(small.restarts).toBeGreaterThan(1);
    expect(large.restarts).toBe(0);
    for (const found of [small, large]) {
      expect(found.outcome).toBe('converged');
      expectAtMost(Math.abs(found.smallest.value + 1), found.smallest.bound + 8 * n * EPS, 'smallest');
      expectAtMost(Math.abs(found.largest.value - 1), found.largest.bound + 8 * n * EPS, 'largest');
    }
  });

  it('says_so_when_iterations_run_out_and_its_bounds_still_hold', async () => {
    const found = await extremeEigenvalues(operator, { blas, tolerance: 1e-12, maxIterations: 20 });
    expect(found.outcome).toBe('maxIterations');
    expect(found.iterations).toBe(20);
    const distance = (value: number): number => Math.min(...values.map((eigenvalue) => Math.abs(eigenvalue - value)));
    for (const { value, bound } of [found.smallest, found.largest]) {
      expect(bound).toBeGreaterThan(0);
      expectAtMost(distance(value), bound, 'distance to the spectrum');
    }
  });

  it('takes_fewer_steps_than_a_basis_needs', async () => {
    expect((await extremeEigenvalues(operator, { blas, maxIterations: 1 })).iterations).toBe(1);
  });

  it('multiplies_as_often_as_it_says_and_twice_more_to_verify', async () => {
    let vectors = 0;
    const counted = derived<LinearOperator>({
      ...operator,
      applyUnchecked: (out, x, alpha, beta) => {
        vectors += x.cols;
        operator.applyUnchecked(out, x, alpha, beta);
      },
    });
    const found = await extremeEigenvalues(counted, { blas });
    expect(vectors).toBe(found.iterations + 2);
  });
});

describe('a result', () => {
  const a = withSpectrum(spectrum(200, (i) => Math.sin(i)));
  const operator = denseOperator(a, true, { blas });

  it('has_the_same_bits_for_the_same_seed', async () => {
    const [one, two] = [
      await extremeEigenvalues(operator, { blas, seed: 9 }),
      await extremeEigenvalues(operator, { blas, seed: 9 }),
    ];
    expect(two).toEqual(one);
    expect((await extremeEigenvalues(operator, { blas, seed: 10 })).vectors.data).not.toEqual(one.vectors.data);
  });

  it('does_not_depend_on_the_scale', async () => {
    const one = await extremeEigenvalues(operator, { blas });
    for (const factor of [2 ** 600, 2 ** -600]) {
      const found = await extremeEigenvalues(scaled(operator, factor), { blas });
      expect(found.outcome).toBe('converged');
      expectAtMost(Math.abs(found.smallest.value / factor - one.smallest.value), 4e-6, 'smallest');
      expectAtMost(Math.abs(found.largest.value / factor - one.largest.value), 4e-6, 'largest');
    }
  });

  it('is_the_same_to_rounding_on_the_portable_backend', async () => {
    const portable = createPortableBlas();
    const found = await extremeEigenvalues(denseOperator(a, true, { blas: portable }), {
      blas: portable,
      tolerance: 1e-10,
    });
    const other = await extremeEigenvalues(operator, { blas, tolerance: 1e-10 });
    expectAtMost(
      Math.abs(found.smallest.value - other.smallest.value),
      found.smallest.bound + other.smallest.bound + 1600 * EPS,
      'smallest',
    );
  });

  it('is_called_inaccurate_where_products_do_not_fit_a_symmetric_matrix', async () => {
    const n = 100;
    const skew = derived<LinearOperator>({
      ...denseOperator(
        generate(n, n, (i, j) => get(a, i, j) + (i > j ? 0.3 : -0.3)),
        false,
        { blas },
      ),
      symmetric: true,
    });
    const found = await extremeEigenvalues(skew, { blas });
    expect(found.outcome).not.toBe('converged');
    expect(Math.max(found.smallest.bound, found.largest.bound)).toBeGreaterThan(1e-3);
  });

  it('of_a_float32_operator_reaches_float32_and_no_further', async () => {
    const single = { ...a, data: Float32Array.from(a.data) };
    const found = await extremeEigenvalues(converted(denseOperator(single, true, { blas }), 'f32'), {
      blas,
      tolerance: 1e-4,
    });
    expect(found.outcome).toBe('converged');
    const exact = syevd(a);
    expectAtMost(Math.abs(found.largest.value - exact[199]), found.largest.bound + 200 * 2 ** -24, 'largest');
  });
});

describe('an operator that is not finite', () => {
  it.each([[10], [100]])('gives_that_outcome_at_size_%i', async (n) => {
    const bad: LinearOperator = {
      ...identityOperator(n),
      applyUnchecked: (out) => {
        out.data.fill(Number.NaN, out.offset, out.offset + n);
      },
    };
    const found = await extremeEigenvalues(bad, { blas });
    expect(found.outcome).toBe('nonFinite');
    expect(found.smallest).toEqual({ value: Number.NaN, bound: Number.POSITIVE_INFINITY });
  });
});

describe('a call that makes no sense', () => {
  it('is_refused_by_name', async () => {
    const operator = identityOperator(100);
    await expect(extremeEigenvalues(identityOperator(0), { blas })).rejects.toBeInstanceOf(ShapeError);
    await expect(extremeEigenvalues({ ...operator, cols: 99 }, { blas })).rejects.toBeInstanceOf(ShapeError);
    await expect(extremeEigenvalues({ ...operator, symmetric: false }, { blas })).rejects.toBeInstanceOf(OptionError);
    for (const options of [
      { tolerance: 0 },
      { tolerance: Number.NaN },
      { maxIterations: 0 },
      { maxIterations: 1.5 },
      { basisSize: 5 },
    ]) {
      await expect(extremeEigenvalues(operator, { blas, ...options })).rejects.toBeInstanceOf(OptionError);
    }
    await expect(extremeEigenvalues(operator, { blas, memoryLimit: 1000 })).rejects.toBeInstanceOf(MemoryError);
  });

  it('can_be_aborted', async () => {
    await expect(
      extremeEigenvalues(identityOperator(100), { blas }, { signal: AbortSignal.abort() }),
    ).rejects.toBeInstanceOf(AbortedError);
    const controller = new AbortController();
    const slow = diagonalOperator(spectrum(400, (i) => Math.cos(i)));
    const running = extremeEigenvalues(
      slow,
      { blas, tolerance: 1e-14 },
      {
        signal: controller.signal,
        onProgress: () => {
          controller.abort();
        },
      },
    );
    await expect(running).rejects.toBeInstanceOf(AbortedError);
  });
});
