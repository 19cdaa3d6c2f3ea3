/**
 * The factorizations that are measured, and the references' figures.
 * GOFMM as in cases.ts (2 threads, λ = 1); HODLRlib: as published by its authors, 12 threads.
 */
import type { CompressOptions } from '../src/hierarchical/from-entries/options.js';

export interface FactorizationCase {
  readonly name: string;
  /** Normal points and a Gaussian kernel of bandwidth h; on a line, points are uniform in [−1, 1). */
  readonly size: number;
  readonly dimension: number;
  readonly bandwidth: number;
  /** λ. */
  readonly shift: number;
  readonly options: CompressOptions;
  /** Right-hand sides of the timed solve. */
  readonly vectors: number;
  /** Compare with LAPACK's Cholesky factorization of the dense matrix. */
  readonly dense?: boolean | undefined;
}

export interface FactorizationReference {
  readonly factor: number;
  readonly solve: number;
  readonly of: string;
}

/** −λ_min(K̃) is 2.3 and 3.1 at these tolerances and ranks: λ = 1 is not enough for a Cholesky factorization. */
const rank256 = (size: number, bandwidth: number): FactorizationCase => ({
  name: `factorization-${size}-h${bandwidth}`,
  size,
  dimension: 6,
  bandwidth,
  shift: 4,
  vectors: 64,
  options: { format: 'hss', leafSize: 256, maxRank: 256, tolerance: 1e-5, neighbors: 32, distance: 'geometric' },
});

/** All ranks 64, whatever the accuracy: growth with N alone. */
const fixedRank = (size: number): FactorizationCase => ({
  name: `factorization-growth-${size}`,
  size,
  dimension: 6,
  bandwidth: 4,
  shift: 16,
  vectors: 64,
  options: { format: 'hss', leafSize: 128, maxRank: 64, tolerance: 0, neighbors: 32, distance: 'geometric' },
});

const line = (format: 'hss' | 'hodlr'): FactorizationCase => ({
  name: `factorization-line-${format}`,
  size: 100_000,
  dimension: 1,
  bandwidth: Math.SQRT1_2,
  shift: 1,
  vectors: 1,
  options: { format, leafSize: 128, maxRank: 64, tolerance: 1e-12, neighbors: 32, distance: 'geometric' },
});

/** Condition about 10⁶. */
const accuracy = (size: number): FactorizationCase => ({
  name: `factorization-accuracy-${size}`,
  size,
  dimension: 2,
  bandwidth: 1,
  shift: 4e-7 * size,
  vectors: 1,
  dense: true,
  options: { format: 'hss', leafSize: 128, maxRank: 256, tolerance: 1e-12, neighbors: 32, distance: 'geometric' },
});

export const GROWTH_SIZES = [4096, 8192, 16_384, 32_768, 65_536, 131_072];

export const FACTORIZATION_CASES: readonly FactorizationCase[] = [
  rank256(16_384, 1),
  rank256(65_536, 2),
  ...GROWTH_SIZES.map(fixedRank),
  line('hss'),
  line('hodlr'),
  ...[1024, 2048, 4096].map(accuracy),
];

export const FACTORIZATION_REFERENCES: Readonly<Record<string, FactorizationReference>> = {
  'factorization-16384-h1': { factor: 1.65, solve: 0.13, of: 'GOFMM' },
  'factorization-65536-h2': { factor: 9.8, solve: 0.69, of: 'GOFMM' },
  'factorization-line-hss': { factor: 0.24, solve: 0.045, of: 'HODLRlib' },
  'factorization-line-hodlr': { factor: 0.24, solve: 0.045, of: 'HODLRlib' },
};
