/**
 * An operator written out as a matrix.
 */
import { requireMemory } from '../core/memory.js';
import { view, zeros, type Matrix } from '../dense/matrix.js';
import { availableMemory } from '../io/machine.js';
import { CHUNK } from './block-workspace.js';
import type { LinearOperator } from './linear-operator.js';
import { requireOperator } from './self-check.js';

/**
 * All entries of A, rows × cols, by products with the columns of I: for small operators and tests. Cost: cols products
 * in blocks; the block of I and the matrix are what is allocated. Throws MemoryError before it is; what the operator
 * throws.
 */
export function toDense(operator: LinearOperator): Matrix {
  requireOperator(operator, 'toDense');
  const { rows, cols } = operator;
  const width = Math.min(CHUNK, cols);
  requireMemory(8 * (rows * cols + cols * width), availableMemory(), {
    what: `All entries of a ${rows} × ${cols} operator need`,
    advice: 'multiply with the vectors that are wanted instead (apply).',
  });
  const identity = zeros(cols, width);
  const dense = zeros(rows, cols);
  for (let first = 0; first < cols; first += width) {
    const p = Math.min(width, cols - first);
    for (let j = 0; j < p; j++) identity.data[first + j + j * cols] = 1;
    operator.applyUnchecked(view(dense.data, first * rows, rows, p), view(identity.data, 0, cols, p), 1, 0);
    for (let j = 0; j < p; j++) identity.data[first + j + j * cols] = 0;
  }
  return dense;
}
