/**
 * The measured error of an approximation. Layer 5.
 *
 *   ε_F = ‖K − K̃‖_F/‖K‖_F = √(Σ_j ‖(K − K̃)e_j‖² / Σ_j ‖K e_j‖²)
 *
 * over all columns j where N is small (exact), else over a seeded sample without replacement: a ratio estimator whose 95 % interval comes from the
 * residuals e_j − ε²k_j (W. Cochran, *Sampling Techniques*, 3rd ed., section 6.4), with the finite-population correction.
 */
import { OptionError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { columnSums } from './sampled-columns.js';

export interface ErrorEstimate {
  /** ‖K − K̃‖_F/‖K‖_F, exact or estimated. */
  readonly relative: number;
  /** 95 % confidence interval; equal to `relative` where exact. */
  readonly low: number;
  readonly high: number;
  /** Every column was compared. */
  readonly exact: boolean;
  /** Columns compared. */
  readonly columns: number;
}

export interface ErrorOptions {
  /** Columns to compare; default 100. From N columns on the error is exact. */
  readonly columns?: number;
  readonly seed?: number;
}
export const ERROR_KEYS: KeysOf<ErrorOptions> = { columns: true, seed: true };

/** Up to this size all columns are compared by default. */
const EXACT_SIZE = 4096;
const BATCH = 64;
const STREAM = 0xe5717;

/** `count` distinct numbers below `size`, ascending; all of them if count ≥ size. */
export function sampleWithoutReplacement(size: number, count: number, random: RandomStream): Int32Array {
  if (count >= size) return Int32Array.from({ length: size }, (_, i) => i);
  const chosen = new Set<number>();
  while (chosen.size < count) chosen.add(random.integer(size));
  return Int32Array.from(chosen).sort();
}

/** Compares K̃ with columns of K. Cost: |columns| products and N·|columns| entries. */
export async function estimateError(source: EntrySource, approximation: LinearOperator, options: ErrorOptions, control: TeamControl): Promise<ErrorEstimate> {
  const { size } = source;
  const wanted = options.columns ?? (size <= EXACT_SIZE ? size : 100);
  if (!Number.isInteger(wanted) || wanted < 1) throw new OptionError(`columns must be a whole number ≥ 1, not ${wanted}.`, { columns: wanted });
  const columns = sampleWithoutReplacement(size, wanted, new RandomStream(options.seed ?? 0, STREAM));
  const n = columns.length;
  const width = Math.min(BATCH, n);
  const units = sharedFloat64(size * width);
  const values = sharedFloat64(size * width);
  const evaluate = (batch: Int32Array): void => {
    batch.forEach((j, b) => { units[j + b * size] = 1; });
    approximation.applyUnchecked(view(values, 0, size, batch.length), view(units, 0, size, batch.length), 1, 0);
    batch.forEach((j, b) => { units[j + b * size] = 0; });
  };
  const { exact, errors } = await columnSums(source, columns, width, [{ values, evaluate }], 'measure error', control);
  return ratioEstimate(exact, errors[0], size);
}

/**
 * The estimate from ‖K x_j‖² (`exact`) and ‖(K − K̃)x_j‖² (`error`) of the columns compared, of `size` there are: as many compare all of them; infinite for
 * random vectors, E‖Kx‖² = ‖K‖_F².
 */
export function ratioEstimate(exact: Float64Array, error: Float64Array, size: number): ErrorEstimate {
  const n = exact.length;
  const total = exact.reduce((a, b) => a + b, 0);
  const wrong = error.reduce((a, b) => a + b, 0);
  // The zero matrix is approximated exactly or not at all.
  const square = total > 0 ? wrong / total : wrong > 0 ? Number.POSITIVE_INFINITY : 0;
  const relative = Math.sqrt(square);
  if (n >= size) return { relative, low: relative, high: relative, exact: true, columns: n };
  let variance = 0;
  for (let j = 0; j < n; j++) variance += (error[j] - square * exact[j]) ** 2;
  const mean = total / n;
  const deviation = mean > 0 && n > 1 ? Math.sqrt(((1 - n / size) * variance) / (n - 1) / n) / mean : Number.POSITIVE_INFINITY;
  return { relative, low: Math.sqrt(Math.max(0, square - 1.96 * deviation)), high: Math.sqrt(square + 1.96 * deviation), exact: false, columns: n };
}
