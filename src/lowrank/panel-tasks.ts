/**
 * The tasks of tall-and-skinny products: N × k panels cut at boundaries that depend on their shapes alone.
 * So a result has the same bits whoever does the tasks, and however many share them.
 */
import { RandomStream } from '../core/random.js';
import type { Blas, Triangle } from '../dense/blas.js';
import { block, view, type Matrix } from '../dense/matrix.js';
import { defineTask } from '../parallel/task.js';

/**
 * Rows of a task of `multiply` and `solve`: with k up to 2,000 columns it is large enough for gemm, and small enough to
 * share out.
 */
export const PANEL_ROWS = 2048;
/** Columns of a tile of AᵀB. */
export const TILE = 128;

const rowsOf = (a: Matrix, task: number): Matrix => {
  const first = task * PANEL_ROWS;
  return block(a, first, 0, Math.min(PANEL_ROWS, a.rows - first), a.cols);
};

const columnOf = (a: Matrix): Matrix => view(a.data, a.offset, a.rows, 1);

/** Tiles of C = AᵀB, each split into `chunks` of `chunkRows` rows; partial sums stand one after another. */
export interface CrossArguments {
  /** A (N × k), B (N × l); the partial sums are chunks·k × l. */
  readonly a: Matrix;
  readonly b: Matrix;
  readonly partial: Matrix;
  readonly chunkRows: number;
  /** Row and column of each tile to form, in tiles. */
  readonly tiles: Int32Array;
}

/** Partial sum number ⌊task/tiles⌋ of one tile of AᵀB, overwritten. 2·chunkRows·TILE² flops. */
export function crossTask(blas: Blas, task: number, { a, b, partial, chunkRows, tiles }: CrossArguments): void {
  const count = tiles.length / 2;
  const chunk = Math.floor(task / count);
  const row = tiles[2 * (task % count)] * TILE;
  const col = tiles[2 * (task % count) + 1] * TILE;
  const first = chunk * chunkRows;
  const rows = Math.min(chunkRows, a.rows - first);
  const as = block(a, first, row, rows, Math.min(TILE, a.cols - row));
  const bs = block(b, first, col, rows, Math.min(TILE, b.cols - col));
  const c = block(partial, chunk * a.cols + row, col, as.cols, bs.cols);
  if (b.cols === 1) blas.gemv('T', 1, as, columnOf(bs), 0, columnOf(c));
  else blas.gemm('T', 'N', 1, as, bs, 0, c);
}

/** C ← α·A·B + β·C. */
export interface MultiplyArguments {
  readonly a: Matrix;
  readonly b: Matrix;
  readonly c: Matrix;
  readonly alpha: number;
  readonly beta: number;
}

/** The task's PANEL_ROWS rows of C ← α·A·B + β·C, in place. */
export function multiplyTask(blas: Blas, task: number, { a, b, c, alpha, beta }: MultiplyArguments): void {
  if (b.cols === 1) blas.gemv('N', alpha, rowsOf(a, task), columnOf(b), beta, columnOf(rowsOf(c, task)));
  else blas.gemm('N', 'N', alpha, rowsOf(a, task), b, beta, rowsOf(c, task));
}

/** Y ← Y·R⁻¹. */
export interface SolveArguments {
  readonly y: Matrix;
  readonly r: Matrix;
  readonly triangle: Triangle;
}

/** The task's PANEL_ROWS rows of Y ← Y·R⁻¹, in place. */
export function solveTask(blas: Blas, task: number, { y, r, triangle }: SolveArguments): void {
  blas.trsm('R', triangle, 'N', 'N', 1, r, rowsOf(y, task));
}

/** Column j of the panel ← standard normal numbers of the stream (seed, stream, firstColumn + j). */
export interface NormalArguments {
  readonly panel: Matrix;
  readonly seed: number;
  readonly stream: number;
  readonly firstColumn: number;
}

/** Column `task` of the panel ← standard normal numbers, from a stream of its own. */
export function normalTask(_: Blas, task: number, { panel, seed, stream, firstColumn }: NormalArguments): void {
  const begin = panel.offset + task * panel.ld;
  new RandomStream(seed, stream, firstColumn + task).fillNormal(panel.data.subarray(begin, begin + panel.rows));
}

/** {@link crossTask} on a team. */
export const crossPhase = defineTask<null, CrossArguments>(
  import.meta.url,
  'crossPhase',
  (_, { blas }) =>
    (task, args) => {
      crossTask(blas, task, args);
    },
);
/** {@link multiplyTask} on a team. */
export const multiplyPhase = defineTask<null, MultiplyArguments>(
  import.meta.url,
  'multiplyPhase',
  (_, { blas }) =>
    (task, args) => {
      multiplyTask(blas, task, args);
    },
);
/** {@link solveTask} on a team. */
export const solvePhase = defineTask<null, SolveArguments>(
  import.meta.url,
  'solvePhase',
  (_, { blas }) =>
    (task, args) => {
      solveTask(blas, task, args);
    },
);
/** {@link normalTask} on a team. */
export const normalPhase = defineTask<null, NormalArguments>(
  import.meta.url,
  'normalPhase',
  (_, { blas }) =>
    (task, args) => {
      normalTask(blas, task, args);
    },
);
