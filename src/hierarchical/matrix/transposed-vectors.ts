/**
 * Blocks of vectors as products and solves hold them inside: transposed, p × N, the p values of an index contiguous.
 */
import type { FloatArray, Matrix } from '../../dense/matrix.js';

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

/** to (p × n, contiguous) ← columns order[first] … order[first + n − 1] of from (p × N, the caller's order). */
export function gatherColumns(
  { data: to, offset, rows: p, cols }: Matrix,
  from: FloatArray,
  order: Int32Array,
  first: number,
): void {
  for (let position = first, at = offset; position < first + cols; position++) {
    const begin = order[position] * p;
    for (let q = begin; q < begin + p; q++) to[at++] = from[q];
  }
}

/** Columns order[first] … order[first + n − 1] of to (p × N, the caller's order) ← from (p × n, contiguous). */
export function scatterColumns(
  to: FloatArray,
  { data: from, offset, rows: p, cols }: Matrix,
  order: Int32Array,
  first: number,
): void {
  for (let position = first, at = offset; position < first + cols; position++) {
    const begin = order[position] * p;
    for (let q = begin; q < begin + p; q++) to[q] = from[at++];
  }
}
