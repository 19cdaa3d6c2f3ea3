/**
 * What the neighbor lists tell about rows: which indices know each other one-sidedly, how far the neighbors of each
 * reach, and which are lonely, that is neighbors of few: those at the rim of a cloud, or between clusters. An
 * interpolation errs most in such rows, and a draw of a few hundred rows passes them by.
 */
import { leftChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';

/** So many of an index's neighbors, the nearest ones, know it in turn. */
const NEAREST = 4;
/** Lonely indices that are known of each node. */
export const LONERS = 16;
/** Lonely: a neighbor of fewer than this share of as many as it has neighbors itself. */
const LONELY = 1 / 2;

/** Which indices vote for rows beside their neighbors, how far the votes of each reach, and which rows are lonely. */
export interface Voters {
  /**
   * Of which indices i is among the nearest neighbors, and they not among its own: nearestOf[nearestBegin[i] …
   * nearestBegin[i + 1]).
   */
  readonly nearestBegin: Int32Array;
  readonly nearestOf: Int32Array;
  /** By position: the level of the smallest node that holds the index there and all that it votes for. */
  readonly reach: Int32Array;
  /** Of every node, its lonely indices, neighbors of few others, the loneliest first, LONERS at most; −1 for none. */
  readonly loners: Int32Array;
}

/**
 * Finds of which indices each index is among the NEAREST nearest neighbors, or among all of them where those indices
 * are lonely, and where it is not theirs anyway.
 */
export function findVoters(tree: ClusterTree, leafOf: Int32Array, neighbors: Int32Array, count: number): Voters {
  const { size, depth } = tree;
  const known = new Int32Array(size);
  for (const i of neighbors) known[i]++;
  const isLonely = (i: number): boolean => known[i] < LONELY * count;
  const nearestBegin = sharedInt32(size + 1);
  const oneSided = new Uint8Array(size * count);
  // In the tree's order: what is looked up stands in the cache.
  for (const j of tree.order) {
    const from = j * count;
    const nearest = from + (isLonely(j) ? count : Math.min(NEAREST, count));
    for (let q = from; q < nearest; q++) {
      const i = neighbors[q];
      let p = i * count;
      const end = p + count;
      while (p < end && neighbors[p] !== j) p++;
      if (p < end) continue;
      oneSided[q] = 1;
      nearestBegin[i + 1]++;
    }
  }
  for (let i = 0; i < size; i++) nearestBegin[i + 1] += nearestBegin[i];
  const nearestOf = sharedInt32(nearestBegin[size]);
  const next = nearestBegin.slice(0, size);
  for (let j = 0, q = 0; j < size; j++)
    for (const end = q + count; q < end; q++) if (oneSided[q] === 1) nearestOf[next[neighbors[q]]++] = j;
  const reach = sharedInt32(size);
  const isolated = 2 ** depth;
  for (let p = tree.begin[0]; p < tree.end[0]; p++) {
    const i = tree.order[p];
    const own = leafOf[i];
    // Bits in which the numbers of their leaves differ.
    let differ = 0;
    for (let q = i * count; q < (i + 1) * count; q++) {
      const leaf = leafOf[neighbors[q]];
      if (leaf !== isolated) differ |= own ^ leaf;
    }
    for (let q = nearestBegin[i]; q < nearestBegin[i + 1]; q++) {
      const leaf = leafOf[nearestOf[q]];
      if (leaf !== isolated) differ |= own ^ leaf;
    }
    reach[p] = depth - (32 - Math.clz32(differ));
  }
  return { nearestBegin, nearestOf, reach, loners: findLoners(tree, known, isLonely) };
}

/** The lonely indices of every node (`Voters.loners`); none without neighbors. */
function findLoners(tree: ClusterTree, known: Int32Array, isLonely: (i: number) => boolean): Int32Array {
  const loners = sharedInt32(nodesOf(tree) * LONERS).fill(-1);
  const leaf0 = firstLeaf(tree);
  for (let ν = nodesOf(tree) - 1; ν >= 0; ν--) {
    const some =
      ν >= leaf0
        ? tree.order.slice(tree.begin[ν], tree.end[ν]).filter(isLonely)
        : loners.slice(leftChild(ν) * LONERS, (leftChild(ν) + 2) * LONERS).filter((i) => i >= 0);
    some.sort((a, b) => known[a] - known[b] || a - b);
    loners.set(some.subarray(0, LONERS), ν * LONERS);
  }
  return loners;
}
