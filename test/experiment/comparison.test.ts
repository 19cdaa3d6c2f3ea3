/** What follows from the runs of a comparison: medians, best settings, ties; the time in BLAS. */
import { describe, expect, it } from 'vitest';
import { timedBlas } from '#hmatrix/experiment/blas-share.js';
import { bestOf, medianOf, winnersOf, type ComparisonRow } from '#hmatrix/experiment/comparison-record.js';
import { inTurns } from '#hmatrix/experiment/comparison-run.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { OptimizerName } from '#hmatrix/training/optimizers/table.js';
import { randomMatrix } from '../support.js';

const targets = { measure: 'loss', values: [2, 1], of: 'validation', chosen: null } as const;
/** A run that met target 2 after half, target 1 after all of `seconds`; null: neither. */
const run = (
  optimizer: OptimizerName,
  rate: number,
  seed: number,
  seconds: number | null,
  samples = 100,
): ComparisonRow => ({
  optimizer,
  settings: { rate },
  seed,
  reached: seconds !== null,
  seconds: seconds ?? 60,
  samples,
  epochs: 1,
  loss: seconds === null ? 5 - rate : 1,
  accuracy: null,
  blasShare: 0.5,
  preparation: 0,
  outcome: seconds === null ? 'seconds' : 'target',
  failure: null,
  times:
    seconds === null
      ? []
      : [
          { target: 2, seconds: seconds / 2, samples: samples / 2 },
          { target: 1, seconds, samples },
        ],
});
const three = (optimizer: OptimizerName, rate: number, seconds: readonly (number | null)[], samples?: number) =>
  seconds.map((one, seed) => run(optimizer, rate, seed, one, samples));

describe('a comparison', () => {
  const rows = [
    ...three('adam', 1, [4, 5, 6]),
    ...three('adam', 2, [3, 9, 10]),
    ...three('kfac', 1, [null, null, 1], 40),
    ...three('kfac', 2, [2, 3, 4.5], 30),
    ...three('sgd', 1, [null, null, null]),
    ...three('sgd', 2, [null, 7, null]),
    ...three('momentum', 1, [6.5, 7, 8]),
  ];

  it('takes_the_best_settings_by_medians_and_counts_misses', () => {
    const best = bestOf(rows, targets);
    expect(
      best.map(({ optimizer, settings, seconds, reached }) => [optimizer, settings['rate'], seconds, reached]),
    ).toEqual([
      ['kfac', 2, 3, 3],
      ['adam', 1, 5, 3],
      ['momentum', 1, 7, 3],
      ['sgd', 2, null, 1],
    ]);
    expect(best.map(({ ratioToAdam }) => ratioToAdam)).toEqual([0.6, 1, 1.4, null]);
    // kfac took 2 to 4.5 s, adam 4 to 6.
    expect(best.map(({ tied }) => tied)).toEqual([false, true, false, false]);
    expect(best[3].measure).toBe(3);
  });

  it('names_the_first_to_each_target_by_time_and_by_samples', () => {
    const [easy, hard] = winnersOf(rows, targets);
    expect(easy.seconds).toEqual({ optimizer: 'kfac', value: 1.5, adam: 2.5, ties: ['adam'] });
    expect(hard.samples).toEqual({ optimizer: 'kfac', value: 30, adam: 100, ties: [] });
    expect(winnersOf(three('adam', 1, [null]), targets)[0]).toEqual({ target: 2, seconds: null, samples: null });
  });

  it('knows_no_tie_of_one_seed_and_no_ratio_without_adam', () => {
    const single = [run('adam', 1, 0, null), run('kfac', 1, 0, 3), run('sgd', 1, 0, 3)];
    expect(bestOf(single, targets).map(({ optimizer, ratioToAdam, tied }) => [optimizer, ratioToAdam, tied])).toEqual([
      ['kfac', null, false],
      ['sgd', null, false],
      ['adam', null, false],
    ]);
  });

  it('takes_medians', () => {
    expect([medianOf([3, 1, 2]), medianOf([4, 1]), medianOf([1, Infinity])]).toEqual([2, 2.5, Infinity]);
  });

  it('goes_round_over_optimizers', () => {
    expect(inTurns([['a1', 'a2', 'a3'], ['b1'], ['c1', 'c2']])).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  });
});

describe('a backend with a clock', () => {
  it('gives_the_same_numbers_and_the_time_they_took', () => {
    const plain = defaultBlas();
    const { blas, milliseconds } = timedBlas(plain);
    const [a, b] = [randomMatrix(60, 60, 1), randomMatrix(60, 60, 2)];
    const [own, other] = [zeros(60, 60), zeros(60, 60)];
    blas.gemm('N', 'T', 1, a, b, 0, own);
    plain.gemm('N', 'T', 1, a, b, 0, other);
    expect(own.data).toEqual(other.data);
    expect(milliseconds()).toBeGreaterThan(0);
    expect([blas.kind, blas.description]).toEqual([plain.kind, plain.description]);
    expect(() => blas.gemm('N', 'N', 1, a, zeros(3, 3), 0, own)).toThrow(/3/);
  });
});
