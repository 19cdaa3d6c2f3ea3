/**
 * From norms of sampled errors to a relative error with its interval.
 *
 *   ε_F² = ‖K − K̃‖_F²/‖K‖_F² = E‖(K − K̃)v‖²/E‖Kv‖²   for random vectors v with E vvᵀ = I
 *
 * is estimated by the quotient of the means, its variance from the residuals x_g − ε²y_g (W. Cochran, *Sampling
 * Techniques*, 3rd ed., section 6.4). The residuals are skewed: the ends are those of krylov/mean-interval.ts.
 */
import { skewnessTerm, standardErrorOf, studentQuantile } from '../../krylov/mean-interval.js';

/** A relative error in the Frobenius norm, exact or estimated. */
export interface ErrorEstimate {
  /** ‖K − K̃‖_F/‖K‖_F, exact or estimated. */
  readonly relative: number;
  /** 95 % confidence interval; equal to `relative` where exact. */
  readonly low: number;
  readonly high: number;
  /** Every column was compared. */
  readonly exact: boolean;
  /** Columns compared, or random vectors multiplied with. */
  readonly columns: number;
}

/**
 * met: the interval's upper end meets the tolerance; missed: its lower end does not; undecided: the tolerance lies
 * between.
 */
export type Decision = 'met' | 'missed' | 'undecided';

/** Whether an error is within a tolerance, as far as the estimate tells. An error that is not a number misses it. */
export function decide({ low, high }: Pick<ErrorEstimate, 'low' | 'high'>, tolerance: number): Decision {
  if (high <= tolerance) return 'met';
  return low <= tolerance ? 'undecided' : 'missed';
}

const largestOf = (values: Float64Array): number => {
  let largest = 0;
  for (const value of values) if (!(value <= largest)) largest = value;
  return largest;
};

/** √(Σ error²/Σ exact²). The zero matrix is approximated exactly or not at all. */
export function quotientOfNorms(error: Float64Array, exact: Float64Array): number {
  const e = largestOf(error);
  const k = largestOf(exact);
  if (e === 0) return Number.isNaN(k) ? Number.NaN : 0;
  if (k === 0) return Number.isNaN(e) ? Number.NaN : Number.POSITIVE_INFINITY;
  let wrong = 0;
  let total = 0;
  for (const value of error) wrong += (value / e) ** 2;
  for (const value of exact) total += (value / k) ** 2;
  return (e / k) * Math.sqrt(wrong / error.length / (total / exact.length));
}

/** The error from all columns. */
export function exactError(error: Float64Array, exact: Float64Array, columns = exact.length): ErrorEstimate {
  const relative = quotientOfNorms(error, exact);
  return { relative, low: relative, high: relative, exact: true, columns };
}

/**
 * The error from ‖(K − K̃)v‖ and ‖Kv‖ of independent random vectors; z: the normal quantile of its interval.
 * `columns` is for the caller to say.
 */
export function sampledError(
  error: Float64Array,
  exact: Float64Array,
  z: number,
  columns = exact.length,
): ErrorEstimate {
  const relative = quotientOfNorms(error, exact);
  const n = exact.length;
  if (!(relative > 0 && relative < Infinity)) return { relative, low: relative, high: relative, exact: false, columns };
  if (n < 4) return { relative, low: 0, high: Number.POSITIVE_INFINITY, exact: false, columns };
  const e = largestOf(error);
  const k = largestOf(exact);
  let total = 0;
  for (const value of exact) total += (value / k) ** 2;
  // In units where ε = 1 and E‖Kv‖² = 1.
  const unit = (relative * k) / e;
  const residuals = Float64Array.from(
    error,
    (value, g) => ((value / e / unit) ** 2 - (exact[g] / k) ** 2) / (total / n),
  );
  const t = studentQuantile(n - 1, z);
  const standardError = standardErrorOf(residuals);
  const half = t * standardError;
  const skewed = skewnessTerm(residuals, t) * standardError;
  const upper = Math.max(1 + half + Math.max(0, skewed), Math.exp(half));
  return {
    relative,
    low: relative * Math.sqrt(Math.max(0, 1 - half + Math.min(0, skewed))),
    high: relative * Math.sqrt(upper),
    exact: false,
    columns,
  };
}
