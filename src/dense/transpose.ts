/**
 * Transposes, tile by tile: both sides of a tile stay in cache.
 */
import { precisionOf } from '../core/floats.js';
import { asVectors, zeros, type Matrix } from './matrix.js';

/** Rows and columns of a tile: 32 × 32 numbers of float64 are 8 kB. */
const TILE = 32;

/** out ← aᵀ; out is a.cols × a.rows and shares no memory with a, precisions may differ. Shapes are taken on trust. */
export function transposeInto(out: Matrix, a: Matrix): void {
  const { rows, cols } = a;
  const x = a.data;
  const y = out.data;
  for (let j0 = 0; j0 < cols; j0 += TILE) {
    const j1 = Math.min(cols, j0 + TILE);
    for (let i0 = 0; i0 < rows; i0 += TILE) {
      const i1 = Math.min(rows, i0 + TILE);
      for (let i = i0; i < i1; i++) {
        const to = out.offset + i * out.ld;
        for (let j = j0, from = a.offset + i + j0 * a.ld; j < j1; j++, from += a.ld) y[to + j] = x[from];
      }
    }
  }
}

/**
 * Aᵀ in memory of its own, of A's precision: samples that are rows become the columns that the library takes. rows·cols
 * numbers are read and written. Throws ShapeError for what is no matrix.
 */
export function transpose(matrix: Matrix): Matrix {
  const a = asVectors(matrix, 'matrix');
  const out = zeros(a.cols, a.rows, precisionOf(a.data));
  transposeInto(out, a);
  return out;
}
