/**
 * A compression's error on a few whole columns, before the matrix is handed over, and the indices that err most.
 * Nodes are verified on rows drawn as evenly as those that skeletons are found from: both may pass by what stands in
 * few rows, as in sparse matrices; whole columns do not. A sample of columns may miss an error in a few columns alone;
 * but K − K̃ is symmetric, and its rows in the columns seen so far tell which others to look at.
 */
import { RandomStream } from '../../core/random.js';
import type { OwnRowsOperator } from '../../operator/linear-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { sampleWithoutReplacement } from './error-estimate.js';
import { quotientOfNorms } from './error-interval.js';
import { OwnColumns } from './own-columns.js';
import { vectorsToCompare } from './sampled-columns.js';

/**
 * All columns up to this size, where the error is exact; above it so many that it takes about a tenth of the
 * compression's time.
 */
export const ALL_COLUMNS = 2048;
const COMPARED_ENTRIES = 2 ** 18;
const LEAST_COLUMNS = 16;
/** Times that one goes on to the columns whose rows err most, and how many, of those that were drawn. */
const CLIMBS = 2;
const CLIMB_SHARE = 1 / 4;
/** Indices that are told, at most. */
export const MOST_WORST = 128;
const STREAM = 0xc01;

/** What was seen of an error. */
export interface SeenError {
  /**
   * ‖K − K̃‖_F/‖K‖_F: from the columns that were drawn, and no less than all columns that were looked at show; exact up
   * to N = 2048. NaN where K has an entry there that is not finite.
   */
  readonly relative: number;
  /** The indices whose rows err most in these columns, the worst first. */
  readonly worst: Int32Array;
}

/** How columns are compared. */
export interface SeenSetup {
  readonly seed: number;
  /** ‖K‖_F, as it was estimated, and what brings the largest entry of K near 1. */
  readonly norm: number;
  readonly unit: number;
}

/** Columns that are drawn, of N. */
const columnCount = (size: number): number =>
  size <= ALL_COLUMNS ? size : Math.max(LEAST_COLUMNS, Math.floor(COMPARED_ENTRIES / size));
/** Columns multiplied at a time. */
const columnsAtATime = (size: number): number => Math.min(columnCount(size), vectorsToCompare(size));
/** Bytes that the comparison needs: units, their products, and three numbers for each in the workspace of products. */
export const comparisonBytes = (size: number, numberBytes = 8): number =>
  columnsAtATime(size) * (2 * 8 + 3 * numberBytes) * size;

/** Columns of each product of each comparison of `columnsError`: of those drawn, then of those gone on to. */
export function comparisonBatches(size: number): number[][] {
  const width = columnsAtATime(size);
  const drawn = columnCount(size);
  const climbs = drawn < size ? new Array<number>(CLIMBS).fill(Math.ceil(CLIMB_SHARE * drawn)) : [];
  return [drawn, ...climbs].map((count) =>
    Array.from({ length: Math.ceil(count / width) }, (_, batch) => Math.min(width, count - batch * width)),
  );
}

/**
 * Compares K̃ with K in columns of positions that are drawn in the order of K̃'s rows; each of several ranks
 * compares its own rows. Throws AbortedError and what the source throws.
 */
export async function columnsError(
  source: EntrySource,
  approximation: OwnRowsOperator,
  { seed, norm, unit }: SeenSetup,
  control: TeamControl,
): Promise<SeenError> {
  const { size } = source;
  const { rowShare } = approximation;
  const count = columnCount(size);
  const columns = new OwnColumns(source, approximation, { width: columnsAtATime(size), unit }, control);
  try {
    const drawn = sampleWithoutReplacement(size, count, new RandomStream(seed, STREAM));
    const { exact, errors } = await columns.compare(drawn);
    let relative = quotientOfNorms(errors, exact);
    const seen = new Set(drawn);
    // ‖(K − K̃)(:, seen)‖_F
    let least = Math.hypot(...errors);
    for (let climb = 0; climb < CLIMBS && seen.size < size; climb++) {
      const next = columns.worst(Math.ceil(CLIMB_SHARE * count), seen).sort();
      if (next.length === 0) break;
      const more = await columns.compare(next);
      for (const p of next) seen.add(p);
      least = Math.hypot(least, ...more.errors);
      if (!(least <= relative * norm)) relative = least / norm;
    }
    return { relative, worst: rowShare.indicesAt(columns.worst(MOST_WORST)) };
  } finally {
    columns.close();
  }
}
