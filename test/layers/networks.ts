/** Networks of layers computed: losses, outputs, gradients and products at given parameters and samples. */
import type { Precision } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { initialParameters, type GraphNetwork } from '#hmatrix/layers/graph-network.js';
import type { ParameterBlock } from '#hmatrix/layers/parameter-block.js';
import type { Node } from '#hmatrix/tape/node.js';
import { directionNodes, gaussNewtonNodes, gradientNodes, hessianNodes } from '#hmatrix/tape/programs.js';
import { numbersOf, positionsOf, rowsOf } from '#hmatrix/tape/shape.js';
import { evaluate } from '../tape/evaluate.js';

/** Samples as data sets have them: of each input its numbers, sample by sample. */
export interface Samples {
  readonly count: number;
  readonly inputs: readonly Float64Array[];
  readonly targets: Float64Array;
}

/** What is computed, and where. */
export interface ComputeOptions {
  readonly mode?: 'training' | 'evaluation';
  readonly direction?: Float64Array;
  readonly product?: 'hessian' | 'gauss-newton';
  readonly precision?: Precision;
  /** Numbers of each mask. Default ones, of noise zeros. */
  readonly masks?: readonly Float64Array[];
}

export interface Computed {
  /** The mean loss. */
  readonly loss: number;
  /** Sample by sample, of each its positions, of each its features. */
  readonly output: Float64Array;
  readonly gradient: Float64Array;
  /** Empty where no direction is given. */
  readonly product: Float64Array;
}

/** Numbers of samples as the tape has them; `planar`: feature by feature, else position by position. */
function toTape(node: Node, numbers: Float64Array, count: number, planar: boolean): Float64Array {
  const [rows, positions] = [rowsOf(node.shape), positionsOf(node.shape)];
  return Float64Array.from({ length: numbers.length }, (_, at) => {
    const [i, b, p] = [at % rows, Math.floor(at / rows) % count, Math.floor(at / rows / count)];
    return numbers[b * rows * positions + (planar ? p + positions * i : i + rows * p)];
  });
}

function fromTape(node: Node, numbers: Float64Array, count: number): Float64Array {
  const [rows, positions] = [rowsOf(node.shape), positionsOf(node.shape)];
  const out = new Float64Array(numbers.length);
  for (let at = 0; at < numbers.length; at++) {
    const [i, b, p] = [at % rows, Math.floor(at / rows) % count, Math.floor(at / rows / count)];
    out[b * rows * positions + rows * p + i] = numbers[at];
  }
  return out;
}

const blockOf = ({ layers }: GraphNetwork, leaf: Node): ParameterBlock => layers[leaf.attributes['index'] as number];

/** Of θ a block's numbers. */
const partOf = (θ: Float64Array, { offset, width, outputs }: ParameterBlock): Float64Array =>
  θ.subarray(offset, offset + width * outputs);

export function compute(
  network: GraphNetwork,
  θ: Float64Array,
  { count, inputs, targets }: Samples,
  { mode = 'evaluation', direction, product = 'hessian', precision = 'f64', masks }: ComputeOptions = {},
): Computed {
  const own = network[mode];
  const { graph } = own;
  const gradients = gradientNodes(own);
  const products = direction === undefined ? [] : product === 'hessian' ? hessianNodes(own) : gaussNewtonNodes(own);
  const values = new Map<Node, ArrayLike<number>>();
  own.inputs.forEach((leaf, k) => values.set(leaf, toTape(leaf, inputs[k], count, network.inputKinds[k].planar)));
  values.set(own.targets, toTape(own.targets, targets, count, false));
  values.set(graph.leaf('scale', 0, { perSample: false, dims: [1] }), [1 / count]);
  for (const { node, values: numbers } of own.constants) values.set(node, numbers);
  own.masks.forEach(({ node, share }, k) =>
    values.set(node, masks?.[k] ?? new Float64Array(numbersOf(node.shape, count)).fill(share === null ? 0 : 1)),
  );
  for (const node of graph.nodes)
    if (node.op === 'leaf' && node.attributes['kind'] === 'parameter')
      values.set(node, partOf(θ, blockOf(network, node)));
  if (direction !== undefined)
    for (const [node, leaf] of directionNodes(own, 'product'))
      values.set(leaf, partOf(direction, blockOf(network, node)));
  const outputs = [own.loss, own.output, ...gradients, ...products];
  const [losses, output, ...rest] = evaluate(graph, outputs, values, { count, precision });
  const vector = (parts: readonly Float64Array[]): Float64Array => {
    const all = new Float64Array(network.parameters);
    parts.forEach((part, k) => {
      all.set(part, blockOf(network, own.parameters[k]).offset);
    });
    return all;
  };
  return {
    loss: losses.reduce((total, one) => total + one, 0) / count,
    output: fromTape(own.output, output, count),
    gradient: vector(rest.slice(0, gradients.length)),
    product: vector(rest.slice(gradients.length)),
  };
}

/** Initial parameters, moved, so that none of them is one of those that are alike at the beginning. */
export function randomParameters(network: GraphNetwork, seed: number): Float64Array {
  const random = new RandomStream(seed);
  const θ = Float64Array.from(initialParameters(network, { precision: 'f64', seed }));
  for (let k = 0; k < network.trained; k++) θ[k] += 0.1 * random.normal();
  // Variances stay above zero.
  for (let k = network.trained; k < θ.length; k++) θ[k] += 0.5 * random.uniform();
  return θ;
}

/** A direction without changes of the statistics. */
export function randomDirection(network: GraphNetwork, seed: number): Float64Array {
  const random = new RandomStream(seed);
  return Float64Array.from({ length: network.parameters }, (_, k) => (k < network.trained ? random.normal() : 0));
}

/** Normal numbers; indices of words where an input has a vocabulary, and of classes where the loss takes tokens. */
export function randomSamples(network: GraphNetwork, count: number, seed: number): Samples {
  const random = new RandomStream(seed);
  const inputs = network.inputKinds.map(({ shape, vocabulary }) =>
    Float64Array.from({ length: numbersOf(shape, count) }, () =>
      vocabulary === null ? random.normal() : random.integer(vocabulary),
    ),
  );
  const { loss, outputs, training } = network;
  const targets = new Float64Array(outputs * count);
  if (typeof loss !== 'string')
    for (let k = 0; k < targets.length; k++) targets[k] = random.integer(rowsOf(training.output.shape));
  else if (loss === 'cross-entropy') for (let b = 0; b < count; b++) targets[b * outputs + random.integer(outputs)] = 1;
  else random.fillNormal(targets);
  return { count, inputs, targets };
}

/** ‖a − b‖/‖b‖. */
export function relativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let k = 0; k < b.length; k++) {
    difference += (a[k] - b[k]) ** 2;
    size += b[k] ** 2;
  }
  return a.length === b.length ? Math.sqrt(difference / size) : Number.POSITIVE_INFINITY;
}
