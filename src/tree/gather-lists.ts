/**
 * Lists of neighbors that several ranks found, each those of its part of an order, to all of them.
 */
import type { TeamControl } from '../parallel/team-control.js';
import { alike, runCopy, type RowPiece } from './copy-rows.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { PositionRange } from './split.js';

/** Positions that are gathered at a time, of a rank and of all: what is packed stays small beside the lists. */
const POSITIONS = 65_536;
const POSITIONS_OF_ALL = 2 ** 20;
const FEWEST = 4096;

/** Positions of each of so many ranks that are gathered at a time. */
export const positionsAtATime = (ranks: number): number =>
  Math.min(POSITIONS, Math.max(FEWEST, Math.floor(POSITIONS_OF_ALL / ranks)));

/** Lists of `capacity` numbers by index, of which each rank found those of its positions of an order. */
export interface ListsToGather {
  /** Which index stands at each position. */
  readonly order: Int32Array;
  /** The positions of each rank. */
  readonly ranges: readonly PositionRange[];
  readonly capacity: number;
  /** `capacity` numbers for each index (a shared array). */
  readonly lists: Int32Array | Float64Array;
  /** Where this rank's own ones stand, if elsewhere: index i's in row rowOf[i] − 1. */
  readonly held?: { readonly lists: Int32Array | Float64Array; readonly rowOf: Int32Array } | undefined;
}

/** Collective: gathers in place. 4 or 8 bytes a number to every rank, a few megabytes at a time. */
export async function gatherLists(
  { order, ranges, capacity, lists, held }: ListsToGather,
  { team }: TeamControl,
): Promise<void> {
  const { size, rank } = team.communicator;
  if ((size === 1 && held === undefined) || lists.length === 0) return;
  const atATime = positionsAtATime(size);
  const lengths = ranges.map(({ begin, end }) => end - begin);
  const most = lengths.reduce((sum, length) => sum + Math.min(length, atATime), 0);
  const packed = alike(lists, most * capacity);
  const from = held?.lists ?? lists;
  const shared = await team.share({ capacity, order, from, rowOf: held?.rowOf ?? sharedInt32(0), to: lists, packed });
  try {
    for (let done = 0; done < Math.max(...lengths); done += atATime) {
      let row = 0;
      const pieces = ranges.map(({ begin, end }): RowPiece => {
        const position = Math.min(end, begin + done);
        const piece = { row, position, count: Math.min(end, position + atATime) - position };
        row += piece.count;
        return piece;
      });
      await runCopy(team, shared, [pieces[rank]], true);
      const counts = pieces.map(({ count }) => capacity * count);
      team.communicator.allgather(undefined, packed.subarray(0, row * capacity), counts);
      // What is held elsewhere goes to its place, too.
      await runCopy(team, shared, held === undefined ? pieces.filter((_, r) => r !== rank) : pieces, false);
    }
  } finally {
    team.release(shared);
  }
}
