/**
 * Attention of several heads: of each query the mean of all values, with weights by how well their keys fit it,
 *
 *   V_h·softmax(K_hᵀQ_h/√(d/heads)),   h = 1 … heads,
 *
 * on a share of the d features each (A. Vaswani et al., *Attention is all you need*, NeurIPS 2017).
 */
import { requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Node } from '../tape/node.js';
import { bilinear } from '../tape/primitives/bilinear.js';
import { softmax } from '../tape/primitives/softmax.js';
import { scaled } from '../tape/primitives/sum.js';
import { hideKeys } from '../tape/primitives/tokens.js';
import { positionsOf, rowsOf, shapeText, type Shape } from '../tape/shape.js';
import { dense } from './affine.js';
import type { Builder, Keys } from './builder.js';
import { dropout as dropped } from './compose.js';

/** Settings of {@link multiHeadAttention}. */
export interface AttentionOptions {
  /** How many heads share the features. */
  readonly heads: number;
  /** Whether a query sees no keys behind it. Default false. */
  readonly causal?: boolean | undefined;
  /** The share of weights that training leaves out. Default 0. */
  readonly dropout?: number | undefined;
}

const ATTENTION_KEYS: KeysOf<AttentionOptions> = { heads: 'number', causal: 'boolean', dropout: 'number' };

/** What is attended to besides the layer's own inputs. */
export interface Memory {
  /** Features × positions, of as many features. */
  readonly values: Node;
  /** Its tokens, where it has padding. */
  readonly keys: Keys | null;
}

/** A layer that may attend to a memory; without one it attends to its own inputs, hiding the builder's keys. */
export type AttentionLayer = (builder: Builder, x: Node, memory?: Memory) => Node;

/**
 * Attention of every position of x to all of x, or of a memory, with parameters "q_proj", "k_proj", "v_proj" and
 * "out_proj". Initial weights N(0, 1/features). Throws OptionError; the network throws ShapeError.
 */
export function multiHeadAttention(options: AttentionOptions): AttentionLayer {
  const {
    heads,
    causal = false,
    dropout = 0,
  } = requireKnownOptions(options, ATTENTION_KEYS, 'multiHeadAttention', 'multiHeadAttention({ heads: 4 })');
  requireWhole(heads, 'heads', 1);
  return (builder, x, memory = { values: x, keys: builder.keys }) => {
    const { graph } = builder;
    const { values, keys } = memory;
    const features = rowsOf(x.shape);
    for (const { shape } of [x, values])
      if (!shape.perSample || shape.dims.length !== 2 || rowsOf(shape) !== features || features % heads !== 0)
        graph.fail(
          'attention',
          `${heads} heads of ${shapeText(x.shape)} and ${shapeText(values.shape)}: both are sequences of as many ` +
            'features, which the heads divide.',
        );
    if (keys !== null && positionsOf(keys.ids.shape) !== positionsOf(values.shape))
      graph.fail(
        'attention',
        `${positionsOf(values.shape)} keys, and ${positionsOf(keys.ids.shape)} tokens say which of them are padding.`,
      );
    const project = (name: string, of: Node): Node =>
      builder.within(name, () => dense(features, { deviation: 1 / Math.sqrt(features) })(builder, of));
    const q = scaled(graph, Math.sqrt(heads / features), project('q_proj', x));
    const [k, v] = [project('k_proj', values), project('v_proj', values)];
    const shape: Shape = { perSample: true, dims: [positionsOf(values.shape), heads, positionsOf(x.shape)] };
    const scores = bilinear(graph, 'heads', { mode: 1 }, [k, q], shape);
    const ids = keys === null ? null : keys.ids;
    const weights = softmax(graph, hideKeys(graph, scores, { causal, keys: ids, padding: keys?.padding ?? -1 }));
    const seen = bilinear(graph, 'heads', { mode: 2 }, [v, dropped(dropout)(builder, weights)], x.shape);
    return project('out_proj', seen);
  };
}
