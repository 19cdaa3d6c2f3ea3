/**
 * I.
 */
import { ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { combine } from './block-arithmetic.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/** The identity of a size. One pass over the vectors; no workspace. Throws ShapeError. */
export function identityOperator(size: number): LinearOperator {
  if (!Number.isInteger(size) || size < 0)
    throw new ShapeError(`The size of an identity must be a whole number ≥ 0, not ${describe(size)}.`, { size });
  return derived({
    rows: size,
    cols: size,
    symmetric: true,
    applyUnchecked: (out, x, alpha, beta) => {
      combine(out, alpha, x, beta);
    },
    flops: () => 0,
    columnwise: true,
    diagonal: (out) => {
      out.fill(1);
    },
    onRows: (rows) => rows && { ...identityOperator(rows.rows), onRows: undefined, rowShare: rows },
  });
}
