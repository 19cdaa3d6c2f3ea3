/**
 * Layers at the beginning of a network that stay as they are: what they make of the inputs is the data of the others,
 * which are a network of their own. Its curvature is that of the trained layers alone.
 */
import { precisionOf } from '../core/floats.js';
import type { Blas } from '../dense/blas.js';
import { copyInto, type FloatArray } from '../dense/matrix.js';
import { forward, type ForwardPass } from '../network/forward.js';
import type { Network } from '../network/network.js';
import type { InputMap } from './data/mapped.js';

/** The first `count` layers, and the others. */
export function splitNetwork(network: Network, count: number): { before: Network; after: Network } {
  const before = network.layers.slice(0, count);
  const after = network.layers.slice(count);
  const offset = after[0].offset;
  return {
    before: {
      layers: before,
      inputs: network.inputs,
      outputs: before[count - 1].outputs,
      parameters: offset,
    },
    after: {
      layers: after.map((layer) => ({ ...layer, offset: layer.offset - offset })),
      inputs: after[0].inputs,
      outputs: network.outputs,
      parameters: network.parameters - offset,
    },
  };
}

/** The outputs of the layers before. Throws NonFiniteError. */
export function activations(before: Network, parameters: FloatArray, blas: Blas): InputMap {
  let pass: ForwardPass | undefined;
  return {
    rows: before.outputs,
    precision: precisionOf(parameters),
    apply: (x, out) => {
      pass = forward(before, parameters, x, blas, { reuse: pass?.count === x.cols ? pass : undefined });
      copyInto(out, pass.output);
    },
  };
}

/** θ of the whole network: that of the frozen layers, then that of the others. */
export function putBack(before: FloatArray, after: FloatArray): FloatArray {
  const length = before.length + after.length;
  const whole = after instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  whole.set(before);
  whole.set(after, before.length);
  return whole;
}
