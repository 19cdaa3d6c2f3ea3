/**
 * The stated intervals of measured errors hold the truth for at least 93 of 100 seeds; bench/coverage-cases.ts has
 * more of them, and larger ones.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { operatorError } from '#hmatrix/approximation/operator-error.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { estimateError } from '#hmatrix/hierarchical/measure/error-estimate.js';
import type { ErrorEstimate } from '#hmatrix/hierarchical/measure/error-interval.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { denseOf, gaussianSource, normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

const SEEDS = 200;
const LEAST = 0.93;
const N = 500;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** D K D with log-normal D. */
function uneven(k: Matrix): Matrix {
  const random = new RandomStream(9);
  const d = Float64Array.from({ length: N }, () => Math.exp(random.normal()));
  const out = view(sharedFloat64(N * N), 0, N, N);
  for (let j = 0; j < N; j++) for (let i = 0; i < N; i++) out.data[i + j * N] = d[i] * d[j] * k.data[i + j * N];
  return out;
}

async function coverage(truth: number, estimate: (seed: number) => Promise<ErrorEstimate>): Promise<number> {
  let held = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    const { low, high, exact } = await estimate(seed);
    expect(exact).toBe(false);
    if (low <= truth && truth <= high) held++;
  }
  return held / SEEDS;
}

describe('95_percent_intervals_hold_the_truth', () => {
  it.each(['hss even', 'hodlr even', 'hss uneven'])(
    'of_errors_from_entries_and_from_products: %s',
    async (name) => {
      const [format, diagonal] = name.split(' ') as ['hss' | 'hodlr', string];
      const k = denseOf(gaussianSource(N, 2, 0.4, team.blas));
      const dense = diagonal === 'uneven' ? uneven(k) : k;
      const source = denseSource(dense, { blas: team.blas });
      const matrix = await compress(
        source,
        { format, distance: 'angle', leafSize: 32, maxRank: 16, tolerance: 1e-3 },
        { team },
      );
      const truth = (await matrix.estimateError(source)).relative;
      expect(
        await coverage(truth, (seed) => estimateError(source, matrix, { columns: 192, seed }, { team })),
      ).toBeGreaterThanOrEqual(LEAST);
      const operator = denseOperator(dense, true, { blas: team.blas });
      expect(
        await coverage(truth, (seed) => operatorError(operator, matrix, { columns: 24, seed }, { team })),
      ).toBeGreaterThanOrEqual(LEAST);
      matrix.release();
    },
    60_000,
  );

  it('of_errors_of_which_most_lie_in_one_pair_of_lonely_indices', async () => {
    const size = 500;
    const { coordinates } = normalPoints(size, 2, 3);
    const [a, b] = [212, 410];
    for (const [i, x] of [
      [a, 50],
      [b, 50.1],
    ])
      coordinates.fill(x, 2 * i, 2 * i + 2);
    const source = kernelSource({ dimension: 2, count: size, coordinates }, gaussian(0.3), { blas: team.blas });
    const exact = denseOf(source);
    const wrong = view(exact.data.slice(), 0, size, size);
    // Even errors of a tenth of the pair's.
    const random = new RandomStream(4);
    const even = (0.1 * exact.data[a + b * size]) / size;
    for (let j = 0; j < size; j++) {
      for (let i = 0; i <= j; i++) {
        const entry = i === a && j === b ? 0 : exact.data[i + j * size] + even * random.normal();
        wrong.data[i + j * size] = wrong.data[j + i * size] = entry;
      }
    }
    const approximation = denseOperator(wrong, true, { blas: team.blas });
    const truth = (await estimateError(source, approximation, { columns: size }, { team })).relative;
    expect(
      await coverage(truth, (seed) => estimateError(source, approximation, { columns: 96, seed }, { team })),
    ).toBeGreaterThanOrEqual(LEAST);
  }, 60_000);
});
