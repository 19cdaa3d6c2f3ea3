/**
 * Blocks whose transposes have the same bits.
 * A matrix product may round an entry differently in a block and in its transpose. Where the lexicographically smaller
 * list of indices is always taken as the rows, and a block on the diagonal is mirrored, K(I, J) and K(J, I)ᵀ are one
 * computation.
 */
import type { Indices } from '../core/indices.js';
import { mirrorLower, view, type Matrix } from '../dense/matrix.js';

/** Fills blocks so that a block and its transpose have the same bits. */
export class SymmetricBlocks {
  readonly #compute: (rows: Indices, cols: Indices, out: Matrix) => void;
  /** A block on its way to its transpose; grown as needed. */
  #turned: Float64Array = new Float64Array(0);

  /** `compute` fills any block; it must be pure. */
  constructor(compute: (rows: Indices, cols: Indices, out: Matrix) => void) {
    this.#compute = compute;
  }

  /** out ← K(rows, cols). */
  fill(rows: Indices, cols: Indices, out: Matrix): void {
    const order = compare(rows, cols);
    if (order <= 0) {
      this.#compute(rows, cols, out);
      if (order === 0) mirrorLower(out);
      return;
    }
    if (this.#turned.length < rows.length * cols.length) this.#turned = new Float64Array(rows.length * cols.length);
    const turned = view(this.#turned, 0, cols.length, rows.length);
    this.#compute(cols, rows, turned);
    transpose(turned, out);
  }
}

/** Lexicographic order of two lists of indices. */
function compare(a: Indices, b: Indices): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

/** out ← aᵀ, by blocks of rows that stay in the cache. */
function transpose(a: Matrix, out: Matrix): void {
  const x = a.data as Float64Array;
  const y = out.data as Float64Array;
  for (let first = 0; first < a.rows; first += 16) {
    const last = Math.min(a.rows, first + 16);
    for (let j = 0; j < a.cols; j++)
      for (let i = first; i < last; i++) y[out.offset + j + i * out.ld] = x[a.offset + i + j * a.ld];
  }
}
