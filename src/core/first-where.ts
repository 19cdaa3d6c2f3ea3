/**
 * Searching among ascending things.
 */

/** The first of first … end − 1 from which on `holds`; `end` where it never does. Cost: log₂(end − first) calls. */
export function firstWhere(first: number, end: number, holds: (at: number) => boolean): number {
  let [low, high] = [first, end];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
