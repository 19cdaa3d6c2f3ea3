/**
 * Layers of transformers: attention and a perceptron at every position, each added to what went in, with norms before
 * or behind. Parameters are named as those of PyTorch's nn.TransformerEncoderLayer and nn.TransformerDecoderLayer.
 */
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { ActivationKind } from '../dense/vector-memory.js';
import { requireName, requireWhole } from '../core/checks.js';
import type { Node } from '../tape/node.js';
import { sum } from '../tape/primitives/sum.js';
import { rowsOf } from '../tape/shape.js';
import { dense } from './affine.js';
import { multiHeadAttention, type AttentionLayer, type Memory } from './attention.js';
import type { Builder, Layer } from './builder.js';
import { activation as activated, dropout as dropped } from './compose.js';
import { layerNorm } from './normalization.js';

/** Settings of {@link transformerEncoderLayer} and {@link transformerDecoderLayer}. */
export interface TransformerLayerOptions {
  readonly heads: number;
  /** Units of the perceptron. Default 4 × features. */
  readonly feedForward?: number | undefined;
  /**
   * The share that training leaves out: of attention's weights, of the perceptron's units, of what is added. Default 0.
   */
  readonly dropout?: number | undefined;
  /** Default 'relu'. */
  readonly activation?: ActivationKind | undefined;
  /** Where norms stand: before what is added to, or behind the sum. Default 'pre'. */
  readonly norm?: 'pre' | 'post' | undefined;
  /** Whether positions see none behind them. Default false for an encoder's layer, true for a decoder's. */
  readonly causal?: boolean | undefined;
}

/** The keys of {@link TransformerLayerOptions}. */
export const TRANSFORMER_LAYER_KEYS: KeysOf<TransformerLayerOptions> = {
  heads: 'number',
  feedForward: 'number',
  dropout: 'number',
  activation: true,
  norm: true,
  causal: 'boolean',
};

/** Self-attention, then a perceptron: "self_attn", "linear1", "linear2", "norm1", "norm2". Throws OptionError. */
export function transformerEncoderLayer(options: TransformerLayerOptions): Layer {
  const { addTo, perceptron } = parts(options, 'transformerEncoderLayer');
  const attention = multiHeadAttention(attentionOf(options, options.causal ?? false));
  return (builder, x) => {
    const y = addTo(builder, 'norm1', x, (of) => builder.within('self_attn', () => attention(builder, of)));
    return addTo(builder, 'norm2', y, (of) => perceptron(builder, of));
  };
}

/**
 * Causal self-attention, attention to the memory, then a perceptron: "self_attn", "multihead_attn", "linear1",
 * "linear2", "norm1", "norm2", "norm3". Without a memory the network throws ShapeError. Throws OptionError.
 */
export function transformerDecoderLayer(options: TransformerLayerOptions): AttentionLayer {
  const { addTo, perceptron } = parts(options, 'transformerDecoderLayer');
  const own = multiHeadAttention(attentionOf(options, options.causal ?? true));
  const other = multiHeadAttention(attentionOf(options, false));
  return (builder, x, memory) => {
    const given: Memory =
      memory ?? builder.graph.fail('transformerDecoderLayer', 'it is given no memory to attend to.');
    const y = addTo(builder, 'norm1', x, (of) => builder.within('self_attn', () => own(builder, of)));
    const z = addTo(builder, 'norm2', y, (of) => builder.within('multihead_attn', () => other(builder, of, given)));
    return addTo(builder, 'norm3', z, (of) => perceptron(builder, of));
  };
}

const attentionOf = (
  { heads, dropout }: TransformerLayerOptions,
  causal: boolean,
): Parameters<typeof multiHeadAttention>[0] => ({
  heads,
  causal,
  dropout,
});

/** Adds a branch to x, with the norm of that name. */
type AddTo = (builder: Builder, norm: string, x: Node, branch: (of: Node) => Node) => Node;

function parts(options: TransformerLayerOptions, of: string): { readonly addTo: AddTo; readonly perceptron: Layer } {
  const {
    feedForward,
    dropout = 0,
    activation = 'relu',
    norm = 'pre',
  } = requireKnownOptions(options, TRANSFORMER_LAYER_KEYS, of, `${of}({ heads: 4 })`);
  requireName(norm, 'norm', of, ['pre', 'post']);
  if (feedForward !== undefined) requireWhole(feedForward, 'feedForward', 1);
  const drop = dropped(dropout);
  const φ = activated(activation);
  return {
    addTo: (builder, name, x, branch) => {
      const normed = (y: Node): Node => builder.within(name, () => layerNorm()(builder, y));
      const added = (from: Node): Node => sum(builder.graph, [x, drop(builder, branch(from))]);
      return norm === 'pre' ? added(normed(x)) : normed(added(x));
    },
    perceptron: (builder, x) => {
      const features = rowsOf(x.shape);
      const inner = builder.within('linear1', () => dense(feedForward ?? 4 * features)(builder, x));
      const kept = drop(builder, φ(builder, inner));
      return builder.within('linear2', () => dense(features)(builder, kept));
    },
  };
}
