/**
 * Lists of neighbors that several ranks found, each those of its part of an order, to all of them.
 */
import type { Communicator } from '../distributed/communicator.js';
import { portionOf } from '../distributed/portion.js';

/** Positions of each rank that are gathered at a time: what is packed stays small beside the lists. */
export const POSITIONS = 65_536;

/** Lists of `capacity` numbers by index, and the order in which ranks searched for them. */
export interface ListsToGather {
  /** Which index stands at each position. */
  readonly order: Int32Array;
  /** Parts of the order, dealt out to ranks in order: part t ends before position endOf(t). */
  readonly parts: number;
  readonly endOf: (part: number) => number;
  readonly capacity: number;
  /** `capacity` numbers for each index; empty ones are left alone. */
  readonly lists: readonly (Int32Array | Float64Array)[];
}

/** Gathers in place. 4 or 8 bytes a number to every rank, a few megabytes at a time. */
export function gatherLists(communicator: Communicator, { order, parts, endOf, capacity, lists }: ListsToGather): void {
  const { size, rank } = communicator;
  if (size === 1) return;
  const at = (part: number): number => (part === 0 ? 0 : endOf(part - 1));
  const ranges = Array.from({ length: size }, (_, r) => {
    const { first, end } = portionOf(communicator, r, parts);
    return { begin: at(first), end: at(end) };
  });
  const longest = Math.max(...ranges.map(({ begin, end }) => end - begin));
  for (const list of lists) {
    if (list.length === 0) continue;
    for (let from = 0; from < longest; from += POSITIONS) {
      const pieces = ranges.map(({ begin, end }) => ({
        begin: Math.min(end, begin + from),
        end: Math.min(end, begin + from + POSITIONS),
      }));
      const counts = pieces.map(({ begin, end }) => capacity * (end - begin));
      const all = new (list.constructor as Int32ArrayConstructor)(counts.reduce((sum, count) => sum + count, 0));
      // Rows are short: loops copy them in less time than a view of each takes.
      const copy = (from: Int32Array | Float64Array, at: number, to: typeof from, first: number): void => {
        for (let k = 0; k < capacity; k++) to[first + k] = from[at + k];
      };
      const own = pieces[rank];
      let next = counts.slice(0, rank).reduce((sum, count) => sum + count, 0);
      for (let p = own.begin; p < own.end; p++, next += capacity) copy(list, order[p] * capacity, all, next);
      communicator.allgather(undefined, all, counts);
      next = 0;
      pieces.forEach(({ begin, end }, r) => {
        if (r === rank) next += counts[r];
        else for (let p = begin; p < end; p++, next += capacity) copy(all, next, list, order[p] * capacity);
      });
    }
  }
}
