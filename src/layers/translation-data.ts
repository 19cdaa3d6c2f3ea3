/**
 * Pairs of sentences as the data of a network that translates: sources and the decoder's inputs, and what the decoder
 * is to give.
 */
import { requirePrecision, requireWhole } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { block, copyInto, zeros, type Matrix, type Precision } from '../dense/matrix.js';
import { memoryDataSet, type DataSet } from '../network/data-set.js';
import { padTokens, type PadTokensOptions } from '../text/pad-tokens.js';
import type { SentencePair } from '../text/sentence-pairs.js';
import type { Tokenizer } from '../text/tokenizer.js';

/** How pairs become numbers. */
export interface TranslationDataOptions {
  /** Makes tokens of the sources. */
  readonly source: Tokenizer;
  /** Makes tokens of the translations; its <pad> has the same number. */
  readonly target: Tokenizer;
  /** Tokens of a source, <eos> among them. Default the longest's. */
  readonly sourceLength?: number | undefined;
  /** Tokens of the decoder's inputs, <bos> among them, and of its outputs, <eos> among them. Default the longest's. */
  readonly targetLength?: number | undefined;
  /** What is longer than that: 'refuse' (default) it, 'cut' its end and <eos>, or 'skip' its pair. */
  readonly tooLong?: 'refuse' | 'cut' | 'skip' | undefined;
  /** Default 'f32', which holds numbers of tokens below 2²⁴. */
  readonly precision?: Precision | undefined;
}

const TRANSLATION_DATA_KEYS: KeysOf<TranslationDataOptions> = {
  source: true,
  target: true,
  sourceLength: 'number',
  targetLength: 'number',
  tooLong: true,
  precision: true,
};
const EXAMPLE = 'translationDataSet(pairs, { source: tokenizer, target: tokenizer })';
const TOO_LONG = ['refuse', 'cut', 'skip'] as const;

/** Pairs as samples: inputs are a source's tokens, then the decoder's; targets are the decoder's, one token on. */
export interface TranslationDataSet extends DataSet {
  readonly sourceLength: number;
  readonly targetLength: number;
  /** The sources, a column each: a view of the inputs, for `sequenceScorer`. */
  readonly sources: Matrix;
  /** The number that fills up, for `tokenLoss` and `transformer`. */
  readonly padding: number;
  /** The pairs that are in it, in their order. */
  readonly pairs: readonly SentencePair[];
}

/**
 * The pairs as a data set for `transformer`, of inputs `[tokenInput(sourceLength, source.size),
 * tokenInput(targetLength, target.size)]` and a `tokenLoss` with that padding: source and <eos>; <bos> and translation;
 * translation and <eos>. Held-out pairs take the lengths of the training pairs. Throws ShapeError naming the pair that
 * is too long, OptionError.
 */
export function translationDataSet(
  pairs: readonly SentencePair[],
  options: TranslationDataOptions,
): TranslationDataSet {
  requireKnownOptions(options, TRANSLATION_DATA_KEYS, 'translationDataSet', EXAMPLE);
  const { source, target, tooLong = 'refuse' } = options;
  const precision = requirePrecision(options.precision ?? 'f32');
  requireTokenizer(source, 'source');
  requireTokenizer(target, 'target');
  if (source.pad !== target.pad)
    throw new OptionError(
      `<pad> is token ${source.pad} of the sources' tokenizer and ${target.pad} of the other: a network has one ` +
        'number for padding.',
      { source: source.pad, target: target.pad },
    );
  if (!TOO_LONG.includes(tooLong))
    throw new OptionError(`tooLong must be 'refuse', 'cut' or 'skip', not ${describe(tooLong)}.`, {
      option: 'tooLong',
    });
  const encoded = encode(pairs, source, target);
  const longest = (side: 'source' | 'target'): number =>
    encoded.reduce((most, pair) => Math.max(most, pair[side].length + 1), 0);
  const lengths = {
    source: requireWhole(options.sourceLength ?? longest('source'), 'sourceLength', 1),
    target: requireWhole(options.targetLength ?? longest('target'), 'targetLength', 1),
  };
  const kept = encoded.filter((own) => tooLong === 'cut' || fits(own, lengths, tooLong === 'refuse'));
  if (kept.length === 0)
    throw new ShapeError('All pairs are too long, and were skipped: take larger lengths.', { ...lengths });
  const padded = (side: 'source' | 'target', added: PadTokensOptions): Matrix =>
    padTokens(
      kept.map((pair) => pair[side]),
      side === 'source' ? source : target,
      { ...added, length: lengths[side], truncate: true, precision },
    );
  const inputs = zeros(lengths.source + lengths.target, kept.length, precision);
  const sources = block(inputs, 0, 0, lengths.source, kept.length);
  copyInto(sources, padded('source', { end: true }));
  copyInto(block(inputs, lengths.source, 0, lengths.target, kept.length), padded('target', { begin: true }));
  return {
    ...memoryDataSet(inputs, padded('target', { end: true }), { samples: 'columns' }),
    sourceLength: lengths.source,
    targetLength: lengths.target,
    sources,
    padding: source.pad,
    pairs: kept.map(({ pair }) => pair),
  };
}

/** A pair with its tokens. */
interface Encoded {
  readonly pair: SentencePair;
  readonly number: number;
  readonly source: Int32Array;
  readonly target: Int32Array;
}

function requireTokenizer(given: Tokenizer, option: string): void {
  const tokenizer = given as Partial<Tokenizer> | null | undefined;
  if (typeof tokenizer?.encode !== 'function' || !Number.isInteger(tokenizer.pad))
    throw new OptionError(
      `${option} of translationDataSet is a tokenizer, as wordTokenizer makes one, not ${describe(given)}.`,
      { option },
    );
}

function encode(pairs: readonly SentencePair[], source: Tokenizer, target: Tokenizer): Encoded[] {
  if (!Array.isArray(pairs) || pairs.length === 0)
    throw new OptionError(
      `translationDataSet takes a list of pairs { source, target }, at least one, not ${describe(pairs)}.`,
    );
  return (pairs as readonly SentencePair[]).map((pair, number) => {
    const given = pair as Partial<SentencePair> | null | undefined;
    if (typeof given?.source !== 'string' || typeof given.target !== 'string')
      throw new OptionError(`Pair ${number} is ${describe(pair)}: { source, target }, two texts, is needed.`, {
        pair: number,
      });
    return { pair, number, source: source.encode(pair.source), target: target.encode(pair.target) };
  });
}

/** Whether a pair is short enough. Throws ShapeError where one that is not is to be refused. */
function fits(own: Encoded, lengths: { readonly source: number; readonly target: number }, refuse: boolean): boolean {
  for (const side of ['source', 'target'] as const) {
    const tokens = own[side].length + 1;
    if (tokens <= lengths[side]) continue;
    if (refuse)
      throw new ShapeError(
        `The ${side} of pair ${own.number} has ${tokens} tokens, <${side === 'source' ? 'eos' : 'bos'}> among them; ` +
          `${side}Length is ${lengths[side]}: give a larger one, or tooLong: 'cut' or 'skip'.`,
        { pair: own.number, side, tokens, length: lengths[side] },
      );
    return false;
  }
  return true;
}
