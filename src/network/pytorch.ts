/**
 * θ as the tensors of PyTorch's nn.Linear modules, in memory. Files: weights-file.ts.
 */
import { ShapeError } from '../core/errors.js';
import { floats } from '../core/floats.js';
import { describe, requireRole } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';
import type { FloatArray } from '../dense/matrix.js';
import { requireFiniteArray, shapeText } from '../io/array-checks.js';
import type { NamedArray } from '../io/named-array.js';
import type { Tensor } from '../io/safetensors.js';
import { fillLayer, layerArrays } from './layer-arrays.js';
import { checkParameters, type Layer, type Network } from './network.js';

/** What an nn.Linear holds: weight of shape (outputs, inputs), row-major, and bias of shape (outputs), if any. */
export interface LinearTensors {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
}

/** A tensor as callers hand it over: with its shape, or its numbers alone, row-major in one flat array. */
export type GivenTensor = { readonly shape: ArrayLike<number>; readonly data: ArrayLike<number> } | ArrayLike<number>;

/**
 * Tensors of all layers: a list with one member for each, or one record in the order of a state_dict, whose names end
 * in "weight" and "bias" ("0.weight", "0.bias", "2.weight", …).
 */
export type GivenTensors =
  | readonly { readonly weight: GivenTensor; readonly bias?: GivenTensor | null | undefined }[]
  | Readonly<Record<string, GivenTensor>>;

/**
 * Each layer's weight and bias as PyTorch's nn.Linear has them: copies, in the precision of `parameters`. The inverse
 * of `fromPyTorch`, to the bit. Throws OptionError, ShapeError.
 */
export function toPyTorch(network: Network, parameters: ArrayLike<number>): LinearTensors[] {
  requireRole(network, 'network', 'toPyTorch');
  const θ = asFloats(parameters, 'parameters');
  checkParameters(network, θ);
  return network.layers.map((layer) => layerArrays(layer, θ, false));
}

/**
 * θ, in the network's order, from the weights and biases of PyTorch's nn.Linear modules, one for each layer; a
 * Float32Array where all of them are, else a Float64Array. Layers are taken in the order given, whatever their names.
 * Throws ShapeError, naming the tensor: of another shape, missing, left over; NonFiniteError, OptionError.
 */
export function fromPyTorch(network: Network, tensors: GivenTensors): FloatArray {
  requireRole(network, 'network', 'fromPyTorch');
  const found = Array.isArray(tensors) ? ofList(tensors as unknown[]) : ofRecord(tensors);
  if (found.length !== network.layers.length)
    throw new ShapeError(`Tensors of ${found.length} layers are given; the network has ${network.layers.length}.`, {
      layers: found.length,
      expected: network.layers.length,
    });
  const arrays = network.layers.map((layer, ℓ) => {
    const { weight, bias } = found[ℓ];
    const { inputs, outputs } = layer;
    if (layer.bias !== (bias.value !== undefined))
      throw new ShapeError(
        layer.bias
          ? `"${bias.name}" is missing: layer ${ℓ} of the network has a bias.`
          : `"${bias.name}" is given, and layer ${ℓ} of the network has no bias: define the network with one.`,
        { layer: ℓ, name: bias.name },
      );
    return {
      kernel: false,
      weights: tensorOf(weight, [outputs, inputs], layer, ℓ),
      biases: layer.bias ? tensorOf(bias, [outputs], layer, ℓ) : undefined,
    };
  });
  const single = arrays.every(({ weights, biases }) =>
    [weights, biases].every((array) => array === undefined || array.data instanceof Float32Array),
  );
  const parameters = floats(network.parameters, single ? 'f32' : 'f64');
  network.layers.forEach((layer, ℓ) => {
    fillLayer(layer, arrays[ℓ], parameters);
  });
  return parameters;
}

/** A tensor that was given, or not, and what it is called in messages. */
interface Named {
  readonly name: string;
  readonly value: unknown;
}

interface FoundTensors {
  readonly weight: Named;
  readonly bias: Named;
}

function ofList(tensors: readonly unknown[]): FoundTensors[] {
  return tensors.map((layer, ℓ) => {
    if (typeof layer !== 'object' || layer === null || !('weight' in layer))
      throw new ShapeError(`tensors[${ℓ}] must be { weight, bias } of a layer, not ${describe(layer)}.`, { layer: ℓ });
    const { weight, bias } = layer as { readonly weight: unknown; readonly bias?: unknown };
    return {
      weight: { name: `tensors[${ℓ}].weight`, value: weight },
      bias: { name: `tensors[${ℓ}].bias`, value: bias ?? undefined },
    };
  });
}

function ofRecord(tensors: unknown): FoundTensors[] {
  if (typeof tensors !== 'object' || tensors === null)
    throw new ShapeError(
      `The tensors are a list of { weight, bias }, or a record of them by name, not ${describe(tensors)}.`,
    );
  const layers = new Map<string, { weight?: unknown; bias?: unknown }>();
  for (const [name, value] of Object.entries(tensors)) {
    const [, stem, leaf] = /^(.*[./]|)(weight|bias)$/.exec(name) ?? [];
    if (stem === undefined)
      throw new ShapeError(`"${name}" is neither the weight nor the bias of a layer: its name ends with neither.`, {
        name,
      });
    layers.set(stem, { ...layers.get(stem), [leaf]: value });
  }
  return [...layers].map(([stem, { weight, bias }]) => ({
    weight: { name: `${stem}weight`, value: weight },
    bias: { name: `${stem}bias`, value: bias },
  }));
}

/** The array, checked against the shape that the layer asks for. */
function tensorOf({ name, value }: Named, shape: readonly number[], { inputs, outputs }: Layer, ℓ: number): NamedArray {
  const asked = `layer ${ℓ} of the network, ${inputs} inputs and ${outputs} outputs, takes ${shapeText(shape)}`;
  if (value === undefined) throw new ShapeError(`"${name}" is missing: ${asked}.`, { layer: ℓ, name });
  const shaped = typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
  const data = asFloats((shaped ? value.data : value) as ArrayLike<number>, name);
  const given = shaped ? Array.from(value.shape as ArrayLike<number>) : undefined;
  if (given !== undefined && given.join() !== shape.join()) {
    const turned = [...given].reverse().join() === shape.join();
    const hint = turned ? ' PyTorch has outputs first: transpose it.' : '';
    throw new ShapeError(`"${name}" has shape ${shapeText(given)}; ${asked}.${hint}`, { layer: ℓ, name, shape: given });
  }
  const length = shape.reduce((product, n) => product * n, 1);
  if (data.length !== length)
    throw new ShapeError(`"${name}" holds ${data.length} numbers; ${asked}, ${length} numbers.`, {
      layer: ℓ,
      name,
      length: data.length,
    });
  const array = { shape, data, fortranOrder: false };
  requireFiniteArray(array, name);
  return array;
}
