/**
 * Lists of neighbors as a search leaves them: all on a process that is alone, and of several ranks a part on each.
 */
import { sharedInt32 } from '../core/shared-array.js';
import type { CommunicatedArray, Communicator } from '../distributed/communicator.js';
import type { TeamControl } from '../parallel/team-control.js';
import { alike, runCopy } from './copy-rows.js';
import type { NearestState } from './nearest-lists.js';

/** Lists one after another, on this rank. */
export interface FoundLists extends Pick<NearestState, 'indices' | 'distances'> {
  /** The index of each; list i is that of index i where there are none. */
  readonly members?: Int32Array | undefined;
  /** How many lists each of several ranks has; where there are none, every rank has all. */
  readonly counts?: readonly number[] | undefined;
}

/** Parts of all ranks to all, `width` numbers a list. */
function gathered<A extends CommunicatedArray & (Int32Array | Float64Array)>(
  own: A,
  counts: readonly number[],
  width: number,
  communicator: Communicator,
): A {
  const all = alike(own, width * counts.reduce((sum, count) => sum + count, 0));
  communicator.allgather(
    own,
    all,
    counts.map((count) => width * count),
  );
  return all;
}

/** Lists by index, on every rank. Collective: 12κ + 4 bytes an index are gathered. */
export async function listsByIndex(
  { indices, distances, members, counts }: FoundLists,
  capacity: number,
  control: TeamControl,
): Promise<Pick<NearestState, 'indices' | 'distances'>> {
  if (members === undefined) return { indices, distances };
  const { communicator } = control.team;
  const whole = <A extends Int32Array | Float64Array>(own: A, width: number): A =>
    counts === undefined ? own : gathered(own, counts, width, communicator);
  const order = whole(members, 1);
  return {
    indices: await inPlace(whole(indices, capacity), order, capacity, control),
    distances: await inPlace(whole(distances, capacity), order, capacity, control),
  };
}

/** Lists in some order of indices as lists by index. */
async function inPlace<A extends Int32Array | Float64Array>(
  packed: A,
  order: Int32Array,
  capacity: number,
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
