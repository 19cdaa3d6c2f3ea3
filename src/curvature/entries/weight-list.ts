/**
 * Lists of weights taken apart: θ's order is layer, output unit, input, so sorting indices groups weights by unit.
 */
import type { Indices } from '../../core/indices.js';
import { ShapeError } from '../../core/errors.js';
import type { Network } from '../../network/network.js';

/**
 * Weights in ascending order: weight a stands at `position[a]` of the caller's list and joins input q = `input[a]` to
 * output unit p = `unit[a]`.
 */
export interface WeightList {
  readonly count: number;
  readonly position: Int32Array;
  readonly unit: Int32Array;
  readonly input: Int32Array;
  /** Layer ℓ holds weights layerBegin[ℓ] … layerBegin[ℓ + 1] − 1. */
  readonly layerBegin: Int32Array;
}

/** A run of weights of one layer, and where each run of equal units in it begins (and, last, where it ends). */
export interface WeightPanel {
  readonly list: WeightList;
  readonly layer: number;
  readonly begin: number;
  readonly end: number;
  readonly groups: readonly number[];
}

/**
 * The list without the weights whose `skip` is true (rows known to be zero). Throws ShapeError for an index outside the
 * network.
 */
export function weightList(
  { layers, parameters }: Network,
  indices: Indices,
  skip?: (index: number) => boolean,
): WeightList {
  let sorted = true;
  let kept = 0;
  let position = new Int32Array(indices.length);
  for (let a = 0, previous = -1; a < indices.length; a++) {
    const index = indices[a];
    if (index < 0 || index >= parameters)
      throw new ShapeError(`Weight ${index} does not exist: the network has ${parameters} parameters.`, {
        index,
        parameters,
      });
    if (skip?.(index) === true) continue;
    position[kept++] = a;
    sorted &&= index >= previous;
    previous = index;
  }
  position = position.subarray(0, kept);
  if (!sorted) {
    // A position below 2³¹ and an index below 2²² or so pack into one double; equal weights stay in the caller's order.
    const keys = new Float64Array(kept);
    for (let a = 0; a < kept; a++) keys[a] = indices[position[a]] * indices.length + position[a];
    keys.sort();
    for (let a = 0; a < kept; a++) position[a] = keys[a] % indices.length;
  }
  const unit = new Int32Array(kept);
  const input = new Int32Array(kept);
  const layerBegin = new Int32Array(layers.length + 1);
  let ℓ = 0;
  for (let a = 0; a < kept; a++) {
    const index = indices[position[a]];
    while (index >= layers[ℓ].offset + layers[ℓ].width * layers[ℓ].outputs) layerBegin[++ℓ] = a;
    const { offset, width } = layers[ℓ];
    unit[a] = Math.floor((index - offset) / width);
    input[a] = index - offset - unit[a] * width;
  }
  while (ℓ < layers.length) layerBegin[++ℓ] = kept;
  return { count: kept, position, unit, input, layerBegin };
}

/** The weights of one layer, at most `largest` at a time. */
export function weightPanels(list: WeightList, layer: number, largest: number): WeightPanel[] {
  const panels: WeightPanel[] = [];
  const end = list.layerBegin[layer + 1];
  for (let begin = list.layerBegin[layer]; begin < end; begin += largest) {
    const until = Math.min(end, begin + largest);
    const groups = [begin];
    for (let a = begin + 1; a < until; a++) if (list.unit[a] !== list.unit[a - 1]) groups.push(a);
    groups.push(until);
    panels.push({ list, layer, begin, end: until, groups });
  }
  return panels;
}
