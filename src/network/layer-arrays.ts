/**
 * A dense layer's parameters as arrays of their own, as other libraries hold them, and back.
 */
import { copyInto, view, zeros, type FloatArray } from '../dense/matrix.js';
import { transposeInto } from '../dense/transpose.js';
import type { NamedArray } from '../io/named-array.js';
import type { Tensor } from '../io/safetensors.js';
import { layerWeights, type Layer } from './network.js';

/** The arrays of one layer: W (outputs, inputs), or (inputs, outputs) where it is a kernel; b (outputs). */
export interface LayerArrays {
  readonly weights: NamedArray;
  readonly biases: NamedArray | undefined;
  readonly kernel: boolean;
}

/** Column p of W̄ᵀ ← the weights of output unit p, then its bias. */
export function fillLayer(layer: Layer, { weights, biases, kernel }: LayerArrays, parameters: FloatArray): void {
  const { inputs, outputs, width, offset } = layer;
  const { data } = weights;
  const unitFirst = kernel === weights.fortranOrder;
  const own = view(parameters, offset, inputs, outputs, width);
  if (unitFirst) copyInto(own, view(data, 0, inputs, outputs));
  else transposeInto(own, view(data, 0, outputs, inputs));
  if (biases !== undefined) for (let p = 0; p < outputs; p++) parameters[offset + p * width + inputs] = biases.data[p];
}

/** W (out, in), or its transpose, and b (out) of a layer, in C order. */
export function layerArrays(
  layer: Layer,
  parameters: FloatArray,
  kernel: boolean,
): { weight: Tensor; bias: Tensor | undefined } {
  const { inputs, outputs, width, bias } = layer;
  const { data, offset } = layerWeights(layer, parameters);
  const precision = data instanceof Float64Array ? 'f64' : 'f32';
  const weight = zeros(inputs, outputs, precision).data;
  const vector = zeros(bias ? outputs : 0, 1, precision).data;
  const own = view(data, offset, inputs, outputs, width);
  if (kernel) transposeInto(view(weight, 0, outputs, inputs), own);
  else copyInto(view(weight, 0, inputs, outputs), own);
  if (bias) for (let p = 0; p < outputs; p++) vector[p] = data[offset + p * width + inputs];
  return {
    weight: { shape: kernel ? [inputs, outputs] : [outputs, inputs], data: weight },
    bias: bias ? { shape: [outputs], data: vector } : undefined,
  };
}
