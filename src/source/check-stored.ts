/**
 * Checks of a stored matrix, every entry of it: finite, symmetric, and none larger than a positive semidefinite matrix
 * can have, once what is to be added to its diagonal is there.
 */
import { inCode, type OptionAdvice } from '../core/advice.js';
import { AsymmetryError, NotPositiveDefiniteError } from '../core/errors.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { ENTRY_FLOOR, ENTRY_TOLERANCE, neededOnDiagonal, nonFiniteEntry } from './validate.js';

/** Side of the tiles compared with their transposes: both stay in cache. */
const TILE = 64;
/** Asymmetry that is taken for rounding, relative to max(|K_ij|, |K_ji|, √|K_ii K_jj|). */
const asymmetryTolerance = (data: FloatArray): number => (data instanceof Float32Array ? 1e-5 : 1e-8);

/**
 * Whether all pairs K_ij, K_ji of a square matrix agree to the bit. Throws for the first pair in the order of tiles:
 * NonFiniteError; AsymmetryError where they differ by more than 1e-8 (float32: 1e-5) of max(|K_ij|, |K_ji|, √|K_ii
 * K_jj|); NotPositiveDefiniteError where K_ii + λ < 0, or |K_ij| > √((K_ii + λ)(K_jj + λ)) beyond rounding, λ =
 * `added` ≥ 0 being what is added to the diagonal later: ∞ where nobody knows it yet, and nothing can be said. Reads
 * the matrix once.
 */
export function checkStored(a: Matrix, added = 0): boolean {
  const { data, offset, rows: n, ld } = a;
  const roots = new Float64Array(n);
  let largest = 0;
  for (let i = 0; i < n; i++) {
    const value = data[offset + i * (ld + 1)];
    if (!Number.isFinite(value)) throw nonFiniteEntry(i, i, value);
    const sum = value + added;
    if (sum < 0)
      throw new NotPositiveDefiniteError(
        `Diagonal entry (${i}, ${i}) is ${value}${added > 0 ? `, and ${sum} with the shift` : ''}: a positive ` +
          'semidefinite matrix has none below 0. Is it a covariance, kernel or Hessian matrix, and is its sign ' +
          `right? ${shiftAdvice(-value)}`,
        { row: i, column: i, value, shift: added, neededShift: -value, advice: [SHIFT] },
      );
    largest = Math.max(largest, sum);
    roots[i] = Math.sqrt(sum);
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
          exact = checkPair(a, i, j, { roots, relative, slack, added }) && exact;
        }
      }
    }
  }
  return exact;
}

const SHIFT: OptionAdvice = { option: 'shift' };

/** What helps where the diagonal is too small. */
const shiftAdvice = (needed: number): string =>
  `Its diagonal needs at least ${Number(needed.toPrecision(3))} more (${inCode(SHIFT)} of solve).`;

/** |K_ij| may be up to √(K_ii + λ)·√(K_jj + λ)·(1 + relative) + slack; λ is `added`. */
interface EntryBound {
  readonly roots: Float64Array;
  readonly relative: number;
  readonly slack: number;
  readonly added: number;
}

/** Throws for K_ij and K_ji, i > j, unless they pass; returns whether they are the same. */
function checkPair(
  { data, offset, ld }: Matrix,
  i: number,
  j: number,
  { roots, relative, slack, added }: EntryBound,
): boolean {
  const lower = data[offset + i + j * ld];
  const upper = data[offset + j + i * ld];
  if (!Number.isFinite(lower)) throw nonFiniteEntry(i, j, lower);
  if (!Number.isFinite(upper)) throw nonFiniteEntry(j, i, upper);
  const [first, second] = [i, j].map((k) => data[offset + k * (ld + 1)]);
  const tolerance = asymmetryTolerance(data);
  const own = Math.sqrt(Math.abs(first)) * Math.sqrt(Math.abs(second));
  if (Math.abs(lower - upper) > tolerance * Math.max(Math.abs(lower), Math.abs(upper), own)) {
    throw new AsymmetryError(
      `The matrix is not symmetric: entry (${i}, ${j}) is ${lower}, entry (${j}, ${i}) is ${upper}. Symmetrise ` +
        'it first, if (K + Kᵀ)/2 is what is meant.',
      { row: i, column: j, value: lower, transposed: upper, tolerance },
    );
  }
  // The lower triangle is what is read.
  const bound = roots[i] * roots[j];
  if (Math.abs(lower) > bound * (1 + relative) + slack) {
    const needed = neededOnDiagonal(first, second, lower);
    const [at, what] = added > 0 ? [' + λ', 'the matrix + λI'] : ['', 'the matrix'];
    const product = added > 0 ? `(K(${i},${i})${at})·(K(${j},${j})${at})` : `K(${i},${i})·K(${j},${j})`;
    throw new NotPositiveDefiniteError(
      `Entry (${i}, ${j}) is ${lower}, larger than √(${product}) = ${bound}${added > 0 ? `, λ = ${added}` : ''}: ` +
        `${what} is not positive semidefinite. ${shiftAdvice(needed)}`,
      { row: i, column: j, value: lower, bound, shift: added, neededShift: needed, advice: [SHIFT] },
    );
  }
  return lower === upper;
}
