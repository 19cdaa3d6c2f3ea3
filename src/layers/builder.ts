/**
 * What layers are made with: a graph under construction, the parameters that it takes, and whether it is the network of
 * training (masks of dropout, statistics of the batch) or of evaluation.
 */
import { RandomStream } from '../core/random.js';
import { Graph } from '../tape/graph.js';
import type { Node } from '../tape/node.js';
import type { LossTerm } from '../tape/programs.js';
import type { Shape } from '../tape/shape.js';
import type { BlockKind, InitialValues, ParameterBlock } from './parameter-block.js';

/** Which of a network's two graphs. */
export type Mode = 'training' | 'evaluation';

/** Mean and reciprocal deviation of a batch, and the statistics that follow them. */
export interface StatisticsUpdate {
  readonly mean: Node;
  readonly reciprocalDeviation: Node;
  /** Numbers of a sample that they are taken over. */
  readonly positions: number;
  readonly epsilon: number;
  readonly momentum: number;
  /** Blocks of the running mean and variance. */
  readonly blocks: readonly [number, number];
}

/** Random numbers that are drawn for every step. */
export interface Mask {
  readonly node: Node;
  /** Of dropout: 0 with this probability, else 1/(1 − share). null: normal numbers. */
  readonly share: number | null;
}

/** Numbers that stay, as a leaf. */
export interface Constant {
  readonly node: Node;
  readonly values: ArrayLike<number>;
}

/** What a block is asked for with. */
export interface BlockRequest {
  readonly name: string;
  readonly kind: BlockKind;
  readonly inputs: number;
  readonly outputs: number;
  readonly bias: boolean;
  readonly initial: InitialValues;
  readonly window?: readonly [number, number] | undefined;
}

/** Tokens of which those that are padding are not to be seen. */
export interface Keys {
  /** Indices: 1 × positions, per sample. */
  readonly ids: Node;
  /** The index of padding. */
  readonly padding: number;
}

/** A graph that layers add to. */
export class Builder {
  readonly graph = new Graph();
  readonly mode: Mode;
  /** In the order in which they were asked for; offsets are told when all are known (network.ts). */
  readonly blocks: Omit<ParameterBlock, 'offset'>[] = [];
  /** The leaf of each block. */
  readonly parameters: Node[] = [];
  readonly masks: Mask[] = [];
  readonly constants: Constant[] = [];
  readonly updates: StatisticsUpdate[] = [];
  /** Terms of the loss of a layer's own, a number per sample, and what they are convex in, with the root if known. */
  readonly penalties: LossTerm[] = [];
  readonly #scopes: string[] = [];
  #keys: Keys | null = null;

  constructor(mode: Mode) {
    this.mode = mode;
  }

  /** Names what `make` adds: parameters "block1.conv1.weight", nodes "block1/conv1/…". */
  within<T>(scope: string, make: () => T): T {
    this.#scopes.push(scope);
    try {
      return this.graph.within(scope, make);
    } finally {
      this.#scopes.pop();
    }
  }

  /** A block's leaf: a matrix of width × outputs, or a vector where it has one input or one output. */
  block(request: BlockRequest): Node {
    const { inputs, outputs, bias } = request;
    const width = bias ? inputs + 1 : inputs;
    const name = [...this.#scopes, request.name].join('.');
    if (this.blocks.some((other) => other.name === name))
      this.graph.fail(
        'parameter',
        `two blocks of parameters are named "${name}": give their layers names of their own.`,
      );
    const index = this.blocks.length;
    this.blocks.push({ ...request, name, width });
    const dims =
      request.kind === 'statistics' || (request.kind === 'vector' && outputs === 1) ? [width] : [width, outputs];
    const node = this.graph.leaf('parameter', index, { perSample: false, dims }, request.name);
    this.parameters.push(node);
    return node;
  }

  /** One number for each row, all beginning at `value`. */
  vector(name: string, size: number, value: number, kind: 'vector' | 'statistics' = 'vector'): Node {
    const initial: InitialValues = { kind: 'constant', value };
    return this.block({ name, kind, inputs: size, outputs: 1, bias: false, initial });
  }

  /** Numbers that stay. */
  constant(name: string, dims: readonly number[], values: ArrayLike<number>): Node {
    const shape: Shape = { perSample: false, dims };
    const node = this.graph.leaf('constant', this.constants.length, shape, name);
    this.constants.push({ node, values });
    return node;
  }

  /** Factors of dropout: 0 with probability `share`, else 1/(1 − share); with null normal numbers. */
  mask(shape: Shape, share: number | null): Node {
    const node = this.graph.leaf('mask', this.masks.length, shape, 'mask');
    this.masks.push({ node, share });
    return node;
  }

  /** The tokens whose padding attention is not to see, where there are any. */
  get keys(): Keys | null {
    return this.#keys;
  }

  /** Lets attention within `make` hide the padding of these tokens. */
  withKeys<T>(keys: Keys | null, make: () => T): T {
    const before = this.#keys;
    this.#keys = keys;
    try {
      return make();
    } finally {
      this.#keys = before;
    }
  }
}

/** A layer: from the outputs of the one before it to its own. */
export type Layer = (builder: Builder, x: Node) => Node;

/** Keeps the initial values of blocks of the same seed apart. */
const STREAM = 0x696e6974;

/** values ← the block's initial numbers. */
export function fillInitial(block: ParameterBlock, index: number, seed: number, values: Float64Array): void {
  const { initial, width, inputs } = block;
  const random = new RandomStream(seed, STREAM, index);
  for (let k = 0; k < values.length; k++) {
    if (block.bias && k % width === inputs) values[k] = 0;
    else if (initial.kind === 'constant') values[k] = initial.value;
    else if (initial.kind === 'normal') values[k] = initial.deviation * random.normal();
    else values[k] = initial.most * (2 * random.uniform() - 1);
  }
}
