/**
 * A network of any shape: a graph of layers with its parameters, inputs and loss, for training and for evaluation.
 */
import { requirePrecision, requireSeed, requireWhole } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../core/floats.js';
import { requireMemory } from '../core/memory.js';
import { availableMemory } from '../io/machine.js';
import type { LossGraph } from '../tape/programs.js';
import { ancestorsOf } from '../tape/differentiate.js';
import type { Node } from '../tape/node.js';
import { sum } from '../tape/primitives/sum.js';
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

/** `size` numbers. Throws OptionError. */
export const vectorInput = (size: number): InputKind => ({
  shape: { perSample: true, dims: [requireWhole(size, 'the size of vectorInput', 1)] },
  planar: false,
  vocabulary: null,
});

/** Sizes of images. */
export interface ImageSize {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

const IMAGE_KEYS: KeysOf<ImageSize> = { channels: 'number', height: 'number', width: 'number' };

/** Images as files have them: channel by channel, within a channel row by row. Throws OptionError. */
export function imageInput(size: ImageSize): InputKind {
  const example = 'imageInput({ channels: 3, height: 32, width: 32 })';
  const { channels, height, width } = requireKnownOptions(size, IMAGE_KEYS, 'imageInput', example);
  for (const [name, value] of Object.entries({ channels, height, width })) requireWhole(value, name, 1);
  return { shape: { perSample: true, dims: [channels, width, height] }, planar: true, vocabulary: null };
}

/** `length` indices of words, of `vocabulary` words. Throws OptionError. */
export function tokenInput(length: number, vocabulary: number): InputKind {
  requireWhole(length, 'the length of tokenInput', 1);
  requireWhole(vocabulary, 'the vocabulary of tokenInput', 1);
  return { shape: { perSample: true, dims: [1, length] }, planar: true, vocabulary };
}

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
export function graphNetwork(options: GraphNetworkOptions): GraphNetwork {
  const { inputs, layers, loss } = requireKnownOptions(
    options,
    { inputs: true, layers: 'function', loss: true },
    'graphNetwork',
    "graphNetwork({ inputs: vectorInput(4), layers: dense(3), loss: 'cross-entropy' })",
  );
  const kinds: readonly InputKind[] = Array.isArray(inputs) ? inputs : [inputs];
  if (kinds.length === 0) refuseInput(describe(inputs));
  kinds.forEach((kind, k) => {
    if (!isInputKind(kind)) refuseInput(kind === inputs ? describe(kind) : `a list with ${describe(kind)} at ${k}`);
    requireInputKind(kind, `Input ${k}`);
  });
  if (typeof layers !== 'function')
    throw new OptionError(`layers of graphNetwork is ${describe(layers)}: a layer, or what makes the outputs.`);
  if (typeof loss !== 'string' && (loss as { readonly kind?: unknown } | null)?.kind !== 'tokens')
    throw new OptionError(`loss of graphNetwork is ${describe(loss)}: the name of a loss, or what tokenLoss gives.`);
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

function refuseInput(given: string): never {
  throw new OptionError(
    `inputs of graphNetwork are what vectorInput, imageInput and tokenInput give, one or a list of them, not ${given}.`,
  );
}

const isInputKind = (given: unknown): boolean => typeof given === 'object' && given !== null && 'shape' in given;

/** Throws OptionError, saying what is wrong, for what none of the three functions gives. */
function requireInputKind({ shape, planar, vocabulary }: Partial<InputKind>, name: string): void {
  const { perSample, dims } = (shape as Partial<Shape> | null | undefined) ?? {};
  const isList = Array.isArray(dims);
  const sizes = isList ? `[${dims.join(', ')}]` : describe(dims);
  const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && (size as number) >= 1;
  const wrong =
    perSample !== true
      ? `has no shape of every sample's own: perSample is ${describe(perSample)}`
      : !isList || dims.length === 0 || !dims.every(isSize)
        ? `has the dimensions ${sizes}: a list of whole numbers of at least 1 is needed`
        : typeof planar !== 'boolean'
          ? `does not say whether its positions lie together: planar is ${describe(planar)}`
          : vocabulary !== null && !isSize(vocabulary)
            ? `has the vocabulary ${describe(vocabulary)}: the number of its words, or null where it has none`
            : null;
  if (wrong !== null)
    throw new OptionError(
      `${name} of graphNetwork's inputs ${wrong}. Make it by vectorInput, imageInput or tokenInput.`,
    );
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
  if (typeof (output as Node | undefined)?.shape !== 'object')
    throw new OptionError(`layers of graphNetwork give ${describe(output)}: a layer returns the node of its outputs.`);
  const targets = graph.leaf('input', kinds.length, targetShape(loss, output.shape), 'targets');
  const terms = [{ loss: lossNode(graph, loss, output, targets), output }, ...builder.penalties];
  const total = graph.within('loss', () =>
    sum(
      graph,
      terms.map((term) => term.loss),
    ),
  );
  const { masks, constants, updates, parameters } = builder;
  const trained = parameters.filter((_, k) => builder.blocks[k].kind !== 'statistics');
  const network = { graph, inputs, targets, output, terms, loss: total, masks, constants, updates };
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

/** Numbers of a slice's forward pass that are still in the caches, about; at most, whatever the samples. */
const SLICE_NUMBERS = 2 ** 20;
const MOST_NUMBERS = 2 ** 27;
const FEW_SAMPLES = 16;
const MOST_SAMPLES = 256;

/**
 * Samples that are worked on at a time: so many that multiplications of matrices have enough columns and that the
 * slice's own gradient is not the larger part of its numbers, so few that what they leave stays in the caches: 16 to
 * 256, fewer of large images. Statistics of batch norms are those of so many samples at most.
 */
export function sliceSamples({ evaluation, parameters }: GraphNetwork): number {
  const shapes = ancestorsOf([evaluation.loss]).flatMap(({ shape }) => (shape.perSample ? [shape] : []));
  const each = shapes.reduce((numbers, shape) => numbers + numbersOf(shape, 1), 0);
  const few = Math.max(1, Math.min(FEW_SAMPLES, Math.floor(MOST_NUMBERS / each)));
  return Math.max(few, Math.min(MOST_SAMPLES, Math.floor(Math.max(SLICE_NUMBERS, parameters) / each)));
}

/** Throws OptionError unless `network` is one of `graphNetwork`; `instead` says what takes perceptrons. */
export function requireGraphNetwork(network: GraphNetwork, of: string, instead: string): void {
  requireRole(network, 'network', of);
  if ((network as { readonly kind?: unknown }).kind !== 'graph')
    throw new OptionError(`${of} takes a network of graphNetwork: ${instead}.`, { of });
}

/** Settings of {@link initialParameters}. */
export interface StartOptions {
  /** Default 0. */
  readonly seed?: number | undefined;
  /** Default 'f32'. */
  readonly precision?: Precision | undefined;
}

/** θ at the beginning: every block's own initial values. Throws OptionError, MemoryError. */
export function initialParameters(network: GraphNetwork, options: StartOptions = {}): FloatArray {
  requireGraphNetwork(network, 'startParameters', 'initialParameters takes perceptrons');
  const known = { seed: 'number', precision: true } as const;
  const { seed = 0, precision = 'f32' } = requireKnownOptions(options, known, 'startParameters');
  requireSeed(seed);
  const { layers, parameters } = network;
  const largest = layers.reduce((most, { width, outputs }) => Math.max(most, width * outputs), 0);
  requireMemory(NUMBER_BYTES[requirePrecision(precision)] * parameters + 8 * largest, availableMemory(), {
    what: 'startParameters needs',
    advice: 'take fewer words, units or channels.',
  });
  const θ = floats(parameters, precision);
  layers.forEach((block, index) => {
    const values = new Float64Array(block.width * block.outputs);
    fillInitial(block, index, seed, values);
    θ.set(values, block.offset);
  });
  return θ;
}
