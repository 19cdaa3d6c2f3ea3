/**
 * The stated intervals of traces, log determinants and densities hold the truth for at least 93 of 100 seeds, also
 * where most eigenvalues crowd at the lower end.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import { spectralDensity } from '#hmatrix/krylov/spectral-density.js';
import { estimatedLogDeterminant } from '#hmatrix/krylov/log-determinant.js';
import { stochasticLanczosQuadrature } from '#hmatrix/krylov/stochastic-lanczos-quadrature.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseOf, gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

const N = 48;
const SEEDS = 200;
const LEAST = 0.93;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** K + λI of a Gaussian kernel whose spectrum falls below λ, and its eigenvalues. */
function crowded(shift: number, size = N): { operator: LinearOperator; dense: Matrix; values: Float64Array } {
  const dense = denseOf(gaussianSource(size, 2, 1, team.blas));
  for (let i = 0; i < size; i++) dense.data[i * (size + 1)] += shift;
  const copy = zeros(size, size);
  copy.data.set(dense.data as never);
  const values = new Float64Array(size);
  expect(team.blas.syevd(true, 'L', copy, values)).toBe(0);
  return { operator: denseOperator(dense, true, { blas: team.blas }), dense, values };
}

const traceOf = (values: Float64Array, f: (x: number) => number): number =>
  values.reduce((total, value) => total + f(value), 0);

interface Stated {
  readonly outcome: string;
  readonly lower: number;
  readonly upper: number;
}

async function coverage(truth: number, estimate: (seed: number) => Promise<Stated>): Promise<number> {
  let held = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const { outcome, lower, upper } = await estimate(seed);
    expect(outcome).toBe('estimated');
    expect(Number.isFinite(upper - lower)).toBe(true);
    if (lower <= truth && truth <= upper) held++;
  }
  return held / SEEDS;
}

describe('95_percent_intervals_hold_the_truth', () => {
  it.each([1e-2, 1e-6])('of_log_determinants_at_shift_%s', async (shift) => {
    const { operator, values } = crowded(shift);
    const truth = traceOf(values, Math.log);
    const { blas } = team;
    expect(
      await coverage(truth, (seed) => estimatedLogDeterminant(operator, { blas, seed, probes: 16 })),
    ).toBeGreaterThanOrEqual(LEAST);
    expect(
      await coverage(truth, (seed) => estimatedLogDeterminant(operator, { blas, seed, probes: 16, lowerBound: shift })),
    ).toBeGreaterThanOrEqual(LEAST);
  });

  it('of_log_determinants_by_a_factorization', async () => {
    const { operator, values } = crowded(1e-2);
    const matrix = await compress(
      gaussianSource(N, 2, 1, team.blas),
      { leafSize: 12, maxRank: 12, tolerance: 1e-3 },
      { team },
    );
    const factorization = await factor(matrix, { shift: 2e-2 }, { team });
    const { blas } = team;
    const options = { blas, probes: 16, degree: 20 };
    expect(
      await coverage(traceOf(values, Math.log), (seed) =>
        estimatedLogDeterminant(operator, { ...options, seed, factorization }),
      ),
    ).toBeGreaterThanOrEqual(LEAST);
    // What the factorization leaves to be estimated is smaller, and is quickly found.
    const plain = await estimatedLogDeterminant(operator, { blas, probes: 16 });
    expect((await estimatedLogDeterminant(operator, { ...options, factorization })).standardError).toBeLessThan(
      plain.standardError / 2,
    );
    factorization.release();
    matrix.release();
  });

  it('of_traces_of_the_inverse_and_the_square', async () => {
    const { operator, values } = crowded(1e-2);
    for (const f of [(x: number) => 1 / x, (x: number) => x * x]) {
      expect(
        await coverage(traceOf(values, f), (seed) =>
          stochasticLanczosQuadrature(operator, f, { blas: team.blas, seed, probes: 16 }),
        ),
      ).toBeGreaterThanOrEqual(LEAST);
    }
  });

  it('of_densities_and_of_cumulative_densities_at_each_point', async () => {
    const { operator, values } = crowded(1e-2);
    const width = 1;
    const at = { density: [0, 0, 0, 0, 0], cumulative: [0, 0, 0, 0, 0] };
    for (let seed = 0; seed < SEEDS; seed++) {
      const { grid, density, cumulative } = await spectralDensity(operator, {
        blas: team.blas,
        seed,
        probes: 20,
        degree: 12,
        width,
        grid: { from: -1, to: 7, count: 5 },
      });
      grid.forEach((t, i) => {
        const smooth =
          traceOf(values, (x) => Math.exp(-0.5 * ((t - x) / width) ** 2)) / (N * width * Math.sqrt(2 * Math.PI));
        if (density.lower[i] <= smooth && smooth <= density.upper[i]) at.density[i]++;
        const share = traceOf(values, (x) => (x <= t ? 1 : 0)) / N;
        if (cumulative.lower[i] <= share && share <= cumulative.upper[i]) at.cumulative[i]++;
      });
    }
    expect(Math.min(...at.density) / SEEDS).toBeGreaterThanOrEqual(LEAST);
    expect(Math.min(...at.cumulative) / SEEDS).toBeGreaterThanOrEqual(LEAST);
  });
});

describe('an_unconverged_quadrature', () => {
  it('says_so_and_its_interval_holds_the_truth', async () => {
    const { operator, values } = crowded(1e-6, 300);
    const truth = traceOf(values, Math.log);
    const { blas } = team;
    for (const options of [{ degree: 10 }, { degree: 20, lowerBound: 1e-6 }, { degree: 3 }]) {
      const { outcome, lower, upper, quadratureError, standardError } = await estimatedLogDeterminant(operator, {
        blas,
        probes: 10,
        ...options,
      });
      expect(outcome).toBe('unconverged');
      expect(quadratureError).toBeGreaterThan(standardError);
      expect(lower <= truth && truth <= upper).toBe(true);
    }
  });

  it('goes_on_by_itself_where_no_degree_is_given', async () => {
    // Eigenvalues in equal ratios over ten decades: 100 steps are not enough.
    const size = 300;
    const values = Float64Array.from({ length: size }, (_, i) => 10 ** ((-10 * i) / size));
    const dense = zeros(size, size);
    for (let i = 0; i < size; i++) dense.data[i * (size + 1)] = values[i];
    const operator = denseOperator(view(dense.data, 0, size, size), true, { blas: team.blas });
    const given = await estimatedLogDeterminant(operator, { blas: team.blas, probes: 4, degree: 100 });
    expect(given.outcome).toBe('unconverged');
    const { value, quadratureError } = await estimatedLogDeterminant(operator, { blas: team.blas, probes: 4 });
    expect(quadratureError).toBeLessThan(given.quadratureError);
    expect(Math.abs(value - traceOf(values, Math.log))).toBeLessThan(1e-6 * Math.abs(value));
  });
});
