/**
 * What a diagonal tells by one look at each of its entries.
 */

/** Of a diagonal d of finite numbers. */
export interface DiagonalSums {
  /** max(0, d_i). */
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
  let [largest, zeros, trace, squares] = [0, 0, 0, 0];
  for (let run = 0; run < traces.length; run++) {
    let sum = 0;
    for (let i = run * RUN; i < Math.min(diagonal.length, (run + 1) * RUN); i++) {
      const d = diagonal[i];
      squares += d * d;
      if (d > 0) {
        sum += d;
        if (d > largest) largest = d;
      } else if (d === 0) zeros++;
    }
    traces[run] = sum;
    trace += sum;
  }
  return { largest, nonzero: diagonal.length - zeros, traces, trace, squares };
}
