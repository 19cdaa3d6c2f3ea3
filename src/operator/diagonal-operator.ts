/**
 * diag(d).
 */
import { NonFiniteError } from '../core/errors.js';
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import { asFloats } from '../core/numbers.js';
import { combineRows } from './block-arithmetic.js';
import type { LinearOperator, OwnRowsOperator } from './linear-operator.js';
import type { RowShare } from './row-share.js';
import { derived } from './self-check.js';

/**
 * diag(d) in place over the array given, or a copy where that is no Float64Array or Float32Array; vectors in either
 * precision. One pass over the vectors; no workspace. Throws ShapeError, NonFiniteError.
 */
export function diagonalOperator(diagonal: ArrayLike<number>): LinearOperator {
  const values = asFloats(diagonal, 'diagonal');
  const size = values.length;
  for (let i = 0; i < size; i++)
    if (!Number.isFinite(values[i]))
      throw new NonFiniteError(`Diagonal entry ${i} is ${values[i]}.`, { index: i, value: values[i] });
  return derived({
    rows: size,
    cols: size,
    symmetric: true,
    applyUnchecked: (out, x, alpha, beta) => {
      combineRows(out, alpha, values, x, beta);
    },
    flops: (vectors) => size * vectors,
    columnwise: true,
    diagonal: (out) => {
      out.set(values);
    },
    onRows: (rows) => rows && diagonalOnRows(values, rows),
  });
}

/** The entries of own rows, which are read anew at each product, as those of all rows are. */
function diagonalOnRows(values: FloatArray, rowShare: RowShare): OwnRowsOperator {
  const { rows, indices } = rowShare;
  const own = floats(rows, precisionOf(values));
  return {
    rows,
    cols: rows,
    symmetric: true,
    applyUnchecked: (out, x, alpha, beta) => {
      for (let r = 0; r < rows; r++) own[r] = values[indices[r]];
      combineRows(out, alpha, own, x, beta);
    },
    rowShare,
  };
}
