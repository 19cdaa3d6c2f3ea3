/**
 * An orthonormal basis that grows by one vector at a time.
 * Classical Gram–Schmidt by gemv, repeated while a pass still shortens the vector: one repetition suffices unless the
 * vector lies in the space already (B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, section 6.9, "twice is
 * enough"). Columns are kept in float64.
 */
import type { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, view, zeros, type Matrix } from '../dense/matrix.js';
import { norm } from '../dense/norm.js';

/** A pass that leaves at least this share of the length has lost nothing to cancellation. */
const KEPT_SHARE = Math.SQRT1_2;
const MOST_PASSES = 5;
/** Rows that are rotated at a time. */
const ROWS = 2048;

/** x ← x/length, where 1/length may be beyond the range. */
export function divide(x: Matrix, length: number): void {
  const end = x.offset + x.rows;
  for (let i = x.offset; i < end; i++) x.data[i] /= length;
}

/** Orthonormal columns V (rows × capacity), appended and projected on one vector at a time; 8·rows·capacity bytes. */
export class OrthonormalBasis {
  readonly rows: number;
  readonly capacity: number;
  readonly #columns: Matrix;
  readonly #blas: Blas;
  readonly #pass: Matrix;
  #rotated: { source: Matrix; result: Matrix } | undefined;

  constructor(rows: number, capacity: number, blas: Blas) {
    this.rows = rows;
    this.capacity = capacity;
    this.#columns = view(sharedFloat64(rows * capacity), 0, rows, capacity);
    this.#blas = blas;
    this.#pass = zeros(capacity, 1);
  }

  /** A view of column j. */
  column(j: number): Matrix {
    return block(this.#columns, 0, j, this.rows, 1);
  }

  /** A view of columns first … first + count − 1. */
  columns(first: number, count: number): Matrix {
    return block(this.#columns, 0, first, this.rows, count);
  }

  /**
   * w ← w − V Vᵀw for columns first … first + count − 1, once; the coefficients Vᵀw are left in the returned column.
   */
  project(w: Matrix, first: number, count: number): Matrix {
    const v = this.columns(first, count);
    const h = view(this.#pass.data, 0, count, 1);
    this.#blas.gemv('T', 1, v, w, 0, h);
    this.#blas.gemv('N', -1, v, h, 1, w);
    return h;
  }

  /**
   * Makes w orthogonal to the first `count` columns to working precision; returns what is left of its length, and the
   * coefficient of the last of them.
   */
  orthogonalize(w: Matrix, count: number): { readonly length: number; readonly last: number } {
    let before = norm(w);
    let last = 0;
    for (let pass = 0; pass < MOST_PASSES && before > 0 && Number.isFinite(before); pass++) {
      last += this.project(w, 0, count).data[count - 1];
      const after = norm(w);
      const done = after >= KEPT_SHARE * before;
      before = after;
      if (done) break;
    }
    return { length: before, last };
  }

  /** Column `count` becomes a random unit vector orthogonal to the columns before it (count < rows). */
  appendRandom(count: number, random: RandomStream): void {
    const w = this.column(count);
    const values = w.data.subarray(w.offset, w.offset + this.rows);
    for (;;) {
      random.fillNormal(values);
      divide(w, norm(w));
      const { length } = count === 0 ? { length: 1 } : this.orthogonalize(w, count);
      // In a nearly full space little of a random vector is left over; what is left is still orthogonal, unless it is
      // rounding alone.
      if (length > this.rows * Number.EPSILON) {
        divide(w, norm(w));
        if (count > 0) divide(w, this.orthogonalize(w, count).length);
        return;
      }
    }
  }

  /**
   * The first columns ← (first `used` columns)·S in place; S is used × kept with kept ≤ used. Column `next` is moved
   * behind them.
   */
  rotate(s: Matrix, used: number, next: number): void {
    this.#rotated ??= { source: zeros(ROWS, this.capacity), result: zeros(ROWS, this.capacity) };
    for (let row = 0; row < this.rows; row += ROWS) {
      const count = Math.min(ROWS, this.rows - row);
      const source = view(this.#rotated.source.data, 0, count, used);
      const result = view(this.#rotated.result.data, 0, count, s.cols);
      copyInto(source, block(this.#columns, row, 0, count, used));
      this.#blas.gemm('N', 'N', 1, source, s, 0, result);
      copyInto(block(this.#columns, row, 0, count, s.cols), result);
    }
    copyInto(this.column(s.cols), this.column(next));
  }
}
