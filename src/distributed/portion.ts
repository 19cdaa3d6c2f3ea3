/**
 * What each rank does of a row of tasks, and how all get what everyone found.
 */
import { portionOf, type Portion } from '../core/portion.js';
import type { CommunicatedArray, Communicator } from './communicator.js';

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
