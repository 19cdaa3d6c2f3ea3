/**
 * Lists of neighbors that several ranks found, each those of its part of an order, to all of them.
 */
import type { Communicator } from '../distributed/communicator.js';
import { copyRow } from './held-lists.js';
import type { PositionRange } from './split.js';

/** Positions of each rank that are gathered at a time: what is packed stays small beside the lists. */
export const POSITIONS = 65_536;

/** Lists of `capacity` numbers by index, of which each rank found those of its positions of an order. */
export interface ListsToGather {
  /** Which index stands at each position. */
  readonly order: Int32Array;
  /** The positions of each rank. */
  readonly ranges: readonly PositionRange[];
  readonly capacity: number;
  /** `capacity` numbers for each index. */
  readonly lists: Int32Array | Float64Array;
  /** Where this rank's own ones stand, if elsewhere: index i's in row rowOf[i]. */
  readonly held?: { readonly lists: Int32Array | Float64Array; readonly rowOf: Int32Array } | undefined;
}

/** Gathers in place. 4 or 8 bytes a number to every rank, a few megabytes at a time. */
export function gatherLists(communicator: Communicator, { order, ranges, capacity, lists, held }: ListsToGather): void {
  const { size, rank } = communicator;
  if (held !== undefined) {
    const { begin, end } = ranges[rank];
    for (let p = begin; p < end; p++) copyRow(held.lists, held.rowOf[order[p]], lists, order[p], capacity);
  }
  if (size === 1 || lists.length === 0) return;
  const longest = Math.max(...ranges.map(({ begin, end }) => end - begin));
  for (let from = 0; from < longest; from += POSITIONS) {
    const pieces = ranges.map(({ begin, end }) => ({
      begin: Math.min(end, begin + from),
      end: Math.min(end, begin + from + POSITIONS),
    }));
    const counts = pieces.map(({ begin, end }) => capacity * (end - begin));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const all = new (lists.constructor as Int32ArrayConstructor)(total);
    let next = pieces.slice(0, rank).reduce((sum, { begin, end }) => sum + end - begin, 0);
    for (let p = pieces[rank].begin; p < pieces[rank].end; p++) copyRow(lists, order[p], all, next++, capacity);
    communicator.allgather(undefined, all, counts);
    next = 0;
    pieces.forEach(({ begin, end }, r) => {
      if (r === rank) next += end - begin;
      else for (let p = begin; p < end; p++) copyRow(all, next++, lists, order[p], capacity);
    });
  }
}
