/**
 * Layers that make features of tokens and of where they stand.
 */
import { requireNonNegative, requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Node } from '../tape/node.js';
import { columnsAt, reshape } from '../tape/primitives/rearrange.js';
import { spread } from '../tape/primitives/spread.js';
import { scaled, sum } from '../tape/primitives/sum.js';
import { positionsOf, rowsOf, shapeText } from '../tape/shape.js';
import type { Builder, Layer } from './builder.js';

/** Settings of {@link embedding}. */
export interface EmbeddingOptions {
  /** Deviation of the initial numbers. Default 1/√features. */
  readonly deviation?: number | undefined;
  /** Multiplies what is looked up. Default 1; transformers take √features. */
  readonly scale?: number | undefined;
}

const EMBEDDING_KEYS: KeysOf<EmbeddingOptions> = { deviation: 'number', scale: 'number' };

/**
 * A vector of `features` numbers for each of `words` words: indices in, features out. Throws OptionError; what runs the
 * network throws ShapeError for indices that are not below `words`.
 */
export function embedding(words: number, features: number, options: EmbeddingOptions = {}): Layer {
  requireWhole(words, 'words of embedding', 1);
  requireWhole(features, 'features of embedding', 1);
  const { deviation = 1 / Math.sqrt(features), scale = 1 } = requireKnownOptions(options, EMBEDDING_KEYS, 'embedding');
  requireNonNegative(deviation, 'deviation');
  return (builder, ids) => {
    const initial = { kind: 'normal', deviation } as const;
    const w = builder.block({
      name: 'weight',
      kind: 'embedding',
      inputs: features,
      outputs: words,
      bias: false,
      initial,
    });
    const x = columnsAt(builder.graph, w, ids);
    return scale === 1 ? x : scaled(builder.graph, scale, x);
  };
}

/** Adds the same features to a position of every sample. */
function addPositions({ graph }: Builder, x: Node, positions: Node): Node {
  return sum(graph, [x, spread(graph, positions, 'samples', x.shape)]);
}

function requireSequence({ graph }: Builder, op: string, x: Node): void {
  if (!x.shape.perSample || x.shape.dims.length !== 2)
    graph.fail(op, `its input is ${shapeText(x.shape)}: sequences have features and positions.`);
}

/**
 * Adds sines and cosines of the position p: sin(p/10000^{2i/d}) to feature 2i of d, the cosine to feature 2i + 1
 * (A. Vaswani et al., *Attention is all you need*, NeurIPS 2017).
 */
export const positionalEncoding: Layer = (builder, x) => {
  requireSequence(builder, 'positionalEncoding', x);
  const [features, positions] = [rowsOf(x.shape), positionsOf(x.shape)];
  const values = new Float64Array(features * positions);
  for (let p = 0; p < positions; p++)
    for (let i = 0; i < features; i++) {
      const angle = p / 10000 ** ((2 * Math.floor(i / 2)) / features);
      values[p * features + i] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  return addPositions(builder, x, builder.constant('positions', [features, positions], values));
};

/** Settings of {@link learnedPositions}. */
export interface LearnedPositionsOptions {
  /** Deviation of the initial numbers. Default 0.02. */
  readonly deviation?: number | undefined;
}

/** Adds parameters to each position. Throws OptionError. */
export function learnedPositions(options: LearnedPositionsOptions = {}): Layer {
  const { deviation = 0.02 } = requireKnownOptions(options, { deviation: 'number' }, 'learnedPositions');
  requireNonNegative(deviation, 'deviation');
  return (builder, x) => {
    requireSequence(builder, 'learnedPositions', x);
    const [features, positions] = [rowsOf(x.shape), positionsOf(x.shape)];
    const initial = { kind: 'normal', deviation } as const;
    const request = { name: 'weight', kind: 'vector', inputs: features, outputs: positions, bias: false } as const;
    const w = builder.block({ ...request, initial });
    return addPositions(builder, x, positions === 1 ? reshape(builder.graph, w, x.shape.dims) : w);
  };
}
