/**
 * gemm and syrk on callers' matrices.
 * Tiles of C of at most EDGE × EDGE are staged in the arena with the tiles of A and B they need, which bounds the
 * memory whatever the sizes; the product itself is the packed kernel of `assembly/gemm.ts`.
 */
import type { Transpose, Triangle } from '../blas.js';
import { block } from '../matrix.js';
import type { Matrix } from '../matrix.js';
import { scaleTriangle, scaleView } from '../shapes.js';
import { blank, fetch, fetchTriangle, openStage, put, reserve, room } from './staging.js';
import type { Stage, Staged } from './staging.js';
import { ALL, LOWER, UPPER } from './wasm.js';
import { gemv } from './gemv.js';

/** Largest side of a staged tile. */
export const EDGE = 512;

/** The side of the tiles that n falls into: equal shares, in whole register tiles. */
export function share(n: number, edge: number = EDGE): number {
  return n <= edge ? n : (Math.ceil(n / Math.ceil(n / edge)) + 7) & ~7;
}

/** Rows [row, row + rows) and columns [col, col + cols) of op(A), as a view of A. */
export function blockOf(trans: Transpose, a: Matrix, row: number, col: number, rows: number, cols: number): Matrix {
  return trans === 'N' ? block(a, row, col, rows, cols) : block(a, col, row, cols, rows);
}

/** C ← α·op(A)·op(B) + β·C, arguments checked. */
export function gemm(
  transA: Transpose,
  transB: Transpose,
  alpha: number,
  a: Matrix,
  b: Matrix,
  beta: number,
  c: Matrix,
): void {
  const m = c.rows;
  const n = c.cols;
  const k = transA === 'N' ? a.cols : a.rows;
  if (m === 0 || n === 0) return;
  if (k === 0 || alpha === 0) {
    scaleView(c, beta);
    return;
  }
  if (n === 1 && transB === 'N') {
    gemv(transA, alpha, a, b, beta, c);
    return;
  }
  const stage = openStage(c.data);
  const mt = share(m);
  const nt = share(n);
  const kt = share(k);
  for (let j = 0; j < n; j += nt) {
    const cols = Math.min(nt, n - j);
    for (let i = 0; i < m; i += mt) {
      const rows = Math.min(mt, m - i);
      const tile = block(c, i, j, rows, cols);
      let staged: Staged | undefined;
      for (let p = 0; p < k; p += kt) {
        const depth = Math.min(kt, k - p);
        const left = blockOf(transA, a, i, p, rows, depth);
        const right = blockOf(transB, b, p, j, depth, cols);
        reserve(stage, room(tile) + room(left) + room(right));
        staged = p > 0 || beta === 0 ? blankLike(stage, tile, staged) : put(stage, tile);
        const x = put(stage, left);
        const y = put(stage, right);
        stage.routines.gemm(
          transA === 'T' ? 1 : 0,
          transB === 'T' ? 1 : 0,
          rows,
          cols,
          depth,
          alpha,
          x.at,
          x.ld,
          y.at,
          y.ld,
          p === 0 ? beta : 1,
          staged.at,
          staged.ld,
          ALL,
        );
      }
      fetch(stage, staged!, tile);
    }
  }
}

/**
 * The place of a tile: again where it was after the arena was emptied around it (it always comes first), or a new one.
 */
function blankLike(stage: Stage, tile: Matrix, before: Staged | undefined): Staged {
  if (before === undefined) return blank(stage, tile.rows, tile.cols);
  stage.wasm.take(before.ld * tile.cols * stage.width);
  return before;
}

/** C ← α·A·Aᵀ + β·C or α·Aᵀ·A + β·C on one triangle of C, arguments checked. */
export function syrk(uplo: Triangle, trans: Transpose, alpha: number, a: Matrix, beta: number, c: Matrix): void {
  const n = c.rows;
  const k = trans === 'N' ? a.cols : a.rows;
  if (n === 0) return;
  if (k === 0 || alpha === 0) {
    scaleTriangle(uplo, c, beta);
    return;
  }
  const nt = share(n);
  for (let j = 0; j < n; j += nt) {
    const cols = Math.min(nt, n - j);
    syrkTile(uplo, trans, alpha, blockOf(trans, a, j, 0, cols, k), beta, block(c, j, j, cols, cols));
    const right = blockOf(trans, a, j, 0, cols, k);
    const first = uplo === 'L' ? j + cols : 0;
    const rows = uplo === 'L' ? n - j - cols : j;
    if (rows > 0)
      gemm(
        trans,
        trans === 'N' ? 'T' : 'N',
        alpha,
        blockOf(trans, a, first, 0, rows, k),
        right,
        beta,
        block(c, first, j, rows, cols),
      );
  }
}

function syrkTile(uplo: Triangle, trans: Transpose, alpha: number, a: Matrix, beta: number, c: Matrix): void {
  const n = c.rows;
  const k = trans === 'N' ? a.cols : a.rows;
  const kt = share(k);
  const stage = openStage(c.data);
  const transA = trans === 'T' ? 1 : 0;
  let staged: Staged | undefined;
  for (let p = 0; p < k; p += kt) {
    const depth = Math.min(kt, k - p);
    const part = blockOf(trans, a, 0, p, n, depth);
    reserve(stage, room(c) + room(part));
    staged = p > 0 || beta === 0 ? blankLike(stage, c, staged) : put(stage, c);
    const x = put(stage, part);
    stage.routines.gemm(
      transA,
      transA === 1 ? 0 : 1,
      n,
      n,
      depth,
      alpha,
      x.at,
      x.ld,
      x.at,
      x.ld,
      p === 0 ? beta : 1,
      staged.at,
      staged.ld,
      uplo === 'L' ? LOWER : UPPER,
    );
  }
  fetchTriangle(stage, staged!, uplo, c);
}
