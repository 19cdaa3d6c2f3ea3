/**
 * θ as the tensors of a PyTorch module's state_dict, and back: a name and a shape for each. PyTorch has outputs first:
 *
 *   dense         weight (outputs, inputs), bias (outputs)
 *   convolution   weight (outputs, inputs/groups, height, width), bias (outputs)
 *   depthwise     weight (channels, 1, height, width)
 *   embedding     weight (words, features)
 *   attention     in_proj_weight (3·features, features), in_proj_bias: q, k and v one after the other
 *
 * and vectors as they are. Counters of batch norm ("num_batches_tracked") mean nothing here.
 */
import { OptionError, ShapeError } from '../core/errors.js';
import { floats, type FloatArray } from '../core/floats.js';
import { describe } from '../core/kind.js';
import { asFloats } from '../core/numbers.js';
import { requireFiniteArray, shapeText } from '../io/array-checks.js';
import type { GivenTensor } from '../network/pytorch.js';
import { requireGraphNetwork, type GraphNetwork } from './graph-network.js';
import type { ParameterBlock } from './parameter-block.js';

/** A tensor with its numbers in C order: the last index fastest. */
export interface StateTensor {
  readonly shape: readonly number[];
  readonly data: FloatArray;
}

/** Where the numbers of a tensor stand in θ. */
interface Piece {
  readonly name: string;
  readonly shape: readonly number[];
  /** The place in θ of the tensor's k-th number. */
  readonly place: (k: number) => number;
}

/** The tensors of a block. */
function piecesOf({ name, offset, inputs, outputs, width, bias, window, kind }: ParameterBlock): Piece[] {
  if (kind === 'statistics' || (kind === 'vector' && outputs === 1 && window === undefined))
    return [{ name, shape: [width], place: (k) => offset + k }];
  const depthwise = kind === 'vector';
  const [kernelWidth, kernelHeight] = window ?? [1, 1];
  const taps = kernelWidth * kernelHeight;
  // Weights come tap by tap, and of each tap input by input; of a depthwise kernel a tap's channels.
  const channels = depthwise ? inputs : inputs / taps;
  const ofTaps = (k: number): number => channels * (k % taps) + (Math.floor(k / taps) % channels);
  const own = depthwise ? inputs * taps : inputs;
  const weights: Piece =
    window === undefined
      ? { name, shape: [outputs, inputs], place: (k) => offset + Math.floor(k / inputs) * width + (k % inputs) }
      : {
          name,
          shape: depthwise ? [channels, 1, kernelHeight, kernelWidth] : [outputs, channels, kernelHeight, kernelWidth],
          place: (k) => offset + (depthwise ? 0 : Math.floor(k / own) * width) + ofTaps(k),
        };
  if (!bias) return [weights];
  const ofBias = { name: name.replace(/weight$/, 'bias'), shape: [outputs] };
  return [weights, { ...ofBias, place: (k) => offset + k * width + inputs }];
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Projections of attention, which PyTorch keeps in one tensor. */
const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj'] as const;
const PACKED = /^(.*)in_proj_(weight|bias)$/;
const PROJECTION = /^(.*)([qkv]_proj)\.(weight|bias)$/;

/**
 * The tensors of θ by PyTorch's names: copies, in θ's precision. The inverse of `fromStateDict`, to the bit. Throws
 * OptionError, ShapeError.
 */
export function toStateDict(network: GraphNetwork, parameters: ArrayLike<number>): Record<string, StateTensor> {
  requireGraphNetwork(network, 'toStateDict', 'toPyTorch takes perceptrons');
  const θ = asFloats(parameters, 'parameters');
  if (θ.length !== network.parameters)
    throw new ShapeError(`parameters has ${θ.length} numbers; the network has ${network.parameters}.`, {
      length: θ.length,
      expected: network.parameters,
    });
  const precision = θ instanceof Float32Array ? 'f32' : 'f64';
  const own = new Map<string, StateTensor>();
  for (const { name, shape, place } of network.layers.flatMap(piecesOf)) {
    const data = floats(sizeOf(shape), precision);
    for (let k = 0; k < data.length; k++) data[k] = θ[place(k)];
    own.set(name, { shape, data });
  }
  return Object.fromEntries([...own].flatMap(([name, tensor]) => packed(own, name) ?? [[name, tensor]]));
}

/**
 * What stands for a projection of attention: of the first one all three, of the others nothing; of others undefined.
 */
function packed(tensors: ReadonlyMap<string, StateTensor>, name: string): [string, StateTensor][] | undefined {
  const [, stem, own, leaf] = PROJECTION.exec(name) ?? [];
  if (stem === undefined) return undefined;
  const parts = PROJECTIONS.map((projection) => tensors.get(`${stem}${projection}.${leaf}`));
  const shapeOfFirst = parts[0]?.shape.join();
  if (!parts.every((part): part is StateTensor => part !== undefined && part.shape.join() === shapeOfFirst))
    return undefined;
  if (own !== PROJECTIONS[0]) return [];
  const [{ shape, data }] = parts;
  const all = floats(parts.length * data.length, data instanceof Float32Array ? 'f32' : 'f64');
  parts.forEach((part, k) => {
    all.set(part.data, k * data.length);
  });
  return [[`${stem}in_proj_${leaf}`, { shape: [parts.length * shape[0], ...shape.slice(1)], data: all }]];
}

/**
 * θ from the tensors of a state_dict, by name, such as the `tensors` of a safetensors file: a Float32Array where all of
 * them are, else a Float64Array. Throws ShapeError, naming the tensor: of another shape, missing, left over;
 * NonFiniteError, OptionError.
 */
export function fromStateDict(
  network: GraphNetwork,
  tensors: Readonly<Record<string, GivenTensor>> | ReadonlyMap<string, GivenTensor>,
): FloatArray {
  requireGraphNetwork(network, 'fromStateDict', 'fromPyTorch takes perceptrons');
  const given = unpacked(entriesOf(tensors));
  const single = [...given.values()].every(({ data }) => data instanceof Float32Array);
  const θ = floats(network.parameters, single ? 'f32' : 'f64');
  for (const { name, shape, place } of network.layers.flatMap(piecesOf)) {
    const tensor = given.get(name);
    if (tensor === undefined)
      throw new ShapeError(`"${name}" is missing: the network takes it with shape ${shapeText(shape)}.`, { name });
    const { data } = tensor;
    if (tensor.shape !== null && tensor.shape.join() !== shape.join())
      throw new ShapeError(`"${name}" has shape ${shapeText(tensor.shape)}; the network takes ${shapeText(shape)}.`, {
        name,
        shape: tensor.shape,
        expected: shape,
      });
    if (data.length !== sizeOf(shape))
      throw new ShapeError(`"${name}" holds ${data.length} numbers; the network takes ${shapeText(shape)}.`, { name });
    requireFiniteArray({ shape: [data.length], data, fortranOrder: false }, name);
    for (let k = 0; k < data.length; k++) θ[place(k)] = data[k];
    given.delete(name);
  }
  const [left] = given.keys();
  if (left !== undefined)
    throw new ShapeError(`"${left}" is given, and the network has no parameters of that name.`, { name: left });
  return θ;
}

/** A tensor that was given; its shape null where its numbers come alone. */
interface Given {
  readonly shape: readonly number[] | null;
  readonly data: FloatArray;
}

function entriesOf(tensors: unknown): [string, Given][] {
  if (typeof tensors !== 'object' || tensors === null || Array.isArray(tensors))
    throw new OptionError(`fromStateDict takes a record or a map of tensors by name, not ${describe(tensors)}.`);
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  return (entries as [string, unknown][])
    .filter(([name]) => !name.endsWith('num_batches_tracked'))
    .map(([name, value]) => {
      const shaped = typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;
      const data = asFloats((shaped ? value.data : value) as ArrayLike<number>, name);
      return [name, { shape: shaped ? Array.from(value.shape as ArrayLike<number>) : null, data }];
    });
}

/** PyTorch's in_proj tensors as those of q, k and v. */
function unpacked(entries: readonly [string, Given][]): Map<string, Given> {
  return new Map(
    entries.flatMap(([name, tensor]): [string, Given][] => {
      const [, stem, leaf] = PACKED.exec(name) ?? [];
      const { shape, data } = tensor;
      const rows = shape?.[0] ?? data.length;
      if (stem === undefined || rows % PROJECTIONS.length !== 0) return [[name, tensor]];
      const numbers = data.length / PROJECTIONS.length;
      return PROJECTIONS.map((projection, k) => [
        `${stem}${projection}.${leaf}`,
        {
          shape: shape && [rows / PROJECTIONS.length, ...shape.slice(1)],
          data: data.subarray(k * numbers, (k + 1) * numbers),
        },
      ]);
    }),
  );
}
