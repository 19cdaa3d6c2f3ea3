/**
 * Trees over weights that stand unit by unit: layer → output unit → inputs, in orders of both.
 */
import { sharedInt32 } from '../../core/shared-array.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { buildClusterTree, depthFor, isolateZeros } from '../../tree/build.js';
import { mostInLeaf, type ClusterTree } from '../../tree/cluster-tree.js';
import { cutTree } from '../../tree/cut-tree.js';

/** A layer's place in θ, and the orders of its output units and of their inputs. */
export interface OrderedLayer {
  readonly offset: number;
  readonly width: number;
  readonly units: ArrayLike<number>;
  readonly inputs: ArrayLike<number>;
}

/**
 * Layer after layer, in a layer its output units and in a unit its inputs; zeros of `source`'s diagonal isolated in
 * front. Nodes are cut where a layer or a unit ends if that is between a third and two thirds of the node, else in the
 * middle; the depth is the least that keeps every leaf within `leafSize`.
 */
export function unitTree(
  layers: readonly OrderedLayer[],
  source: Pick<EntrySource, 'size' | 'diagonal'>,
  leafSize: number,
): ClusterTree {
  const { size } = source;
  const order = sharedInt32(size);
  /** By index: a number for its layer and one for its unit. */
  const layerOf = new Int32Array(size);
  const unitOf = new Int32Array(size);
  let next = 0;
  layers.forEach(({ offset, width, units, inputs }, ℓ) => {
    for (let j = 0; j < units.length; j++)
      for (let k = 0; k < inputs.length; k++) {
        const index = offset + units[j] * width + inputs[k];
        layerOf[index] = ℓ;
        unitOf[index] = units[j];
        order[next++] = index;
      }
  });
  const isolated = isolateZeros(order, source);
  // Strength of the border before each position: 2 a layer begins, 1 a unit.
  const borders = new Uint8Array(order.length);
  for (let p = isolated + 1; p < order.length; p++) {
    const [before, after] = [order[p - 1], order[p]];
    borders[p] = layerOf[before] !== layerOf[after] ? 2 : unitOf[before] !== unitOf[after] ? 1 : 0;
  }
  for (let depth = depthFor(size - isolated, leafSize); ; depth++) {
    const tree = cutTree(order, isolated, depth, borders);
    if (mostInLeaf(tree) <= leafSize) return tree;
  }
}

/** The order of a source's indices by two-centroid bisection, down to pairs. */
export async function bisectionOrder(
  source: EntrySource,
  distance: 'geometric' | 'gram',
  seed: number,
  { team, signal }: TeamControl,
): Promise<ArrayLike<number>> {
  const { size } = source;
  if (size < 3) return Int32Array.from({ length: size }, (_, i) => i);
  return (await buildClusterTree(source, distance, { leafSize: 2, seed }, { team, signal })).order;
}
