/**
 * Where the list of each index stands among lists that lie in the order of something else.
 */
import { placeOf, type IndexPlaces } from '../core/index-places.js';
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { runOnce } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';

/** Positions of a task. */
const POSITIONS = 8192;

/** Rows by places, and the order in which lists stand, empty where that is the one of all indices. */
interface RowState {
  readonly order: Int32Array;
  readonly places: IndexPlaces;
  readonly rowAt: Int32Array;
}

/** Per few positions: their numbers, at the places of their indices. */
export const markRows = defineTask<RowState>(import.meta.url, 'markRows', ({ order, places, rowAt }) => (task) => {
  const rows = order.length === 0 ? rowAt.length : order.length;
  const end = Math.min(rows, (task + 1) * POSITIONS);
  if (order.length === 0) for (let p = task * POSITIONS; p < end; p++) rowAt[p] = p;
  else for (let p = task * POSITIONS; p < end; p++) rowAt[placeOf(places, order[p])] = p;
});

/**
 * The row of each of `count` indices, order[row], by its place, and −1 of any other; index i is row i where no order is
 * given. Shared by workers.
 */
export async function rowsOfIndices(
  { places, count }: { readonly places: IndexPlaces; readonly count: number },
  order: Int32Array | undefined,
  { team, signal }: TeamControl,
): Promise<Int32Array> {
  const rowAt = inLargePages(sharedInt32(count));
  // A rank without any lists has no order to be told by.
  if (order !== undefined && order.length < count) rowAt.fill(-1);
  const rows = order === undefined ? count : order.length;
  const state = { order: order ?? sharedInt32(0), places, rowAt };
  await runOnce('neighbors', markRows, state, independentTasks(Math.ceil(rows / POSITIONS)), { team, signal });
  return rowAt;
}
