/**
 * What a hierarchical matrix is made of: flat shared arrays, the same for workers, files and (later) devices.
 *
 * Conventions. Vectors stand transposed inside (p × n: the p values of an index are contiguous), so every block
 * multiplies from the right. The skeletons of a node are numbered in *apply order*: first those its parent picked up,
 * then the others; the indices of a leaf likewise, so that identity parts are prefixes and redundant parts are
 * contiguous.
 */
import type { Precision } from '../../dense/matrix.js';
import { type ClusterTree, firstLeaf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { Share } from '../ranks/share.js';
import type { HierarchicalFormat } from './format.js';

/** Ranks, skeleton indices and the nesting of bases. */
export interface Skeletons {
  /**
   * Rank of node ν: begin[ν + 1] − begin[ν]; nodes without a basis (the root, and whatever no far pair needs) have
   * none.
   */
  readonly begin: Int32Array;
  /** Skeleton indices (the caller's numbering), node by node, in apply order. */
  readonly indices: Int32Array;
  /**
   * Nested bases, inner nodes: skeleton j of ν is number gather[begin[ν] + j] of its children's skeletons, the left
   * child's first. picked[ν]: how many of ν's own skeletons its parent picked, which are the first ones. For a leaf,
   * the first rank[ν] indices are the skeleton.
   */
  readonly gather: Int32Array;
  readonly picked: Int32Array;
}

/** Where each block begins in `values`, in elements. */
export interface BlockOffsets {
  /**
   * Interpolation Tᵀ of node ν: redundant × rank (nested: the redundant children's skeletons, left then right; leaf:
   * the redundant indices). HODLR, inner node: the whole basis [I Tᵀ], (indices of ν in tree order) × rank.
   */
  readonly basis: Float64Array;
  /**
   * Coupling K(α̃, β̃) of far pair f, rank(α) × rank(β). Pairs whose coupling is zero share one block of zeros, as
   * large as the largest of them (`sharesZeros`).
   */
  readonly coupling: Float64Array;
  /**
   * Near block K(α, β) of the e-th entry of the near list, stored for α < β; the entry of (β, α) points to the same
   * block. The diagonal's entries are unused.
   */
  readonly near: Float64Array;
  /**
   * Diagonal blocks of leaves 2q and 2q + 1, sharing one m × (m + 1) rectangle, m the larger of both: the lower
   * triangle of the first, and from the second column on the upper triangle of the second.
   */
  readonly diagonal: Float64Array;
}

/** Everything that a product needs of a hierarchical matrix. */
export interface HierarchicalData {
  readonly format: HierarchicalFormat;
  readonly dtype: Precision;
  /**
   * Every leaf's skeleton first. Where several ranks have the matrix, `order` is that of own leaves, and of those near
   * to them, until it is whole (`HierarchicalMatrix.wholeTree`).
   */
  readonly tree: ClusterTree;
  readonly lists: InteractionLists;
  readonly skeletons: Skeletons;
  readonly offsets: BlockOffsets;
  /** All blocks, in the precision `dtype`; `offsets` says where each begins. */
  readonly values: Float64Array | Float32Array;
  /**
   * Where several ranks have the matrix: what this one holds. Blocks of other nodes are not here, and their ranks are 0
   * but for those that concern it.
   */
  readonly share?: Share | undefined;
}

/** Order of the rectangle that the diagonal blocks of leaves 2q and 2q + 1 share. */
export function diagonalOrder(tree: ClusterTree, pair: number): number {
  const a = firstLeaf(tree) + 2 * pair;
  const first = tree.end[a] - tree.begin[a];
  return tree.depth === 0 ? first : Math.max(first, tree.end[a + 1] - tree.begin[a + 1]);
}

/**
 * 1 for each far pair whose coupling shares its place with another's: such couplings are zero. Empty ones stand
 * nowhere.
 */
export function sharesZeros({
  lists: { far },
  skeletons: { begin },
  offsets: { coupling },
}: Pick<HierarchicalData, 'lists' | 'offsets'> & { readonly skeletons: Pick<Skeletons, 'begin'> }): Uint8Array {
  const shares = new Uint8Array(coupling.length);
  const first = new Map<number, number>();
  const rank = (ν: number): number => begin[ν + 1] - begin[ν];
  for (let f = 0; f < coupling.length; f++) {
    if (rank(far[2 * f]) === 0 || rank(far[2 * f + 1]) === 0) continue;
    const other = first.get(coupling[f]);
    if (other === undefined) first.set(coupling[f], f);
    else shares[f] = shares[other] = 1;
  }
  return shares;
}
