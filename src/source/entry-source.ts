/**
 * A symmetric matrix seen through its entries: the one thing `compress` asks for.
 */
import { ShapeError } from '../core/errors.js';
import type { Indices } from '../core/indices.js';
import { describe, requireRole } from '../core/kind.js';
import type { Blas } from '../dense/blas.js';
import type { Matrix, Precision } from '../dense/matrix.js';
import type { RowParts } from '../distributed/row-parts.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { TeamControl } from '../parallel/team-control.js';

/**
 * N points in ℝᵈ; point i is coordinates[i·d … i·d + d) (a d × N column-major matrix). Functions that take points take
 * coordinates in any array of numbers (`GivenPoints`).
 */
export interface Points {
  readonly dimension: number;
  readonly count: number;
  readonly coordinates: Float64Array;
}
/** Points as callers give them: coordinates in any array of numbers. */
export type GivenPoints = Omit<Points, 'coordinates'> & { readonly coordinates: ArrayLike<number> };

/**
 * How a worker builds its own copy of a source: it imports `module` (a URL or an absolute path: `import.meta.url`, `new
 * URL('./mine.mjs', import.meta.url).href`), calls its export `name` with `data` (structured-cloneable, its large
 * arrays over SharedArrayBuffer) and a context, and gets an EntrySource.
 */
export interface SourceDescriptor {
  readonly module: string;
  readonly name: string;
  readonly data: unknown;
  /** Every entry is multiplied by it. Default 1; set by the library (unit-source.ts). */
  readonly factor?: number | undefined;
}
/** What points are moved by: how many there are, Σ x_k of each coordinate, and Σ‖x‖² behind them. */
export interface PointSums {
  readonly count: number;
  readonly sums: Float64Array;
}
/** Points of which each of several ranks has a stretch: its own ones, as the one array of `rows`. */
export interface PointParts {
  readonly dimension: number;
  readonly count: number;
  readonly rows: RowParts;
  /** Sums of all points, where distances between them are told by products. */
  readonly all: PointSums | undefined;
}
/** What a source is computed from where each of several ranks has a part of that (partitioned-kernel.ts). */
export interface SourceParts {
  readonly points: PointParts;
  /**
   * Collective: the source's entries among the indices that stand in some arrays, with those that it had before
   * (`keeps`) or without, until it is called again; by this thread without a team. Throws MemoryError, AbortedError.
   */
  holding(named: () => readonly Int32Array[], keeps: boolean, control?: TeamControl): Promise<EntrySource>;
  /** Lets go of what was brought; returns how many bytes that was. */
  letGo(): number;
}
/** What a source computes with. */
export interface SourceContext {
  readonly blas: Blas;
}
/** Makes a source from a descriptor's data, on the main thread or on a worker. */
export type SourceFactory = (data: never, context: SourceContext) => EntrySource;

/**
 * A symmetric matrix seen through its entries. Must be pure: the same (I, J) always give the same bits, on any worker.
 */
export interface EntrySource {
  readonly size: number;
  /** out(a, b) ← K(rows[a], cols[b]); out is rows.length × cols.length over a Float64Array. */
  entries(rows: Indices, cols: Indices, out: Matrix): void;
  /** out[i] ← K(i, i), i = 0 … size − 1. */
  diagonal(out: Float64Array): void;
  /**
   * out[k] ← K(i, i) of i = indices[k], to the bits of `diagonal`. Where it is given, nothing keeps the diagonal, and
   * each of several ranks reads its own part alone.
   */
  diagonalAt?(indices: Indices, out: Float64Array): void;
  /** Where the indices lie, if they lie somewhere: opens the geometric distance. */
  readonly points?: Points | undefined;
  /** Set by the library: entries take what other ranks have, so that those that are asked for are said before. */
  readonly parts?: SourceParts | undefined;
  /** Exact products, if there is a cheaper way to them than entries. */
  readonly operator?: LinearOperator | undefined;
  /** The precision that the entries were rounded to before they came here, where it is known. */
  readonly precision?: Precision | undefined;
  /** No eigenvalue lies below it, where that is known: the ridge of a kernel matrix. `solve` predicts with it. */
  readonly lowerBound?: number | undefined;
  /** How workers get their copies. A source without it is evaluated by the calling thread alone. */
  readonly descriptor?: SourceDescriptor | undefined;
}

/**
 * Throws OptionError unless `source` is a source of entries; ShapeError where it has points whose coordinates are no
 * Float64Array: they cannot be copied into the caller's object. What its entries are is for `validateSource`.
 */
export function requireSource(source: EntrySource, of: string): void {
  requireRole(source, 'source', of);
  const { points } = source;
  if (points === undefined || points.coordinates instanceof Float64Array) return;
  throw new ShapeError(`source.points.coordinates must be a Float64Array, not ${describe(points.coordinates)}.`, {
    of,
  });
}

/** Runs `act`, and lets go of what was brought for it where ranks have parts of the source. */
export async function lettingGo<T>(
  { parts }: EntrySource,
  { team }: Pick<TeamControl, 'team'>,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } finally {
    if (parts !== undefined) team.collect(parts.letGo());
  }
}

/**
 * The source of its entries among the indices that stand in some arrays, until that is asked again, where each of
 * several ranks has a part of it: collective, throws MemoryError. Else the source itself, which has all.
 */
export const holding = async (
  source: EntrySource,
  named: () => readonly Int32Array[],
  control?: TeamControl,
): Promise<EntrySource> => (source.parts === undefined ? source : source.parts.holding(named, false, control));
