/**
 * Lists of neighbors that are packed to be sent, and unpacked where they come to, by all workers.
 */
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { Shared, Team } from '../parallel/team.js';

/** Lists of `capacity` numbers each, of whichever type. */
type ListArray = Int32Array | Float64Array;

/** Rows of which arrays are copied. */
export interface RowsState {
  readonly capacity: number;
  /** At each position, the row that is copied. */
  readonly order: Int32Array;
  /** What is packed: row order[p], or where rowOf is not empty, row rowOf[order[p]] − 1. */
  readonly from: ListArray;
  readonly rowOf: Int32Array;
  /** What is unpacked to: row order[p]. */
  readonly to: ListArray;
  readonly packed: ListArray;
}

/** Which rows: by three numbers each, a row of `packed`, a position, and how many there are of both. */
interface CopyArgs {
  readonly pieces: Int32Array;
  readonly packs: boolean;
}

/** Rows of a task. */
const ROWS = 4096;

/** Rows are short: a loop copies them in less time than a view of each takes. */
function copyRow(from: ListArray, row: number, to: ListArray, toRow: number, capacity: number): void {
  for (let k = 0, p = row * capacity, q = toRow * capacity; k < capacity; k++) to[q + k] = from[p + k];
}

/** Per ROWS rows of `packed`: those of the pieces are packed, or unpacked. */
export const copyRows = defineTask<RowsState, CopyArgs>(
  import.meta.url,
  'copyRows',
  ({ capacity, order, from, rowOf, to, packed }) =>
    (task, { pieces, packs }) => {
      const [first, end] = [task * ROWS, (task + 1) * ROWS];
      for (let piece = 0; piece < pieces.length; piece += 3) {
        const [row, position, count] = [pieces[piece], pieces[piece + 1], pieces[piece + 2]];
        for (let at = Math.max(first, row); at < Math.min(end, row + count); at++) {
          const other = order[position + at - row];
          if (!packs) copyRow(packed, at, to, other, capacity);
          else copyRow(from, rowOf.length === 0 ? other : rowOf[other] - 1, packed, at, capacity);
        }
      }
    },
);

/** An array of the same type, over shared memory. */
export const alike = <A extends ListArray>(array: A, length: number): A =>
  inLargePages(array instanceof Int32Array ? sharedInt32(length) : sharedFloat64(length)) as A;

/** Rows begin … of `packed` and of positions. */
export interface RowPiece {
  readonly row: number;
  readonly position: number;
  readonly count: number;
}

/** Packs, or unpacks, some pieces. */
export async function runCopy(
  team: Team,
  shared: Shared<RowsState>,
  some: readonly RowPiece[],
  packs: boolean,
): Promise<void> {
  const pieces = Int32Array.from(some.flatMap(({ row, position, count }) => [row, position, count]));
  const rows = some.reduce((most, { row, count }) => Math.max(most, row + count), 0);
  await team.run('neighbors', copyRows, shared, independentTasks(Math.ceil(rows / ROWS)), { pieces, packs });
}
