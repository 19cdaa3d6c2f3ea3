/**
 * The structural tree of a network's weights: layer → output unit → inputs.
 * Entries of a Gauss–Newton Hessian factor, per sample, into activations (by input) and errors (by output unit): all
 * weights of a unit stand together, the units of a layer by the likeness of their errors, the inputs of a unit by that
 * of their activations. C. Chen et al., SIMAX 42(1), 2021 (arXiv 1910.12184) find that the order decides the accuracy;
 * they use the Gram distance, which has to discover what a network says of itself.
 */
import { requireWhole } from '../../core/checks.js';
import { requireRole } from '../../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../../core/known-options.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { EntrySource, Points } from '../../source/entry-source.js';
import type { ClusterTree } from '../../tree/cluster-tree.js';
import { graphTree } from './graph-tree.js';
import { unitFeatures } from './unit-features.js';
import { bisectionOrder, unitTree, type OrderedLayer } from './unit-tree.js';

/** Options of {@link structuralTree}. */
export interface StructuralTreeOptions {
  /** Most indices a leaf may hold. */
  readonly leafSize: number;
  /** Default 0. Seeds the sketches of errors and activations. */
  readonly seed?: number | undefined;
}
/** The keys of {@link StructuralTreeOptions}. */
const STRUCTURAL_TREE_KEYS: KeysOf<StructuralTreeOptions> = { leafSize: 'number', seed: 'number' };

/**
 * Orders the N weights of `model`: weights that nothing depends on (zeros of `source`'s diagonal) isolated in front,
 * then layer after layer, in a layer its output units and in a unit its inputs, both by two-centroid bisection of their
 * features (unit-features.ts). Nodes are cut where a layer or a unit ends if that is between a third and two thirds of
 * the node, else in the middle; the depth is the least that keeps every leaf within `leafSize`. Two passes over the
 * data. Same tree for any team. Throws OptionError, NonFiniteError, AbortedError.
 */
export function structuralTree(
  model: GivenModel,
  source: Pick<EntrySource, 'size' | 'diagonal'>,
  options: StructuralTreeOptions,
  control?: Control,
): Promise<ClusterTree>;
/**
 * Orders what is trained of a network of layers, layer → output channel → input patch, by the likeness of K-FAC's
 * factors (graph-tree.ts); weights that no sample uses are isolated in front. Otherwise as before.
 */
export function structuralTree(
  model: GivenGraphModel,
  options: StructuralTreeOptions,
  control?: Control,
): Promise<ClusterTree>;
export async function structuralTree(
  given: GivenModel | GivenGraphModel,
  ...rest: readonly (Pick<EntrySource, 'size' | 'diagonal'> | StructuralTreeOptions | Control | undefined)[]
): Promise<ClusterTree> {
  if (isGivenGraph(given)) {
    const [options, control = {}] = rest as [StructuralTreeOptions, Control?];
    const asked = askedTree(options);
    const model = asGraphModel(given, 'structuralTree');
    return graphTree(model, asked, await onTeam(control, 'structuralTree'));
  }
  const [source, options, givenControl = {}] = rest as [
    Pick<EntrySource, 'size' | 'diagonal'>,
    StructuralTreeOptions,
    Control?,
  ];
  if (typeof source?.diagonal !== 'function') requireRole(source, 'source', 'structuralTree');
  const model = asModel(given, 'structuralTree');
  const { leafSize, seed } = askedTree(options);
  const control = await onTeam(givenControl, 'structuralTree');
  const { network } = model;
  const features = unitFeatures(model, seed, control.team.blas);
  const layers: OrderedLayer[] = [];
  for (const [ℓ, { offset, width }] of network.layers.entries())
    layers.push({
      offset,
      width,
      units: await bisectionOrder(pointSource(features[ℓ].units), 'geometric', seed, control),
      inputs: await bisectionOrder(pointSource(features[ℓ].inputs), 'geometric', seed, control),
    });
  return unitTree(layers, { size: network.parameters, diagonal: (out) => source.diagonal(out) }, leafSize);
}

function askedTree(options: StructuralTreeOptions): { readonly leafSize: number; readonly seed: number } {
  const { leafSize, seed = 0 } = requireKnownOptions(options, STRUCTURAL_TREE_KEYS, 'structuralTree');
  return { leafSize: requireWhole(leafSize, 'leafSize', 1), seed };
}

/** Points alone. */
const pointSource = (points: Points): EntrySource => ({
  size: points.count,
  points,
  entries: () => {},
  diagonal: (out) => {
    out.fill(1);
  },
});
