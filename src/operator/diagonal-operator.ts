/**
 * diag(d). Layer 2.
 */
import { NonFiniteError } from '../core/errors.js';
import type { FloatArray } from '../dense/matrix.js';
import { combineRows } from './block-arithmetic.js';
import type { LinearOperator } from './linear-operator.js';

/** diag(d) in place over the array given; vectors in either precision. One pass over the vectors; no workspace. Throws NonFiniteError. */
export function diagonalOperator(values: FloatArray): LinearOperator {
  const size = values.length;
  for (let i = 0; i < size; i++) if (!Number.isFinite(values[i])) throw new NonFiniteError(`Diagonal entry ${i} is ${values[i]}.`, { index: i, value: values[i] });
  return { rows: size, cols: size, symmetric: true, applyUnchecked: (out, x, alpha, beta) => { combineRows(out, alpha, values, x, beta); } };
}
