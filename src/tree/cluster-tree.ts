/**
 * The cluster tree's data: a complete binary tree over the indices, flat and shared.
 */
import { leftChild } from '../core/indices.js';
import { requireRole } from '../core/kind.js';
import { asIndices } from '../core/numbers.js';

/**
 * Nodes are heap-numbered (core/indices.ts). All 2^depth leaves stand at level `depth`; node ν holds positions begin[ν]
 * ≤ p < end[ν], at least one, and its children split them; order[p] is the index at position p. Sizes of a level may
 * differ: those of `buildClusterTree` differ by at most one. The first begin[0] positions belong to no node: their
 * indices are isolated, rows and columns of zeros.
 */
export interface ClusterTree {
  readonly size: number;
  readonly depth: number;
  readonly order: Int32Array;
  readonly begin: Int32Array;
  readonly end: Int32Array;
}

/** A tree as callers hand it over: with arrays of whole numbers of any type, as from a JSON file. */
export type GivenTree = {
  readonly [K in keyof ClusterTree]: ClusterTree[K] extends number ? number : ArrayLike<number>;
};

/**
 * The tree, with its arrays as Int32Arrays. Throws OptionError for what is no tree, ShapeError for an entry that is no
 * whole number; that the nodes fit together is for who uses it to check.
 */
export function asTree(tree: GivenTree, of: string): ClusterTree {
  requireRole(tree, 'tree', of);
  const order = asIndices(tree.order, 'tree.order');
  const begin = asIndices(tree.begin, 'tree.begin');
  const end = asIndices(tree.end, 'tree.end');
  if (order === tree.order && begin === tree.begin && end === tree.end) return tree as ClusterTree;
  return { size: tree.size, depth: tree.depth, order, begin, end };
}

/** Number of isolated indices. */
export const isolatedOf = (tree: ClusterTree): number => tree.begin[0];

/** Most indices in a leaf. */
export function mostInLeaf({ depth, begin, end }: ClusterTree): number {
  let most = 0;
  for (let ν = 2 ** depth - 1; ν < begin.length; ν++) most = Math.max(most, end[ν] - begin[ν]);
  return most;
}

/** Number of leaves: 2^depth. */
export const leavesOf = (tree: ClusterTree): number => 2 ** tree.depth;
/** Number of nodes, the leaves included. */
export const nodesOf = (tree: ClusterTree): number => 2 ** (tree.depth + 1) - 1;
/** Node number of the first leaf; the others follow it. */
export const firstLeaf = (tree: ClusterTree): number => 2 ** tree.depth - 1;

/** The number of the leaf below node ν that has position p, one of the node's. Cost: O(1) a level. */
export function leafBelow(tree: ClusterTree, ν: number, p: number): number {
  const leaf0 = firstLeaf(tree);
  let μ = ν;
  while (μ < leaf0) {
    μ = leftChild(μ);
    if (p >= tree.end[μ]) μ++;
  }
  return μ - leaf0;
}
