/**
 * What a diagonal tells by one look at each of its entries.
 */
import { runOf, runsOf, type Diagonal } from './diagonal.js';

/** Of a diagonal d. */
export interface DiagonalSums {
  /** Whether all are finite; else the rest says nothing. */
  readonly finite: boolean;
  /** min(0, d_i) and max(0, d_i). */
  readonly least: number;
  readonly largest: number;
  /** How many d_i are not zero. */
  readonly nonzero: number;
  /** Σ max(0, d_i), run by run of RUN entries (diagonal.ts), and of all. */
  readonly traces: Float64Array;
  readonly trace: number;
  /** Σ d_i². */
  readonly squares: number;
}

/** Numbers that are found of a run. */
export const RUN_NUMBERS = 6;

/**
 * Numbers of runs first … end − 1, in their places among those of all: Σ max(0, d_i), Σ d_i², min(0, d_i), max(0, d_i),
 * how many are not zero, and 0 where all are finite. Cost: a nanosecond or two for each entry, by the calling thread.
 */
export function sumRuns(diagonal: Diagonal, first: number, end: number): Float64Array {
  const numbers = new Float64Array(RUN_NUMBERS * runsOf(diagonal.size));
  for (let run = first; run < end; run++) {
    const values = runOf(diagonal, run);
    let [sum, squares, least, largest, zeros, check] = [0, 0, 0, 0, 0, 0];
    for (const d of values) {
      squares += d * d;
      // 0 of a finite number, NaN of any other.
      check += d * 0;
      if (d > 0) {
        sum += d;
        if (d > largest) largest = d;
      } else if (d === 0) zeros++;
      else if (d < least) least = d;
    }
    numbers.set([sum, squares, least, largest, values.length - zeros, check], RUN_NUMBERS * run);
  }
  return numbers;
}

/** What the numbers of all runs tell. */
export function sumsOfRuns(numbers: Float64Array): DiagonalSums {
  const traces = new Float64Array(numbers.length / RUN_NUMBERS);
  let [trace, squares, least, largest, nonzero, check] = [0, 0, 0, 0, 0, 0];
  for (let run = 0, k = 0; run < traces.length; run++, k += RUN_NUMBERS) {
    trace += traces[run] = numbers[k];
    squares += numbers[k + 1];
    least = Math.min(least, numbers[k + 2]);
    largest = Math.max(largest, numbers[k + 3]);
    nonzero += numbers[k + 4];
    check += numbers[k + 5];
  }
  return { finite: check === 0, least, largest, nonzero, traces, trace, squares };
}

/** What a diagonal tells. Cost: a nanosecond or two for each entry, by the calling thread. */
export const diagonalSums = (diagonal: Diagonal): DiagonalSums =>
  sumsOfRuns(sumRuns(diagonal, 0, runsOf(diagonal.size)));
