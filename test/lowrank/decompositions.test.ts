/**
 * Randomized SVD and Nyström against dense eigenvalues: exact error identities, exactness at full rank, bounds, the
 * same bits every time.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AbortedError,
  MemoryError,
  NonFiniteError,
  NotPositiveDefiniteError,
  OptionError,
  ShapeError,
} from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { get, squaredNorm, type Matrix } from '#hmatrix/dense/matrix.js';
import { sketchedNystrom } from '#hmatrix/lowrank/nystrom.js';
import { projectionError, sketchedSvd } from '#hmatrix/lowrank/randomized-svd.js';
import { apply } from '#hmatrix/operator/apply.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import type { Team } from '#hmatrix/parallel/team.js';
import {
  combine,
  distance,
  expectAtMost,
  generate,
  identity,
  norm,
  product,
  randomOrthogonal,
  transpose,
} from '../dense/reference.js';
import { sharedTeam } from '../teams.js';
import { sameBits } from './bits.js';

const blas = openBlas();
const random = new RandomStream(33);
const EPS = Number.EPSILON;
const n = 120;
const q = randomOrthogonal(n, random);

const withSpectrum = (value: (i: number) => number): Matrix =>
  product(
    generate(n, n, (i, j) => get(q, i, j) * value(j)),
    transpose(q),
  );
const operatorOf = (a: Matrix): LinearOperator => denseOperator(a, true, { blas });
const dense = (operator: LinearOperator): Matrix => apply(operator, identity(operator.rows));

/** Eigenvalues of a symmetric matrix, ascending. */
function eigenvalues(a: Matrix): Float64Array {
  const values = new Float64Array(a.rows);
  expect(
    blas.syevd(
      false,
      'L',
      generate(a.rows, a.cols, (i, j) => get(a, i, j)),
      values,
    ),
  ).toBe(0);
  return values;
}

const departure = (u: Matrix): number => distance(product(transpose(u), u), identity(u.cols));

const indefinite = withSpectrum((i) => (i % 2 === 0 ? 1 : -0.8) * 0.9 ** i);
const definite = withSpectrum((i) => (i + 1) ** -2);
const rankFive = withSpectrum((i) => (i < 5 ? 5 - i : 0));

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

describe('the randomized SVD', () => {
  it.each([
    ['indefinite', indefinite, 0],
    ['indefinite', indefinite, 2],
    ['definite', definite, 1],
  ])('of_an_%s_matrix_has_exactly_the_error_it_says (q = %#)', async (_, g, powerPasses) => {
    const found = await sketchedSvd(operatorOf(g), { blas, rank: 20, oversampling: 6, powerPasses, seed: 4 });
    const { vectors, values } = found.operator;
    expectAtMost(departure(vectors), 100 * n * EPS, 'departure from orthonormality');
    const error = distance(dense(found.operator), g) / norm(g);
    // The identity is exact for the squares; a square root near eps magnifies.
    expectAtMost(
      Math.abs(error ** 2 - projectionError(found.keptSquared, squaredNorm(g)) ** 2),
      100 * n * EPS,
      'identity after truncation',
    );
    expect(found.operator.squaredNorm).toBe(found.keptSquared);
    expectAtMost(found.keptSquared, found.capturedSquared, 'what is kept of what was captured');
    expect([...values].map(Math.abs)).toEqual([...values].map(Math.abs).sort((x, y) => y - x));
    expect([found.columns, found.products]).toEqual([26, 26 * (powerPasses + 2)]);
  });

  it('has_exactly_the_error_it_says_before_truncation', async () => {
    const options = { blas, powerPasses: 1, seed: 4 };
    const all = await sketchedSvd(operatorOf(indefinite), { ...options, rank: 26, oversampling: 0 });
    const cut = await sketchedSvd(operatorOf(indefinite), { ...options, rank: 20, oversampling: 6 });
    expect(all.capturedSquared).toBe(cut.capturedSquared);
    expectAtMost(
      Math.abs(all.keptSquared - all.capturedSquared),
      100 * n * EPS * all.capturedSquared,
      'kept without truncation',
    );
    const error = distance(dense(all.operator), indefinite) / norm(indefinite);
    expectAtMost(
      Math.abs(error ** 2 - projectionError(cut.capturedSquared, squaredNorm(indefinite)) ** 2),
      100 * n * EPS,
      'identity',
    );
  });

  it('is_exact_when_the_rank_suffices', async () => {
    for (const g of [rankFive, scaled(operatorOf(rankFive), -1e-30), scaled(operatorOf(rankFive), 1e100)]) {
      const operator = 'applyUnchecked' in g ? g : operatorOf(g);
      const exact = dense(operator);
      const found = await sketchedSvd(operator, { blas, rank: 5, powerPasses: 0, seed: 1 });
      expectAtMost(distance(dense(found.operator), exact), 100 * n * EPS * norm(exact), 'error');
    }
    const full = await sketchedSvd(operatorOf(indefinite), { blas, rank: n });
    expectAtMost(distance(dense(full.operator), indefinite), 100 * n * EPS * norm(indefinite), 'error at full rank');
  });

  it('comes_near_the_best_approximation_the_nearer_the_more_passes', async () => {
    const g = withSpectrum((i) => 0.97 ** i);
    const best = Math.sqrt(
      eigenvalues(g)
        .slice(0, n - 20)
        .reduce((sum, value) => sum + value * value, 0),
    );
    const errors: number[] = [];
    for (const powerPasses of [0, 1, 3])
      errors.push(
        distance(
          dense(
            (await sketchedSvd(operatorOf(g), { blas, rank: 20, oversampling: 10, powerPasses, seed: 2 })).operator,
          ),
          g,
        ),
      );
    expect(errors[1]).toBeLessThan(errors[0]);
    expect(errors[2]).toBeLessThan(errors[1]);
    expectAtMost(best * (1 - 1e-12), errors[2], 'nothing is better than the best');
    expectAtMost(errors[2], 1.02 * best, 'three passes');
  });

  it('of_the_zero_matrix_is_zero', async () => {
    const found = await sketchedSvd(scaled(identityOperator(50), 0), { blas, rank: 3 });
    expect([...found.operator.values]).toEqual([0, 0, 0]);
    expect(found.capturedSquared).toBe(0);
    expectAtMost(departure(found.operator.vectors), 50 * EPS, 'departure from orthonormality');
    expect(projectionError(found.capturedSquared, 0)).toBe(0);
  });

  it('of_a_matrix_whose_nonzero_rows_are_fewer_than_the_columns_of_the_sketch_is_exact', async () => {
    // Rounding leaves no further directions: Cholesky QR cannot end, Householder QR must.
    const diagonal = Float64Array.from({ length: 60 }, (_, i) => (i === 7 || i === 30 ? i : 0));
    const found = await sketchedSvd(diagonalOperator(diagonal), { blas, rank: 4, powerPasses: 1 });
    expectAtMost(distance(dense(found.operator), dense(diagonalOperator(diagonal))), 100 * 60 * EPS * 30, 'error');
    expectAtMost(departure(found.operator.vectors), 100 * 60 * EPS, 'departure from orthonormality');
  });
});

describe('the Nyström approximation', () => {
  it('is_positive_semidefinite_and_no_larger_than_the_matrix', async () => {
    for (const rank of [1, 10, 40]) {
      const found = await sketchedNystrom(operatorOf(definite), { blas, rank, seed: 5 });
      expect(Math.min(...found.operator.values)).toBeGreaterThanOrEqual(0);
      expect([...found.operator.values]).toEqual([...found.operator.values].sort((x, y) => y - x));
      expectAtMost(departure(found.operator.vectors), 100 * n * EPS, 'departure from orthonormality');
      const approximation = dense(found.operator);
      const rounding = found.shift + 100 * n * EPS;
      expectAtMost(-eigenvalues(approximation)[0], rounding, 'Ĝ ≽ 0');
      expectAtMost(-eigenvalues(combine(1, definite, -1, approximation))[0], rounding, 'G ≽ Ĝ');
      expect([found.columns, found.products]).toEqual([rank + 10, rank + 10]);
    }
  });

  it('stays_within_the_bound_of_its_expected_trace_error', async () => {
    const [rank, oversampling] = [10, 10];
    const trace = (a: Matrix): number =>
      Array.from({ length: n }, (_, i) => get(a, i, i)).reduce((sum, value) => sum + value, 0);
    const tail = [...eigenvalues(definite)]
      .reverse()
      .slice(rank)
      .reduce((sum, value) => sum + value, 0);
    let mean = 0;
    const draws = 20;
    for (let seed = 0; seed < draws; seed++) {
      // Without truncation; G − Ĝ is positive semidefinite, so its trace is its trace norm.
      const { operator } = await sketchedNystrom(operatorOf(definite), {
        blas,
        rank: rank + oversampling,
        oversampling: 0,
        seed,
      });
      mean += (trace(definite) - operator.values.reduce((sum, value) => sum + value, 0)) / draws;
    }
    expectAtMost(mean, (1 + rank / (oversampling - 1)) * tail, 'mean trace error');
  });

  it('is_exact_when_the_rank_suffices', async () => {
    const found = await sketchedNystrom(operatorOf(rankFive), { blas, rank: 5 });
    expectAtMost(distance(dense(found.operator), rankFive), 10 * found.shift + 100 * n * EPS * norm(rankFive), 'error');
    expectAtMost(found.shift, 10 * Math.sqrt(n) * EPS * norm(rankFive), 'shift');
    const full = await sketchedNystrom(operatorOf(definite), { blas, rank: n });
    expectAtMost(distance(dense(full.operator), definite), n * full.shift + 100 * n * EPS, 'error at full rank');
  });

  it('of_the_zero_matrix_is_zero', async () => {
    const found = await sketchedNystrom(scaled(identityOperator(50), 0), { blas, rank: 3 });
    expect([...found.operator.values]).toEqual([0, 0, 0]);
    expect(found.shift).toBe(0);
  });

  it('takes_a_matrix_rounded_to_float32_with_a_larger_shift', async () => {
    const rounded = generate(n, n, (i, j) => Math.fround(get(rankFive, Math.max(i, j), Math.min(i, j))));
    const found = await sketchedNystrom(operatorOf(rounded), { blas, rank: 20 });
    expect(found.shift).toBeGreaterThan((await sketchedNystrom(operatorOf(rankFive), { blas, rank: 20 })).shift);
    expectAtMost(distance(dense(found.operator), rankFive), n * found.shift, 'error');
  });

  it('refuses_an_indefinite_matrix', async () => {
    await expect(sketchedNystrom(operatorOf(indefinite), { blas, rank: 20 })).rejects.toBeInstanceOf(
      NotPositiveDefiniteError,
    );
    await expect(sketchedNystrom(scaled(identityOperator(40), -1), { blas, rank: 5 })).rejects.toThrow(/randomizedSvd/);
  });
});

describe.each([
  ['randomized SVD', sketchedSvd],
  ['Nyström approximation', sketchedNystrom],
] as const)('the %s', (_, decompose) => {
  const size = 9000;
  const operator = diagonalOperator(Float64Array.from({ length: size }, (_value, i) => 1 / (1 + i)));

  it('has_the_same_bits_every_time_with_a_team_or_without', async () => {
    const bits = async (seed: number, with_?: Team): Promise<[Float64Array, Matrix['data']]> => {
      const found = await decompose(operator, { blas, rank: 40, seed }, { team: with_ });
      return [found.operator.values, found.operator.vectors.data];
    };
    const alone = await bits(7);
    for (const [values, vectors] of [await bits(7), await bits(7, team)]) {
      expect(sameBits(values, alone[0])).toBe(true);
      expect(sameBits(vectors, alone[1])).toBe(true);
    }
    expect(sameBits((await bits(8))[0], alone[0])).toBe(false);
  });

  it('stores_what_it_says', async () => {
    const { operator: found } = await decompose(operator, { blas, rank: 12 });
    expect(found.bytes).toBe(8 * (size * 12 + 12));
    expect(found.bytes).toBe(found.vectors.data.byteLength + found.values.byteLength);
    expect(found.vectors.data.buffer.byteLength).toBe(found.vectors.data.byteLength);
    expect(found.rank).toBe(12);
  });

  it('refuses_what_makes_no_sense', async () => {
    const square = identityOperator(30);
    for (const options of [{ rank: 0 }, { rank: 31 }, { rank: 2.5 }, { rank: 3, oversampling: -1 }]) {
      await expect(decompose(square, { blas, ...options })).rejects.toBeInstanceOf(OptionError);
    }
    await expect(decompose({ ...square, symmetric: false }, { blas, rank: 3 })).rejects.toBeInstanceOf(OptionError);
    await expect(decompose({ ...square, cols: 29 }, { blas, rank: 3 })).rejects.toBeInstanceOf(ShapeError);
    await expect(decompose(identityOperator(0), { blas, rank: 1 })).rejects.toBeInstanceOf(ShapeError);
    const bad: LinearOperator = {
      ...square,
      applyUnchecked: (out) => {
        out.data.fill(Number.NaN, out.offset, out.offset + 30);
      },
    };
    await expect(decompose(bad, { blas, rank: 3 })).rejects.toBeInstanceOf(NonFiniteError);
  });

  it('estimates_its_memory_before_it_allocates', async () => {
    let touched = false;
    const huge: LinearOperator = {
      rows: 1e8,
      cols: 1e8,
      symmetric: true,
      applyUnchecked: () => {
        touched = true;
      },
    };
    await expect(decompose(huge, { blas, rank: 2000 })).rejects.toThrow(MemoryError);
    await expect(decompose(operator, { blas, rank: 40, memoryLimit: 1e6 })).rejects.toThrow(/lower the rank/);
    expect(touched).toBe(false);
  });

  it('reports_progress_and_can_be_aborted', async () => {
    const phases: string[] = [];
    await decompose(
      operator,
      { blas, rank: 5 },
      {
        onProgress: ({ phase, done, total }) => {
          phases.push(phase);
          expect(done).toBeLessThanOrEqual(total);
        },
      },
    );
    expect(new Set(phases).size).toBeGreaterThan(1);
    await expect(decompose(operator, { blas, rank: 5 }, { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      AbortedError,
    );
  });
});

describe('the randomized SVD alone', () => {
  it('refuses_a_fractional_number_of_passes', async () => {
    await expect(sketchedSvd(identityOperator(30), { blas, rank: 3, powerPasses: 0.5 })).rejects.toBeInstanceOf(
      OptionError,
    );
  });
});
