/**
 * Memory: what a hierarchical matrix stores, and what a compression will need before it allocates. Layer 5.
 */
import { availableParallelism } from 'node:os';
import { MemoryError } from '../../core/errors.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { nodesOf, type HierarchicalData } from './data.js';
import type { Layout } from './layout.js';
import type { ResolvedOptions } from '../from-entries/options.js';
import { candidateLimit, rowLimit } from '../from-entries/skeletonize.js';

/** Bytes by part; `share` is relative to the dense matrix in the same precision. */
export interface MemoryUse {
  readonly basis: number;
  readonly coupling: number;
  readonly near: number;
  readonly diagonal: number;
  /** Orders, ranks, lists and offsets. */
  readonly structure: number;
  readonly bytes: number;
  readonly share: number;
}

export function memoryUse(data: HierarchicalData, elements: Layout['elements']): MemoryUse {
  const width = data.values.BYTES_PER_ELEMENT;
  const { tree, lists, skeletons, offsets } = data;
  const structure = [tree.order, tree.begin, tree.end, lists.nearBegin, lists.near, lists.far, skeletons.begin, skeletons.indices, skeletons.gather, skeletons.picked,
    offsets.basis, offsets.coupling, offsets.near, offsets.diagonal].reduce((sum, array) => sum + array.byteLength, 0);
  const bytes = width * elements.total + structure;
  return {
    basis: width * elements.basis, coupling: width * elements.coupling, near: width * elements.near, diagonal: width * elements.diagonal,
    structure, bytes, share: bytes / (width * tree.size * tree.size),
  };
}

/** Most elements of interpolations Tᵀ (redundant × rank) of node with at most `columns` candidates. */
export function interpolationLimit(columns: number, maxRank: number): number {
  const k = Math.min(maxRank, columns >> 1);
  return k * (columns - k);
}

/** Upper bound, in bytes, of what compressing will allocate: every node at its maximal rank. */
export function estimateCompression(tree: ClusterTree, lists: InteractionLists, needed: Int32Array, options: ResolvedOptions, workers = availableParallelism()): number {
  const { maxRank, leafSize, format, dtype } = options;
  const nodes = nodesOf(tree);
  const nested = format !== 'hodlr';
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
  const scratch = workers * rowLimit(leafSize, maxRank, tree.size) * candidateLimit(leafSize, maxRank) * 2;
  const width = dtype === 'f64' ? 8 : 4;
  return 8 * (slots + scratch) + width * (basis + coupling + near + diagonal) + 4 * options.neighbors * tree.size;
}

/** Throws MemoryError, before anything large is allocated, if the estimate exceeds the limit. */
export function requireMemory(estimate: number, limit: number): void {
  if (estimate <= limit) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  throw new MemoryError(
    `The compression may need up to ${gigabytes(estimate)}, and ${gigabytes(limit)} are available: lower maxRank, leafSize or budget, use dtype 'f32', or raise memoryLimit.`,
    { estimate, limit, options: ['maxRank', 'leafSize', 'budget', 'dtype', 'memoryLimit'] },
  );
}
