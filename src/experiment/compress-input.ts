/**
 * A matrix compressed from its entries; a network's curvature by a tree over its weights.
 */
import { hessianTree, type HessianDistance } from '../curvature/trees/hessian-tree.js';
import { compressEntries } from '../hierarchical/from-entries/compress.js';
import { resolveOptions, type CompressOptions } from '../hierarchical/from-entries/options.js';
import type { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import type { EntriesReport } from '../hierarchical/matrix/report.js';
import type { Device } from '../device/device.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';

/** What is compressed: entries, and the network where they are those of its Gauss–Newton matrix. */
export interface CompressedInput {
  readonly source: EntrySource;
  readonly model?: Model | undefined;
  /** Where skeletons are found; default: the team. */
  readonly device?: Device | undefined;
}

/** A compressed matrix. */
export interface Compressed {
  readonly matrix: HierarchicalMatrix<EntriesReport>;
  /** What ordered the indices. */
  readonly distance: string;
  /** Seconds that choosing a network's tree took; the matrix's report does not count them. */
  readonly choosing: number;
}

/** Most weights in a leaf of a network's matrix, where nothing else is asked for: as `compressHessian` has it. */
const LEAF_SIZE = 128;

/**
 * Compresses the source's entries; of a network on the tree over its weights that `distance` names, or that is measured
 * to be the best ('auto'). Throws what `compress` and `hessianTree` throw.
 */
export async function compressInput(
  { source, model, device }: CompressedInput,
  options: CompressOptions,
  control: TeamControl,
): Promise<Compressed> {
  if (model === undefined) {
    const matrix = await compressEntries(source, options, { ...control, device });
    return { matrix, distance: matrix.report.distance, choosing: 0 };
  }
  const began = performance.now();
  const { distance, leafSize = Math.min(LEAF_SIZE, Math.max(2, source.size)), ...rest } = options;
  const { seed } = resolveOptions({ ...rest, leafSize });
  const asked = distance as HessianDistance | undefined;
  const { tree, chosen } = await hessianTree(model, source, { leafSize, seed, distance: asked }, control);
  const choosing = (performance.now() - began) / 1000;
  const matrix = await compressEntries(source, { ...rest, tree }, { ...control, device });
  return { matrix, distance: chosen, choosing };
}
