/**
 * What a hierarchical matrix with nested bases takes at leaves of some size, by the ranks of its levels.
 */
import type { LeafCosts } from '../matrix/chosen-options.js';

/** Bytes that are read while a node is visited in both passes of a product: some 4 µs. */
const NODE_BYTES = 6e4;
/** Rows that a skeleton is found from, for each candidate column. */
const ROWS = 3;

/**
 * Costs of N indices (isolated ones not counted) in a tree of that depth, its ranks at most `maxRank`; ranks[l] is that
 * of level l, bytes per number `width`.
 */
export function leafCosts(
  { size, leafSize, depth }: { readonly size: number; readonly leafSize: number; readonly depth: number },
  ranks: ArrayLike<number>,
  { maxRank, width }: { readonly maxRank: number; readonly width: number },
): LeafCosts {
  const leaves = 2 ** depth;
  const most = size / leaves;
  const rankAt = (level: number): number => Math.min(ranks[level], maxRank, size / 2 ** level);
  let numbers = depth === 0 ? size * size : (size * (most + 1)) / 2;
  let factor = leaves * (most ** 3 / 3);
  let skeletonization = 0;
  let largest = 0;
  for (let level = 1; level <= depth; level++) {
    const nodes = 2 ** level;
    const rank = rankAt(level);
    const columns = level === depth ? most : 2 * rankAt(level + 1);
    numbers += nodes * (rank * Math.max(0, columns - rank) + (rank * rank) / 2);
    // The rows of a node's redundant columns are eliminated, then two nodes' skeletons are one.
    factor += nodes * (columns ** 3 + 2 * columns * columns * rank);
    skeletonization += nodes * (Math.min(ROWS * columns, size) * columns * columns + 2 * columns * rank * rank);
    largest = Math.max(largest, rank);
  }
  const bytes = width * numbers;
  return {
    leafSize,
    depth,
    rank: Math.ceil(largest),
    bytes,
    product: bytes + NODE_BYTES * (2 * leaves - 1),
    factor: factor + 4 * numbers,
    skeletonization,
  };
}
