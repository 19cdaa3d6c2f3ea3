/**
 * Draws of θ as arrays by the weights' own names, as PyTorch's and JAX's users hold them: one for each weight and bias,
 * its first axis the draws'.
 */
import { floats, type Precision } from '../core/floats.js';
import type { Matrix } from '../dense/matrix.js';
import type { Tensor } from '../io/safetensors.js';
import { layerArrays } from './layer-arrays.js';
import type { Network } from './network.js';

/** What the arrays of a layer are called. */
export interface WeightNames {
  /** One that ends in "kernel" is (inputs, outputs), any other (outputs, inputs). */
  readonly weight: string;
  readonly bias: string | undefined;
}

const isKernel = (name: string): boolean => /(^|[./])kernel$/.test(name);

/** PyTorch's or Flax's names of a network's layers, as `writeWeights` writes them. */
export function conventionalNames(network: Network, convention: 'pytorch' | 'flax'): WeightNames[] {
  let position = 0;
  return network.layers.map(({ activation, bias }, ℓ) => {
    const stem = convention === 'flax' ? `Dense_${ℓ}/` : `${position}.`;
    position += activation === 'linear' ? 1 : 2;
    return { weight: stem + (convention === 'flax' ? 'kernel' : 'weight'), bias: bias ? `${stem}bias` : undefined };
  });
}

/** The arrays of one θ by name, in C order. */
export function weightArrays(
  network: Network,
  parameters: Float64Array | Float32Array,
  names: readonly WeightNames[],
): Map<string, Tensor> {
  return new Map(
    network.layers.flatMap((layer, ℓ) => {
      const { weight, bias } = names[ℓ];
      const arrays = layerArrays(layer, parameters, isKernel(weight));
      return bias === undefined || arrays.bias === undefined
        ? [[weight, arrays.weight] as const]
        : [[weight, arrays.weight] as const, [bias, arrays.bias] as const];
    }),
  );
}

/** The columns of `draws`, each a θ, as arrays of shape (draws, …the weight's own). */
export function weightDraws(
  network: Network,
  { data, offset, cols, ld }: Matrix,
  names: readonly WeightNames[],
  precision: Precision,
): Map<string, Tensor> {
  const all = new Map<string, Tensor>();
  for (let j = 0; j < cols; j++) {
    const θ = data.subarray(offset + j * ld, offset + j * ld + network.parameters);
    for (const [name, { shape, data: own }] of weightArrays(network, θ, names)) {
      if (j === 0) all.set(name, { shape: [cols, ...shape], data: floats(cols * own.length, precision) });
      all.get(name)!.data.set(own, j * own.length);
    }
  }
  return all;
}
