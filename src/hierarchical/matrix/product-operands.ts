/**
 * What a product with a hierarchical matrix is given, checked.
 */
import { ShapeError } from '../../core/errors.js';
import { precisionOf } from '../../core/floats.js';
import { asVectors, checkView, transposeHint, zeros, type Matrix, type Vectors } from '../../dense/matrix.js';

/** x and y of a product with an N × N matrix, y being `out` or new, in x's precision. Throws ShapeError. */
export function requireProduct(size: number, vectors: Vectors, out: Matrix | undefined): { x: Matrix; y: Matrix } {
  const x = asVectors(vectors, 'x');
  if (x.rows !== size)
    throw new ShapeError(`x has ${x.rows} rows; this matrix is ${size} × ${size}.${transposeHint(x, size)}`, {
      rows: x.rows,
      expected: size,
    });
  const y = out ?? zeros(size, x.cols, precisionOf(x.data));
  checkView(y, 'out');
  if (y.rows !== size || y.cols !== x.cols)
    throw new ShapeError(`out is ${y.rows} × ${y.cols}; the product is ${size} × ${x.cols}.`, {
      rows: y.rows,
      cols: y.cols,
    });
  return { x, y };
}
