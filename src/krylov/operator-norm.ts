/**
 * The size of an operator from a few products, for the level of rounding.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { VectorRows } from '../operator/row-share.js';
import { dotOver, largestOver, WholeRows } from './whole-rows.js';

/** Products that an estimate takes. */
export const NORM_PRODUCTS = 4;
const STREAM = 0x6e6f726d;

/**
 * ‖A‖₂ of a symmetric operator from below, by the power method from a seeded random vector, NORM_PRODUCTS products:
 * within a small factor unless a few eigenvalues stand far above √N times all others. NaN or ∞ where a product is.
 * Entries of A may be of any size: vectors are scaled by their largest entry, and no squares leave the range. Of an
 * operator over own rows `rows` are those. Collective.
 */
export function normFromBelow(operator: LinearOperator, rows: VectorRows = new WholeRows(operator.rows)): number {
  const size = operator.rows;
  const [v, w] = [sharedFloat64(size), sharedFloat64(size)];
  rows.fillNormal(v, 0, STREAM);
  let norm = 0;
  for (let k = 0; k < NORM_PRODUCTS; k++) {
    const largest = largestOver(rows, v);
    if (largest === 0) return norm;
    if (!(largest < Number.POSITIVE_INFINITY)) return largest;
    for (let i = 0; i < size; i++) v[i] /= largest;
    const before = dotOver(rows, v, v);
    operator.applyUnchecked(view(w, 0, size, 1), view(v, 0, size, 1), 1, 0);
    const scale = largestOver(rows, w);
    v.set(w);
    if (scale > 0 && scale < Number.POSITIVE_INFINITY) for (let i = 0; i < size; i++) w[i] /= scale;
    norm = Math.max(norm, scale > 0 ? scale * Math.sqrt(dotOver(rows, w, w) / before) : 0);
  }
  return norm;
}
