/**
 * A tokenizer whose tokens are whole words and punctuation marks.
 */
import { requireWhole } from '../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import {
  requireText,
  requireTexts,
  requireToken,
  SPECIAL_NUMBERS,
  SPECIAL_TOKENS,
  type Tokenizer,
  type TokenizerJson,
} from './tokenizer.js';
import { joinWords, splitWords, WORD_PATTERN } from './words.js';

/** Which words become tokens. */
export interface WordTokenizerOptions {
  /** Most tokens, the four special ones among them; by default there is no limit. The commonest words are kept. */
  readonly size?: number | undefined;
  /** How often a word must occur. Default 1. */
  readonly least?: number | undefined;
  /** Whether capital letters are made small. Default false. */
  readonly lowercase?: boolean | undefined;
}
const WORD_TOKENIZER_KEYS: KeysOf<WordTokenizerOptions> = { size: 'number', least: 'number', lowercase: 'boolean' };

/**
 * A tokenizer of the words of `texts`: the special tokens 0 to 3 (<pad>, <bos>, <eos>, <unk>), then words, the
 * commonest first, equally common ones by their code units. Other words are <unk>. Throws OptionError.
 */
export function wordTokenizer(texts: Iterable<string>, options: WordTokenizerOptions = {}): Tokenizer {
  requireTexts(texts, 'wordTokenizer');
  requireKnownOptions(options, WORD_TOKENIZER_KEYS, 'wordTokenizer');
  const { lowercase = false } = options;
  const size = requireWhole(options.size ?? 2 ** 31 - 1, 'size', SPECIAL_TOKENS.length + 1);
  const least = requireWhole(options.least ?? 1, 'least', 1);
  const counts = new Map<string, number>();
  for (const text of texts)
    for (const word of splitWords(lowercase ? text.toLowerCase() : text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const words = [...counts]
    .filter(([, count]) => count >= least)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, size - SPECIAL_TOKENS.length)
    .map(([word]) => word);
  return wordTokenizerOf([...SPECIAL_TOKENS, ...words], lowercase);
}

/** The tokenizer of a list of tokens, special ones first. */
export function wordTokenizerOf(tokens: readonly string[], lowercase: boolean): Tokenizer {
  const numbers = new Map(tokens.map((token, number) => [token, number]));
  const first = SPECIAL_TOKENS.length;
  const { unk } = SPECIAL_NUMBERS;
  return {
    ...SPECIAL_NUMBERS,
    size: tokens.length,
    encode: (text) => {
      const words = splitWords(lowercase ? requireText(text).toLowerCase() : requireText(text));
      return Int32Array.from(words, (word) => numbers.get(word) ?? unk);
    },
    decode: (given) =>
      joinWords(
        Array.from(given, (token) => requireToken(token, tokens.length))
          .filter((token) => token >= first)
          .map((token) => tokens[token]),
      ),
    toJSON: () => jsonOf(tokens, lowercase),
  };
}

/** A model of whole words, as other readers of `tokenizer.json` know it. */
const jsonOf = (tokens: readonly string[], lowercase: boolean): TokenizerJson => ({
  version: '1.0',
  added_tokens: SPECIAL_TOKENS.map((content, id) => ({ id, content, special: true })),
  normalizer: lowercase ? { type: 'Lowercase' } : null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: WORD_PATTERN }, behavior: 'Removed', invert: true },
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: Object.fromEntries(tokens.map((token, number) => [token, number])),
    unk_token: SPECIAL_TOKENS[SPECIAL_NUMBERS.unk],
  },
});
