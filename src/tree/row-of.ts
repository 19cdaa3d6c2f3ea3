/**
 * Where the list of each index stands among lists that lie in the order of something else.
 */
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { runOnce } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';

/** Positions of a task. */
const POSITIONS = 8192;

/** Rows, and the order in which lists stand, empty where that is the one of all indices. */
interface RowState {
  readonly order: Int32Array;
  readonly rowOf: Int32Array;
}

/** Per few positions: their numbers, at their indices. */
export const markRows = defineTask<RowState>(import.meta.url, 'markRows', ({ order, rowOf }) => (task) => {
  const rows = order.length === 0 ? rowOf.length : order.length;
  const end = Math.min(rows, (task + 1) * POSITIONS);
  if (order.length === 0) for (let p = task * POSITIONS; p < end; p++) rowOf[p] = p;
  else for (let p = task * POSITIONS; p < end; p++) rowOf[order[p]] = p;
});

/**
 * The row of each of `size` indices, order[row], and −1 of any other; index i is row i where no order is given. Shared
 * by workers.
 */
export async function rowsOfIndices(
  size: number,
  order: Int32Array | undefined,
  { team, signal }: TeamControl,
): Promise<Int32Array> {
  const rowOf = inLargePages(sharedInt32(size));
  // A rank without any lists has no order to be told by.
  if (order !== undefined && order.length < size) rowOf.fill(-1);
  const rows = order === undefined ? size : order.length;
  const state = { order: order ?? sharedInt32(0), rowOf };
  await runOnce('neighbors', markRows, state, independentTasks(Math.ceil(rows / POSITIONS)), { team, signal });
  return rowOf;
}
