/**
 * A launch on the team: a task for each target of block rows, whose sum runs over its terms in order, so that every
 * team size gives the same bits.
 */
import type { FloatArray } from '../../core/floats.js';
import { view } from '../../dense/matrix.js';
import { multiplyRows } from '../../dense/row-products.js';
import { defineTask } from '../../parallel/task.js';
import type { BlockRows } from '../block-rows.js';

/** Block rows and their operands, all over shared memory. */
export interface LaunchState {
  readonly rows: BlockRows;
  readonly values: FloatArray;
  readonly vectors: FloatArray;
}

/** Numbers of a row. */
export interface LaunchArguments {
  readonly width: number;
}

/** V(b) ← keep·V(b) + V(starts of b). */
function begin({ rows, vectors }: LaunchState, b: number, width: number): void {
  const at = rows.startBegin[b];
  const first = rows.first[b] * width;
  if (!rows.keep) vectors.fill(0, first, first + rows.count[b] * width);
  if (at < 0) return;
  for (let i = 0, to = first; i < rows.count[b]; i++, to += width) {
    const from = rows.starts[at + i] * width;
    if (from >= 0) for (let q = 0; q < width; q++) vectors[to + q] += vectors[from + q];
  }
}

/** Task b of a launch: its target. */
export const multiplyBlockRows = defineTask<LaunchState, LaunchArguments>(
  import.meta.url,
  'multiplyBlockRows',
  (state, { blas }) => {
    const { rows, values, vectors } = state;
    const { alpha = 1 } = rows;
    return (b, { width }) => {
      begin(state, b, width);
      const count = rows.count[b];
      // Rows of vectors are the columns of a column-major width × count matrix: blocks multiply it from the right.
      const target = view(vectors, rows.first[b] * width, width, count);
      for (let t = rows.termBegin[b]; t < rows.termBegin[b + 1]; t++) {
        const k = rows.terms[t];
        const transposed = rows.transposed[t] === 1;
        const block = transposed
          ? view(values, rows.offset[t], k, count, rows.ld[t])
          : view(values, rows.offset[t], count, k, rows.ld[t]);
        const source = view(vectors, rows.source[t] * width, width, k);
        multiplyRows(blas, alpha, source, transposed ? 'N' : 'T', block, 1, target);
      }
    };
  },
);
