/**
 * Block products and gathers on the team: a task is a panel of a target's columns, or a piece.
 */
import type { Blas } from '../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import { PIECE_WORDS } from '../work/gathers.js';
import { PRODUCT_TARGET_WORDS, PRODUCT_TERM_WORDS } from '../work/products.js';
import { PANEL_COLUMNS, type KernelArguments, type KernelState } from './kernel-state.js';

/** Of block products. */
export interface ProductSettings {
  readonly alpha: number;
  readonly beta: number;
}

/** Rows first … of a block whose entries stand in columns, or in rows where it is transposed. */
function part(
  data: FloatArray,
  [offset, ld, transposed]: ArrayLike<number> & Iterable<number>,
  at: { readonly row: number; readonly column: number; readonly rows: number; readonly columns: number },
): Matrix {
  const { row, column, rows, columns } = at;
  return transposed === 1
    ? view(data, offset + column + row * ld, columns, rows, ld)
    : view(data, offset + row + column * ld, rows, columns, ld);
}

/** c ← β·c. */
function scale(c: Matrix, beta: number): void {
  if (beta === 1) return;
  for (let j = 0; j < c.cols; j++) {
    const first = c.offset + j * c.ld;
    for (let i = first; i < first + c.rows; i++) c.data[i] = beta === 0 ? 0 : beta * c.data[i];
  }
}

/** Task t: a panel of the columns of C_i. */
export const multiplyBlocks = defineTask<KernelState<ProductSettings>, KernelArguments>(
  import.meta.url,
  'multiplyBlocks',
  ({ lists, tasks, operands, settings: { alpha, beta } }, { blas }) =>
    (task) => {
      const [record, first] = tasks.subarray(2 * task, 2 * task + 2);
      const words = lists['targets'].subarray(PRODUCT_TARGET_WORDS * record, PRODUCT_TARGET_WORDS * (record + 1));
      const [, , transposed, allRows, allColumns, lower, begin, end] = words;
      const row = lower === 1 ? first : 0;
      const [rows, columns] = [allRows - row, Math.min(PANEL_COLUMNS, allColumns - first)];
      if (rows <= 0) return;
      const c = part(operands['c'], words, { row, column: first, rows, columns });
      if (begin === end) scale(c, beta);
      for (let t = begin; t < end; t++) {
        const term = lists['terms'].subarray(PRODUCT_TERM_WORDS * t, PRODUCT_TERM_WORDS * (t + 1));
        const depth = term[6];
        const a = part(operands['a'], term, { row, column: 0, rows, columns: depth });
        const b = part(operands['b'], term.subarray(3), { row: 0, column: first, rows: depth, columns });
        const kept = t === begin ? beta : 1;
        multiply(blas, { alpha, beta: kept, transposed: transposed === 1 }, [a, term[2] === 1], [b, term[5] === 1], c);
      }
    },
);

/** C ← β·C + α·op(A)·op(B); where C is transposed, what stands there is Cᵀ = op(B)ᵀ·op(A)ᵀ. */
function multiply(
  blas: Blas,
  { alpha, beta, transposed }: ProductSettings & { readonly transposed: boolean },
  [a, turnedA]: readonly [Matrix, boolean],
  [b, turnedB]: readonly [Matrix, boolean],
  c: Matrix,
): void {
  const trans = (turned: boolean): 'N' | 'T' => (turned ? 'T' : 'N');
  if (transposed) blas.gemm(trans(!turnedB), trans(!turnedA), alpha, b, a, beta, c);
  else blas.gemm(trans(turnedA), trans(turnedB), alpha, a, b, beta, c);
}

/** Of gathers. */
export interface GatherSettings {
  readonly alpha: number;
  readonly keep: boolean;
}

/** Task t: a piece. */
export const gatherPieces = defineTask<KernelState<GatherSettings>, KernelArguments>(
  import.meta.url,
  'gatherPieces',
  ({ lists: { pieces, offsets }, operands: { from, to }, settings: { alpha, keep } }) =>
    (piece) => {
      const [rows, columns, target, r, c, source, ρ, γ] = pieces.subarray(
        PIECE_WORDS * piece,
        PIECE_WORDS * (piece + 1),
      );
      for (let j = 0; j < columns; j++) {
        const [tj, sj] = [target + offsets[c + j], source + offsets[γ + j]];
        for (let i = 0; i < rows; i++) {
          const at = tj + offsets[r + i];
          const value = alpha * from[sj + offsets[ρ + i]];
          to[at] = keep ? to[at] + value : value;
        }
      }
    },
);
