/**
 * What a compression from entries will cost, before it is done: beside hierarchical/from-products/cost.ts, for callers
 * that choose between entries and products.
 */
import { availableParallelism } from 'node:os';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { firstRowCount, FRESH_ROWS, candidateLimit, mostRows } from './skeletonize.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { ResolvedOptions } from './options.js';
import { FORMAT_TABLE } from '../matrix/format.js';

/** Predicted cost of a compression from entries. */
export interface EntriesCost {
  /** Entries that are evaluated, and blocks that they are asked in. */
  readonly entries: number;
  readonly blocks: number;
  /** Flops besides the entries': Gram matrices of samples and their factorization. */
  readonly flops: number;
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
    const rows = Math.min(firstRowCount(columns), all - size);
    // The sample, fresh rows, and half of the coupling with the sibling.
    entries += (rows + FRESH_ROWS) * columns + (rank * rank) / 2;
    blocks += 2.5;
    flops += rows * columns * columns + 2 * columns * rank * rank + 2 * FRESH_ROWS * rank * columns;
  }
  return { entries, blocks, flops };
}

/** Most elements of interpolations Tᵀ (redundant × rank) of node with at most `columns` candidates. */
export function interpolationLimit(columns: number, maxRank: number): number {
  const k = Math.min(maxRank, columns >> 1);
  return k * (columns - k);
}

/** Elements of a sample's memory for each entry: half of it is spare, and it is copied as it grows. */
const SAMPLE_COPIES = 2.5;

/**
 * Upper bound, in bytes, of what compressing will allocate: every node at its maximal rank, every worker's sample grown
 * to the most rows.
 */
export function estimateCompression(
  tree: ClusterTree,
  lists: InteractionLists,
  needed: Int32Array,
  options: ResolvedOptions,
  workers = availableParallelism(),
): number {
  const { maxRank, leafSize, format, dtype } = options;
  const nodes = nodesOf(tree);
  const { nested } = FORMAT_TABLE[format];
  let slots = 0;
  let basis = 0;
  for (let ν = 1; ν < nodes; ν++) {
    if (needed[ν] === 0) continue;
    const size = tree.end[ν] - tree.begin[ν];
    const inner = 2 * ν + 1 < nodes;
    const slot = interpolationLimit(inner ? 2 * Math.min(maxRank, size) : size, maxRank);
    slots += slot;
    basis += inner && !nested ? size * Math.min(maxRank, size) : slot;
  }
  const coupling = (lists.far.length / 2) * maxRank * maxRank;
  const near = ((lists.near.length - (lists.nearBegin.length - 1)) / 2) * leafSize * leafSize;
  const diagonal = (tree.size * (leafSize + 1)) / 2;
  const columns = candidateLimit(leafSize, maxRank);
  const sample = SAMPLE_COPIES * Math.min(mostRows(columns), tree.size) * columns;
  // Gram matrices, of certain rows, of the others and of both; the factor, the interpolation and its steps.
  const scratch = workers * (sample + 4 * columns * columns + 4 * columns * maxRank + tree.size);
  // Skeletons, with their places and amplifications; neighbors, votes and the tree's order.
  const state = nodes * maxRank * 2 + ((options.neighbors + 8) * tree.size) / 2;
  const width = dtype === 'f64' ? 8 : 4;
  return 8 * (slots + scratch + state) + width * (basis + coupling + near + diagonal);
}
