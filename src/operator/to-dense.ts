/**
 * An operator written out as a matrix.
 */
import { requireMemory } from '../core/memory.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { block, view, zeros, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import { CHUNK } from './block-workspace.js';
import type { LinearOperator } from './linear-operator.js';
import { requireOperator } from './self-check.js';

/** A·E for a block E of unit vectors, the first of them number `first`. */
export interface UnitProduct {
  readonly first: number;
  readonly out: Matrix;
}

/**
 * A·I, block after block of at most CHUNK columns, into `target` (rows × cols), or into one block over shared memory
 * that the next one overwrites. Between two blocks the caller may serve the event loop. Cost: cols products.
 */
export function* unitProducts(operator: LinearOperator, target?: Matrix): Generator<UnitProduct> {
  const { rows, cols } = operator;
  const width = Math.min(CHUNK, cols);
  const identity = view(sharedFloat64(cols * width), 0, cols, width);
  const room = target ?? view(sharedFloat64(rows * width), 0, rows, width);
  for (let first = 0; first < cols; first += width) {
    const count = Math.min(width, cols - first);
    for (let j = 0; j < count; j++) identity.data[first + j + j * cols] = 1;
    const out = block(room, 0, target === undefined ? 0 : first, rows, count);
    operator.applyUnchecked(out, block(identity, 0, 0, cols, count), 1, 0);
    for (let j = 0; j < count; j++) identity.data[first + j + j * cols] = 0;
    yield { first, out };
  }
}

/** Bytes of a rows × cols matrix that is written out, and of the unit vectors that it takes. */
export const bytesWrittenOut = ({ rows, cols }: LinearOperator): number =>
  8 * (rows * cols + cols * Math.min(CHUNK, cols));

/**
 * All entries of A, rows × cols, by products with the columns of I: for small operators and tests. Cost: cols products
 * in blocks; the block of I and the matrix are what is allocated. Throws MemoryError before it is; what the operator
 * throws.
 */
export function toDense(operator: LinearOperator): Matrix<Float64Array> {
  requireOperator(operator, 'toDense');
  const { rows, cols } = operator;
  requireMemory(bytesWrittenOut(operator), availableMemory(), {
    what: `All entries of a ${rows} × ${cols} operator need`,
    advice: 'multiply with the vectors that are wanted instead (apply).',
  });
  const dense = zeros(rows, cols);
  const products = unitProducts(operator, dense);
  while (products.next().done !== true);
  return dense;
}
