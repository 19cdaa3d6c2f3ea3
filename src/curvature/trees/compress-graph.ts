/**
 * The Gauss–Newton Hessian of a network of layers as a hierarchical matrix, from products.
 */
import { OptionError } from '../../core/errors.js';
import { quoted } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import type { CompressOptions } from '../../hierarchical/from-entries/options.js';
import { compressProducts } from '../../hierarchical/from-products/compress.js';
import type { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import type { GraphModel } from '../../layers/graph-model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { described, type Given } from '../../tree/given.js';
import { gaussNewton } from '../products/gauss-newton.js';
import { graphTree } from './graph-tree.js';

/** As for `compress`, of what can be made from products; default leaf size 128. */
export interface CompressGraphOptions extends Pick<
  CompressOptions,
  'format' | 'leafSize' | 'maxRank' | 'tolerance' | 'tree' | 'seed' | 'dtype' | 'memoryLimit'
> {
  /** Random vectors beyond the ranks (hierarchical/from-products/cost.ts). */
  readonly oversampling?: number | undefined;
}
/** The keys of {@link CompressGraphOptions}. */
const COMPRESS_GRAPH_KEYS: KeysOf<CompressGraphOptions> = {
  format: true,
  leafSize: 'number',
  maxRank: 'number',
  tolerance: 'number',
  tree: true,
  seed: 'number',
  dtype: true,
  memoryLimit: 'number',
  oversampling: 'number',
};

/** A compressed Hessian of a network of layers, and its tree. */
export interface CompressedGraphHessian {
  readonly matrix: HierarchicalMatrix;
  readonly tree: ClusterTree;
}

const LEAF_SIZE = 128;

/** See `compressHessian`. */
export async function compressGraph(
  model: GraphModel,
  options: Given<CompressGraphOptions>,
  givenControl: Control,
): Promise<CompressedGraphHessian> {
  const asked = described<CompressGraphOptions>(
    requireKnownOptions(options, COMPRESS_GRAPH_KEYS as KeysOf<typeof options>, 'compressHessian'),
    'compressHessian',
  );
  const control = await onTeam(givenControl, 'compressHessian');
  const { trained } = model.network;
  const { format = 'hss', leafSize = Math.min(LEAF_SIZE, Math.max(2, trained)), seed = 0, tolerance = 1e-5 } = asked;
  const { maxRank = leafSize, oversampling, dtype, memoryLimit, tree: given } = asked;
  if (format !== 'hss' && format !== 'hodlr')
    throw new OptionError(
      `Of a network of layers there are products alone: format must be 'hss' or 'hodlr', not ${quoted(format)}.`,
      { option: 'format', format },
    );
  const { team } = control;
  const tree = given ?? (await graphTree(model, { leafSize, seed }, control));
  const operator = gaussNewton(model, { blas: team.blas, team });
  try {
    const settings = { format, maxRank, tolerance, seed, oversampling, dtype, memoryLimit };
    return { matrix: await compressProducts(operator, tree, settings, control), tree };
  } finally {
    operator.release();
  }
}
