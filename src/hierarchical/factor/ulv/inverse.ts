/**
 * The diagonal of the inverse from a ULV factorization, exactly: selected inversion down the tree.
 *
 * Y: the block of the inverse of the parent's reduced matrix that belongs to the node's skeleton. With W = L⁻ᵀ·V, the
 * inverse's block of the node's candidates is
 *
 *   M_RS = −W·Y,  M_RR = W·Y·Wᵀ + H⁻¹,   Z_RR = M_RR,  Z_RS = M_RS − M_RR·Tᵀ,  Z_SS = Y − T·M_RS − Z_SR·Tᵀ,
 *
 * of which each child takes its own part as its Y, and a leaf the diagonal. (The recurrence of K. Takahashi, J. Fagan,
 * M.-S. Chin, 1973, on the tree.) Cost: about twice a factorization.
 */
import { floats } from '../../../core/floats.js';
import { leftChild } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import { transposeBlock, walkDown } from '../tree.js';
import type { UlvFactors } from './factors.js';
import { leftmostLeaf } from './plan.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';

/**
 * `inverse`: Y of each node, rank × rank, in the slots of the Schur complements; `out`: the diagonal in the caller's
 * order.
 */
export interface UlvInverseState extends UlvFactors {
  readonly inverse: FloatArray;
  readonly out: Float64Array;
}

class SelectedInversion {
  readonly #state: UlvInverseState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #w: FloatArray;
  readonly #mrs: FloatArray;
  readonly #zrs: FloatArray;
  readonly #square: FloatArray;
  readonly #mrr: FloatArray;
  readonly #zss: FloatArray;

  constructor(state: UlvInverseState, blas: Blas) {
    const { precision, mostEliminated: r, mostRank: k } = state.plan;
    const allocate = (length: number): FloatArray => floats(length, precision);
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    this.#w = allocate(r * k);
    this.#mrs = allocate(r * k);
    this.#zrs = allocate(r * k);
    this.#square = allocate(r * r);
    this.#mrr = allocate(r * r);
    this.#zss = allocate(k * k);
  }

  run(ν: number): void {
    const {
      data: { tree, skeletons },
      plan,
      basis,
      basisBegin,
      inverse,
    } = this.#state;
    const blas = this.#blas;
    const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
    const r = plan.begin[ν + 1] - plan.begin[ν];
    const y = view(inverse, plan.slotBegin[leftmostLeaf(tree, ν)], k, k);
    const t = view(basis, basisBegin[ν], r, k);
    const mrs = view(this.#mrs, 0, r, k);
    const zrs = view(this.#zrs, 0, r, k);
    const mrr = view(this.#mrr, 0, r, r);
    if (r > 0) {
      this.#eliminatedBlock(ν, y, mrs, mrr);
      if (k > 0) {
        copyInto(zrs, mrs);
        blas.gemm('N', 'N', -1, mrr, t, 1, zrs);
      }
    }
    if (ν >= this.#leaf0) {
      this.#diagonal(ν, y, t, { mrs, zrs, mrr });
      return;
    }
    const zss = view(this.#zss, 0, k, k);
    copyInto(zss, y);
    if (r > 0 && k > 0) {
      blas.gemm('T', 'N', -1, t, mrs, 1, zss);
      blas.gemm('T', 'N', -1, zrs, t, 1, zss);
    }
    this.#toChild(ν, false, zss, zrs, mrr);
    this.#toChild(ν, true, zss, zrs, mrr);
  }

  /** M_RS and M_RR. */
  #eliminatedBlock(ν: number, y: Matrix, mrs: Matrix, mrr: Matrix): void {
    const { plan, factors, signs } = this.#state;
    const blas = this.#blas;
    const r = mrr.rows;
    const k = mrs.cols;
    const l = view(factors, plan.factorBegin[ν], r, r);
    const v = view(factors, plan.factorBegin[ν] + r * r, r, k);
    const w = view(this.#w, 0, r, k);
    const square = view(this.#square, 0, r, r);
    if (signs.length > 0) {
      for (let j = 0; j < r; j++)
        for (let i = 0; i < r; i++) square.data[i + j * r] = signs[plan.begin[ν] + j] * l.data[l.offset + i + j * r];
      blas.gemm('N', 'T', 1, square, l, 0, mrr);
      if (k > 0) blas.gemm('N', 'N', 1, l, v, 0, w);
    } else {
      square.data.fill(0, 0, r * r);
      for (let i = 0; i < r; i++) square.data[i * (r + 1)] = 1;
      blas.trsm('L', 'L', 'N', 'N', 1, l, square);
      blas.gemm('T', 'N', 1, square, square, 0, mrr);
      copyInto(w, v);
      if (k > 0) blas.trsm('L', 'L', 'T', 'N', 1, l, w);
    }
    if (k === 0) return;
    blas.gemm('N', 'N', -1, w, y, 0, mrs);
    blas.gemm('N', 'T', -1, mrs, w, 1, mrr);
  }

  /** The diagonal of the inverse at leaf ν. */
  #diagonal(
    ν: number,
    y: Matrix,
    t: Matrix,
    { mrs, zrs, mrr }: { readonly mrs: Matrix; readonly zrs: Matrix; readonly mrr: Matrix },
  ): void {
    const {
      data: { tree },
      out,
    } = this.#state;
    const k = y.rows;
    const r = mrr.rows;
    for (let j = 0; j < k; j++) {
      let sum = y.data[y.offset + j * (k + 1)];
      for (let i = 0; i < r; i++) sum -= t.data[t.offset + i + j * r] * (mrs.data[i + j * r] + zrs.data[i + j * r]);
      out[tree.order[tree.begin[ν] + j]] = sum;
    }
    for (let i = 0; i < r; i++) out[tree.order[tree.begin[ν] + k + i]] = mrr.data[i * (r + 1)];
  }

  /** A child's Y: the part of Z over its skeletons, picked ones first. */
  #toChild(ν: number, second: boolean, zss: Matrix, zrs: Matrix, mrr: Matrix): void {
    const {
      data: {
        tree,
        skeletons: { begin, gather, picked },
      },
      plan,
      inverse,
    } = this.#state;
    const l = leftChild(ν);
    const child = second ? l + 1 : l;
    const first = second ? begin[l + 1] - begin[l] : 0;
    const m = begin[child + 1] - begin[child];
    const slot = plan.slotBegin[leftmostLeaf(tree, child)];
    const k = zss.rows;
    const r = mrr.rows;
    const rest = m - picked[child];
    // The child's redundant skeletons among the node's eliminated ones.
    const row = second ? r - rest : 0;
    for (let j = 0; j < k; j++) {
      const c = gather[begin[ν] + j] - first;
      if (c < 0 || c >= m) continue;
      for (let i = 0; i < k; i++) {
        const d = gather[begin[ν] + i] - first;
        if (d >= 0 && d < m) inverse[slot + d + c * m] = zss.data[i + j * k];
      }
      for (let i = 0; i < rest; i++) inverse[slot + picked[child] + i + c * m] = zrs.data[row + i + j * r];
    }
    const p = picked[child];
    transposeBlock(view(inverse, slot + p * m, p, rest, m), view(inverse, slot + p, rest, p, m));
    for (let j = 0; j < rest; j++)
      for (let i = 0; i < rest; i++) inverse[slot + p + i + (p + j) * m] = mrr.data[row + i + (row + j) * r];
  }
}

/** Goes through the nodes of task t, of several ranks where this one holds it: what is above tells it all it needs. */
export const invertSelected = defineTask<UlvInverseState>(import.meta.url, 'invertSelected', (state, context) => {
  const inversion = new SelectedInversion(state, context.blas);
  const run = (ν: number): void => inversion.run(ν);
  const { data } = state;
  return (task) => {
    if (data.share?.held[task] !== 0) walkDown(data, task, run);
  };
});
