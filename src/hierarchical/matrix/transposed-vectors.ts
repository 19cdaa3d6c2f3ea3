/**
 * Blocks of vectors as products and solves hold them inside: transposed, p × N, the p values of an index contiguous.
 */
import type { Blas } from '../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';

/** Indices transposed by one task. */
export const PANEL = 512;
/** Rows of a tile: its transposed columns stay in the first- or second-level cache. */
const TILE = 32;

/**
 * Numbers of the tasks of a pass up and down over `nodes` nodes: their upward and downward tasks first, then the panels
 * in, the panels out, and the two joints between.
 */
export function passNumbers(
  nodes: number,
  size: number,
): {
  readonly nodes: number;
  readonly panels: number;
  readonly panelIn: number;
  readonly panelOut: number;
  readonly began: number;
  readonly ended: number;
} {
  const panels = Math.ceil(size / PANEL);
  return {
    nodes,
    panels,
    panelIn: 2 * nodes,
    panelOut: 2 * nodes + panels,
    began: 2 * nodes + 2 * panels,
    ended: 2 * nodes + 2 * panels + 1,
  };
}

/** into(:, panel) ← x(panel, :)ᵀ, the panel beginning at row `first`. */
export function transposeIn(first: number, { data, offset, cols: p, ld, rows }: Matrix, into: FloatArray): void {
  const last = Math.min(first + PANEL, rows);
  for (let row = first; row < last; row += TILE) {
    const end = Math.min(row + TILE, last);
    for (let q = 0; q < p; q++) {
      const column = offset + q * ld;
      for (let i = row, to = row * p + q; i < end; i++, to += p) into[to] = data[column + i];
    }
  }
}

/** out(panel, :) ← α·values(:, panel)ᵀ + β·out(panel, :). */
export function transposeOut(
  first: number,
  { data, offset, cols: p, ld, rows }: Matrix,
  alpha: number,
  beta: number,
  values: FloatArray,
): void {
  const last = Math.min(first + PANEL, rows);
  for (let row = first; row < last; row += TILE) {
    const end = Math.min(row + TILE, last);
    for (let q = 0; q < p; q++) {
      const column = offset + q * ld;
      if (beta === 0)
        for (let i = row, from = row * p + q; i < end; i++, from += p) data[column + i] = alpha * values[from];
      else
        for (let i = row, from = row * p + q; i < end; i++, from += p)
          data[column + i] = alpha * values[from] + beta * data[column + i];
    }
  }
}

/**
 * to (from `at` on, contiguous, p × n) ← the columns of from (p × N, the caller's order) at positions first … end of
 * the tree.
 */
export function gatherColumns(
  to: FloatArray,
  at: number,
  from: FloatArray,
  order: Int32Array,
  first: number,
  end: number,
  p: number,
): void {
  for (let position = first; position < end; position++) {
    const begin = order[position] * p;
    for (let q = begin; q < begin + p; q++) to[at++] = from[q];
  }
}

/**
 * The columns of to (p × N, the caller's order) at positions first … end of the tree ← from (from `at` on, contiguous,
 * p × n).
 */
export function scatterColumns(
  to: FloatArray,
  from: FloatArray,
  at: number,
  order: Int32Array,
  first: number,
  end: number,
  p: number,
): void {
  for (let position = first; position < end; position++) {
    const begin = order[position] * p;
    for (let q = begin; q < begin + p; q++) to[q] = from[at++];
  }
}

/** C ← α·A·op(B) + β·C over transposed vectors; one vector takes the matrix–vector path. */
export function multiplyRows(
  blas: Blas,
  alpha: number,
  a: Matrix,
  transB: 'N' | 'T',
  b: Matrix,
  beta: number,
  c: Matrix,
): void {
  if (a.rows === 1)
    blas.gemv(
      transB === 'T' ? 'N' : 'T',
      alpha,
      b,
      view(a.data, a.offset, a.cols, 1),
      beta,
      view(c.data, c.offset, c.cols, 1),
    );
  else blas.gemm('N', transB, alpha, a, b, beta, c);
}
