/**
 * Pools of rows: samples around a node read of a cluster of many indices a pool of them alone, the same for all nodes
 * around which it lies. A row is drawn at random from each of equal stretches of the cluster's positions, so that rows
 * drawn evenly from the pool are drawn evenly from the cluster; a sample has some hundreds. So a rank need not have the
 * order of what lies far from its own positions, but pools of it (tree/held-order.ts).
 */
import { hashKey, hashSeed } from '../../core/random.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';

/** Rows of a pool, at least: of a cluster of no more all may be read. */
const POOL = 2 ** 14;
const STREAM = 0x9001;

/** What pools are read from. Plain data over shared memory. */
export interface RowPools {
  /** Rows of each: clusters of no more have none, and are read whole. */
  readonly rows: number;
  /** What pools are drawn by. */
  readonly hash: number;
  /** Where the pool of a node begins in `numbers`; −1, or nothing, where the order of the node is here. */
  readonly at: Int32Array;
  readonly numbers: Int32Array;
}

/** Pools of at least `most` rows, all of which are read from the tree's order. */
export const rowPools = (seed: number, most: number): RowPools => ({
  rows: Math.max(POOL, most),
  hash: hashKey(hashSeed(seed), STREAM),
  at: sharedInt32(0),
  numbers: sharedInt32(0),
});

/** How many rows of node μ may be read. */
export const readableRows = ({ begin, end }: ClusterTree, { rows }: RowPools, μ: number): number =>
  Math.min(end[μ] - begin[μ], rows);

/** Whether a pool of the node is read, and not all of it. */
export const isPooled = ({ begin, end }: ClusterTree, { rows }: RowPools, μ: number): boolean =>
  end[μ] - begin[μ] > rows;

/** The position of the row at a place of node μ's pool, or of its order where that is read whole. */
export function positionOf(tree: ClusterTree, { rows, hash }: RowPools, μ: number, place: number): number {
  const first = tree.begin[μ];
  const size = tree.end[μ] - first;
  if (size <= rows) return first + place;
  const from = Math.floor((place * size) / rows);
  const stretch = Math.floor(((place + 1) * size) / rows) - from;
  return first + from + (hashKey(hashKey(hash, μ), place) % stretch);
}

/** The index of a row whose position that is. */
export function rowAt(
  tree: ClusterTree,
  { at, numbers }: RowPools,
  μ: number,
  place: number,
  position: number,
): number {
  return at.length > 0 && at[μ] >= 0 ? numbers[at[μ] + place] : tree.order[position];
}
