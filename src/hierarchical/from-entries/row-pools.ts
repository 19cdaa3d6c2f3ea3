/**
 * Pools of rows: samples around a node read of a cluster of many indices a pool of them alone, the same for all nodes
 * around which it lies. A row is drawn at random from each of equal stretches of the cluster's positions, so that rows
 * drawn evenly from the pool are drawn evenly from the cluster; a sample has some hundreds. So a rank need not have the
 * order of what lies far from its own positions, but pools of it (ranks/brought-clusters.ts).
 */
import { hashKey, hashSeed } from '../../core/random.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';

/** Rows of the pool of half of all indices, at least; smaller clusters have as large a share of theirs. */
const POOL = 2 ** 14;
/** Of that, rows of any pool at least: clusters of no more are read whole. */
const LEAST_SHARE = 1 / 8;
const STREAM = 0x9001;

/** How many rows of clusters are read. */
export interface PoolRows {
  /** Of the half of all indices, and of any cluster at least. */
  readonly most: number;
  readonly least: number;
}

/** What pools are read from. Plain data over shared memory. */
export interface RowPools extends PoolRows {
  /** What pools are drawn by. */
  readonly hash: number;
  /** Where the pool of a node begins in `numbers`; −1, or nothing, where the order of the node is here. */
  readonly at: Int32Array;
  readonly numbers: Int32Array;
}

/** Rows of pools for samples of at most so many. */
export function poolRows(rows: number): PoolRows {
  const most = Math.max(POOL, rows);
  return { most, least: LEAST_SHARE * most };
}

/** Pools for samples of at most so many rows, all of which are read from the tree's order. */
export const rowPools = (seed: number, rows: number): RowPools => ({
  ...poolRows(rows),
  hash: hashKey(hashSeed(seed), STREAM),
  at: sharedInt32(0),
  numbers: sharedInt32(0),
});

/** How many of `rows` of a cluster may be read, where there are `all` in all clusters. */
export const readableOf = (rows: number, all: number, { most, least }: PoolRows): number =>
  Math.min(rows, Math.max(least, Math.ceil((2 * most * rows) / all)));

/** How many rows of node μ may be read. */
export const readableRows = ({ begin, end }: ClusterTree, pools: PoolRows, μ: number): number =>
  readableOf(end[μ] - begin[μ], end[0] - begin[0], pools);

/** A row of a cluster: its place among those that may be read, and its position. */
export interface PlacedRow {
  readonly place: number;
  readonly position: number;
}

/** The position of the row at a place of node μ, of which so many may be read. */
export function positionOf(tree: ClusterTree, { hash }: RowPools, μ: number, place: number, rows: number): number {
  const first = tree.begin[μ];
  const size = tree.end[μ] - first;
  if (size === rows) return first + place;
  const from = Math.floor((place * size) / rows);
  const stretch = Math.floor(((place + 1) * size) / rows) - from;
  return first + from + (hashKey(hashKey(hash, μ), place) % stretch);
}

/** The index of a row of node μ. */
export const indexOf = ({ order }: ClusterTree, { at, numbers }: RowPools, μ: number, row: PlacedRow): number =>
  at.length > 0 && at[μ] >= 0 ? numbers[at[μ] + row.place] : order[row.position];
