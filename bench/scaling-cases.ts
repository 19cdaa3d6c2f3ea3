/**
 * One matrix at growing sizes, from points to a solution: Matérn 3/2 over uniform points of the unit square, h = 0.1,
 * tolerance 1e-4, leaf size and rank limit 256, everything else as it is by default.
 */
export interface ScalingCase {
  readonly name: string;
  readonly size: number;
  /** Also with `--quick`. */
  readonly quick: boolean;
}

export const SCALING_CASES: readonly ScalingCase[] = [65_536, 262_144, 1_000_000, 4_000_000].map((size) => ({
  name: `scaling-${size}`,
  size,
  quick: size <= 100_000,
}));

export const BANDWIDTH = 0.1;
export const TOLERANCE = 1e-4;
/** Of all sizes. */
export const LEAVES = { leafSize: 256, maxRank: 256 } as const;
/** λ/N: the smallest eigenvalue of K̃ stays above −λ. */
export const SHIFT_PER_INDEX = 2e-5;
/** Columns that the error is measured on. */
export const COLUMNS = 256;

/** What is timed. */
export const PHASES = ['compress', 'error', 'product', 'factor', 'solve'] as const;
export type Phase = (typeof PHASES)[number];
