/**
 * What a node's skeleton is found from, its sample W·K(R, C)·D, and what is found: the interpolation
 *
 *   W·K(R, C)·D ≈ W·K(R, S)·[I T]·D,
 *
 * and its errors in rows that are tried. A node asks (`decompose`, `tryRows`, `finish`), stops, and finds the answer
 * when it goes on: a worker answers at once (own-interpolation.ts), a device all nodes of a level together
 * (device/batch-interpolation.ts).
 */
import type { InterpolationLimits } from '../../dense/interpolative.js';
import type { Batch } from './row-sampler.js';

/** The sample of one node at a time, and its interpolation. */
export interface NodeInterpolation {
  /** Of the sample. */
  readonly rows: number;
  readonly cols: number;
  /** Begins with the candidates C and their amplifications D: no rows yet. */
  begin(columns: Int32Array, scale: Float64Array): void;
  /**
   * Makes rows part of the sample. Certain ones count once; every other batch stands for all other rows by itself, and
   * batches of m₁, m₂, … rows are averaged in these proportions.
   */
  add(batch: Batch, certain: boolean): void;
  /** All rows outside were taken: every one counts once. */
  countOnce(): void;
  /** Asks for the interpolation of the sample, scaled by D: `rank`, `residual`, `columns`. */
  decompose(limits: InterpolationLimits): void;
  readonly rank: number;
  /** ‖W·K(R, C)·D − W·K(R, S)·[I T]‖_F of the sample. */
  readonly residual: number;
  /** Numbers of the candidates: S in pivot order, then the redundant ones, ascending. */
  readonly columns: Int32Array;
  /** ‖W·K(R, c_j)·d_j‖² of the sample, c_j the candidate of that number. */
  columnSquare(j: number): number;
  /** Asks for the errors of rows that are not part of the sample: `rowErrors`. */
  tryRows(batch: Batch, certain: boolean): void;
  /** Of each row tried last the square of W·(K(R, C) − K(R, S)·[I T])·D. */
  readonly rowErrors: Float64Array;
  /** Makes the rows that were tried since the sample was decomposed part of it. */
  keepTried(): void;
  /** Asks for T: `interpolation`, and `refitted`. */
  finish(): void;
  /** Tᵀ, scaled by D, redundant × rank. */
  readonly interpolation: Float64Array;
  /** The error of the sample, squared, where T is another one than was tried; else 0. */
  readonly refitted: number;
}
