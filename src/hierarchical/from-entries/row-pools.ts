/**
 * Pools of rows: samples around a node read of a cluster of many indices a pool of them alone, the same for all nodes
 * around which it lies. A row is drawn at random from each of equal stretches of the cluster's positions, so that rows
 * drawn evenly from the pool are drawn evenly from the cluster; a sample has some hundreds. So a rank need not have the
 * order of what lies far from its own positions, but pools of it (ranks/brought-clusters.ts). Estimates are unbiased
 * over pools, too, but nodes around a cluster do not see other rows of it than these: a row that errs for many of them
 * is seen by all or by none, until a next round draws other pools. What a compression is judged by in the end, columns
 * of the whole matrix (verdict.ts), reads no pools.
 */
import { hashKey, hashSeed } from '../../core/random.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { mostInLeaf, type ClusterTree } from '../../tree/cluster-tree.js';

/** Rows of the pool of half of all indices, at least; smaller clusters have as large a share of theirs. */
const POOL = 2 ** 14;
/** Of that, rows of any pool at least: clusters of no more are read whole. */
const LEAST_SHARE = 1 / 2;
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

/** Rows of pools for samples of at most so many, of a tree of leaves of at most so many indices: these are whole. */
export function poolRows(rows: number, leaf: number): PoolRows {
  const most = Math.max(POOL, rows);
  return { most, least: Math.max(LEAST_SHARE * most, leaf) };
}

/** What pools are drawn by: the seed, and how often others were drawn before. */
export interface PoolSeed {
  readonly seed: number;
  readonly round: number;
}

/** Pools for samples of at most so many rows around nodes of a tree, all of which are read from its order. */
export const rowPools = (tree: ClusterTree, rows: number, { seed, round }: PoolSeed): RowPools => ({
  ...poolRows(rows, mostInLeaf(tree)),
  hash: hashKey(hashKey(hashSeed(seed), STREAM), round),
  at: sharedInt32(0),
  numbers: sharedInt32(0),
});

/** How many of `rows` of a cluster may be read, where there are `all` in all clusters. */
export const readableOf = (rows: number, all: number, { most, least }: PoolRows): number =>
  Math.min(rows, Math.max(least, Math.ceil((2 * most * rows) / all)));

/** How many rows of node μ may be read. */
export const readableRows = ({ begin, end }: ClusterTree, pools: PoolRows, μ: number): number =>
  readableOf(end[μ] - begin[μ], end[0] - begin[0], pools);

/** The position of the row at a place of node μ, of which so many may be read. */
export function positionOf(tree: ClusterTree, { hash }: RowPools, μ: number, place: number, rows: number): number {
  const first = tree.begin[μ];
  const size = tree.end[μ] - first;
  if (size === rows) return first + place;
  const from = Math.floor((place * size) / rows);
  const stretch = Math.floor(((place + 1) * size) / rows) - from;
  return first + from + (hashKey(hashKey(hash, μ), place) % stretch);
}

/** Where the pool of node μ begins in `numbers`; −1 where its rows are read from the order. */
export const poolBegin = ({ at }: RowPools, μ: number): number => (at.length > 0 ? at[μ] : -1);
