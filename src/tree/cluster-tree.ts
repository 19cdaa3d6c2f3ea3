/**
 * The cluster tree's data: a complete binary tree over the indices, flat and shared. Layer 4.
 */

/**
 * Nodes are heap-numbered (core/indices.ts). All 2^depth leaves stand at level `depth`; node ν holds positions
 * begin[ν] ≤ p < end[ν], its children split them, sizes of a level differ by at most one; order[p] is the index at position p.
 */
export interface ClusterTree {
  readonly size: number;
  readonly depth: number;
  readonly order: Int32Array;
  readonly begin: Int32Array;
  readonly end: Int32Array;
}
