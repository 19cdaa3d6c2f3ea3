/**
 * How the Kronecker factors of a network of layers are asked for.
 */
import { OptionError } from '../../core/errors.js';
import { quoted } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import { withBlas } from '../../dense/default-blas.js';
import { asGraphModel, requireRoots, type GivenGraphModel } from '../../layers/graph-model.js';
import { checkCount, KRONECKER_KEYS, samplingOf, type KroneckerOptions } from './factors.js';
import type { GraphWalk } from './graph-columns.js';
import { WEIGHT_SHARINGS, type WeightSharing } from './graph-factors.js';

/** Options of `kfac` and `ekfac` for networks of layers. */
export interface GraphKroneckerOptions extends KroneckerOptions {
  /**
   * Of weights that are used at many positions: every position counts as a sample ('expand'), or a sample's inputs are
   * averaged and its errors added ('reduce'). Default 'expand'.
   */
  readonly sharing?: WeightSharing | undefined;
}
/** The keys of {@link GraphKroneckerOptions}. */
const GRAPH_KRONECKER_KEYS: KeysOf<GraphKroneckerOptions> = { ...KRONECKER_KEYS, sharing: true };

/** The walk that the options of the function named `of` ask for. Throws OptionError, ShapeError. */
export function openGraphWalk(
  given: GivenGraphModel,
  options: GraphKroneckerOptions,
  of: string,
): { readonly walk: GraphWalk; readonly sharing: WeightSharing } {
  const { blas, sharing = 'expand', batchSize, team, ...rest } = withBlas(options, GRAPH_KRONECKER_KEYS, of);
  const model = asGraphModel(given, of);
  requireRoots(model.network, of);
  if (!WEIGHT_SHARINGS.includes(sharing))
    throw new OptionError(`Unknown sharing ${quoted(sharing)}: choose one of ${WEIGHT_SHARINGS.join(', ')}.`, {
      option: 'sharing',
      sharing,
    });
  if (batchSize !== undefined) checkCount(batchSize, 'batchSize: the samples read at a time');
  return { walk: { model, sampling: samplingOf(rest), batchSize, blas, team }, sharing };
}
