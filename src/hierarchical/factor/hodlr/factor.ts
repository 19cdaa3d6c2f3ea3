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
import { leftChild, levelOf, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { block, copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { SUBSTITUTION_SCRATCH, substituteLeft } from '../../../dense/substitution.js';
import { defineTask } from '../../../parallel/task.js';
import { blockLevel, eachBelow, eachBlock, heldRows } from '../../matrix/row-blocks.js';
import { copyRun, copyTriangle, leafEntries, part, walkUp } from '../tree.js';
import { basisRowsOf, cornerOf, leafFactorOf, triangleOf, type HodlrFactorState } from './factors.js';
import { columnsAbove, coupled } from './plan.js';
import { splitOf } from './split.js';
import { TallQr } from './tall-qr.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/** The factorization at each node, on one thread. */
export class Recursion {
  /** QR of rows in blocks. */
  get qr(): TallQr {
    return this.#qr;
  }

  readonly #state: HodlrFactorState;
  readonly #blas: Blas;
  readonly #left: FloatArray;
  readonly #right: FloatArray;
  readonly #qr: TallQr;
  readonly #blockLevel: number;
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
    this.#qr = new TallQr(state, blas);
    this.#blockLevel = blockLevel(state.data.tree);
    this.#inverse = this.#allocate(SUBSTITUTION_SCRATCH);
    this.#panel = this.#allocate(0);
    this.#rows = this.#allocate(0);
    this.#leaf0 = firstLeaf(state.data.tree);
  }

  run(ν: number): void {
    if (!this.begin(ν) || ν === 0) return;
    if (ν < this.#leaf0 && coupled(this.#state.plan, ν)) {
      if (levelOf(ν) >= this.#blockLevel) this.#updateWhole(ν);
      else {
        this.#sumProjections(leftChild(ν));
        this.#sumProjections(leftChild(ν) + 1);
        this.update(ν);
      }
    }
    this.#qr.run(ν);
  }

  /** Factors what stands at ν alone: a leaf's block, or X and C of its children's triangles. Whether it succeeded. */
  begin(ν: number): boolean {
    const { status, logs } = this.#state;
    const l = leftChild(ν);
    logs[ν] = 0;
    status[ν] = ν < this.#leaf0 && (status[l] !== 0 || status[l + 1] !== 0) ? SKIPPED : 0;
    if (status[ν] === 0) status[ν] = ν >= this.#leaf0 ? this.#leaf(ν) : this.#corner(ν);
    return status[ν] === 0;
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
    const { offsets, values } = this.#state.data;
    const { begin, end } = heldRows(this.#state.data);
    const split = splitOf(this.#state, μ);
    const first = offsets.basis[μ] + begin[ν] - begin[μ];
    const stored = view(values, first, out.rows, split.rows, end[μ] - begin[μ]);
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

  #corner(ν: number): number {
    const { plan } = this.#state;
    const blas = this.#blas;
    if (!coupled(plan, ν)) return 0;
    const l = leftChild(ν);
    const r = l + 1;
    const { x, c } = cornerOf(this.#state, ν);
    // R_l·R_rᵀ: only the upper triangles are there.
    const triangle = triangleOf(this.#state, l);
    x.data.fill(0, x.offset, x.offset + x.rows * x.rows);
    for (let j = 0; j < x.rows; j++)
      for (let i = 0; i <= j; i++) x.data[x.offset + i + j * x.rows] = triangle.data[triangle.offset + i + j * x.rows];
    blas.trmm('R', 'U', 'T', 'N', 1, triangleOf(this.#state, r), x);
    c.data.fill(0, c.offset, c.offset + c.rows * c.rows);
    for (let i = 0; i < c.rows; i++) c.data[c.offset + i * (c.rows + 1)] = 1;
    blas.syrk('L', 'T', -1, x, 1, c);
    return this.#cholesky(ν, c);
  }

  /** Rows of the bases of ν and all above it, where ν's rows are one block or part of one. */
  #updateWhole(ν: number): void {
    const { plan } = this.#state;
    const blas = this.#blas;
    const l = leftChild(ν);
    const r = l + 1;
    const order = plan.begin[r + 1] - plan.begin[r];
    const q = basisRowsOf(this.#state, r, r);
    for (let μ = ν; μ > 0; μ = parentOf(μ)) {
      const k = plan.begin[μ + 1] - plan.begin[μ];
      if (k === 0) continue;
      const left = view(this.#left, 0, order, k);
      const right = view(this.#right, 0, order, k);
      const rows = basisRowsOf(this.#state, μ, r);
      blas.gemm('T', 'N', 1, basisRowsOf(this.#state, l, l), basisRowsOf(this.#state, μ, l), 0, left);
      blas.gemm('T', 'N', 1, q, rows, 0, right);
      this.#weigh(ν, left, right);
      blas.gemm('N', 'N', 1, q, right, 1, rows);
    }
  }

  /** t_r ← W = C⁻¹·(t_r − Xᵀ·t_l) − t_r; the rows of the left child stay as they are. */
  #weigh(ν: number, left: Matrix, right: Matrix): void {
    const { x, c } = cornerOf(this.#state, ν);
    const length = right.rows * right.cols;
    this.#reserve(length);
    const before = this.#panel;
    copyRun(before, 0, right.data, right.offset, length);
    this.#blas.gemm('T', 'N', -1, x, left, 1, right);
    substituteLeft(this.#blas, c, right, this.#inverse);
    for (let i = 0; i < length; i++) right.data[right.offset + i] -= before[i];
  }

  #sumProjections(child: number): void {
    this.project(child);
    for (let level = this.#blockLevel - 1; level >= levelOf(child); level--)
      eachBelow(this.#state.data.share, child, level, (c) => this.addProjections(child, c));
  }

  /** Qᵀ of `child` times the bases above it, over each of its blocks: in the block's slot, side by side. */
  project(child: number): void {
    const { data, plan, slots } = this.#state;
    const order = plan.begin[child + 1] - plan.begin[child];
    if (order === 0) return;
    eachBlock(data, child, (g) => {
      let at = plan.slotBegin[g];
      for (let μ = parentOf(child); μ > 0; μ = parentOf(μ)) {
        const rows = basisRowsOf(this.#state, μ, g);
        if (rows.cols === 0) continue;
        this.#blas.gemm('T', 'N', 1, basisRowsOf(this.#state, child, g), rows, 0, view(slots, at, order, rows.cols));
        at += order * rows.cols;
      }
    });
  }

  /** The projections for `child` over c, it or a node below it, from those over c's children. */
  addProjections(child: number, c: number): void {
    const out = this.projections(child, c);
    const left = this.projections(child, leftChild(c));
    const right = this.projections(child, leftChild(c) + 1);
    for (let i = 0; i < out.length; i++) out[i] = left[i] + right[i];
  }

  /** The projections for `child` over c. */
  projections(child: number, c: number): FloatArray {
    const { plan, slots } = this.#state;
    const length = (plan.begin[child + 1] - plan.begin[child]) * columnsAbove(plan, child);
    return slots.subarray(plan.slotBegin[c], plan.slotBegin[c] + length);
  }

  /** Rows of the bases of ν and all above it, by blocks, from the projections for its children. */
  update(ν: number): void {
    const { data, plan, slots } = this.#state;
    const l = leftChild(ν);
    const r = l + 1;
    const order = plan.begin[r + 1] - plan.begin[r];
    let at = 0;
    for (let μ = ν; μ > 0; μ = parentOf(μ)) {
      const k = plan.begin[μ + 1] - plan.begin[μ];
      const left = view(slots, plan.slotBegin[l] + at, order, k);
      const right = view(slots, plan.slotBegin[r] + at, order, k);
      at += order * k;
      if (k === 0) continue;
      this.#weigh(ν, left, right);
      if (data.share?.held[r] !== 0)
        eachBlock(data, r, (g) => {
          const q = basisRowsOf(this.#state, r, g);
          this.#blas.gemm('N', 'N', 1, q, right, 1, basisRowsOf(this.#state, μ, g));
        });
    }
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
}

/** Factors the nodes of task t; of several ranks those on the level that they share and below it. */
export const factorHodlr = defineTask<HodlrFactorState>(import.meta.url, 'factorHodlr', (state, context) => {
  const recursion = new Recursion(state, context.blas);
  const run = (ν: number): void => recursion.run(ν);
  const { share } = state.data;
  return (task) => {
    if (share === undefined || (share.held[task] === 1 && levelOf(task) >= share.level)) walkUp(state.data, task, run);
  };
});
