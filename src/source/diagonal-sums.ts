/**
 * What a diagonal tells by one look at each of its entries.
 */

/** Of a diagonal d. */
export interface DiagonalSums {
  /** Whether all are finite; else the rest says nothing. */
  readonly finite: boolean;
  /** min(0, d_i) and max(0, d_i). */
  readonly least: number;
  readonly largest: number;
  /** How many d_i are not zero. */
  readonly nonzero: number;
  /** Σ max(0, d_i), run by run of RUN entries, and of all. */
  readonly traces: Float64Array;
  readonly trace: number;
  /** Σ d_i². */
  readonly squares: number;
}

/** Entries that are summed by themselves. */
export const RUN = 4096;

/** Cost: a nanosecond or two for each entry, by the calling thread. */
export function diagonalSums(diagonal: Float64Array): DiagonalSums {
  const traces = new Float64Array(Math.ceil(diagonal.length / RUN));
  let [least, largest, zeros, trace, squares, check] = [0, 0, 0, 0, 0, 0];
  for (let run = 0; run < traces.length; run++) {
    let sum = 0;
    for (let i = run * RUN; i < Math.min(diagonal.length, (run + 1) * RUN); i++) {
      const d = diagonal[i];
      squares += d * d;
      // 0 of a finite number, NaN of any other.
      check += d * 0;
      if (d > 0) {
        sum += d;
        if (d > largest) largest = d;
      } else if (d === 0) zeros++;
      else if (d < least) least = d;
    }
    traces[run] = sum;
    trace += sum;
  }
  return { finite: check === 0, least, largest, nonzero: diagonal.length - zeros, traces, trace, squares };
}
