/**
 * The rows of vectors that a rank has of its own: those of its leaves in tree order, on the first rank that holds
 * leaves with the isolated ones before them. Together the ranks have all rows once.
 */
import { ShapeError } from '../../core/errors.js';
import { precisionOf } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { asVectors, checkView, zeros, type Matrix, type Vectors } from '../../dense/matrix.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { hasFirst, positionsOf, type HeldNodes } from './share.js';

/** Positions begin … end − 1 of the tree's order, as rows 0, 1, … of vectors. */
export interface OwnRows {
  readonly begin: number;
  readonly end: number;
  /** The row of each position of the rank; others are 0. */
  readonly order: Int32Array;
  /** The position of each row. */
  readonly place: Int32Array;
}

/** Those of a share. */
export function ownRows(tree: ClusterTree, share: HeldNodes): OwnRows {
  const { begin: first, end } = positionsOf(tree, share, share.rank);
  const begin = hasFirst(tree, share) ? 0 : first;
  const order = sharedInt32(tree.size);
  const place = sharedInt32(end - begin);
  for (let row = 0; row < place.length; row++) {
    order[begin + row] = row;
    place[row] = begin + row;
  }
  return { begin, end, order, place };
}

/** Vectors of own rows, and where the result goes. Throws ShapeError. */
export function ownVectors(
  vectors: Vectors,
  out: Matrix | undefined,
  rows: number,
): { readonly x: Matrix; readonly y: Matrix } {
  const x = asVectors(vectors, 'x');
  if (x.rows !== rows)
    throw new ShapeError(`x has ${x.rows} rows; this rank has ${rows} (matrix.own).`, { rows: x.rows, expected: rows });
  return { x, y: ownResult(x, out, rows) };
}

/** Where so many own rows of a result for x go. Throws ShapeError. */
export function ownResult(x: Matrix, out: Matrix | undefined, rows: number): Matrix {
  const y = out ?? zeros(rows, x.cols, precisionOf(x.data));
  checkView(y, 'out');
  if (y.rows !== rows || y.cols !== x.cols)
    throw new ShapeError(`out is ${y.rows} × ${y.cols}; the result is ${rows} × ${x.cols}.`, {
      rows: y.rows,
      cols: y.cols,
    });
  return y;
}

/** out ← what `act` makes of x, whose row r is that of index order[r], in that order: where one rank has all rows. */
export function inOrder(order: Int32Array, x: Matrix, out: Matrix, act: (x: Matrix) => Matrix): void {
  const whole = zeros(order.length, x.cols, precisionOf(x.data));
  for (let j = 0; j < x.cols; j++)
    for (let r = 0; r < order.length; r++) whole.data[order[r] + j * whole.ld] = x.data[x.offset + r + j * x.ld];
  rowsInOrder(out, act(whole), order);
}

/** out(r, :) ← x(order[r], :). */
export function rowsInOrder(out: Matrix, x: Matrix, order: Int32Array): void {
  for (let j = 0; j < x.cols; j++)
    for (let r = 0; r < order.length; r++)
      out.data[out.offset + r + j * out.ld] = x.data[x.offset + order[r] + j * x.ld];
}
