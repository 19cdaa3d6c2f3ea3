/**
 * Intervals of time that need memory, packed: two that overlap in time do not overlap in memory.
 */

/** So many numbers from step `first` to step `last`, both included. */
export interface Interval {
  readonly numbers: number;
  readonly first: number;
  readonly last: number;
}

/** The large ones first, each at the lowest place that is free all its time; and the numbers of all. */
export function packIntervals(intervals: readonly Interval[]): { readonly places: number[]; readonly numbers: number } {
  const places = new Array<number>(intervals.length).fill(0);
  const placed: number[] = [];
  let total = 0;
  const order = intervals.map((_, k) => k).sort((a, b) => intervals[b].numbers - intervals[a].numbers || a - b);
  for (const k of order) {
    const own = intervals[k];
    let at = 0;
    // `placed` is in the order of places.
    for (const other of placed) {
      const { numbers, first, last } = intervals[other];
      if (last < own.first || first > own.last) continue;
      if (places[other] >= at + own.numbers) break;
      at = Math.max(at, places[other] + numbers);
    }
    places[k] = at;
    total = Math.max(total, at + own.numbers);
    const next = placed.findIndex((other) => places[other] > at);
    placed.splice(next < 0 ? placed.length : next, 0, k);
  }
  return { places, numbers: total };
}
