/**
 * Portions of a row of tasks: what each rank does of them, and how all get what everyone found.
 */
import type { CommunicatedArray, Communicator } from './communicator.js';

/** Tasks first … end − 1 of `count`. */
export interface Portion {
  readonly first: number;
  readonly end: number;
}

/** Rank r's portion of `count` tasks: as many as any other's, but for one. */
export const portionOf = ({ size }: Pick<Communicator, 'size'>, r: number, count: number): Portion => ({
  first: Math.floor((r * count) / size),
  end: Math.floor(((r + 1) * count) / size),
});

/** The rank whose portion of `count` tasks has task t. */
export const rankOfTask = ({ size }: Pick<Communicator, 'size'>, t: number, count: number): number =>
  Math.floor(((t + 1) * size - 1) / count);

/** This rank's portion. */
export const ownPortion = (communicator: Communicator, count: number): Portion =>
  portionOf(communicator, communicator.rank, count);

/**
 * `values` from `begin` on hold numbers of `count` tasks one after another, task t's up to `endOf(t)`; of each task
 * those are right on the rank that did it, and on all of them afterwards. One gathering, in place.
 */
export function gatherPortions(
  communicator: Communicator,
  values: CommunicatedArray,
  count: number,
  { begin, endOf }: { readonly begin: number; readonly endOf: (task: number) => number },
): void {
  if (communicator.size === 1) return;
  const at = (task: number): number => (task === 0 ? begin : endOf(task - 1));
  const counts = Array.from({ length: communicator.size }, (_, r) => {
    const { first, end } = portionOf(communicator, r, count);
    return at(end) - at(first);
  });
  communicator.allgather(undefined, values.subarray(begin, at(count)), counts);
}
