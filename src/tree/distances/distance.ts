/**
 * Distances between the indices of a symmetric matrix, chosen by name.
 * A positive semidefinite K has vectors φ_i with K_ij = ⟨φ_i, φ_j⟩, so entries alone give distances (C. Yu, J. Levitt,
 * S. Reiz, G. Biros, "Geometry-oblivious FMM for compressing dense SPD matrices", SC17, arXiv 1707.00164):
 *   geometric  ‖x_i − x_j‖                    where the source has points
 *   gram       √(K_ii + K_jj − 2K_ij)         = ‖φ_i − φ_j‖
 *   angle      1 − K_ij²/(K_ii K_jj)          = sin² of the angle between φ_i and φ_j
 *   lexicographic |i − j|, random |π(i) − π(j)| with a seeded permutation π: controls that know nothing of K.
 * Inside, δ is the square of geometric and gram distances (the level sets of δ(·, p) − δ(·, q) are hyperplanes) and 1 −
 * |cos| for the angle: the order is the same. Rows with K_ii ≤ 0 have φ_i = 0: by angle they are at distance 0 from
 * each other and 2 from all others, which sets them apart.
 */
import type { Indices } from '../../core/indices.js';
import type { Matrix } from '../../dense/matrix.js';

export const DISTANCES = ['auto', 'geometric', 'gram', 'angle', 'lexicographic', 'random'] as const;
/** `auto` is geometric where the source has points, else angle. */
export type DistanceName = (typeof DISTANCES)[number];

/** Dissimilarities δ by blocks: monotone in the distance. Holds scratch: one per thread. */
export interface Distance {
  /** Members that stand for all in `fromMean`: as many as pay off. */
  readonly sampleSize: number;
  /** Fixes the rows and columns that `between` takes blocks of. */
  load(rows: Indices, cols: Indices): void;
  /**
   * out(a, b) ← δ(rows[firstRow + a], cols[firstCol + b]), out.rows × out.cols over a Float64Array; may be negative by
   * rounding.
   */
  between(firstRow: number, firstCol: number, out: Matrix): void;
  /** out[at + a] ← δ(indices[a], p) − δ(indices[a], q). */
  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void;
  /**
   * out[at + a] ← the mean of δ(indices[a], s) over the sample, up to a constant: largest for the index farthest from
   * the sample's centroid.
   */
  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void;
}
