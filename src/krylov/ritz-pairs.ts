/**
 * What eigenpairs of an operator are worth: θ = yᵀAy of a unit vector y, and ‖Ay − θy‖, within which an eigenvalue lies
 * (B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, theorem 4.5.1).
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { block, view, type Matrix } from '../dense/matrix.js';
import { norm } from '../dense/norm.js';
import type { LinearOperator } from '../operator/linear-operator.js';

/** Rayleigh quotients of unit vectors, and the residuals. */
export interface RitzPairs {
  readonly values: Float64Array;
  readonly residuals: Float64Array;
}

/** Of the columns of N × k unit vectors, by one product with all of them and 4N·k flops; N·k numbers besides. */
export function ritzPairs(operator: LinearOperator, vectors: Matrix): RitzPairs {
  const { rows, cols } = vectors;
  const images = view(sharedFloat64(rows * cols), 0, rows, cols);
  operator.applyUnchecked(images, vectors, 1, 0);
  const values = new Float64Array(cols);
  const residuals = new Float64Array(cols);
  for (let j = 0; j < cols; j++) {
    const y = block(vectors, 0, j, rows, 1);
    const z = block(images, 0, j, rows, 1);
    for (let i = 0; i < rows; i++) values[j] += y.data[y.offset + i] * z.data[z.offset + i];
    for (let i = 0; i < rows; i++) z.data[z.offset + i] -= values[j] * y.data[y.offset + i];
    residuals[j] = norm(z);
  }
  return { values, residuals };
}
