/**
 * Lists of neighbors that several ranks found, each those at its positions of an order, to all of them.
 */
import { sharedInt32 } from '../core/shared-array.js';
import type { TeamControl } from '../parallel/team-control.js';
import { alike, runCopy } from './copy-rows.js';
import type { PositionRange } from './split.js';

/** Lists of `capacity` numbers, of which each rank has those at its positions of an order. */
export interface ListsToGather {
  /** Which index stands at each position. */
  readonly order: Int32Array;
  /** The positions of each rank. */
  readonly ranges: readonly PositionRange[];
  readonly capacity: number;
}

/** Where a rank's own lists stand: index i's in row rowOf[i] − 1. */
export interface OwnLists<A> {
  readonly lists: A;
  readonly rowOf: Int32Array;
}

/** Collective, in place: list p is that of the index at position p. 4 or 8 bytes a number to every rank. */
export function gatherByPosition(
  lists: Int32Array | Float64Array,
  { ranges, capacity }: Pick<ListsToGather, 'ranges' | 'capacity'>,
  { team }: TeamControl,
): void {
  const counts = ranges.map(({ begin, end }) => capacity * (end - begin));
  if (team.communicator.size > 1 && lists.length > 0) team.communicator.allgather(undefined, lists, counts);
}

/** Collective: the same of lists that stand elsewhere on each rank. */
export async function gatherOwn<A extends Int32Array | Float64Array>(
  own: OwnLists<A>,
  { order, ranges, capacity }: ListsToGather,
  control: TeamControl,
): Promise<A> {
  const { team } = control;
  const { begin, end } = ranges[team.communicator.rank];
  const packed = alike(own.lists, capacity * order.length);
  const shared = await team.share({ capacity, order, from: own.lists, rowOf: own.rowOf, to: own.lists, packed });
  try {
    await runCopy(team, shared, [{ row: begin, position: begin, count: end - begin }], true);
  } finally {
    team.release(shared);
  }
  gatherByPosition(packed, { ranges, capacity }, control);
  return packed;
}

/** Lists by position as lists by index. */
export async function listsByIndex<A extends Int32Array | Float64Array>(
  packed: A,
  { order, capacity }: Pick<ListsToGather, 'order' | 'capacity'>,
  { team }: TeamControl,
): Promise<A> {
  const to = alike(packed, packed.length);
  const shared = await team.share({ capacity, order, from: to, rowOf: sharedInt32(0), to, packed });
  try {
    await runCopy(team, shared, [{ row: 0, position: 0, count: order.length }], false);
  } finally {
    team.release(shared);
  }
  return to;
}
