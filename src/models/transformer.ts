/**
 * Transformers (A. Vaswani et al., *Attention is all you need*, NeurIPS 2017): from a sentence and the beginning of its
 * translation to the next word of it, and from the beginning of a text to its next word.
 */
import { requireName, requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Node } from '../tape/node.js';
import { dense } from '../layers/affine.js';
import type { Memory } from '../layers/attention.js';
import type { Builder, Keys, Layer } from '../layers/builder.js';
import { dropout as dropped } from '../layers/compose.js';
import type { MakeOutputs } from '../layers/graph-network.js';
import { layerNorm } from '../layers/normalization.js';
import { embedding, learnedPositions, positionalEncoding } from '../layers/tokens.js';
import {
  TRANSFORMER_LAYER_KEYS,
  transformerDecoderLayer,
  transformerEncoderLayer,
  type TransformerLayerOptions,
} from '../layers/transformer-layers.js';

/** Settings of {@link transformer} and {@link languageModel}. */
interface SharedOptions extends Omit<TransformerLayerOptions, 'causal'> {
  /** Numbers of a word's vector. */
  readonly features: number;
  /** How many layers: of an encoder and of a decoder so many each. */
  readonly layers: number;
  /** The index of the word that is padding, which attention does not see; null: none. Default null. */
  readonly padding?: number | null | undefined;
  /** What tells positions: sines and cosines, or parameters. Default 'sines'. */
  readonly positions?: 'sines' | 'learned' | undefined;
}

/** Settings of {@link transformer}. */
export interface TransformerOptions extends SharedOptions {
  /** Words of the language that is translated, and of the one that comes out. */
  readonly sourceWords: number;
  readonly targetWords: number;
}

/** Settings of {@link languageModel}. */
export interface LanguageModelOptions extends SharedOptions {
  readonly words: number;
}

const { causal: _, ...LAYER_KEYS } = TRANSFORMER_LAYER_KEYS;
const SHARED_KEYS: KeysOf<SharedOptions> = {
  ...LAYER_KEYS,
  features: 'number',
  layers: 'number',
  padding: 'number or null',
  positions: true,
};
const TRANSFORMER_KEYS: KeysOf<TransformerOptions> = { ...SHARED_KEYS, sourceWords: 'number', targetWords: 'number' };
const LANGUAGE_MODEL_KEYS: KeysOf<LanguageModelOptions> = { ...SHARED_KEYS, words: 'number' };

/**
 * An encoder of the source and a decoder of the target, of inputs `[tokenInput(…), tokenInput(…)]`: at every position
 * of the target the scores of the next word. Parameters "source_embedding.weight", "encoder.layers.0.self_attn…",
 * "encoder.norm…", "target_embedding.weight", "decoder.layers.0…", "decoder.norm…", "generator.weight"; norms behind
 * the layers only where norms stand before attention. Throws OptionError.
 */
export function transformer(options: TransformerOptions): MakeOutputs {
  const {
    sourceWords,
    targetWords,
    padding = null,
  } = requireKnownOptions(
    options,
    TRANSFORMER_KEYS,
    'transformer',
    'transformer({ sourceWords: 1000, targetWords: 1000, features: 128, heads: 4, layers: 2 })',
  );
  const { embed, times, finish, layer } = parts(options, 'transformer');
  const [encoder, decoder] = [transformerEncoderLayer(layer), transformerDecoderLayer(layer)];
  const [ofSource, ofTarget] = [embed(sourceWords), embed(targetWords)];
  return (builder, source, target) => {
    const keys = keysOf(source, padding);
    const from = builder.within('source_embedding', () => ofSource(builder, source));
    const encoded = builder.within('encoder', () =>
      builder.withKeys(keys, () => finish(builder, times(builder, from, encoder))),
    );
    const memory: Memory = { values: encoded, keys };
    const to = builder.within('target_embedding', () => ofTarget(builder, target));
    const decoded = builder.within('decoder', () =>
      builder.withKeys(keysOf(target, padding), () =>
        finish(
          builder,
          times(builder, to, (own, x) => decoder(own, x, memory)),
        ),
      ),
    );
    return scores(builder, decoded, targetWords);
  };
}

/**
 * A decoder alone, of inputs `tokenInput(…)`: at every position the scores of the next word, from those up to it.
 * Parameters "embedding.weight", "layers.0.self_attn…", "norm…", "generator.weight". Throws OptionError.
 */
export function languageModel(options: LanguageModelOptions): Layer {
  const { words, padding = null } = requireKnownOptions(
    options,
    LANGUAGE_MODEL_KEYS,
    'languageModel',
    'languageModel({ words: 1000, features: 128, heads: 4, layers: 2 })',
  );
  const { embed, times, finish, layer } = parts(options, 'languageModel');
  const [ofWords, own] = [embed(words), transformerEncoderLayer({ ...layer, causal: true })];
  return (builder, ids) => {
    const x = builder.within('embedding', () => ofWords(builder, ids));
    const y = builder.withKeys(keysOf(ids, padding), () => finish(builder, times(builder, x, own)));
    return scores(builder, y, words);
  };
}

const keysOf = (ids: Node, padding: number | null): Keys | null => (padding === null ? null : { ids, padding });

const scores = (builder: Builder, x: Node, words: number): Node =>
  builder.within('generator', () => dense(words, { deviation: 1 / Math.sqrt(x.shape.dims[0]) })(builder, x));

/** What encoders and decoders are made of. */
interface Parts {
  /** Words and positions as features. */
  readonly embed: (words: number) => Layer;
  /** A layer again and again, named "layers.0", "layers.1", …. */
  readonly times: (builder: Builder, x: Node, layer: Layer) => Node;
  /** The norm behind the last layer. */
  readonly finish: Layer;
  readonly layer: TransformerLayerOptions;
}

function parts(options: SharedOptions, of: string): Parts {
  const { features, layers, heads, dropout = 0, padding, positions = 'sines' } = options;
  requireWhole(features, 'features', 1);
  requireWhole(layers, 'layers', 1);
  if (padding !== undefined && padding !== null) requireWhole(padding, 'padding', 0);
  requireName(positions, 'positions', of, ['sines', 'learned']);
  const { feedForward, activation, norm = 'pre' } = options;
  const place = positions === 'learned' ? learnedPositions() : positionalEncoding;
  const drop = dropped(dropout);
  return {
    embed: (words) => {
      const look = embedding(words, features, { scale: Math.sqrt(features) });
      return (builder, ids) => {
        const x = look(builder, ids);
        return drop(
          builder,
          builder.within('positions', () => place(builder, x)),
        );
      };
    },
    times: (builder, x, layer) =>
      builder.within('layers', () =>
        Array.from({ length: layers }, (_, k) => k).reduce(
          (y, k) => builder.within(String(k), () => layer(builder, y)),
          x,
        ),
      ),
    finish: (builder, x) => (norm === 'pre' ? builder.within('norm', () => layerNorm()(builder, x)) : x),
    layer: { heads, feedForward, dropout, activation, norm },
  };
}
