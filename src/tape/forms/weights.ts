/**
 * Rows of a weight matrix that a form does not use: biases, the last row of a layer's weights.
 */
import type { Node } from '../node.js';
import type { Machine } from '../primitive.js';
import { rowsOf } from '../shape.js';

/** Rows of w from `first` on ← 0. */
export function clearBeyond(machine: Pick<Machine, 'heap' | 'at'>, w: Node, first: number): void {
  const rows = rowsOf(w.shape);
  if (first === rows) return;
  const begin = machine.at(w);
  const { heap } = machine;
  for (let j = 0; j < w.shape.dims[1]; j++)
    for (let k = begin + j * rows + first; k < begin + (j + 1) * rows; k++) heap[k] = 0;
}
