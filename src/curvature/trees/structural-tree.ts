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
import { sharedInt32 } from '../../core/shared-array.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { onTeam, type Control } from '../../parallel/default-team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource, Points } from '../../source/entry-source.js';
import { buildClusterTree, depthFor, isolateZeros } from '../../tree/build.js';
import { mostInLeaf, type ClusterTree } from '../../tree/cluster-tree.js';
import { cutTree } from '../../tree/cut-tree.js';
import { unitFeatures } from './unit-features.js';

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
export async function structuralTree(
  given: GivenModel,
  source: Pick<EntrySource, 'size' | 'diagonal'>,
  options: StructuralTreeOptions,
  givenControl: Control = {},
): Promise<ClusterTree> {
  if (typeof source?.diagonal !== 'function') requireRole(source, 'source', 'structuralTree');
  const model = asModel(given, 'structuralTree');
  const { leafSize, seed = 0 } = requireKnownOptions(options, STRUCTURAL_TREE_KEYS, 'structuralTree');
  const control = await onTeam(givenControl, 'structuralTree');
  requireWhole(leafSize, 'leafSize', 1);
  const { network } = model;
  const features = unitFeatures(model, seed, control.team.blas);
  const order = sharedInt32(network.parameters);
  /** By index: a number for its layer and one for its unit. */
  const layerOf = new Int32Array(network.parameters);
  const unitOf = new Int32Array(network.parameters);
  let next = 0;
  for (const [ℓ, layer] of network.layers.entries()) {
    const units = await bisectionOrder(features[ℓ].units, seed, control);
    const inputs = await bisectionOrder(features[ℓ].inputs, seed, control);
    for (const p of units) {
      for (const q of inputs) {
        const index = layer.offset + p * layer.width + q;
        layerOf[index] = ℓ;
        unitOf[index] = p;
        order[next++] = index;
      }
    }
  }
  const isolated = isolateZeros(order, source);
  // Strength of the border before each position: 2 a layer begins, 1 a unit.
  const borders = new Uint8Array(order.length);
  for (let p = isolated + 1; p < order.length; p++) {
    const [before, after] = [order[p - 1], order[p]];
    borders[p] = layerOf[before] !== layerOf[after] ? 2 : unitOf[before] !== unitOf[after] ? 1 : 0;
  }
  for (let depth = depthFor(network.parameters - isolated, leafSize); ; depth++) {
    const tree = cutTree(order, isolated, depth, borders);
    if (mostInLeaf(tree) <= leafSize) return tree;
  }
}

/** Positions of points by two-centroid bisection, down to pairs. */
async function bisectionOrder(points: Points, seed: number, control: TeamControl): Promise<Int32Array> {
  if (points.count < 3) return Int32Array.from({ length: points.count }, (_, i) => i);
  const source: EntrySource = {
    size: points.count,
    points,
    entries: () => {},
    diagonal: (out) => {
      out.fill(1);
    },
  };
  return (
    await buildClusterTree(source, 'geometric', { leafSize: 2, seed }, { team: control.team, signal: control.signal })
  ).order;
}
