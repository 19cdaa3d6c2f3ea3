/**
 * The error of any operator for any matrix: exact where all columns are compared, within its interval where they are
 * sampled.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { operatorError, operatorErrors } from '#hmatrix/approximation/operator-error.js';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { matrixOver, squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { LowRankOperator } from '#hmatrix/lowrank/low-rank-operator.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { sharedTeam } from '../teams.js';

const N = 300;
let team: Team;
let exact: Matrix;

beforeAll(async () => {
  team = await sharedTeam(2);
  const factor = zeros(N, 120);
  new RandomStream(5).fillNormal(factor.data);
  exact = zeros(N, N);
  team.blas.gemm('N', 'T', 1 / N, factor, factor, 0, exact);
});

const truth = (approximation: Matrix): number => {
  let sum = 0;
  for (let i = 0; i < N * N; i++) sum += (exact.data[i] - approximation.data[i]) ** 2;
  return Math.sqrt(sum / squaredNorm(exact));
};
const perturbed = (size: number): Matrix => {
  const noise = zeros(N, N);
  new RandomStream(6).fillNormal(noise.data);
  for (let i = 0; i < N * N; i++) noise.data[i] = exact.data[i] + size * noise.data[i];
  return noise;
};
/** N² squares summed in any order. */
const TOLERANCE = N * N * Number.EPSILON;

describe('all columns', () => {
  it.each(['entries', 'products'] as const)('give_the_error_of_the_dense_matrices_from_%s', async (from) => {
    const reference = from === 'entries' ? denseSource(exact) : denseOperator(exact, true, { blas: team.blas });
    for (const size of [1, 1e-3, 1e-9]) {
      const approximation = perturbed(size);
      const found = await operatorError(
        reference,
        denseOperator(approximation, false, { blas: team.blas }),
        {},
        { team },
      );
      expect(found).toMatchObject({ exact: true, columns: N, low: found.relative, high: found.relative });
      expect(Math.abs(found.relative / truth(approximation) - 1)).toBeLessThanOrEqual(TOLERANCE + 1e-14 / size);
    }
  });

  it.each([1, 1e-2, 1e-7])('agree_with_the_formula_for_low_rank_at_perturbation_%s', async (size) => {
    // 120 eigenvectors of a matrix of rank 120, and values that miss the eigenvalues.
    const vectors = zeros(N, N);
    vectors.data.set(exact.data);
    const values = new Float64Array(N);
    expect(team.blas.syevd(true, 'L', vectors, values)).toBe(0);
    const random = new RandomStream(7);
    const kept = values.slice(N - 120).map((value) => value * (1 + size * random.normal()));
    const operator = new LowRankOperator(matrixOver(vectors.data.slice(N * (N - 120)), N, 120), kept, team.blas, team);
    const dense = zeros(N, N);
    const identity = zeros(N, N);
    for (let i = 0; i < N; i++) identity.data[i * (N + 1)] = 1;
    operator.applyUnchecked(dense, identity, 1, 0);
    const { relative } = await operatorError(denseOperator(exact, true, { blas: team.blas }), operator, {}, { team });
    // Differences of squares hold to eps·N relative to ‖A‖²; below 3e-6 columns are compared.
    expect(Math.abs(relative - truth(dense))).toBeLessThanOrEqual((N * Number.EPSILON) / 3e-6);
  });

  it('of_several_approximations_are_those_of_each', async () => {
    const all = [
      denseOperator(perturbed(0.1), false, { blas: team.blas }),
      diagonalOperator(new Float64Array(N)),
      scaled(denseOperator(exact, true, { blas: team.blas }), 0.5),
    ];
    const together = await operatorErrors(denseSource(exact), all, {}, { team });
    for (const [k, one] of all.entries())
      expect(together[k]).toEqual(await operatorError(denseSource(exact), one, {}, { team }));
    expect(together[1].relative).toBe(1);
    expect(Math.abs(together[2].relative - 0.5)).toBeLessThanOrEqual(TOLERANCE);
  });

  it('of_the_matrix_itself_are_zero', async () => {
    expect(
      (await operatorError(denseSource(exact), denseOperator(exact, true, { blas: team.blas }), {}, { team })).relative,
    ).toBe(0);
    expect(await operatorErrors(denseSource(exact), [], {}, { team })).toEqual([]);
  });
});

describe('sampled columns', () => {
  it('give_an_interval_that_holds_the_truth_nineteen_times_in_twenty', async () => {
    const approximation = perturbed(0.05);
    const operator = denseOperator(approximation, false, { blas: team.blas });
    const wanted = truth(approximation);
    let held = 0;
    const trials = 60;
    for (let seed = 0; seed < trials; seed++) {
      const {
        low,
        high,
        relative,
        exact: all,
        columns,
      } = await operatorError(denseSource(exact), operator, { columns: 40, seed }, { team });
      expect([all, columns]).toEqual([false, 40]);
      expect(low <= relative && relative <= high).toBe(true);
      if (low <= wanted && wanted <= high) held++;
    }
    // Fewer than 48 of 60 at a chance of 0.95 each: below 1e-5.
    expect(held).toBeGreaterThanOrEqual(48);
  });
});

describe('misuse', () => {
  it('is_refused', async () => {
    await expect(
      operatorError(denseSource(exact), diagonalOperator(new Float64Array(3)), {}, { team }),
    ).rejects.toBeInstanceOf(ShapeError);
    await expect(
      operatorError(denseSource(exact), denseOperator(exact, true, { blas: team.blas }), { columns: 0 }, { team }),
    ).rejects.toBeInstanceOf(OptionError);
    await expect(
      operatorError(
        denseOperator(exact, true, { blas: team.blas }),
        denseOperator(exact, true, { blas: team.blas }),
        {},
        { team, signal: AbortSignal.abort() },
      ),
    ).rejects.toMatchObject({ code: 'aborted' });
  });
});
