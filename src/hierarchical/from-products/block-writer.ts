/**
 * Computed blocks into a layout's place and order.
 * Compression from entries evaluates blocks where they belong (hierarchical/from-entries/evaluate-blocks.ts);
 * compression from products has computed them in the tree's order and the order of pivots.
 */
import { levelOf } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { FloatArray, Matrix } from '../../dense/matrix.js';
import { type ClusterTree, firstLeaf } from '../../tree/cluster-tree.js';
import { diagonalOrder, type BlockOffsets, type Skeletons } from '../matrix/data.js';
import { requireFiniteValues } from '../matrix/finite-values.js';
import type { Layout } from '../matrix/layout.js';

/** Where blocks go: the layout, and the order of the tree that was given. */
export interface WriterState {
  /** The tree in apply order. */
  readonly tree: ClusterTree;
  readonly skeletons: Skeletons;
  readonly offsets: BlockOffsets;
  readonly pivotOf: Int32Array;
  readonly values: FloatArray;
  /** place[p]: the position in the tree as it was given of the index at position p of the tree in apply order. */
  readonly place: Int32Array;
  /** The far pair of a left child and its sibling. */
  readonly pairOf: Int32Array;
}

/** `given`: the tree that was laid out. */
export function writerState(layout: Layout, given: ClusterTree, far: Int32Array, values: FloatArray): WriterState {
  const { tree, skeletons, offsets, pivotOf } = layout;
  const positionOf = new Int32Array(tree.size);
  for (let p = 0; p < tree.size; p++) positionOf[given.order[p]] = p;
  const place = sharedInt32(tree.size);
  for (let p = 0; p < tree.size; p++) place[p] = positionOf[tree.order[p]];
  const pairOf = sharedInt32(tree.begin.length);
  for (let f = 0; f < far.length / 2; f++) pairOf[far[2 * f]] = f;
  return { tree, skeletons, offsets, pivotOf, values, place, pairOf };
}

/** Writes bases, couplings and diagonal blocks into `values`. */
export class BlockWriter {
  readonly #state: WriterState;

  constructor(state: WriterState) {
    this.#state = state;
  }

  /**
   * Node ν's stored basis: rows `rows` (numbers of rows of P, in the order they are stored) of its interpolation P, the
   * columns from pivot order to apply order.
   */
  basis(ν: number, p: Matrix, rows: Int32Array): void {
    const {
      skeletons: { begin },
      offsets,
      pivotOf,
      values,
    } = this.#state;
    const rank = begin[ν + 1] - begin[ν];
    let to = offsets.basis[ν];
    for (let j = 0; j < rank; j++) {
      const from = p.offset + pivotOf[begin[ν] + j] * p.ld;
      for (let i = 0; i < rows.length; i++) values[to++] = p.data[from + rows[i]];
    }
    requireFiniteValues(values, offsets.basis[ν], rows.length * rank, () => `basis of node ${ν} (level ${levelOf(ν)})`);
  }

  /**
   * Rows of an inner node's whole basis, or of a leaf's diagonal block: the positions of ν in apply order, as they
   * stood in the tree given, from 0.
   */
  localPlaces(ν: number): Int32Array {
    const {
      tree: { begin, end },
      place,
    } = this.#state;
    const local = place.slice(begin[ν], end[ν]);
    for (let i = 0; i < local.length; i++) local[i] -= begin[ν];
    return local;
  }

  /** The coupling block of a left child and its sibling, both sides in pivot order. */
  coupling(left: number, b: Matrix): void {
    const {
      skeletons: { begin },
      offsets,
      pairOf,
      pivotOf,
      values,
    } = this.#state;
    let to = offsets.coupling[pairOf[left]];
    const first = to;
    for (let j = 0; j < b.cols; j++) {
      const from = b.offset + pivotOf[begin[left + 1] + j] * b.ld;
      for (let i = 0; i < b.rows; i++) values[to++] = b.data[from + pivotOf[begin[left] + i]];
    }
    requireFiniteValues(
      values,
      first,
      to - first,
      () => `coupling of nodes ${left} and ${left + 1} (level ${levelOf(left)})`,
    );
  }

  /** The diagonal block of leaf ν, in the order of the tree given; symmetric. */
  diagonal(ν: number, d: Matrix): void {
    const { tree, offsets, values } = this.#state;
    const leaf = ν - firstLeaf(tree);
    const order = this.localPlaces(ν);
    const m = diagonalOrder(tree, leaf >> 1);
    const upper = (leaf & 1) === 1;
    const begin = offsets.diagonal[leaf >> 1] + (upper ? m : 0);
    for (let j = 0; j < order.length; j++) {
      const from = d.offset + order[j] * d.ld;
      const [first, end] = upper ? [0, j + 1] : [j, order.length];
      for (let i = first; i < end; i++) values[begin + i + j * m] = d.data[from + order[i]];
      requireFiniteValues(values, begin + first + j * m, end - first, () => `diagonal block of leaf ${leaf}`);
    }
  }
}

/** Candidates that were not chosen, ascending: the rows of a stored interpolation. */
export function redundantRows(rows: number, pivots: Int32Array, rank: number): Int32Array {
  const chosen = new Uint8Array(rows);
  for (let j = 0; j < rank; j++) chosen[pivots[j]] = 1;
  const redundant = new Int32Array(rows - rank);
  for (let i = 0, to = 0; i < rows; i++) if (chosen[i] === 0) redundant[to++] = i;
  return redundant;
}
