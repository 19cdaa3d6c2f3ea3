/**
 * Products of blocks of vectors, N × k each, over rows that ranks may share: inner products of several pairs in one
 * reduction, and combinations of columns. Work goes run by run of rows (a leaf, where rows are shared), so that the
 * last bits of BLAS do not depend on which rows stand together on a rank. For that, combinations of 32 columns take up
 * to 1.7 times as long in leaves of 256 rows as in one piece (OpenBLAS; of 16 columns as long, inner products too).
 */
import type { Blas } from '../dense/blas.js';
import { block, copyInto, view, type Matrix } from '../dense/matrix.js';
import type { RowKernel, VectorRows } from '../operator/row-share.js';
import { dot } from './vector.js';

/** Sums over all rows that are asked for together: each is written to `out`. */
export type TallSums =
  /** AᵀB, cols(A) × cols(B). */
  | { readonly kind: 'products'; readonly a: Matrix; readonly b: Matrix; readonly out: Matrix }
  /** a_jᵀb_j for the first `count` columns. */
  | {
      readonly kind: 'columns';
      readonly a: Matrix;
      readonly b: Matrix;
      readonly count: number;
      readonly out: Float64Array;
    };

const rowsOf = (a: Matrix, begin: number, end: number): Matrix => block(a, begin, 0, end - begin, a.cols);
const sumsOf = (one: TallSums): number => (one.kind === 'products' ? one.a.cols * one.b.cols : one.count);

/** The numbers of column j of a float64 block. */
export function columnOf({ data, offset, ld, rows }: Matrix, j: number): Float64Array {
  const first = offset + j * ld;
  return data.subarray(first, first + rows) as Float64Array;
}

/** Products over the rows of one solver. */
export class TallBlocks {
  readonly rows: VectorRows;
  readonly #blas: Blas;
  #found = new Float64Array(0);

  constructor(rows: VectorRows, blas: Blas) {
    this.rows = rows;
    this.#blas = blas;
  }

  /** All of these sums by one reduction. Collective. */
  sums(...wanted: readonly TallSums[]): void {
    const count = wanted.reduce((total, one) => total + sumsOf(one), 0);
    if (this.#found.length < count) this.#found = new Float64Array(count);
    const parts = wanted.map((one) => this.#partOf(one));
    const kernel: RowKernel = (begin, end, out, at) => {
      let to = at;
      parts.forEach((part, k) => {
        part(begin, end, out, to);
        to += sumsOf(wanted[k]);
      });
    };
    this.rows.sums(count, kernel, this.#found);
    let from = 0;
    for (const one of wanted) {
      if (one.kind === 'columns') one.out.set(this.#found.subarray(from, from + one.count));
      else copyInto(one.out, view(this.#found, from, one.a.cols, one.b.cols));
      from += sumsOf(one);
    }
  }

  /** What sums up a run of rows. Views of columns are made once, not for each run. */
  #partOf(one: TallSums): RowKernel {
    if (one.kind === 'columns') {
      const pairs = Array.from({ length: one.count }, (_, j) => [columnOf(one.a, j), columnOf(one.b, j)] as const);
      return (begin, end, out, at) => {
        for (let j = 0; j < pairs.length; j++) out[at + j] = dot(pairs[j][0], pairs[j][1], begin, end);
      };
    }
    return (begin, end, out, at) => {
      const [a, b] = [rowsOf(one.a, begin, end), rowsOf(one.b, begin, end)];
      if (b.cols === 1) this.#blas.gemv('T', 1, a, b, 0, view(out, at, a.cols, 1));
      else this.#blas.gemm('T', 'N', 1, a, b, 0, view(out, at, a.cols, b.cols));
    };
  }

  /** ‖a_j‖₂ of the first `count` columns. Collective. */
  norms(a: Matrix, count: number, out: Float64Array): void {
    this.sums({ kind: 'columns', a, b: a, count, out });
    for (let j = 0; j < count; j++) out[j] = Math.sqrt(out[j]);
  }

  /** B ← α·A·S + β·B, S small. */
  combine(alpha: number, a: Matrix, s: Matrix, beta: number, b: Matrix): void {
    this.rows.eachRun((begin, end) => {
      const [rows, to] = [rowsOf(a, begin, end), rowsOf(b, begin, end)];
      if (b.cols === 1) this.#blas.gemv('N', alpha, rows, s, beta, to);
      else this.#blas.gemm('N', 'N', alpha, rows, s, beta, to);
    });
  }

  /** A ← A·L⁻ᵀ, L lower triangular and small. */
  solveRight(l: Matrix, a: Matrix): void {
    this.rows.eachRun((begin, end) => {
      this.#blas.trsm('R', 'L', 'T', 'N', 1, l, rowsOf(a, begin, end));
    });
  }
}
