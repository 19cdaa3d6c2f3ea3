/**
 * What a hierarchical matrix stores: bytes by part, ranks by level.
 */
import { levelOf } from '../../core/indices.js';
import type { MemoryNeed } from '../../core/memory.js';
import type { HierarchicalData, Skeletons } from './data.js';
import type { Layout } from './layout.js';

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

/** The parts of {@link MemoryUse}, and what they are called. */
export const MEMORY_PARTS = {
  basis: 'interpolation',
  coupling: 'coupling blocks',
  near: 'near blocks',
  diagonal: 'diagonal blocks',
  structure: 'orders and lists',
} as const;

/** Bytes of the blocks by kind, of the structure (tree, lists, skeletons, offsets), and of both. */
export function memoryUse(data: HierarchicalData, elements: Layout['elements']): MemoryUse {
  const width = data.values.BYTES_PER_ELEMENT;
  const { tree, lists, skeletons, offsets } = data;
  const structure = [
    tree.order,
    tree.begin,
    tree.end,
    lists.nearBegin,
    lists.near,
    lists.far,
    skeletons.begin,
    skeletons.indices,
    skeletons.gather,
    skeletons.picked,
    offsets.basis,
    offsets.coupling,
    offsets.near,
    offsets.diagonal,
  ].reduce((sum, array) => sum + array.byteLength, 0);
  const bytes = width * elements.total + structure;
  return {
    basis: width * elements.basis,
    coupling: width * elements.coupling,
    near: width * elements.near,
    diagonal: width * elements.diagonal,
    structure,
    bytes,
    share: bytes / (width * tree.size * tree.size),
  };
}

/** What a compression's estimate is refused with (core/memory.ts). */
export const COMPRESSION_NEED: MemoryNeed = {
  what: 'The compression may need up to',
  advice: "lower maxRank, leafSize or budget, use dtype 'f32', or raise memoryLimit.",
  data: { options: ['maxRank', 'leafSize', 'budget', 'dtype', 'memoryLimit'] },
};

/** `nodes` counts all nodes of the level; `mean` is over them. */
export interface LevelRanks {
  readonly level: number;
  readonly max: number;
  readonly mean: number;
  readonly nodes: number;
}
/** Ranks of all nodes. */
export const ranksOf = ({ begin }: Pick<Skeletons, 'begin'>): Int32Array =>
  Int32Array.from({ length: begin.length - 1 }, (_, ν) => begin[ν + 1] - begin[ν]);

/** Ranks by level from those of all nodes, the level nearest the root first; levels without bases are left out. */
export function ranksByLevel(ranks: Int32Array): LevelRanks[] {
  const levels: { level: number; max: number; sum: number; nodes: number }[] = [];
  for (let ν = 1; ν < ranks.length; ν++) {
    const level = levelOf(ν);
    const rank = ranks[ν];
    const entry = (levels[level] ??= { level, max: 0, sum: 0, nodes: 0 });
    entry.max = Math.max(entry.max, rank);
    entry.sum += rank;
    entry.nodes++;
  }
  return levels
    .filter((entry) => entry.max > 0)
    .map(({ level, max, sum, nodes }) => ({ level, max, mean: sum / nodes, nodes }));
}
