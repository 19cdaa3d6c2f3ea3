/**
 * The checked product with any operator.
 */
import { ShapeError } from '../core/errors.js';
import { precisionOf } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import {
  asVectors,
  checkView,
  transposeHint,
  zeros,
  type Matrix,
  type FlatVector,
  type FloatArray,
  type Vectors,
} from '../dense/matrix.js';
import type { LinearOperator } from './linear-operator.js';

/**
 * Whether two views share an element. Views of one array with equal leading dimensions may interleave without sharing
 * any.
 */
function overlap(a: Matrix, b: Matrix): boolean {
  if (a.data.buffer !== b.data.buffer || a.rows === 0 || a.cols === 0 || b.rows === 0 || b.cols === 0) return false;
  const width = a.data.BYTES_PER_ELEMENT;
  const first = (m: Matrix): number => m.data.byteOffset + m.data.BYTES_PER_ELEMENT * m.offset;
  const end = (m: Matrix): number => first(m) + m.data.BYTES_PER_ELEMENT * ((m.cols - 1) * m.ld + m.rows);
  if (end(a) <= first(b) || end(b) <= first(a)) return false;
  if (b.data.BYTES_PER_ELEMENT !== width || a.ld !== b.ld || (first(b) - first(a)) % width !== 0) return true;
  // Row of b's first element in a's grid, modulo the common leading dimension.
  const shift = ((((first(b) - first(a)) / width) % a.ld) + a.ld) % a.ld;
  return shift < a.rows || shift + b.rows > a.ld;
}

/**
 * Y = A·X for X of size A.cols × p in column-major storage, or one vector as an array; returns `out` or a new matrix in
 * X's precision. Cost and error are the operator's. Throws ShapeError where sizes or precisions do not fit, or where x
 * and out share memory.
 */
export function apply(
  operator: LinearOperator,
  vectors: FlatVector | Matrix<Float64Array>,
  out?: undefined,
): Matrix<Float64Array>;
/** As before, into `out`. */
export function apply<A extends FloatArray>(operator: LinearOperator, vectors: Vectors, out: Matrix<A>): Matrix<A>;
/** As before, for vectors of either precision. */
export function apply(operator: LinearOperator, vectors: Vectors, out?: Matrix): Matrix;
export function apply(operator: LinearOperator, vectors: Vectors, out?: Matrix): Matrix {
  if (typeof operator?.applyUnchecked !== 'function') requireRole(operator, 'operator', 'apply');
  const x = asVectors(vectors, 'x');
  const { rows, cols } = operator;
  if (x.rows !== cols)
    throw new ShapeError(`x has ${x.rows} rows; the operator is ${rows} × ${cols}.${transposeHint(x, cols)}`, {
      rows: x.rows,
      expected: cols,
    });
  const y = out ?? zeros(rows, x.cols, precisionOf(x.data));
  if (out !== undefined) {
    checkView(out, 'out');
    if (out.rows !== rows || out.cols !== x.cols)
      throw new ShapeError(`out is ${out.rows} × ${out.cols}; the product is ${rows} × ${x.cols}.`, {
        rows: out.rows,
        cols: out.cols,
        expected: [rows, x.cols],
      });
    if (out.data.BYTES_PER_ELEMENT !== x.data.BYTES_PER_ELEMENT)
      throw new ShapeError('x and out are of different precisions: both must be float64 or both float32.');
    if (overlap(out, x)) throw new ShapeError('x and out share memory: a product needs an out of its own.');
  }
  if (x.cols > 0 && rows > 0) operator.applyUnchecked(y, x, 1, 0);
  return y;
}
