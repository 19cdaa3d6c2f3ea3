/**
 * Sequences of tokens as the columns of a matrix, filled up to one length.
 */
import { requirePrecision, requireWhole } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asIndices } from '../core/numbers.js';
import { fill, zeros, type Matrix, type Precision } from '../dense/matrix.js';
import type { SpecialTokens } from './tokenizer.js';

/** What is added to sequences, and how long they become. */
export interface PadTokensOptions {
  /** Put <bos> before each sequence. Default false. */
  readonly begin?: boolean | undefined;
  /** Put <eos> behind each. Default false. */
  readonly end?: boolean | undefined;
  /** Rows of the matrix; by default the longest sequence's, with what is added. */
  readonly length?: number | undefined;
  /** Cut what is longer than `length` (its <eos> with it); by default that is an error. */
  readonly truncate?: boolean | undefined;
  /** Default 'f64'; 'f32' holds numbers of tokens below 2²⁴. */
  readonly precision?: Precision | undefined;
}
const PAD_TOKENS_KEYS: KeysOf<PadTokensOptions> = {
  begin: 'boolean',
  end: 'boolean',
  length: 'number',
  truncate: 'boolean',
  precision: true,
};

/**
 * The sequences as columns: <bos>, tokens, <eos> as the options say, then <pad>. For a network that translates, the
 * decoder's inputs are `{ begin: true }` of the targets, and what it is to give, one token on, `{ end: true }`. Throws
 * ShapeError (a sequence that is too long), OptionError.
 */
export function padTokens(
  sequences: readonly ArrayLike<number>[],
  { pad, bos, eos }: Pick<SpecialTokens, 'pad' | 'bos' | 'eos'>,
  options: PadTokensOptions = {},
): Matrix {
  requireKnownOptions(options, PAD_TOKENS_KEYS, 'padTokens');
  if (!Array.isArray(sequences))
    throw new OptionError(`padTokens takes a list of sequences of tokens, not ${describe(sequences)}.`);
  const { begin = false, end = false, truncate = false } = options;
  const more = Number(begin) + Number(end);
  const all = (sequences as readonly ArrayLike<number>[]).map((sequence, j) => tokensOf(sequence, `sequences[${j}]`));
  const longest = all.reduce((most, tokens) => Math.max(most, tokens.length), 0);
  const length = requireWhole(options.length ?? longest + more, 'length', 0);
  const out = zeros(length, sequences.length, requirePrecision(options.precision ?? 'f64'));
  fill(out, pad);
  all.forEach((tokens, j) => {
    if (tokens.length + more > length && !truncate)
      throw new ShapeError(
        `Sequence ${j} has ${tokens.length + more} tokens${more > 0 ? `, ${more} of them added` : ''}; the length ` +
          `is ${length}: give a larger one, or truncate: true.`,
        { sequence: j, tokens: tokens.length + more, length },
      );
    const column = [...(begin ? [bos] : []), ...tokens, ...(end ? [eos] : [])];
    for (let t = 0; t < Math.min(length, column.length); t++) out.data[out.offset + j * out.ld + t] = column[t];
  });
  return out;
}

/** Throws ShapeError for what is no array of whole numbers, OptionError for a negative one. */
function tokensOf(sequence: ArrayLike<number>, name: string): Int32Array {
  const tokens = asIndices(sequence, name);
  const negative = tokens.findIndex((token) => token < 0);
  if (negative >= 0)
    throw new OptionError(`${name}[${negative}] is ${tokens[negative]}: tokens have numbers from 0.`, { name });
  return tokens;
}
