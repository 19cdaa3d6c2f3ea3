/**
 * The rows of vectors that a rank has of its own: those of its leaves in tree order, on the first rank that holds
 * leaves with the isolated ones before them. Together the ranks have all rows once; one process has them all.
 */
import { ShapeError } from '../../core/errors.js';
import { precisionOf } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { asVectors, checkView, zeros, type Matrix, type Vectors } from '../../dense/matrix.js';
import type { Communicator } from '../../distributed/communicator.js';
import { selfCommunicator } from '../../distributed/self.js';
import { RowShare } from '../../operator/row-share.js';
import { firstLeaf, leavesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { Dealing } from './share.js';

/** Positions begin … end − 1 of the tree's order, as rows 0, 1, … of vectors. */
export interface OwnRows {
  readonly begin: number;
  readonly end: number;
  /** The position of each row. */
  readonly place: Int32Array;
}

/**
 * The rows of each rank; all of one that is alone, where nothing is dealt out. `complete`: what makes the tree's order
 * whole, for those who ask for it.
 */
export function rowShareOf(
  tree: ClusterTree,
  dealt: Dealing | undefined,
  communicator: Communicator,
  complete: () => void,
): RowShare {
  const leaves = leavesOf(tree);
  const ends = tree.end.subarray(firstLeaf(tree));
  const firsts =
    dealt === undefined ? Int32Array.of(0, leaves) : dealt.bounds.map((bound) => (bound * leaves) / 2 ** dealt.level);
  const bounds = firsts.map((first) => (first === 0 ? 0 : ends[first - 1]));
  const own = { order: tree.order, complete, bounds, leaves: firsts, ends };
  return new RowShare(own, dealt === undefined ? selfCommunicator() : communicator);
}

/** Where the rows of a share stand in the tree's order. */
export function placesOfRows({ rows, first }: RowShare): OwnRows {
  const place = sharedInt32(rows);
  for (let row = 0; row < rows; row++) place[row] = first + row;
  return { begin: first, end: first + rows, place };
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
