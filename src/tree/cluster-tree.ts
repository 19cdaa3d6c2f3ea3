/**
 * The cluster tree's data: a complete binary tree over the indices, flat and shared. Layer 4.
 */

/**
 * Nodes are heap-numbered (core/indices.ts). All 2^depth leaves stand at level `depth`; node ν holds positions begin[ν] ≤ p < end[ν], at least one, and its
 * children split them; order[p] is the index at position p. Sizes of a level may differ: those of `buildClusterTree` differ by at most one.
 * The first begin[0] positions belong to no node: their indices are isolated, rows and columns of zeros.
 */
export interface ClusterTree {
  readonly size: number;
  readonly depth: number;
  readonly order: Int32Array;
  readonly begin: Int32Array;
  readonly end: Int32Array;
}

/** Number of isolated indices. */
export const isolatedOf = (tree: ClusterTree): number => tree.begin[0];

/** Most indices in a leaf. */
export function mostInLeaf({ depth, begin, end }: ClusterTree): number {
  let most = 0;
  for (let ν = 2 ** depth - 1; ν < begin.length; ν++) most = Math.max(most, end[ν] - begin[ν]);
  return most;
}
