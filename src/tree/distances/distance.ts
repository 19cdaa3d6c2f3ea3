/**
 * What a distance between the indices of a symmetric matrix is: on a thread (`Distance`), and as table.ts lists it
 * under its name (`DistanceForm`).
 * A positive semidefinite K has vectors φ_i with K_ij = ⟨φ_i, φ_j⟩, so entries alone give distances (C. Yu, J. Levitt,
 * S. Reiz, G. Biros, "Geometry-oblivious FMM for compressing dense SPD matrices", SC17, arXiv 1707.00164).
 */
import type { Indices } from '../../core/indices.js';
import type { Matrix } from '../../dense/matrix.js';
import type { WorkerContext } from '../../parallel/task.js';
import type { EntrySource, Points } from '../../source/entry-source.js';

/** Dissimilarities δ by blocks: monotone in the distance. Holds scratch: one per thread. */
export interface Distance {
  /** Whether distances among a sample are better kept (sample-table.ts) than evaluated again. */
  readonly tabulated: boolean;
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

/** A distance's data for a source, and what `Team.share` needs for a state that holds it (share-source.ts). */
export interface PreparedDistance<Data> {
  /** Structured-cloneable, large arrays over SharedArrayBuffer; or, with `solo`, for the calling thread alone. */
  readonly data: Data;
  readonly modules: readonly string[];
  readonly solo: boolean;
}

/** What is known of a source before a distance is chosen. */
export interface KnownEntries {
  /** Whether all of its diagonal was found finite: else who needs it looks. */
  readonly isFinite?: boolean | undefined;
}

/** A distance whose neighbors are searched for, and whose tree is cut by distances to two centroids. */
export interface SearchedDistance<Data = unknown> {
  /** For the command's help, in a few words. */
  readonly description: string;
  /** What it reads of a source. */
  readonly needs: 'points' | 'entries';
  /** Checks the source and readies data that a team can share. Throws OptionError, ShapeError, NonFiniteError. */
  prepare(source: EntrySource, known?: KnownEntries): PreparedDistance<Data>;
  /** The points whose Euclidean distance it is, δ its square, over shared memory; undefined where there are none. */
  pointsOf?(data: Data): Points | undefined;
  /** The distance itself, on the thread that calls. */
  open(data: Data, context: WorkerContext): Distance;
  /** The distance of which δ ≥ 0 is a monotone function. */
  fromDissimilarity(δ: number): number;
}

/** A distance between places on a line: neighbors and order are read off, nothing is searched. */
export interface LineDistance {
  readonly description: string;
  readonly needs: 'nothing';
  /** place[i] ← the place of index i, a permutation of 0 … size − 1. */
  place(place: Int32Array, seed: number): void;
}

/** A distance, with what it needs: one member of the table (table.ts). */
export type DistanceForm = SearchedDistance | LineDistance;
