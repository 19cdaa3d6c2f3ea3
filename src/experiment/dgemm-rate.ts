/**
 * The machine's own rate of dense products: what "share of dgemm" is a share of.
 * Every worker squares a float64 matrix of its own, all at the same time, as they would in a product: cores share
 * caches, power and clock.
 */
import type { RunControl } from '../core/context.js';
import { median } from '../core/median.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { zeros } from '../dense/matrix.js';
import { defineTask } from '../parallel/task.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { Team } from '../parallel/team.js';

/** Order of the matrices: large enough for a library's full rate, small enough to weigh nothing in memory. */
const ORDER = 512;
const SECONDS = 0.12;
const ROUNDS = 3;
/** A worker that finds no company within this time measures alone. */
const PATIENCE_MILLISECONDS = 1000;

/** What the workers that measure share. */
export interface DgemmState {
  readonly seconds: number;
  /** Workers that are ready, in each round. */
  readonly arrived: Int32Array;
  /** Products per second of task t. */
  readonly rates: Float64Array;
}

/** Task t: waits until every worker has one, then multiplies for the given time. */
export const multiplySquares = defineTask<DgemmState, { readonly round: number }>(
  import.meta.url,
  'multiplySquares',
  ({ seconds, arrived, rates }, { blas, workers }) => {
    const a = zeros(ORDER, ORDER);
    const c = zeros(ORDER, ORDER);
    // Of mixed signs, none near the ends of the range: the rate depends on nothing else.
    for (let i = 0; i < a.data.length; i++) a.data[i] = ((i * 7919) % 1021) / 1021 - 0.5;
    const multiply = (): void => {
      blas.gemm('N', 'N', 1, a, a, 0, c);
    };
    multiply();
    return (task, { round }) => {
      // Tasks are claimed one by one: with a barrier, no worker can take two.
      Atomics.add(arrived, round, 1);
      const patience = performance.now() + PATIENCE_MILLISECONDS;
      while (Atomics.load(arrived, round) < workers && performance.now() < patience);
      const start = performance.now();
      let count = 0;
      let elapsed = 0;
      do {
        multiply();
        count++;
        elapsed = (performance.now() - start) / 1000;
      } while (elapsed < seconds);
      rates[task] = count / elapsed;
    };
  },
);

/**
 * GFLOP/s of float64 gemm (n = 512, 2n³ flops each) with all workers of the team at once; the median of three rounds of
 * `seconds`, by default 0.12.
 */
export async function measureDgemm(team: Team, control: RunControl = {}, seconds = SECONDS): Promise<number> {
  const state: DgemmState = { seconds, arrived: sharedInt32(ROUNDS), rates: sharedFloat64(team.workers) };
  const shared = await team.share(state);
  const totals: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await team.run(
        'measure dgemm',
        multiplySquares,
        shared,
        independentTasks(team.workers),
        { round },
        { signal: control.signal },
      );
      totals.push(state.rates.reduce((sum, rate) => sum + rate, 0));
      control.onProgress?.({ phase: 'measure dgemm', done: round + 1, total: ROUNDS });
    }
  } finally {
    team.release(shared);
  }
  return (median(totals) * 2 * ORDER ** 3) / 1e9;
}
