/**
 * Every way to approximate one kernel matrix, each at several sizes: error against memory.
 */
import { approximate, type Goal } from 'hmatrix/approximation';
import type { CompareTask } from './protocol.js';
import { matrixOf, type Run } from './run.js';

/** More points would make the page wait for the dense products of the low-rank methods. */
const MOST_POINTS = 2048;
const COLUMNS = 128;

const TOLERANCES: readonly Goal[] = [1e-1, 1e-2, 1e-4, 1e-6].map((tolerance) => ({ tolerance }));
const SHARES: readonly Goal[] = [0.01, 0.03, 0.1, 0.3].map((share) => ({ share }));

/** The methods, by what they are called on the page, with what is asked of them. */
const METHODS = [
  ['HSS', 'hss', TOLERANCES],
  ['HODLR', 'hodlr', TOLERANCES],
  ['FMM', 'fmm', TOLERANCES],
  ['low rank (SVD)', 'rsvd', SHARES],
] as const;

/** Answers with a row for each method and size. */
export async function compareTask(task: CompareTask, { control, answer }: Run): Promise<void> {
  const { source } = matrixOf(task, control, MOST_POINTS);
  for (const [name, method, goals] of METHODS) {
    for (const goal of goals) {
      control.onProgress({ phase: name, done: 0, total: 0 });
      const found = await approximate(source, method, goal, {}, control);
      try {
        const { share, seconds } = found;
        const error = await found.error({ columns: Math.min(COLUMNS, source.size) });
        answer({ kind: 'row', method: name, share, error, seconds });
      } finally {
        found.release();
      }
    }
  }
}
