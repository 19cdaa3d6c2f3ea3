/**
 * A network of any shape: a graph of layers with its parameters, inputs and loss, for training and for evaluation.
 */
import { OptionError } from '../core/errors.js';
import { floats, type FloatArray, type Precision } from '../core/floats.js';
import type { LossGraph } from '../tape/programs.js';
import { ancestorsOf } from '../tape/differentiate.js';
import type { Node } from '../tape/node.js';
import { primitiveOf } from '../tape/primitives/table.js';
import { numbersEach, numbersOf, type Shape } from '../tape/shape.js';
import { Builder, fillInitial, type Constant, type Layer, type Mask, type StatisticsUpdate } from './builder.js';
import { lossNode, targetShape, type GraphLoss } from './losses.js';
import type { ParameterBlock } from './parameter-block.js';

/** What one sample of an input is. */
export interface InputKind {
  readonly shape: Shape;
  /** Whether a data set has the positions of a channel one after the other (images), or the features of a position. */
  readonly planar: boolean;
  /** Whether its numbers are indices of so many words. */
  readonly vocabulary: number | null;
}

/** `size` numbers. */
export const vectorInput = (size: number): InputKind => ({
  shape: { perSample: true, dims: [size] },
  planar: false,
  vocabulary: null,
});

/** Images as files have them: channel by channel, within a channel row by row. */
export const imageInput = ({
  channels,
  height,
  width,
}: {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}): InputKind => ({ shape: { perSample: true, dims: [channels, width, height] }, planar: true, vocabulary: null });

/** `length` indices of words. */
export const tokenInput = (length: number, vocabulary: number): InputKind => ({
  shape: { perSample: true, dims: [1, length] },
  planar: true,
  vocabulary,
});

/** Makes the outputs from the inputs. */
export type MakeOutputs = (builder: Builder, ...inputs: readonly Node[]) => Node;

/** A graph of a network, for training or for evaluation. */
export interface NetworkGraph extends LossGraph {
  readonly inputs: readonly Node[];
  readonly targets: Node;
  /** What the network computes. */
  readonly output: Node;
  readonly masks: readonly Mask[];
  readonly constants: readonly Constant[];
  readonly updates: readonly StatisticsUpdate[];
}

/** A network of any shape. Make one by {@link graphNetwork}. */
export interface GraphNetwork {
  readonly kind: 'graph';
  /** Numbers of a sample's inputs, and of its targets. */
  readonly inputs: number;
  readonly outputs: number;
  /** Numbers of θ. */
  readonly parameters: number;
  /** The blocks of θ; statistics, which have no gradient, last. */
  readonly layers: readonly ParameterBlock[];
  /** Numbers of θ before the statistics. */
  readonly trained: number;
  readonly inputKinds: readonly InputKind[];
  readonly loss: GraphLoss;
  readonly training: NetworkGraph;
  readonly evaluation: NetworkGraph;
}

/** What {@link graphNetwork} takes. */
export interface GraphNetworkOptions {
  readonly inputs: InputKind | readonly InputKind[];
  /** A layer, or what makes the outputs of several inputs. */
  readonly layers: Layer | MakeOutputs;
  readonly loss: GraphLoss;
}

/** The network of these layers. Throws ShapeError that names the layer, OptionError. */
export function graphNetwork({ inputs, layers, loss }: GraphNetworkOptions): GraphNetwork {
  const kinds = 'shape' in inputs ? [inputs] : [...inputs];
  const training = build('training', kinds, layers, loss);
  const evaluation = build('evaluation', kinds, layers, loss);
  const blocks = place(training.builder);
  const names = (builder: Builder): string => JSON.stringify(builder.blocks);
  if (names(training.builder) !== names(evaluation.builder))
    throw new OptionError('The layers take other parameters in training than in evaluation: layers must be alike.', {});
  const statistics = blocks.filter(({ kind }) => kind === 'statistics');
  const parameters = blocks.reduce((total, { width, outputs }) => total + width * outputs, 0);
  const sizes = statistics.reduce((total, { width, outputs }) => total + width * outputs, 0);
  return {
    kind: 'graph',
    inputs: kinds.reduce((total, { shape }) => total + numbersEach(shape), 0),
    outputs: numbersEach(training.graph.targets.shape),
    parameters,
    layers: blocks,
    trained: parameters - sizes,
    inputKinds: kinds,
    loss,
    training: training.graph,
    evaluation: evaluation.graph,
  };
}

function build(
  mode: Builder['mode'],
  kinds: readonly InputKind[],
  layers: Layer | MakeOutputs,
  loss: GraphLoss,
): { readonly builder: Builder; readonly graph: NetworkGraph } {
  const builder = new Builder(mode);
  const { graph } = builder;
  const inputs = kinds.map(({ shape }, k) => graph.leaf('input', k, shape, `input ${k}`));
  const output = (layers as MakeOutputs)(builder, ...inputs);
  const targets = graph.leaf('input', kinds.length, targetShape(loss, output.shape), 'targets');
  const own = lossNode(graph, loss, output, targets);
  const { masks, constants, updates, parameters } = builder;
  const trained = parameters.filter((_, k) => builder.blocks[k].kind !== 'statistics');
  const network = { graph, inputs, targets, output, outputs: [output], loss: own, masks, constants, updates };
  return { builder, graph: { ...network, parameters: trained } };
}

/** The blocks with their offsets: those that are trained, then the statistics. */
function place({ blocks }: Builder): ParameterBlock[] {
  const placed: ParameterBlock[] = [];
  let offset = 0;
  for (const statistics of [false, true])
    blocks.forEach((block, k) => {
      if ((block.kind === 'statistics') !== statistics) return;
      placed[k] = { ...block, offset };
      offset += block.width * block.outputs;
    });
  return placed;
}

/** Multiplications and additions of matrices of one sample's forward pass. */
export const forwardFlops = ({ evaluation }: GraphNetwork): number =>
  ancestorsOf([evaluation.loss]).reduce((flops, node) => flops + (primitiveOf(node).flops?.(node, 1) ?? 0), 0);

/** Numbers of a slice's forward pass that are still in the caches, about, and bounds of its samples. */
const SLICE_NUMBERS = 2 ** 20;
const LEAST_SLICE = 16;
const MOST_SLICE = 256;

/**
 * Samples that are worked on at a time: so many that multiplications of matrices have enough columns, so few that what
 * they leave stays in the caches. Statistics of batch norms are those of so many samples.
 */
export function sliceSamples({ evaluation }: GraphNetwork): number {
  const each = ancestorsOf([evaluation.loss]).reduce((numbers, { shape }) => numbers + numbersOf(shape, 1), 0);
  return Math.max(LEAST_SLICE, Math.min(MOST_SLICE, Math.floor(SLICE_NUMBERS / each)));
}

/** θ at the beginning: every block's own initial values. */
export function initialParameters(
  { layers, parameters }: GraphNetwork,
  { seed = 0, precision = 'f32' }: { readonly seed?: number; readonly precision?: Precision } = {},
): FloatArray {
  const θ = floats(parameters, precision);
  layers.forEach((block, index) => {
    const values = new Float64Array(block.width * block.outputs);
    fillInitial(block, index, seed, values);
    θ.set(values, block.offset);
  });
  return θ;
}
