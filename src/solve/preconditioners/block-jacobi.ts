/**
 * The inverse of blocks on the diagonal as a preconditioner: leaves of a tree, layers or units of a network.
 */
import type { Subject } from '../../approximation/subject.js';
import { toShared } from '../../core/shared-array.js';
import { blockDiagonalBytes } from '../../source/block-diagonal.js';
import { availableMemory } from '../../io/machine.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { invertibleBlocks, layOutBlocks, numbered, type Blocks } from './block-inverse.js';
import { entriesOf, type PreconditionerKind, type PreconditionerOptions } from './kind.js';
import { layerRanges, unitRanges } from '../../network/ranges.js';

const LEAF_SIZE = 256;
/**
 * Layers are the blocks where they take at most this share of the memory, and no more than so many bytes: their
 * factorization takes Σ m³/3 flops.
 */
const LAYERS_SHARE = 1 / 4;
const LAYERS_BYTES = 2 ** 30;

/**
 * M = blockdiag(K(I_k, I_k) + λI)⁻¹. The blocks are the leaves of `options.tree`; else of a network its layers, or its
 * units where layers are too large; else the leaves of a tree by distance, of at most `options.leafSize` (default 256)
 * indices. Cost: Σ m_k² entries and Σ m_k³/3 flops. Throws OptionError without entries, MemoryError,
 * NotPositiveDefiniteError, AbortedError.
 */
export const blockJacobi: PreconditionerKind = {
  make: async (subject, _, options, control) => {
    const source = entriesOf(subject, 'block-jacobi');
    const { of, blocks } = await blocksOf(subject, source, options, control);
    const details = { blocks: blocks.ranges.length - 1, of };
    return invertibleBlocks(source, blocks, details, options.memoryLimit, control);
  },
};

async function blocksOf(
  subject: Subject,
  source: EntrySource,
  options: PreconditionerOptions,
  control: TeamControl,
): Promise<{ of: string; blocks: Blocks }> {
  const { tree, leafSize = LEAF_SIZE, seed = 0, memoryLimit = availableMemory() } = options;
  const { model } = subject;
  if (tree === undefined && model !== undefined) {
    const layers = layerRanges(model.network);
    const whole = blockDiagonalBytes(layers) <= Math.min(LAYERS_BYTES, LAYERS_SHARE * memoryLimit);
    return {
      of: whole ? 'layers' : 'units',
      blocks: layOutBlocks(numbered(source.size), toShared(whole ? layers : unitRanges(model.network))),
    };
  }
  const given = tree ?? (await subject.tree(source, { leafSize: Math.max(2, leafSize), seed }, control));
  return { of: 'leaves', blocks: layOutBlocks(given.order, leafRanges(given)) };
}

/** Each isolated index by itself, then the leaves. */
function leafRanges({ depth, begin, end }: ClusterTree): Int32Array {
  const ends: number[] = [0];
  for (let i = 1; i <= begin[0]; i++) ends.push(i);
  for (let ν = 2 ** depth - 1; ν < begin.length; ν++) ends.push(end[ν]);
  return toShared(Int32Array.from(ends));
}
