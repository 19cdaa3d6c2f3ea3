/**
 * HODLR's bases from nested ones: the rows of a leaf's indices in the bases of the nodes above it.
 *
 *   P_νᵀ(leaf, :) = P_cᵀ(leaf, :)·[I T]ᵀ(c̃, :),   c the child of ν that the leaf lies under,
 *
 * products of what skeletonization found and verified, without an entry of K: about 4·n·k² flops a level. A fit of all
 * indices of a node to sampled rows by least squares has no error of the level below and is up to a fifth nearer where
 * the rank limit decides, but is ten times as dear, and now and then tens of times worse: it goes astray in rows that
 * were not drawn.
 */
import { leftChild, parentOf } from '../../core/indices.js';
import type { Blas } from '../../dense/blas.js';
import { view, type FloatArray } from '../../dense/matrix.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { BlockOffsets, Skeletons } from '../matrix/data.js';
import { requireFiniteValues } from '../matrix/finite-values.js';
import type { HeldRows } from '../matrix/row-blocks.js';

/** What composing reads and writes: interpolations as they were found, and where bases are laid out. */
export interface ComposeState {
  readonly tree: ClusterTree;
  /** Rows of each basis that are stored here. */
  readonly rows: HeldRows;
  readonly skeletons: Skeletons;
  readonly pivotOf: Int32Array;
  readonly offsets: BlockOffsets;
  readonly values: FloatArray;
  readonly maxRank: number;
  readonly leafSize: number;
  readonly choice: Int32Array;
  readonly slotBegin: Float64Array;
  readonly slots: Float64Array;
}

/** Composes the bases above one leaf after another. */
export class BasisComposer {
  readonly #state: ComposeState;
  readonly #blas: Blas;
  readonly #redundantAt: Int32Array;
  readonly #step: Float64Array;
  #rows: Float64Array;
  #next: Float64Array;

  constructor(state: ComposeState, blas: Blas) {
    const { maxRank, leafSize } = state;
    this.#state = state;
    this.#blas = blas;
    this.#redundantAt = new Int32Array(Math.max(leafSize, 2 * maxRank));
    this.#step = new Float64Array(maxRank * maxRank);
    this.#rows = new Float64Array(leafSize * maxRank);
    this.#next = new Float64Array(leafSize * maxRank);
  }

  /** Writes the leaf's rows of all bases above it. Throws NonFiniteError. */
  run(leaf: number): void {
    const { tree } = this.#state;
    const n = tree.end[leaf] - tree.begin[leaf];
    this.#startAt(leaf, n);
    for (let child = leaf, ν = parentOf(leaf); ν > 0; child = ν, ν = parentOf(ν)) {
      const k = this.#rankOf(ν);
      const l = this.#rankOf(child);
      // New memory holds zeros.
      if (k === 0 || l === 0) return;
      this.#formStep(ν, child, k, l);
      const next = view(this.#next, 0, n, k);
      this.#blas.gemm('N', 'N', 1, view(this.#rows, 0, n, l), view(this.#step, 0, l, k), 0, next);
      [this.#rows, this.#next] = [this.#next, this.#rows];
      this.#write(ν, tree.begin[leaf], n, k);
    }
  }

  #rankOf(ν: number): number {
    const { begin } = this.#state.skeletons;
    return begin[ν + 1] - begin[ν];
  }

  /** #rows ← [I Tᵀ] of the leaf, its indices in apply order, columns in pivot order. */
  #startAt(leaf: number, n: number): void {
    const { skeletons, pivotOf, slotBegin, slots } = this.#state;
    const k = this.#rankOf(leaf);
    this.#rows.fill(0, 0, n * k);
    for (let i = 0; i < k; i++) this.#rows[i + n * pivotOf[skeletons.begin[leaf] + i]] = 1;
    for (let j = 0; j < k; j++) {
      const from = slotBegin[leaf] + j * (n - k);
      this.#rows.set(slots.subarray(from, from + n - k), k + j * n);
    }
  }

  /** #step ← the rows of `child`'s skeletons in [I T]ᵀ of ν, both in pivot order. */
  #formStep(ν: number, child: number, k: number, l: number): void {
    const { maxRank, choice, slotBegin, slots } = this.#state;
    const left = leftChild(ν);
    const first = child === left ? 0 : this.#rankOf(left);
    const columns = this.#rankOf(left) + this.#rankOf(left + 1);
    const step = this.#step;
    step.fill(0, 0, l * k);
    const at = this.#redundantAt;
    at.fill(0, 0, columns);
    for (let j = 0; j < k; j++) {
      const column = choice[ν * maxRank + j];
      at[column] = -1;
      if (column >= first && column < first + l) step[column - first + j * l] = 1;
    }
    for (let q = 0, r = 0; q < columns; q++) if (at[q] >= 0) at[q] = r++;
    for (let j = 0; j < k; j++) {
      const from = slotBegin[ν] + j * (columns - k);
      for (let q = 0; q < l; q++) if (at[first + q] >= 0) step[q + j * l] = slots[from + at[first + q]];
    }
  }

  /** `first`: the position of the leaf's first index. */
  #write(ν: number, first: number, n: number, k: number): void {
    const { tree, rows, skeletons, pivotOf, offsets, values } = this.#state;
    const all = rows.end[ν] - rows.begin[ν];
    for (let j = 0; j < k; j++) {
      const pivot = pivotOf[skeletons.begin[ν] + j];
      const to = offsets.basis[ν] + first - rows.begin[ν] + j * all;
      values.set(this.#rows.subarray(pivot * n, (pivot + 1) * n), to);
      requireFiniteValues(
        values,
        to,
        n,
        () => `basis of node ${ν}`,
        (i) => `row ${first - tree.begin[ν] + i}`,
      );
    }
  }
}
