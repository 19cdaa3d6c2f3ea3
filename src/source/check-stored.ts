/**
 * Checks of a stored matrix, every entry of it: finite, symmetric, and none larger than a positive semidefinite matrix
 * can have.
 */
import { AsymmetryError, NotPositiveDefiniteError } from '../core/errors.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { ENTRY_FLOOR, ENTRY_TOLERANCE, entryTooLarge, nonFiniteEntry } from './validate.js';

/** Side of the tiles compared with their transposes: both stay in cache. */
const TILE = 64;
/** Asymmetry that is taken for rounding, relative to max(|K_ij|, |K_ji|, √(K_ii K_jj)). */
const asymmetryTolerance = (data: FloatArray): number => (data instanceof Float32Array ? 1e-5 : 1e-8);

/**
 * Whether all pairs K_ij, K_ji of a square matrix agree to the bit. Throws for the first pair in the order of tiles:
 * NonFiniteError; AsymmetryError where they differ by more than 1e-8 (float32: 1e-5) of max(|K_ij|, |K_ji|, √(K_ii
 * K_jj)); NotPositiveDefiniteError where K_ii < 0, or |K_ij| > √(K_ii K_jj) beyond rounding. Reads the matrix once.
 */
export function checkStored(a: Matrix): boolean {
  const { data, offset, rows: n, ld } = a;
  const roots = new Float64Array(n);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const value = data[offset + i * (ld + 1)];
    if (!Number.isFinite(value)) throw nonFiniteEntry(i, i, value);
    if (value < 0)
      throw new NotPositiveDefiniteError(
        `Diagonal entry (${i}, ${i}) is ${value}: a positive semidefinite matrix has none below 0. Is it a ` +
          'covariance, kernel or Hessian matrix, and is its sign right?',
        { row: i, column: i, value },
      );
    largest = Math.max(largest, value);
    roots[i] = Math.sqrt(value);
  }
  const slack = ENTRY_FLOOR * largest;
  const relative = Math.max(ENTRY_TOLERANCE, asymmetryTolerance(data));
  let exact = true;
  for (let j0 = 0; j0 < n; j0 += TILE) {
    for (let i0 = j0; i0 < n; i0 += TILE) {
      const end = Math.min(i0 + TILE, n);
      for (let j = j0; j < Math.min(j0 + TILE, n); j++) {
        const rj = roots[j] * (1 + relative);
        for (
          let i = Math.max(i0, j + 1), p = offset + i + j * ld, q = offset + j + i * ld;
          i < end;
          i++, p++, q += ld
        ) {
          const lower = data[p];
          const upper = data[q];
          // Neither holds for NaN; infinities are beyond every bound.
          if (lower === upper && Math.abs(lower) <= rj * roots[i] + slack) continue;
          exact = checkPair(a, i, j, { roots, relative, slack }) && exact;
        }
      }
    }
  }
  return exact;
}

/** |K_ij| may be up to √K_ii·√K_jj·(1 + relative) + slack. */
interface EntryBound {
  readonly roots: Float64Array;
  readonly relative: number;
  readonly slack: number;
}

/** Throws for K_ij and K_ji, i > j, unless they pass; returns whether they are the same. */
function checkPair(
  { data, offset, ld }: Matrix,
  i: number,
  j: number,
  { roots, relative, slack }: EntryBound,
): boolean {
  const lower = data[offset + i + j * ld];
  const upper = data[offset + j + i * ld];
  if (!Number.isFinite(lower)) throw nonFiniteEntry(i, j, lower);
  if (!Number.isFinite(upper)) throw nonFiniteEntry(j, i, upper);
  const bound = roots[i] * roots[j];
  const tolerance = asymmetryTolerance(data);
  if (Math.abs(lower - upper) > tolerance * Math.max(Math.abs(lower), Math.abs(upper), bound)) {
    throw new AsymmetryError(
      `The matrix is not symmetric: entry (${i}, ${j}) is ${lower}, entry (${j}, ${i}) is ${upper}. Symmetrise ` +
        'it first, if (K + Kᵀ)/2 is what is meant.',
      { row: i, column: j, value: lower, transposed: upper, tolerance },
    );
  }
  // The lower triangle is what is read.
  if (Math.abs(lower) > bound * (1 + relative) + slack) throw entryTooLarge(i, j, lower, bound);
  return lower === upper;
}
