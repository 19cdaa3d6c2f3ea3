/**
 * Checks of a source before it is compressed: what a sample of its entries can show.
 */
import { AsymmetryError, HmatrixError, NonFiniteError, NotPositiveDefiniteError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { RandomStream } from '../core/random.js';
import { inLargePages } from '../dense/large-pages.js';
import { view } from '../dense/matrix.js';
import { diagonalSums, type DiagonalSums } from './diagonal-sums.js';
import { findOnDiagonal, readDiagonal, storedDiagonal, type Diagonal } from './diagonal.js';
import type { EntrySource } from './entry-source.js';

/** Rows and columns whose entries are looked at. */
export const SAMPLE_SIZE = 48;
const STREAM = 0x76616c69;
/**
 * Rounding that is allowed for, relative to √(K_ii K_jj): above what float32 entries and sums over thousands of terms
 * leave.
 */
export const ENTRY_TOLERANCE = 1e-6;
/** The same relative to the largest diagonal entry, for pairs whose own diagonal is (nearly) zero. */
export const ENTRY_FLOOR = 1e-10;

/** The error for an entry that is not finite. */
export const nonFiniteEntry = (row: number, column: number, value: number): NonFiniteError =>
  new NonFiniteError(`Entry (${row}, ${column}) is ${value}; every entry must be a finite number.`, {
    row,
    column,
    value,
  });

/** What has to be added to the diagonal (a, b) of the 2 × 2 matrix with k beside it: −λ_min, where that is negative. */
export const neededOnDiagonal = (a: number, b: number, k: number): number =>
  Math.max(0, Math.hypot((a - b) / 2, k) - (a + b) / 2);

/** The error for an entry that no positive semidefinite matrix with this diagonal has; `bound` is √(K_ii K_jj). */
const entryTooLarge = (row: number, column: number, value: number, bound: number): NotPositiveDefiniteError =>
  new NotPositiveDefiniteError(
    `Entry (${row}, ${column}) is ${value}, larger than √(K(${row},${row})·K(${column},${column})) = ${bound}: ` +
      'the matrix is not positive semidefinite. Add to its diagonal, or, if it is of a kernel, give that a ridge or ' +
      'choose another one.',
    { row, column, value, bound },
  );

/**
 * Throws unless, as far as up to 48 × 48 entries and the diagonal show it, the source is a symmetric positive
 * semidefinite matrix: size a whole number ≥ 1 (ShapeError), finite (NonFiniteError), K_ij = K_ji to 1e-6·√(K_ii K_jj)
 * (AsymmetryError), K_ii ≥ 0 and K_ij² ≤ K_ii K_jj (NotPositiveDefiniteError), diagonal(), diagonalAt() and entries()
 * telling the same. Pass the diagonal where it is known already. That a source is pure cannot be checked. Returns the
 * diagonal. Cost: four blocks of entries (eight of a source with diagonalAt) and one diagonal (two).
 */
export function validateSource(source: EntrySource, seed: number, diagonal?: Float64Array): Float64Array {
  requireSize(source);
  const values = diagonal ?? inLargePages(new Float64Array(source.size));
  if (diagonal === undefined) source.diagonal(values);
  const stored = storedDiagonal(values.subarray(0, source.size));
  const sums = diagonalSums(stored);
  requireEntries(source, seed, stored, sums);
  if (source.diagonalAt !== undefined) {
    const read = readDiagonal(source);
    requireEntries(source, seed, read, diagonalSums(read));
  }
  return values;
}

/** Throws ShapeError unless the size is a whole number ≥ 1, and that of the points, where there are any. */
export function requireSize(source: EntrySource): void {
  const { size } = source;
  if (!Number.isInteger(size) || size < 1 || size > 0x7fffffff)
    throw new ShapeError(`The source's size must be a whole number from 1 to 2³¹ − 1, not ${describe(size)}.`, {
      size,
    });
  if (source.points !== undefined && source.points.count !== size)
    throw new ShapeError(`The source has ${size} rows but ${source.points.count} points.`, {
      size,
      points: source.points.count,
    });
}

/** The indices among which `requireEntries` reads entries: of rows and of columns. */
export function lookedAt(size: number, seed: number): readonly [Int32Array, Int32Array] {
  const random = new RandomStream(seed, STREAM);
  return [sample(size, random), sample(size, random)];
}

/** What `validateSource` throws of a source of good size, whose diagonal is known, and what that tells. */
export function requireEntries(source: EntrySource, seed: number, diagonal: Diagonal, sums: DiagonalSums): void {
  requireDiagonal(diagonal, sums);
  const largest = largestOf(sums);
  const [rows, cols] = lookedAt(source.size, seed);
  checkBlock(source, rows, cols, diagonal, largest);
  // A block on the diagonal: entries() against diagonal(), too.
  checkBlock(source, rows, rows, diagonal, largest);
}

/** Throws NonFiniteError. */
function requireFinite(diagonal: Diagonal, { finite }: DiagonalSums): void {
  if (finite) return;
  const { index, value } = findOnDiagonal(diagonal, (d) => !Number.isFinite(d))!;
  throw new NonFiniteError(`Diagonal entry ${index} is ${value}; every entry must be a finite number.`, {
    row: index,
    column: index,
    value,
  });
}

/** max |K_ii|. */
const largestOf = ({ least, largest }: DiagonalSums): number => Math.max(-least, largest);

/** Throws NonFiniteError; NotPositiveDefiniteError where an entry is below 0 by more than rounding. */
function requireDiagonal(diagonal: Diagonal, sums: DiagonalSums): void {
  requireFinite(diagonal, sums);
  const least = -ENTRY_FLOOR * largestOf(sums);
  if (sums.least >= least) return;
  const { index, value } = findOnDiagonal(diagonal, (d) => d < least)!;
  throw new NotPositiveDefiniteError(
    `Diagonal entry ${index} is ${value}: a positive semidefinite matrix has none below 0.`,
    { row: index, column: index, value },
  );
}

/** The entries of a diagonal at these indices. */
const valuesAt = (diagonal: Diagonal, indices: Int32Array): Float64Array =>
  Float64Array.from(indices, (i) => diagonal.part(i, i + 1)[0]);

function checkBlock(
  source: EntrySource,
  rows: Int32Array,
  cols: Int32Array,
  diagonal: Diagonal,
  largest: number,
): void {
  const m = rows.length;
  const n = cols.length;
  const ofRows = valuesAt(diagonal, rows);
  const ofCols = valuesAt(diagonal, cols);
  const block = new Float64Array(m * n);
  const transposed = new Float64Array(m * n);
  source.entries(rows, cols, view(block, 0, m, n));
  source.entries(cols, rows, view(transposed, 0, n, m));
  for (let b = 0; b < n; b++) {
    for (let a = 0; a < m; a++) {
      const row = rows[a];
      const column = cols[b];
      const value = block[a + b * m];
      const other = transposed[b + a * n];
      const bound = Math.sqrt(Math.max(ofRows[a], 0)) * Math.sqrt(Math.max(ofCols[b], 0));
      const slack = ENTRY_TOLERANCE * bound + ENTRY_FLOOR * largest;
      checkPair(row, column, { value, other }, slack);
      if (row === column && Math.abs(value - ofRows[a]) > slack) {
        throw new HmatrixError(
          'inconsistent-source',
          `The source contradicts itself: entries() gives ${value} for (${row}, ${row}), diagonal() or diagonalAt() ` +
            `${ofRows[a]}.`,
          { row, column, value, diagonal: ofRows[a] },
        );
      }
      if (Math.abs(value) > bound + slack) throw entryTooLarge(row, column, value, bound);
    }
  }
}

/**
 * Throws where up to 48 × 48 entries show that K is not symmetric: AsymmetryError where K_ij and K_ji differ by more
 * than 1e-6 of the largest of |K_ij|, |K_ji| and √|K_ii K_jj|, and 1e-10 of the largest entry that was seen;
 * NonFiniteError. K may be indefinite, its diagonal zero. Cost: two blocks of entries and one diagonal.
 */
export function requireSymmetric(source: EntrySource, seed: number): void {
  const diagonal = readDiagonal(source);
  const sums = diagonalSums(diagonal);
  requireFinite(diagonal, sums);
  let largest = largestOf(sums);
  const [rows, cols] = lookedAt(source.size, seed);
  const [m, n] = [rows.length, cols.length];
  const [ofRows, ofCols] = [valuesAt(diagonal, rows), valuesAt(diagonal, cols)];
  const block = new Float64Array(m * n);
  const transposed = new Float64Array(m * n);
  source.entries(rows, cols, view(block, 0, m, n));
  source.entries(cols, rows, view(transposed, 0, n, m));
  // Where the diagonal is zero, entries that cancel tell nothing of each other: they are rounding of the others.
  for (const value of block) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  for (let b = 0; b < n; b++) {
    for (let a = 0; a < m; a++) {
      const [row, column] = [rows[a], cols[b]];
      const pair = { value: block[a + b * m], other: transposed[b + a * n] };
      const scale = Math.sqrt(Math.abs(ofRows[a])) * Math.sqrt(Math.abs(ofCols[b]));
      const size = Math.max(scale, Math.abs(pair.value), Math.abs(pair.other));
      checkPair(row, column, pair, ENTRY_TOLERANCE * size + ENTRY_FLOOR * largest);
    }
  }
}

/** Throws NonFiniteError or AsymmetryError unless K_ij and K_ji are finite and the same within `slack`. */
function checkPair(
  row: number,
  column: number,
  { value, other }: { readonly value: number; readonly other: number },
  slack: number,
): void {
  if (!Number.isFinite(value)) throw nonFiniteEntry(row, column, value);
  if (!Number.isFinite(other)) throw nonFiniteEntry(column, row, other);
  if (!(Math.abs(value - other) <= slack))
    throw new AsymmetryError(
      `The matrix is not symmetric: entry (${row}, ${column}) is ${value}, entry (${column}, ${row}) is ${other}.`,
      { row, column, value, transposed: other },
    );
}

/** Up to 48 distinct indices, ascending. */
function sample(size: number, random: RandomStream): Int32Array {
  if (size <= SAMPLE_SIZE) return Int32Array.from({ length: size }, (_, i) => i);
  const chosen = new Set<number>();
  while (chosen.size < SAMPLE_SIZE) chosen.add(random.integer(size));
  return Int32Array.from(chosen).sort();
}
