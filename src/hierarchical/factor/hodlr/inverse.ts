/**
 * The diagonal of the inverse from a HODLR factorization, exactly.
 *
 * (I + Q·[0 X; Xᵀ 0]·Qᵀ)⁻¹ = I + Q·N·Qᵀ with diagonal blocks N_ll = X·C⁻ᵀ·C⁻¹·Xᵀ, N_rr = Xᵀ·X + Xᵀ·N_ll·X, so that
 *
 *   diag(A⁻¹) at a leaf = diag(L⁻ᵀ·L⁻¹) + Σ over the leaf and its ancestors μ of diag(Y_μ·N·Y_μᵀ),   Y_μ = F_μ⁻ᵀ·Q_μ:
 *
 * sums of squares, nothing cancels. Level by level from the root's children, since a level's nodes write different
 * indices. Cost: about a factorization.
 */
import { floats } from '../../../core/floats.js';
import { leftChild, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { basisRowsOf, cornerOf, leafFactorOf, type HodlrFactors } from './factor.js';
import { coupled } from './plan.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/** `out`: the diagonal in the caller's order, zero before the first level. */
export interface HodlrInverseState extends HodlrFactors {
  readonly out: Float64Array;
}

class InverseDiagonal {
  readonly #state: HodlrInverseState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #allocate: (length: number) => FloatArray;
  readonly #right: FloatArray;
  readonly #left: FloatArray;
  readonly #projected: FloatArray;
  #y: FloatArray;
  #product: FloatArray;

  constructor(state: HodlrInverseState, blas: Blas) {
    const { precision, mostRank: k } = state.plan;
    this.#allocate = (length) => floats(length, precision);
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    this.#right = this.#allocate(k * k);
    this.#left = this.#allocate(k * k);
    this.#projected = this.#allocate(k * k);
    this.#y = this.#allocate(0);
    this.#product = this.#allocate(0);
  }

  run(μ: number): void {
    if (μ > 0 && coupled(this.#state.plan, parentOf(μ))) this.#lowRank(μ);
    if (μ >= this.#leaf0) this.#leaf(μ);
  }

  #lowRank(μ: number): void {
    const blas = this.#blas;
    const q = basisRowsOf(this.#state, μ, μ);
    const { rows: n, cols: k } = q;
    const { x, c } = cornerOf(this.#state, parentOf(μ));
    this.#reserve(n * k);
    const y = view(this.#y, 0, n, k);
    copyInto(y, q);
    this.#solveDown(μ, y, this.#state.data.tree.begin[μ]);
    const product = view(this.#product, 0, n, k);
    // Rows of Y·X·C⁻ᵀ at a left child; of Z = Y·Xᵀ and of Z·X·C⁻ᵀ at a right one.
    if ((μ & 1) === 1) {
      blas.gemm('N', 'N', 1, y, x, 0, product);
      blas.trsm('R', 'L', 'T', 'N', 1, c, product);
    } else {
      blas.gemm('N', 'T', 1, y, x, 0, product);
      this.#addSquares(μ, product);
      blas.gemm('N', 'N', 1, product, x, 0, y);
      blas.trsm('R', 'L', 'T', 'N', 1, c, y);
    }
    this.#addSquares(μ, (μ & 1) === 1 ? product : y);
  }

  /** Y ← F_μ⁻ᵀ·Y: down the subtree of ν, whose rows of Y begin `origin` positions before its own. */
  #solveDown(ν: number, y: Matrix, origin: number): void {
    const { tree } = this.#state.data;
    const blas = this.#blas;
    const rowsOf = (node: number): Matrix =>
      block(y, tree.begin[node] - origin, 0, tree.end[node] - tree.begin[node], y.cols);
    if (ν >= this.#leaf0) {
      blas.trsm('L', 'L', 'T', 'N', 1, leafFactorOf(this.#state, ν), rowsOf(ν));
      return;
    }
    const l = leftChild(ν);
    const r = l + 1;
    if (coupled(this.#state.plan, ν)) {
      const { x, c } = cornerOf(this.#state, ν);
      const s = view(this.#right, 0, x.cols, y.cols);
      const w = view(this.#left, 0, x.rows, y.cols);
      const q = basisRowsOf(this.#state, r, r);
      blas.gemm('T', 'N', 1, q, rowsOf(r), 0, s);
      const length = s.rows * s.cols;
      this.#projected.set(this.#right.subarray(0, length) as never);
      blas.trsm('L', 'L', 'T', 'N', 1, c, s);
      blas.gemm('N', 'N', -1, x, s, 0, w);
      blas.gemm('N', 'N', 1, basisRowsOf(this.#state, l, l), w, 1, rowsOf(l));
      for (let i = 0; i < length; i++) this.#right[i] -= this.#projected[i];
      blas.gemm('N', 'N', 1, q, s, 1, rowsOf(r));
    }
    this.#solveDown(l, y, origin);
    this.#solveDown(r, y, origin);
  }

  #leaf(ν: number): void {
    const factor = leafFactorOf(this.#state, ν);
    const n = factor.rows;
    this.#reserve(n * n);
    const inverse = view(this.#y, 0, n, n);
    inverse.data.fill(0, 0, n * n);
    for (let i = 0; i < n; i++) inverse.data[i * (n + 1)] = 1;
    // Rows of L⁻ᵀ.
    this.#blas.trsm('L', 'L', 'T', 'N', 1, factor, inverse);
    this.#addSquares(ν, inverse);
  }

  /** out += squared norms of the rows. */
  #addSquares(ν: number, a: Matrix): void {
    const {
      data: {
        tree: { order, begin },
      },
      out,
    } = this.#state;
    for (let j = 0; j < a.cols; j++)
      for (let i = 0; i < a.rows; i++) out[order[begin[ν] + i]] += a.data[a.offset + i + j * a.ld] ** 2;
  }

  #reserve(length: number): void {
    if (this.#y.length >= length) return;
    this.#y = this.#allocate(length);
    this.#product = this.#allocate(length);
  }
}

/** Adds what node `first + task` contributes. */
export const addInverseDiagonal = defineTask<HodlrInverseState, { readonly first: number }>(
  import.meta.url,
  'addInverseDiagonal',
  (state, context) => {
    const diagonal = new InverseDiagonal(state, context.blas);
    return (task, { first }) => diagonal.run(first + task);
  },
);
