/**
 * The size of an operator from a few products, for the level of rounding.
 */
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';

/** Products that an estimate takes. */
export const NORM_PRODUCTS = 4;
const STREAM = 0x6e6f726d;

/** max |a_i|. */
export function largestOf(a: Float64Array): number {
  let largest = 0;
  for (const value of a) {
    const size = Math.abs(value);
    if (!(size <= largest)) largest = size;
  }
  return largest;
}

/**
 * ‖A‖₂ of a symmetric operator from below, by the power method from a seeded random vector, NORM_PRODUCTS products:
 * within a small factor unless a few eigenvalues stand far above √N times all others. NaN or ∞ where a product is.
 * Entries of A may be of any size: vectors are scaled by their largest entry, and no squares leave the range.
 */
export function normFromBelow(operator: LinearOperator): number {
  const size = operator.rows;
  const [v, w] = [sharedFloat64(size), sharedFloat64(size)];
  new RandomStream(0, STREAM).fillNormal(v);
  let norm = 0;
  for (let k = 0; k < NORM_PRODUCTS; k++) {
    const largest = largestOf(v);
    if (largest === 0) return norm;
    if (!(largest < Number.POSITIVE_INFINITY)) return largest;
    let before = 0;
    for (let i = 0; i < size; i++) {
      v[i] /= largest;
      before += v[i] * v[i];
    }
    operator.applyUnchecked(view(w, 0, size, 1), view(v, 0, size, 1), 1, 0);
    const scale = largestOf(w);
    let after = 0;
    if (scale > 0) for (const value of w) after += (value / scale) ** 2;
    norm = Math.max(norm, scale * Math.sqrt(after / before));
    v.set(w);
  }
  return norm;
}
