/**
 * Row interpolation of a basis: V = P·V(S, :) with an identity in the rows S of P.
 * S are the pivots of QR with column pivoting on Vᵀ (H. Cheng, Z. Gimbutas, P.-G. Martinsson, V. Rokhlin, SIAM J. Sci.
 * Comput. 26(4), 2005); V has full column rank, so nothing is cut off, and P's entries stay moderate.
 */
import type { Blas } from '../../dense/blas.js';
import { block, view, type Matrix } from '../../dense/matrix.js';

/** Finds S and P of one basis at a time, with scratch that is kept between bases. */
export class RowInterpolation {
  readonly #blas: Blas;
  readonly #transposed: Float64Array;
  readonly #tau: Float64Array;
  readonly #pivots: Int32Array;

  /** For bases of at most `elements` entries, `rows` rows and `rank` columns. */
  constructor(blas: Blas, elements: number, rows: number, rank: number) {
    this.#blas = blas;
    this.#transposed = new Float64Array(elements);
    this.#tau = new Float64Array(rank);
    this.#pivots = new Int32Array(rows);
  }

  /** The rows S of the last basis, in pivot order, first; then the others. */
  get pivots(): Int32Array {
    return this.#pivots;
  }

  /** V (q × k, q ≥ k, full rank) ← P; corner (k × k) ← V(S, :), both in pivot order. */
  interpolate(v: Matrix, corner: Matrix): void {
    const { rows: q, cols: k } = v;
    const t = this.#transposed;
    const data = v.data;
    for (let j = 0; j < k; j++) for (let i = 0, from = v.offset + j * v.ld; i < q; i++) t[j + i * k] = data[from + i];
    const transposed = view(t, 0, k, q);
    const pivots = this.#pivots.subarray(0, q);
    this.#blas.geqp3(transposed, pivots, this.#tau.subarray(0, k));
    for (let j = 0; j < k; j++)
      for (let i = 0; i < k; i++)
        corner.data[corner.offset + i + j * corner.ld] = data[v.offset + pivots[i] + j * v.ld];
    if (q > k) this.#blas.trsm('L', 'U', 'N', 'N', 1, block(transposed, 0, 0, k, k), block(transposed, 0, k, k, q - k));
    for (let i = 0; i < k; i++) for (let j = 0; j < k; j++) data[v.offset + pivots[i] + j * v.ld] = i === j ? 1 : 0;
    for (let i = k; i < q; i++) for (let j = 0; j < k; j++) data[v.offset + pivots[i] + j * v.ld] = t[j + i * k];
  }
}

/** Most elements, rows and columns among nodes' bases. */
export function mostOf(
  count: number,
  rowsOf: (ν: number) => number,
  rankOf: (ν: number) => number,
): { elements: number; rows: number; rank: number } {
  const most = { elements: 0, rows: 0, rank: 0 };
  for (let ν = 0; ν < count; ν++) {
    const rank = rankOf(ν);
    if (rank === 0) continue;
    most.rows = Math.max(most.rows, rowsOf(ν));
    most.rank = Math.max(most.rank, rank);
    most.elements = Math.max(most.elements, rowsOf(ν) * rank);
  }
  return most;
}
