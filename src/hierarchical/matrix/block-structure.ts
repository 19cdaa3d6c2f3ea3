/**
 * Which blocks a hierarchical matrix is made of, in whole numbers that a record can hold: pictures are drawn from it.
 */
import { leftChild, rightChild } from '../../core/indices.js';
import { firstLeaf, leavesOf, nodesOf } from '../../tree/cluster-tree.js';
import { sharesZeros } from './data.js';
import type { HierarchicalMatrix } from './hierarchical-matrix.js';

/** The partition of the symmetric matrix in tree order, and the ranks of its nodes. */
export interface BlockStructure {
  readonly size: number;
  /** Bytes of a number: 8 or 4. */
  readonly numberBytes: number;
  /** The first position of each leaf, and N at the end; positions before the first leaf are isolated. */
  readonly leafBegin: readonly number[];
  /** Rank of each node, in heap order (root 0, children 2ν + 1 and 2ν + 2). */
  readonly ranks: readonly number[];
  /** Pairs of leaf numbers α < β whose blocks are stored densely, two entries a pair; diagonal blocks are. */
  readonly near: readonly number[];
  /** Pairs of nodes α < β whose blocks go through skeletons, two entries a pair. */
  readonly far: readonly number[];
  /** Numbers of the far pairs that are zero. */
  readonly zeros: readonly number[];
  /** ‖K − K̃‖_F/‖K‖_F of each far pair, from columns that were compared (block-errors.ts); null: unknown. */
  readonly errors?: readonly (number | null)[] | undefined;
}

/** What a matrix is made of, whoever has its blocks. O(blocks). Where several ranks have it: collective. */
export function blockStructure(matrix: HierarchicalMatrix): BlockStructure {
  const { tree, values } = matrix.data;
  const { lists, begin, offsets } = matrix.outline();
  const leaves = leavesOf(tree);
  const near: number[] = [];
  for (let α = 0; α < leaves; α++)
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++)
      if (lists.near[e] > α) near.push(α, lists.near[e]);
  const ranks = Array.from({ length: nodesOf(tree) }, (_, ν) => begin[ν + 1] - begin[ν]);
  const shares = sharesZeros({ lists, skeletons: { begin }, offsets });
  const far = Array.from(lists.far);
  return {
    size: tree.size,
    numberBytes: values.BYTES_PER_ELEMENT,
    leafBegin: [...tree.begin.subarray(firstLeaf(tree), nodesOf(tree)), tree.size],
    ranks,
    near,
    far,
    zeros: Array.from(shares.keys()).filter(
      (f) => shares[f] === 1 || ranks[far[2 * f]] === 0 || ranks[far[2 * f + 1]] === 0,
    ),
  };
}

/** The leaves below node ν of a tree with so many leaves: from `first` to before `last`. */
export function leavesBelow(ν: number, leaves: number): { readonly first: number; readonly last: number } {
  let [first, last] = [ν, ν];
  while (last < leaves - 1) [first, last] = [leftChild(first), rightChild(last)];
  return { first: first - (leaves - 1), last: last - (leaves - 1) + 1 };
}
