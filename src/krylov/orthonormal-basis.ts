/**
 * An orthonormal basis that grows by one vector at a time.
 * Classical Gram–Schmidt by gemv, repeated while a pass still shortens the vector: one repetition suffices unless the
 * vector lies in the space already (B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, section 6.9, "twice is
 * enough"). Columns are kept in float64, with all rows or own rows of ranks (tall-blocks.ts).
 */
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, view, zeros, type Matrix } from '../dense/matrix.js';
import type { VectorRows } from '../operator/row-share.js';
import { columnOf, TallBlocks } from './tall-blocks.js';
import { normOver } from './whole-rows.js';

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

/** Purpose of random directions; each has a stream of its own. */
const STREAM = 0x1a2c05;

/** Orthonormal columns V (rows × capacity), appended and projected on one vector at a time; 8·rows·capacity bytes. */
export class OrthonormalBasis {
  readonly rows: number;
  readonly capacity: number;
  readonly #share: VectorRows;
  readonly #seed: number;
  readonly #columns: Matrix;
  readonly #blas: Blas;
  readonly #tall: TallBlocks;
  readonly #pass: Matrix;
  #drawn = 0;
  #rotated: { source: Matrix; result: Matrix } | undefined;

  /** Of columns with the rows of `share`; random ones are of that seed. */
  constructor(share: VectorRows, capacity: number, blas: Blas, seed: number) {
    this.rows = share.rows;
    this.capacity = capacity;
    this.#share = share;
    this.#seed = seed;
    this.#columns = view(sharedFloat64(this.rows * capacity), 0, this.rows, capacity);
    this.#blas = blas;
    this.#tall = new TallBlocks(share, blas);
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
    this.#tall.sums({ kind: 'products', a: v, b: w, out: h });
    this.#tall.combine(-1, v, h, 1, w);
    return h;
  }

  /** ‖w‖₂. */
  length(w: Matrix): number {
    return normOver(this.#share, columnOf(w, 0));
  }

  /**
   * Makes w orthogonal to the first `count` columns to working precision; returns what is left of its length, and the
   * coefficient of the last of them.
   */
  orthogonalize(w: Matrix, count: number): { readonly length: number; readonly last: number } {
    let before = this.length(w);
    let last = 0;
    for (let pass = 0; pass < MOST_PASSES && before > 0 && Number.isFinite(before); pass++) {
      last += this.project(w, 0, count).data[count - 1];
      const after = this.length(w);
      const done = after >= KEPT_SHARE * before;
      before = after;
      if (done) break;
    }
    return { length: before, last };
  }

  /** Column `count` becomes a random unit vector orthogonal to the columns before it (count < rows). */
  appendRandom(count: number): void {
    const w = this.column(count);
    for (;;) {
      this.#share.fillNormal(columnOf(w, 0), this.#seed, STREAM + this.#drawn++);
      divide(w, this.length(w));
      const { length } = count === 0 ? { length: 1 } : this.orthogonalize(w, count);
      // In a nearly full space little of a random vector is left over; what is left is still orthogonal, unless it is
      // rounding alone.
      if (length > this.#share.size * Number.EPSILON) {
        divide(w, this.length(w));
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
    const rotated = this.#rotated;
    this.#share.eachRun((begin, end) => {
      for (let row = begin; row < end; row += ROWS) this.#rotateRows(row, Math.min(ROWS, end - row), s, used, rotated);
    });
    copyInto(this.column(s.cols), this.column(next));
  }

  #rotateRows(
    row: number,
    count: number,
    s: Matrix,
    used: number,
    rotated: { readonly source: Matrix; readonly result: Matrix },
  ): void {
    const source = view(rotated.source.data, 0, count, used);
    const result = view(rotated.result.data, 0, count, s.cols);
    copyInto(source, block(this.#columns, row, 0, count, used));
    this.#blas.gemm('N', 'N', 1, source, s, 0, result);
    copyInto(block(this.#columns, row, 0, count, s.cols), result);
  }
}
