/**
 * What a compression from entries will cost, before it is done: beside hierarchical/from-products/cost.ts, for callers
 * that choose between entries and products.
 */
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { firstRowCount, FRESH_ROWS } from './skeletonize.js';

/** Predicted cost of a compression from entries. */
export interface EntriesCost {
  /** Entries that are evaluated, and blocks that they are asked in. */
  readonly entries: number;
  readonly blocks: number;
  /** Flops besides the entries': Gram matrices of samples and their factorization. */
  readonly flops: number;
}

/** What a node below the root takes: of so many candidate columns, with so many indices outside it. */
export function skeletonCost(columns: number, rank: number, outside: number): EntriesCost {
  const rows = Math.min(firstRowCount(columns), outside);
  return {
    // The sample, fresh rows, and half of the coupling with the sibling.
    entries: (rows + FRESH_ROWS) * columns + (rank * rank) / 2,
    blocks: 2.5,
    flops: rows * columns * columns + 2 * columns * rank * rank + 2 * FRESH_ROWS * rank * columns,
  };
}

/**
 * Predicts `compress` on this tree with nested bases, no neighbors, every node at its maximal rank, and none
 * resampled.
 */
export function entriesCost(tree: ClusterTree, maxRank: number): EntriesCost {
  const all = tree.end[0] - tree.begin[0];
  let entries = 0;
  let blocks = 0;
  let flops = 0;
  for (let ν = 0; ν < nodesOf(tree); ν++) {
    const size = tree.end[ν] - tree.begin[ν];
    const leaf = ν >= firstLeaf(tree);
    if (leaf) {
      entries += size * size;
      blocks++;
    }
    if (ν === 0) continue;
    const rank = Math.min(maxRank, size);
    const columns = leaf ? size : Math.min(2 * maxRank, size);
    const node = skeletonCost(columns, rank, all - size);
    entries += node.entries;
    blocks += node.blocks;
    flops += node.flops;
  }
  return { entries, blocks, flops };
}

/** Most elements of interpolations Tᵀ (redundant × rank) of node with at most `columns` candidates. */
export function interpolationLimit(columns: number, maxRank: number): number {
  const k = Math.min(maxRank, columns >> 1);
  return k * (columns - k);
}
