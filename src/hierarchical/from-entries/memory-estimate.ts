/**
 * What a compression from entries will need at its peak, told before it is allocated: at first what any ranks need,
 * then from the ranks of a few subtrees (pilot.ts).
 */
import { NUMBER_BYTES } from '../../core/floats.js';
import { firstOfLevel, leftChild, levelOf } from '../../core/indices.js';
import { isWorthCollecting } from '../../parallel/collect.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { depthFor } from '../../tree/build.js';
import { FORMAT_TABLE } from '../matrix/format.js';
import { comparisonBytes } from '../measure/columns-error.js';
import { levelBytes } from './device/skeletonize-levels.js';
import type { AskedOptions, ResolvedOptions } from './options.js';
import { usualRows } from './skeletonize.js';

/** Growth of ranks from a level to the next one up where only one level is known, and at most: that of two children. */
const USUAL_GROWTH = 1.4;
const MOST_GROWTH = 2;
/** What exceeds 1 in the growth shrinks by this from level to level: rims of large nodes are smooth to the rest. */
const DECAY = 0.85;
/** What is counted of all there is: garbage and the libraries' own buffers are not. */
const COUNTED = 0.94;
/** Numbers of memory for each entry of a node's sample. */
const SAMPLE_COPIES = 1.5;
/** What modules, BLAS and the collector take for each thread while a compression runs. */
const THREAD_BYTES = 1.9e7;
/** Pages are committed whole. */
const PAGE = 4096;
const inPages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

/** What neighbors take: numbers and distances while they are searched, and numbers later. */
const neighborBytes = (size: number, { neighbors }: AskedOptions): number => 4 * Math.min(neighbors, size - 1) * size;

/**
 * Bytes that the compression of N indices takes at the very least, whatever the ranks are: lists of neighbors, so many
 * bytes for each, and diagonal blocks of the `inner` indices that stand in leaves, both shared by so many ranks.
 */
export function leastBytes(
  size: number,
  inner: number,
  options: AskedOptions & { readonly leafSize: number },
  bytesOfNeighbor: number,
  ranks: number,
): number {
  const { leafSize, dtype, tree } = options;
  const leaf = inner / 2 ** (tree?.depth ?? depthFor(inner, leafSize));
  const blocks = (NUMBER_BYTES[dtype] * inner * (leaf + 1)) / 2 / ranks;
  return Math.max(((bytesOfNeighbor / 4) * neighborBytes(size, options)) / ranks, blocks);
}

/**
 * Ranks by level from those of the nodes that are done, which stand on the deepest levels: the mean of each level, and
 * above them as many times more from level to level as between the last known ones, at most twice, and from level to
 * level less so; never more than `maxRank` or the indices of a node.
 */
export function forecastRanks(
  tree: ClusterTree,
  found: { readonly ranks: Int32Array; readonly done: Int32Array; readonly needed: Int32Array },
  maxRank: number,
): Float64Array {
  const forecast = new Float64Array(tree.depth + 1);
  let growth = USUAL_GROWTH;
  let steps = 0;
  for (let level = tree.depth; level >= 1; level--) {
    const first = firstOfLevel(level);
    let sum = 0;
    let count = 0;
    for (let ν = first; ν < 2 * first + 1; ν++) {
      if (found.done[ν] === 0 || found.needed[ν] === 0) continue;
      sum += found.ranks[ν];
      count++;
    }
    const below = level === tree.depth ? 0 : forecast[level + 1];
    if (count > 0) {
      forecast[level] = sum / count;
      if (below > 0) {
        // The last two steps together: means of few nodes scatter.
        const step = sum / count / below;
        growth = Math.min(MOST_GROWTH, steps === 0 ? step : Math.sqrt(growth * step));
        steps++;
      }
    } else {
      const most = Math.min(maxRank, tree.end[first] - tree.begin[first]);
      // Ranks that fall go on falling. Both nodes below the root have the rim of the whole.
      if (growth > 1) growth = 1 + DECAY * (growth - 1);
      forecast[level] = Math.min(most, below * (level === 1 ? Math.min(1, growth) : growth));
    }
  }
  return forecast;
}

/**
 * Bytes that all workers' skeletonizers have of nodes of so many candidates and at most that rank: samples, Gram
 * matrices of certain rows, of the others and of both, the factor, the interpolation and its steps.
 */
function scratchBytes(size: number, columns: number, rank: number, workers: number): number {
  const sample = SAMPLE_COPIES * Math.min(usualRows(columns), size) * columns;
  return workers * 8 * (sample + (3 * columns + 4 * rank) * columns);
}

/** What is known of a matrix before it is compressed. */
export interface Expected {
  readonly lists: InteractionLists;
  /** 1 for every node that needs a basis. */
  readonly needed: Int32Array;
  /** By level (`forecastRanks`). */
  readonly ranks: Float64Array;
  /** Bytes that a neighbor takes while neighbors are searched: 4 later. */
  readonly bytesOfNeighbor: number;
  /** Bytes that interpolations are given room in, before any is known. */
  readonly slotBytes: number;
  /** Of several ranks, this one's share of the leaves. */
  readonly share: number;
  /** Whether samples are evaluated and interpolated on a card. */
  readonly onCard: boolean;
}

/**
 * Bytes at the peak of a compression, beside what the process has before it: the largest of its parts, which are the
 * search of neighbors, skeletonization, the evaluation of blocks, and the comparison of columns.
 */
export function estimateCompression(
  tree: ClusterTree,
  { lists, needed, ranks, bytesOfNeighbor, slotBytes, share, onCard }: Expected,
  options: ResolvedOptions,
  workers: number,
): number {
  const { maxRank, leafSize, format, dtype } = options;
  const { size } = tree;
  const nodes = nodesOf(tree);
  const leaf0 = firstLeaf(tree);
  const { nested } = FORMAT_TABLE[format];
  const width = NUMBER_BYTES[dtype];
  const rankOf = (ν: number): number =>
    needed[ν] === 0 ? 0 : Math.min(maxRank, ranks[levelOf(ν)], tree.end[ν] - tree.begin[ν]);
  let slots = 0;
  let basis = 0;
  let found = 0;
  for (let ν = 1; ν < nodes; ν++) {
    if (needed[ν] === 0) continue;
    const indices = tree.end[ν] - tree.begin[ν];
    const inner = ν < leaf0;
    const rank = rankOf(ν);
    const columns = inner ? rankOf(leftChild(ν)) + rankOf(leftChild(ν) + 1) : indices;
    const slot = rank * Math.max(0, columns - rank);
    slots += inPages(8 * slot);
    basis += inner && !nested ? indices * rank : slot;
    // Three arrays of maxRank places a node, of which the first ones are touched.
    found += 2 * Math.min(4 * maxRank, inPages(4 * rank)) + Math.min(8 * maxRank, inPages(8 * rank));
  }
  let coupling = 0;
  for (let f = 0; f < lists.far.length; f += 2) coupling += rankOf(lists.far[f]) * rankOf(lists.far[f + 1]);
  const near = ((lists.near.length - (lists.nearBegin.length - 1)) / 2) * (size / 2 ** tree.depth) ** 2 * share;
  const pair = 2 * Math.ceil(size / 2 ** tree.depth);
  const diagonal = (share * size * (pair / 2 + 1)) / 2;
  const values = width * (basis + coupling + near + diagonal);

  const numbers = neighborBytes(size, options) * share;
  const distances = (bytesOfNeighbor / 4 - 1) * numbers;
  const kept = isWorthCollecting(distances) ? 0 : distances;
  const most = Math.max(...ranks);
  const columns = Math.min(size, Math.max(leafSize, 2 * most));
  const scratch = onCard ? levelBytes(tree, columns, most) : scratchBytes(size, columns, most, workers);
  const blocks = workers * 8 * Math.max(leafSize, most) ** 2;
  // Orders, of several ranks of own indices and at most of all that samples may read, and whose leaves are told, and
  // which are known; leaves and lists of those, and who votes for whom.
  const orders = ((share < 1 ? 4 + 8 * share + 1 / 4 : 8) + 36 * share) * size;
  const order = 24 * size;
  const comparison = comparisonBytes(size, width) * share;
  // What lists of several ranks move by.
  const moving = share === 1 ? 0 : bytesOfNeighbor > 4 ? 4 * numbers : numbers;
  // Both orders of a tree, what it is cut by, and members in brackets.
  const search = numbers + distances + moving + 20 * size;
  // Those of near leaves of other ranks stand behind a copy of the own ones.
  const copied = share < 1 && near > 0 ? numbers : 0;
  const skeletonization = numbers + copied + kept + orders + found + slots + scratch;
  const dropped = isWorthCollecting(numbers);
  // What samples took stays with the C library, which serves other arrays from it.
  const left = scratch + (dropped ? 0 : numbers + kept + orders - order);
  const fill = values + order + found + slots + blocks + left;
  const after = isWorthCollecting(slotBytes + (dropped ? 0 : numbers));
  const compared = values + order + comparison + (after ? kept : fill - values - order);
  return (workers * THREAD_BYTES + Math.max(search, skeletonization, fill, compared)) / COUNTED;
}
