/**
 * What a compression from entries will cost, before it is done: beside hierarchical/from-products/cost.ts, for callers
 * that choose between entries and products.
 */
import { availableParallelism } from 'node:os';
import { NUMBER_BYTES } from '../../core/floats.js';
import { firstOfLevel, leftChild, levelOf } from '../../core/indices.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import { firstRowCount, FRESH_ROWS } from './skeletonize.js';
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
/** Rows that a node samples in the end, for each candidate, as a rule. */
const ROWS_PER_COLUMN = 2.5;
/** What modules, threads and BLAS take beside, for each worker. */
const WORKER_BYTES = 2 ** 25;
/** Growth of ranks from a level to the next one up where only one is known. */
const GROWTH = 1.4;
/** Ranks grow by no more than this from a level to the next one up: candidates are those of two children. */
const MOST_GROWTH = 2;
/** Skeletons of a forecast level, above those of the mean node: nodes differ. */
const SPREAD = 1.1;

/** Bytes of what compressing N indices takes at the very least: near blocks of no other leaf, ranks of 0. */
export function leastBytes(size: number, { leafSize, dtype, neighbors }: ResolvedOptions): number {
  const leaf = Math.min(size, leafSize);
  return (NUMBER_BYTES[dtype] * size * (leaf / 2 + 1)) / 2 + 4 * (neighbors + 4) * size;
}

/**
 * Ranks by level from those of nodes that are done, which stand on the deepest levels: the mean of each level, and
 * above them as many times more from level to level as between the last two, at most twice, `maxRank` and the size of a
 * node.
 */
export function forecastRanks(tree: ClusterTree, ranks: Int32Array, done: Int32Array, maxRank: number): Float64Array {
  const forecast = new Float64Array(tree.depth + 1);
  let growth = GROWTH;
  let known = 0;
  for (let level = tree.depth; level >= 1; level--) {
    const first = firstOfLevel(level);
    let sum = 0;
    let count = 0;
    for (let ν = first; ν < 2 * first + 1; ν++) {
      if (done[ν] === 0) continue;
      sum += ranks[ν];
      count++;
    }
    const below = level === tree.depth ? 0 : forecast[level + 1];
    if (count > 0) {
      if (known > 0 && below > 0) growth = Math.min(MOST_GROWTH, Math.max(1, sum / count / below));
      known++;
    }
    const most = Math.min(maxRank, tree.end[first] - tree.begin[first]);
    forecast[level] = Math.min(most, count > 0 ? sum / count : below * growth);
  }
  return forecast;
}

/** What is known of a matrix before it is compressed. */
interface Expected {
  readonly lists: InteractionLists;
  /** 1 for every node that needs a basis. */
  readonly needed: Int32Array;
  /** By level (`forecastRanks`). */
  readonly ranks: Float64Array;
}

/** Bytes that compressing is going to take, from the ranks that are forecast for the levels. */
export function estimateCompression(
  tree: ClusterTree,
  { lists, needed, ranks }: Expected,
  options: ResolvedOptions,
  workers = availableParallelism(),
): number {
  const { maxRank, leafSize, format, dtype } = options;
  const nodes = nodesOf(tree);
  const { nested } = FORMAT_TABLE[format];
  const rankOf = (ν: number): number => Math.min(maxRank, SPREAD * ranks[levelOf(ν)], tree.end[ν] - tree.begin[ν]);
  let slots = 0;
  let basis = 0;
  let skeletons = 0;
  for (let ν = 1; ν < nodes; ν++) {
    if (needed[ν] === 0) continue;
    const size = tree.end[ν] - tree.begin[ν];
    const inner = ν < firstLeaf(tree);
    const rank = rankOf(ν);
    const slot = rank * Math.max(0, (inner ? 2 * rankOf(leftChild(ν)) : size) - rank);
    slots += slot;
    basis += inner && !nested ? size * rank : slot;
    skeletons += rank;
  }
  let coupling = 0;
  for (let f = 0; f < lists.far.length; f += 2) coupling += rankOf(lists.far[f]) * rankOf(lists.far[f + 1]);
  const near = ((lists.near.length - (lists.nearBegin.length - 1)) / 2) * leafSize * leafSize;
  const diagonal = (tree.size * (leafSize + 1)) / 2;
  const rank = Math.min(maxRank, SPREAD * ranks.reduce((most, one) => Math.max(most, one), 0));
  const columns = Math.max(Math.min(leafSize, tree.size), 2 * rank);
  const sample = SAMPLE_COPIES * Math.min(ROWS_PER_COLUMN * columns, tree.size) * columns;
  // Gram matrices, of certain rows, of the others and of both; the factor, the interpolation and its steps.
  const scratch = workers * (sample + 4 * columns * columns + 4 * columns * rank + tree.size);
  // Skeletons, with their places and amplifications; neighbors with their distances, votes and the tree's order.
  const state = 2 * skeletons + (1.5 * options.neighbors + 4) * tree.size;
  return (
    8 * (slots + scratch + state) + NUMBER_BYTES[dtype] * (basis + coupling + near + diagonal) + workers * WORKER_BYTES
  );
}
