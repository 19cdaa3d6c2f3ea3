/**
 * What eigenpairs of an operator are worth: θ = yᵀAy of a unit vector y, and ‖Ay − θy‖, within which an eigenvalue lies
 * (B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, theorem 4.5.1).
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { VectorRows } from '../operator/row-share.js';
import { columnOf } from './tall-blocks.js';
import { dotOver, normOver, WholeRows } from './whole-rows.js';

/** Rayleigh quotients of unit vectors, and the residuals. */
export interface RitzPairs {
  readonly values: Float64Array;
  readonly residuals: Float64Array;
}

/**
 * Of the columns of N × k unit vectors, by one product with all of them and 4N·k flops; N·k numbers besides. Of an
 * operator over own rows `share` are those. Collective.
 */
export function ritzPairs(
  operator: LinearOperator,
  vectors: Matrix,
  share: VectorRows = new WholeRows(vectors.rows),
): RitzPairs {
  const { rows, cols } = vectors;
  const images = view(sharedFloat64(rows * cols), 0, rows, cols);
  operator.applyUnchecked(images, vectors, 1, 0);
  const values = new Float64Array(cols);
  const residuals = new Float64Array(cols);
  for (let j = 0; j < cols; j++) {
    const [y, z] = [columnOf(vectors, j), columnOf(images, j)];
    values[j] = dotOver(share, y, z);
    for (let i = 0; i < rows; i++) z[i] -= values[j] * y[i];
    residuals[j] = normOver(share, z);
  }
  return { values, residuals };
}
