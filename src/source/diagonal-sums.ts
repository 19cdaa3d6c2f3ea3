/**
 * What a diagonal tells by one look at each of its entries.
 */

/** Of a diagonal d of finite numbers. */
export interface DiagonalSums {
  /** max(0, d_i). */
  readonly largest: number;
  /** How many d_i are not zero. */
  readonly nonzero: number;
  /** Σ max(0, d_i). */
  readonly trace: number;
  /** Σ d_i². */
  readonly squares: number;
}

/** Cost: a nanosecond or two for each entry, by the calling thread. */
export function diagonalSums(diagonal: Float64Array): DiagonalSums {
  let [largest, zeros, trace, squares] = [0, 0, 0, 0];
  for (let i = 0; i < diagonal.length; i++) {
    const d = diagonal[i];
    squares += d * d;
    if (d > 0) {
      trace += d;
      if (d > largest) largest = d;
    } else if (d === 0) zeros++;
  }
  return { largest, nonzero: diagonal.length - zeros, trace, squares };
}
