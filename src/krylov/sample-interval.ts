/**
 * Mean of independent samples with a 95 % confidence interval. Layer 3.
 * Student's t quantile by the expansion of R. Fisher and E. Cornish (M. Abramowitz, I. Stegun, *Handbook of Mathematical Functions*, 1964, formula 26.7.5), within
 * 1 % from 3 degrees of freedom on; tabulated below.
 */

export interface SampleInterval {
  readonly value: number;
  /** Of the mean: the samples' standard deviation over the root of their number; infinite for a single sample. */
  readonly standardError: number;
  /** 95 % confidence interval of the mean. */
  readonly lower: number;
  readonly upper: number;
}

/** z with P(|Z| ≤ z) = 0.95 for a standard normal Z. */
export const NORMAL_QUANTILE = 1.959963984540054;

/** t with P(|T| ≤ t) = P(|Z| ≤ z) for so many degrees of freedom ≥ 1 and a standard normal Z; z is that of 0.95 unless given (3 degrees of freedom or more). */
export function studentQuantile(freedom: number, z = NORMAL_QUANTILE): number {
  if (z === NORMAL_QUANTILE && freedom === 1) return 12.706204736174698;
  if (z === NORMAL_QUANTILE && freedom === 2) return 4.302652729749464;
  const g1 = (z ** 3 + z) / 4;
  const g2 = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const g3 = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  const g4 = (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160;
  return z + (g1 + (g2 + (g3 + g4 / freedom) / freedom) / freedom) / freedom;
}

export function sampleInterval(samples: ArrayLike<number>): SampleInterval {
  const count = samples.length;
  let value = 0;
  for (let i = 0; i < count; i++) value += samples[i] / count;
  if (count < 2) return { value, standardError: Number.POSITIVE_INFINITY, lower: Number.NEGATIVE_INFINITY, upper: Number.POSITIVE_INFINITY };
  let squares = 0;
  for (let i = 0; i < count; i++) squares += (samples[i] - value) ** 2;
  const standardError = Math.sqrt(squares / (count - 1) / count);
  const half = studentQuantile(count - 1) * standardError;
  return { value, standardError, lower: value - half, upper: value + half };
}
