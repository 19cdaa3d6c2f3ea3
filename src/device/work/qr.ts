/**
 * QR factorizations: many in one launch,
 *
 *   A_i = Q_i·R_i,   Q_iᵀ·Q_i = I,
 *
 * by Householder reflections, whatever the rank of A_i: Q_i replaces A_i, R_i goes to a place of its own, with zeros
 * below its diagonal. Numbers whose squares vanish in the device's precision count as zeros.
 */
import { ShapeError } from '../../core/errors.js';
import { demandOf, requireCount, visitBlock, type Runs, type WorkDemand, type WorkLists } from './demand.js';

/** A block with at least as many rows as columns, and where its R goes, both with their columns side by side. */
export interface QrBlock {
  readonly a: { readonly offset: number; readonly ld: number };
  readonly r: { readonly offset: number; readonly ld: number };
  readonly rows: number;
  readonly columns: number;
}

/** What is one launch, with the operands values, in which A and then Q stand, and triangles, to which R goes. */
export interface Qrs {
  readonly kind: 'qr';
  readonly blocks: readonly QrBlock[];
}

/** Numbers of a block in `blocks`: of A offset and ld, rows, columns, of R offset and ld. */
export const QR_WORDS = 6;

/** Throws ShapeError unless shapes fit and blocks are apart. */
export function demandOfQrs({ blocks }: Qrs): WorkDemand {
  let flops = 0;
  for (const { rows, columns } of blocks) {
    requireCount(columns, 'a block whose columns are', 1);
    requireCount(rows, 'a block whose rows are', 1);
    if (!(rows >= columns))
      throw new ShapeError(`The launch has a block of ${rows} × ${columns} for QR: at least as many rows as columns.`, {
        rows,
        columns,
      });
    // R, and as much again for Q.
    flops += 4 * rows * columns ** 2 - (4 * columns ** 3) / 3;
  }
  const values: Runs = (visit) => {
    for (const { a, rows, columns } of blocks) visitBlock(a, rows, columns, visit);
  };
  const triangles: Runs = (visit) => {
    for (const { r, columns } of blocks) visitBlock(r, columns, columns, visit);
  };
  const operands = {
    values: demandOf('values', 'numbers', { writes: values }),
    triangles: demandOf('triangles', 'numbers', { writes: triangles }),
  };
  return { operands, flops: () => flops };
}

/** Their lists. */
export const listsOfQrs = ({ blocks }: Qrs): WorkLists => ({
  blocks: Float64Array.from(
    blocks.flatMap(({ a, r, rows, columns }) => [a.offset, a.ld, rows, columns, r.offset, r.ld]),
  ),
});
