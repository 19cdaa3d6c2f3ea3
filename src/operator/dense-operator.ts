/**
 * A stored matrix as an operator.
 */
import { describe } from '../core/kind.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { withBlas, type BlasOption } from '../dense/default-blas.js';
import { asVectors, squareOver, view, type Matrix, type Vectors } from '../dense/matrix.js';
import type { LinearOperator } from './linear-operator.js';
import { derived } from './self-check.js';

/** A column of a block, contiguous as gemv and symv want it. */
const column = (a: Matrix): Matrix => view(a.data, a.offset, a.rows, 1);

/** The matrix of a view, or, where it is symmetric, of N² numbers in a flat array. */
function asMatrix(given: Vectors, symmetric: boolean): Matrix {
  if (typeof symmetric !== 'boolean')
    throw new OptionError(
      'denseOperator must be told whether the matrix is symmetric, denseOperator(matrix, true), not ' +
        `${describe(symmetric)}.`,
      { symmetric },
    );
  if (!Array.isArray(given) && !ArrayBuffer.isView(given)) return asVectors(given, 'matrix');
  if (symmetric) return squareOver(given as ArrayLike<number>, 'matrix');
  throw new ShapeError(
    `denseOperator takes a matrix, not ${describe(given)}: matrixOver(numbers, rows, cols) is the matrix of numbers ` +
      'column by column.',
    {},
  );
}

/**
 * The matrix itself, not a copy (numbers in a plain array are copied), or the N² numbers of a symmetric one in a flat
 * array: 2·rows·cols flops a vector by gemm, or gemv for a single one. Where `symmetric`, only the lower triangle is
 * read (symm, symv). Vectors are of the matrix's precision (others: `converted`). No workspace. Throws ShapeError,
 * OptionError.
 */
export function denseOperator(given: Vectors, symmetric: boolean, options: BlasOption = {}): LinearOperator {
  const { blas } = withBlas(options, { blas: true }, 'denseOperator');
  const matrix = asMatrix(given, symmetric);
  const { rows, cols } = matrix;
  if (symmetric && rows !== cols)
    throw new ShapeError(`A symmetric matrix is square, this one is ${rows} × ${cols}.`, { rows, cols });
  return derived({
    rows,
    cols,
    symmetric,
    applyUnchecked: (out, x, alpha, beta) => {
      if (x.cols === 1) {
        if (symmetric) blas.symv('L', alpha, matrix, column(x), beta, column(out));
        else blas.gemv('N', alpha, matrix, column(x), beta, column(out));
      } else if (symmetric) blas.symm('L', 'L', alpha, matrix, x, beta, out);
      else blas.gemm('N', 'N', alpha, matrix, x, beta, out);
    },
    flops: (vectors) => 2 * rows * cols * vectors,
    diagonal:
      rows !== cols
        ? undefined
        : (out) => {
            for (let i = 0; i < rows; i++) out[i] = matrix.data[matrix.offset + i * (matrix.ld + 1)];
          },
  });
}
