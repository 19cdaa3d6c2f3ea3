/**
 * Symmetric recursive factorization of a HODLR matrix plus λI, node by node upwards.
 *
 * With A_l = F_l·F_lᵀ, A_r = F_r·F_rᵀ of the children, U their bases and B = G_l·G_rᵀ the coupling (split.ts),
 *
 *   A_ν = blockdiag(F_l, F_r)·(I + Q·[0 X; Xᵀ 0]·Qᵀ)·blockdiag(F_l, F_r)ᵀ,   F_l⁻¹·U_l·G_l = Q_l·R_l,  F_r⁻¹·U_r·G_r =
 *   Q_r·R_r,  X = R_l·R_rᵀ,  Q = blockdiag(Q_l, Q_r), F_ν = blockdiag(F_l, F_r)·(I + Q·[0 0; Xᵀ C − I]·Qᵀ),   C·Cᵀ = I
 *   − Xᵀ·X.
 *
 * A node's factor is applied to its rows of the bases of itself and of all its ancestors as soon as it is known. log
 * det A_ν = log det A_l + log det A_r + 2·Σ log C_ii. Source: S. Ambikasaran, M. O'Neil, K. R. Singh, *Fast symmetric
 * factorization of hierarchical matrices with applications*, arXiv 1405.0223 (after S. Ambikasaran, E. Darve, J. Sci.
 * Comput. 57(3), 2013). Departs from it in the inner factor: block lower triangular, which touches the right child's
 * rows only, instead of symmetric; bases are orthonormalized by Householder QR, and carry the coupling's factors.
 */
import { floats } from '../../../core/floats.js';
import { SKIPPED } from '../engine.js';
import { leftChild, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { SUBSTITUTION_SCRATCH, substituteLeft } from '../../../dense/substitution.js';
import { defineTask } from '../../../parallel/task.js';
import { type HierarchicalData } from '../../matrix/data.js';
import { copyTriangle, leafEntries, part, walkUp } from '../tree.js';
import { coupled, type HodlrPlan } from './plan.js';
import { splitOf } from './split.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/** What stays with the factorization, all shared. */
export interface HodlrFactors {
  readonly data: HierarchicalData;
  readonly plan: HodlrPlan;
  /** G and Q of each node. */
  readonly splits: FloatArray;
  readonly bases: FloatArray;
  readonly factors: FloatArray;
  /** 2·Σ log of each node's pivots. */
  readonly logs: Float64Array;
  /** Per node: 0 factored; i > 0: minor i is not positive definite; SKIPPED: a node below it failed. */
  readonly status: Int32Array;
  /** λ. */
  readonly shift: Float64Array;
}

/** The factors, and R of every node, which a refactorization needs besides. */
export interface HodlrFactorState extends HodlrFactors {
  readonly triangles: FloatArray;
}

/** Rows of node `rows` in Q of node ν. */
export function basisRowsOf({ data: { tree }, plan, bases }: HodlrFactors, ν: number, rows: number): Matrix {
  const n = tree.end[ν] - tree.begin[ν];
  return view(
    bases,
    plan.basisBegin[ν] + tree.begin[rows] - tree.begin[ν],
    tree.end[rows] - tree.begin[rows],
    plan.begin[ν + 1] - plan.begin[ν],
    n,
  );
}

/** X and C of inner node ν. */
export function cornerOf(
  { plan: { begin, factorBegin }, factors }: HodlrFactors,
  ν: number,
): { readonly x: Matrix; readonly c: Matrix } {
  const l = leftChild(ν);
  const k = begin[l + 1] - begin[l];
  return { x: view(factors, factorBegin[ν], k, k), c: view(factors, factorBegin[ν] + k * k, k, k) };
}

/** L of leaf ν, lower triangular. */
export function leafFactorOf({ data: { tree }, plan, factors }: HodlrFactors, ν: number): Matrix {
  const n = tree.end[ν] - tree.begin[ν];
  return view(factors, plan.factorBegin[ν], n, n);
}

class Recursion {
  readonly #state: HodlrFactorState;
  readonly #blas: Blas;
  readonly #left: FloatArray;
  readonly #right: FloatArray;
  readonly #tau: FloatArray;
  readonly #leaf0: number;
  readonly #allocate: (length: number) => FloatArray;
  readonly #inverse: FloatArray;
  #panel: FloatArray;
  #rows: FloatArray;

  constructor(state: HodlrFactorState, blas: Blas) {
    const { precision, mostRank: k } = state.plan;
    this.#allocate = (length) => floats(length, precision);
    this.#state = state;
    this.#blas = blas;
    this.#left = this.#allocate(k * k);
    this.#right = this.#allocate(k * k);
    this.#tau = this.#allocate(k);
    this.#inverse = this.#allocate(SUBSTITUTION_SCRATCH);
    this.#panel = this.#allocate(0);
    this.#rows = this.#allocate(0);
    this.#leaf0 = firstLeaf(state.data.tree);
  }

  run(ν: number): void {
    const { status, logs } = this.#state;
    const l = leftChild(ν);
    logs[ν] = 0;
    status[ν] = ν < this.#leaf0 && (status[l] !== 0 || status[l + 1] !== 0) ? SKIPPED : 0;
    if (status[ν] !== 0) return;
    status[ν] = ν >= this.#leaf0 ? this.#leaf(ν) : this.#inner(ν);
    if (status[ν] === 0 && ν > 0) this.#orthonormalize(ν);
  }

  #leaf(ν: number): number {
    const { data, shift } = this.#state;
    const blas = this.#blas;
    const factor = leafFactorOf(this.#state, ν);
    const n = factor.rows;
    const numbers = part(factor.data, factor.offset, n * n);
    copyTriangle(numbers, n, leafEntries(data, ν), 0);
    for (let j = 0; j < n; j++) numbers[j * (n + 1)] += shift[0];
    const info = this.#cholesky(ν, factor);
    if (info !== 0) return info;
    // The leaf's rows of all bases side by side: one substitution.
    const rows = this.#rowsOfBases(ν, n);
    substituteLeft(blas, factor, rows, this.#inverse);
    let column = 0;
    for (let μ = ν; μ > 0; μ = parentOf(μ)) {
      const out = basisRowsOf(this.#state, μ, ν);
      copyInto(out, block(rows, 0, column, n, out.cols));
      column += out.cols;
    }
    return 0;
  }

  #rowsOfBases(ν: number, n: number): Matrix {
    const { plan } = this.#state;
    let cols = 0;
    for (let μ = ν; μ > 0; μ = parentOf(μ)) cols += plan.begin[μ + 1] - plan.begin[μ];
    if (this.#rows.length < n * cols) this.#rows = this.#allocate(n * cols);
    const rows = view(this.#rows, 0, n, cols);
    let column = 0;
    for (let μ = ν; μ > 0; μ = parentOf(μ)) {
      const k = plan.begin[μ + 1] - plan.begin[μ];
      if (k === 0) continue;
      const target = block(rows, 0, column, n, k);
      if (μ === ν) this.#ownBasis(ν, target);
      else this.#ancestorRows(μ, ν, target);
      column += k;
    }
    return rows;
  }

  /** [I; Tᵀ]·G of a leaf. */
  #ownBasis(ν: number, out: Matrix): void {
    const { offsets, values } = this.#state.data;
    const split = splitOf(this.#state, ν);
    const k = split.rows;
    const redundant = out.rows - k;
    copyInto(block(out, 0, 0, k, out.cols), split);
    if (redundant > 0)
      this.#blas.gemm(
        'N',
        'N',
        1,
        this.#inPrecision(view(values, offsets.basis[ν], redundant, k)),
        split,
        0,
        block(out, k, 0, redundant, out.cols),
      );
  }

  /** Rows of leaf ν in U·G of its ancestor μ. */
  #ancestorRows(μ: number, ν: number, out: Matrix): void {
    const { tree, offsets, values } = this.#state.data;
    const split = splitOf(this.#state, μ);
    const stored = view(
      values,
      offsets.basis[μ] + tree.begin[ν] - tree.begin[μ],
      out.rows,
      split.rows,
      tree.end[μ] - tree.begin[μ],
    );
    this.#blas.gemm('N', 'N', 1, this.#inPrecision(stored), split, 0, out);
  }

  /** The block itself, or its copy in the factors' precision. */
  #inPrecision(a: Matrix): Matrix {
    if (a.data.BYTES_PER_ELEMENT === this.#left.BYTES_PER_ELEMENT) return a;
    this.#reserve(a.rows * a.cols);
    const copy = view(this.#panel, 0, a.rows, a.cols);
    copyInto(copy, a);
    return copy;
  }

  #reserve(length: number): void {
    if (this.#panel.length < length) this.#panel = this.#allocate(length);
  }

  #inner(ν: number): number {
    const { plan } = this.#state;
    const blas = this.#blas;
    if (!coupled(plan, ν)) return 0;
    const l = leftChild(ν);
    const r = l + 1;
    const { x, c } = cornerOf(this.#state, ν);
    // R_l·R_rᵀ: only the upper triangles are there.
    const triangle = this.#triangle(l);
    x.data.fill(0, x.offset, x.offset + x.rows * x.rows);
    for (let j = 0; j < x.rows; j++)
      for (let i = 0; i <= j; i++) x.data[x.offset + i + j * x.rows] = triangle.data[triangle.offset + i + j * x.rows];
    blas.trmm('R', 'U', 'T', 'N', 1, this.#triangle(r), x);
    c.data.fill(0, c.offset, c.offset + c.rows * c.rows);
    for (let i = 0; i < c.rows; i++) c.data[c.offset + i * (c.rows + 1)] = 1;
    blas.syrk('L', 'T', -1, x, 1, c);
    const info = this.#cholesky(ν, c);
    if (info !== 0) return info;
    for (let μ = ν; μ > 0; μ = parentOf(μ)) {
      const k = plan.begin[μ + 1] - plan.begin[μ];
      if (k === 0) continue;
      const left = view(this.#left, 0, x.rows, k);
      const right = view(this.#right, 0, x.cols, k);
      const rows = basisRowsOf(this.#state, μ, r);
      const q = basisRowsOf(this.#state, r, r);
      // W = C⁻¹·(t_r − Xᵀ·t_l) − t_r; the rows of the left child stay as they are.
      blas.gemm('T', 'N', 1, basisRowsOf(this.#state, l, l), basisRowsOf(this.#state, μ, l), 0, left);
      blas.gemm('T', 'N', 1, q, rows, 0, right);
      const projected = this.#copy(right);
      blas.gemm('T', 'N', -1, x, left, 1, right);
      substituteLeft(blas, c, right, this.#inverse);
      for (let i = 0; i < x.cols * k; i++) right.data[i] -= projected[i];
      blas.gemm('N', 'N', 1, q, right, 1, rows);
    }
    return 0;
  }

  #copy(a: Matrix): FloatArray {
    const length = a.rows * a.cols;
    this.#reserve(length);
    this.#panel.set(a.data.subarray(0, length) as never);
    return this.#panel;
  }

  #triangle(ν: number): Matrix {
    const { plan, triangles } = this.#state;
    const k = plan.begin[ν + 1] - plan.begin[ν];
    return view(triangles, plan.triangleBegin[ν], k, k);
  }

  #cholesky(ν: number, a: Matrix): number {
    const info = this.#blas.potrf('L', a);
    if (info !== 0) return info;
    let log = 0;
    for (let i = 0; i < a.rows; i++) log += Math.log(a.data[a.offset + i * (a.ld + 1)]);
    // A pivot that overflowed the precision gives NaN, not info.
    if (!Number.isFinite(log)) return a.rows;
    this.#state.logs[ν] = 2 * log;
    return 0;
  }

  /** F⁻¹·U = Q·R: Q in its place, R for the parent. */
  #orthonormalize(ν: number): void {
    const a = basisRowsOf(this.#state, ν, ν);
    const { rows: n, cols: k } = a;
    if (k === 0) return;
    const tau = this.#tau.subarray(0, k);
    this.#blas.geqrf(a, tau);
    const r = this.#triangle(ν);
    for (let j = 0; j < k; j++)
      for (let i = 0; i <= j; i++) r.data[r.offset + i + j * k] = a.data[a.offset + i + j * n];
    this.#reserve(n * k);
    const q = view(this.#panel, 0, n, k);
    q.data.fill(0, 0, n * k);
    for (let j = 0; j < k; j++) q.data[j * (n + 1)] = 1;
    this.#blas.ormqr('L', 'N', a, tau, q);
    copyInto(a, q);
  }
}

/** Factors the nodes of task t. */
export const factorHodlr = defineTask<HodlrFactorState>(import.meta.url, 'factorHodlr', (state, context) => {
  const recursion = new Recursion(state, context.blas);
  const run = (ν: number): void => recursion.run(ν);
  return (task) => walkUp(state.data, task, run);
});
