/**
 * gemv and symv on callers' matrices.
 * Memory-bound: A goes through the arena in strips that stay in the cache between the copy and the product.
 */
import type { Transpose, Triangle } from '../blas.js';
import { block } from '../matrix.js';
import type { Matrix } from '../matrix.js';
import { openStage, put, reserve } from './staging.js';
import type { Stage } from './staging.js';

/** Numbers in a strip of A: 128 KiB in float64. */
const STRIP = 16384;
/** Columns of a strip of a symmetric matrix. */
const SYMMETRIC_STRIP = 32;

/** y ← α·op(A)·x + β·y, arguments checked. */
export function gemv(transA: Transpose, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void {
  const m = a.rows;
  const n = a.cols;
  const stage = openStage(a.data);
  const cols = Math.max(4, Math.floor(STRIP / Math.max(1, m)) & ~3);
  const strip = Math.min(n, cols);
  reserve(stage, m + n + strip * Math.max(m, a.ld <= 2 * m ? a.ld : m) + 96);
  const input = put(stage, x).at;
  const result = cleared(stage, y.rows);
  if (m > 0 && alpha !== 0) {
    const { routines, width } = stage;
    const free = stage.wasm.mark();
    for (let j = 0; j < n; j += cols) {
      const part = block(a, 0, j, m, Math.min(cols, n - j));
      stage.wasm.rewind(free);
      const staged = put(stage, part);
      if (transA === 'N') routines.gemvN(m, part.cols, alpha, staged.at, staged.ld, input + j * width, result);
      else routines.gemvT(m, part.cols, alpha, staged.at, staged.ld, input, result + j * width);
    }
  }
  addTo(stage, result, beta, y);
}

/** y ← α·A·x + β·y with one triangle of A, arguments checked. */
export function symv(uplo: Triangle, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void {
  const n = a.rows;
  const stage = openStage(a.data);
  reserve(stage, 3 * n + SYMMETRIC_STRIP * (Math.max(n, a.ld <= 2 * n ? a.ld : n) + SYMMETRIC_STRIP) + 128);
  const input = put(stage, x).at;
  const result = cleared(stage, n);
  if (alpha !== 0) {
    const { routines, width, wasm } = stage;
    const partial = wasm.take(SYMMETRIC_STRIP * width);
    const heap = width === 8 ? wasm.heap64 : wasm.heap32;
    const free = wasm.mark();
    for (let j = 0; j < n; j += SYMMETRIC_STRIP) {
      const cols = Math.min(SYMMETRIC_STRIP, n - j);
      // The strip from the diagonal down, or from the top to the diagonal, has the diagonal block at one end.
      const first = uplo === 'L' ? j : 0;
      const rows = uplo === 'L' ? n - j : j + cols;
      wasm.rewind(free);
      const staged = put(stage, block(a, first, j, rows, cols));
      const diagonal = staged.at + (j - first) * width;
      routines.mirror(uplo === 'U' ? 1 : 0, cols, diagonal, staged.ld);
      // All rows of the strip times x(J), then the rows off the diagonal, transposed.
      routines.gemvN(rows, cols, alpha, staged.at, staged.ld, input + j * width, result + first * width);
      const others = rows - cols;
      if (others > 0) {
        const top = uplo === 'L' ? cols : 0;
        routines.gemvT(others, cols, alpha, staged.at + top * width, staged.ld, input + (first + top) * width, partial);
        for (let i = 0; i < cols; i++) heap[result / width + j + i] += heap[partial / width + i];
      }
    }
  }
  addTo(stage, result, beta, y);
}

/** Zeros in the arena. */
function cleared(stage: Stage, count: number): number {
  const { wasm, width } = stage;
  const at = wasm.take(count * width);
  if (width === 8) wasm.heap64.fill(0, at / 8, at / 8 + count);
  else wasm.heap32.fill(0, at / 4, at / 4 + count);
  return at;
}

/** y ← result + β·y; with β = 0, y is not read. */
function addTo(stage: Stage, result: number, beta: number, y: Matrix): void {
  const heap = stage.width === 8 ? stage.wasm.heap64 : stage.wasm.heap32;
  const first = result / stage.width;
  const { data, offset, rows } = y;
  if (beta === 0) data.set(heap.subarray(first, first + rows), offset);
  else for (let i = 0; i < rows; i++) data[offset + i] = heap[first + i] + beta * data[offset + i];
}
