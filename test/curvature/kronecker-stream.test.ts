/**
 * Kronecker sums of streamed modes against dense Gauss–Newton Hessians, and against those of all modes.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { MemoryError, OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kroneckerSum, type KroneckerSumOptions } from '#hmatrix/curvature/kronecker-sum/compress.js';
import type { KroneckerSumMatrix } from '#hmatrix/curvature/kronecker-sum/matrix.js';
import { modesOf } from '#hmatrix/curvature/kronecker-sum/modes.js';
import { tablesOf } from '#hmatrix/curvature/eigenbasis/energies.js';
import { rotateModel } from '#hmatrix/curvature/eigenbasis/model.js';
import type { Model } from '#hmatrix/network/model.js';
import { apply } from '#hmatrix/operator/apply.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { distance, norm, smoothInputs } from './smooth-inputs.js';

const EPS = Number.EPSILON;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const build = (model: Model, options: KroneckerSumOptions, of: Team = team): Promise<KroneckerSumMatrix> =>
  kroneckerSum(model, options, { team: of });
/** Inputs of falling spectrum. */
function smoothModel(samples: number): Model {
  const model = randomModel({ widths: [24, 7, 24], activation: 'tanh', loss: 'mse', bias: true, samples, seed: 5 });
  smoothInputs(model, 1 / 2);
  return model;
}

describe('streamed modes', () => {
  it.each(smallModels().map(({ name, model }) => [name, model] as const))(
    'are_exact_where_there_are_enough_of_them: %s',
    async (_name, model) => {
      const exact = denseGaussNewton(model);
      const matrix = await build(model, { tolerance: 0, modes: 64, batchSize: 3 });
      const size = norm(exact.data);
      expect(distance(matrix.toDense(), exact)).toBeLessThanOrEqual(1e3 * EPS * exact.rows * size);
      expect(Math.abs(matrix.report.norm - size)).toBeLessThanOrEqual(1e3 * EPS * exact.rows * size);
      expect(matrix.error).toBeLessThanOrEqual(1e3 * EPS * exact.rows);
    },
  );

  const model = smoothModel(90);
  const exact = denseGaussNewton(model);
  const size = norm(exact.data);

  it('lose_little_beside_the_best_of_somewhat_fewer', async () => {
    const best = await modesOf(tablesOf(rotateModel(model, team.blas, 2 ** 30)), { team });
    const beyond = (count: number): number =>
      Math.sqrt(
        best.reduce(
          (sum, { lower, upper, energies }) =>
            sum + (lower === upper ? 1 : 2) * energies.subarray(count).reduce((tail, e) => tail + e, 0),
          0,
        ),
      ) / size;
    for (const modes of [10, 16, 22]) {
      const streamed = await build(model, { share: 5, modes, batchSize: 32 });
      const error = distance(streamed.toDense(), exact) / size;
      expect(error).toBeGreaterThanOrEqual(0.999 * beyond(modes));
      expect(error).toBeLessThanOrEqual(3 * beyond(modes - 8));
    }
  });

  it.each([3, 8, 20])('state_an_interval_that_holds_the_true_error: %d modes', async (modes) => {
    let held = 0;
    const seeds = 20;
    for (let seed = 0; seed < seeds; seed++) {
      const matrix = await build(model, { share: 0.15, modes, batchSize: 40, seed });
      const error = distance(matrix.toDense(), exact) / size;
      const { low, high, probes } = matrix.report.interval!;
      expect(probes).toBe(32);
      expect(matrix.error).toBeGreaterThanOrEqual(low);
      expect(matrix.error).toBeLessThanOrEqual(high);
      expect(matrix.error / error).toBeGreaterThan(0.4);
      expect(matrix.error / error).toBeLessThan(2.5);
      if (error >= low && error <= high) held++;
      matrix.release();
    }
    // Of 20 intervals of 95 %, fewer than 16 hold with a chance of 3e-4.
    expect(held).toBeGreaterThanOrEqual(16);
  });

  it('do_not_depend_on_the_batches_nor_on_the_team', async () => {
    const results: Float64Array[] = [];
    for (const workers of [1, 2, 3]) {
      const matrix = await build(model, { share: 0.1, modes: 9, batchSize: 25 }, await sharedTeam(workers));
      const x = zeros(matrix.rows, 2);
      new RandomStream(4).fillNormal(x.data);
      results.push(Float64Array.from([matrix.error, ...matrix.data.values, ...apply(matrix, x).data]));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    const [one, other] = [
      await build(model, { share: 0.1, modes: 9, batchSize: 25 }),
      await build(model, { share: 0.1, modes: 9, batchSize: 90 }),
    ];
    expect(distance(one.toDense(), other.toDense())).toBeLessThanOrEqual(1e-6 * size);
  });

  it('that_do_not_suffice_miss_the_tolerance_and_say_so', async () => {
    const few = await build(model, { tolerance: 1e-6, modes: 2 });
    expect(few.report.met).toBe(false);
    const enough = await build(model, { tolerance: 1e-3, modes: 60 });
    expect(enough.report.met).toBe(true);
    expect(distance(enough.toDense(), exact) / size).toBeLessThanOrEqual(1.5e-3);
  });

  it('are_exact_where_there_are_none', async () => {
    const linear = randomModel({ widths: [3, 2], activation: 'linear', loss: 'mse', bias: false, samples: 5 });
    const matrix = await build(linear, { share: 1, modes: 4 });
    expect(matrix.report.interval).toEqual({ low: 0, high: 0, probes: 32 });
    expect(matrix.lowerBound).toBeLessThanOrEqual(0);
    expect(matrix.lowerBound).toBeGreaterThan(-1e-10 * matrix.report.norm);
  });

  it('are_refused_before_they_are_read_where_there_is_no_memory_for_them', async () => {
    await expect(build(model, { share: 0.1, modes: 20, memoryLimit: 1e5 })).rejects.toBeInstanceOf(MemoryError);
  });

  it.each([{ seed: 1 }, { batchSize: 10 }, { modes: 0 }, { modes: 1.5 }, { modes: 5, batchSize: 0 }])(
    'refuse_the_options_%j',
    async (options) => {
      await expect(build(model, options)).rejects.toBeInstanceOf(OptionError);
    },
  );
});
