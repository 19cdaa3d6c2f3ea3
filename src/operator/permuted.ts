/**
 * PᵀAP.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { asIndices } from '../core/numbers.js';
import type { Matrix } from '../dense/matrix.js';
import { changedDiagonal, columnwiseOfAll, flopsOfAll, precisionOfAll } from './abilities.js';
import { scale } from './block-arithmetic.js';
import { BlockWorkspace, byChunks } from './block-workspace.js';
import { requireSquare } from './checks.js';
import type { LinearOperator } from './linear-operator.js';
import { derived, requireAllRows } from './self-check.js';

function checkPermutation(order: Int32Array, size: number): void {
  if (order.length !== size)
    throw new ShapeError(`The order has ${order.length} indices, the operator ${size} rows.`, {
      length: order.length,
      expected: size,
    });
  const seen = new Uint8Array(size);
  order.forEach((index, place) => {
    if (index < 0 || index >= size || seen[index] === 1)
      throw new OptionError(
        `The order is no permutation: ${index} at place ${place} is ` +
          `${index < 0 || index >= size ? 'out of range' : 'there twice'}.`,
        { place, index },
      );
    seen[index] = 1;
  });
}

/**
 * B = PᵀAP with B_pq = A[order[p], order[q]], for a square A: with the order of a cluster tree, A in tree order.
 * The order is copied. Two workspaces of N × at most 256 vectors, kept between products. Throws ShapeError; OptionError
 * if the order is no permutation.
 */
export function permuted(operator: LinearOperator, order: ArrayLike<number>): LinearOperator {
  const size = requireSquare(operator, 'PᵀAP');
  requireAllRows(operator, 'permuted');
  const at = asIndices(order, 'order').slice();
  checkPermutation(at, size);
  const input = new BlockWorkspace();
  const output = new BlockWorkspace();

  const scatter = (from: Matrix, to: Matrix): void => {
    for (let j = 0; j < from.cols; j++) {
      const p = from.offset + j * from.ld;
      const q = to.offset + j * to.ld;
      for (let i = 0; i < size; i++) to.data[q + at[i]] = from.data[p + i];
    }
  };
  const gather = (from: Matrix, to: Matrix, alpha: number): void => {
    for (let j = 0; j < from.cols; j++) {
      const p = from.offset + j * from.ld;
      const q = to.offset + j * to.ld;
      for (let i = 0; i < size; i++) to.data[q + i] += alpha * from.data[p + at[i]];
    }
  };
  return derived(
    {
      rows: size,
      cols: size,
      symmetric: operator.symmetric,
      applyUnchecked: (out, x, alpha, beta) => {
        byChunks(out, x, (y, z) => {
          const before = input.take(size, z.cols, z.data);
          const after = output.take(size, z.cols, z.data);
          scatter(z, before);
          operator.applyUnchecked(after, before, 1, 0);
          scale(y, beta);
          gather(after, y, alpha);
        });
      },
      flops: flopsOfAll([operator]),
      diagonal: changedDiagonal(operator, (out) => {
        out.set(Float64Array.from(at, (index) => out[index]));
      }),
      precision: precisionOfAll(operator),
      columnwise: columnwiseOfAll(operator),
    },
    operator,
  );
}
