/**
 * Tokenizers of `tokenizer.json`, as Hugging Face's libraries write them; those of byte pairs are also made here.
 * Encoding and decoding are those of the package @huggingface/tokenizers, which is loaded when the first one is made.
 * Special tokens are numbers only: a text that holds "<pad>" holds five signs.
 */
import { requireWhole } from '../core/checks.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { learnBytePairs } from './byte-pairs.js';
import {
  requireText,
  requireTexts,
  requireToken,
  SPECIAL_TOKENS,
  type SpecialTokens,
  type Tokenizer,
  type TokenizerJson,
} from './tokenizer.js';

/** How many tokens are made. */
export interface BytePairTokenizerOptions {
  /** Most tokens: the four special ones, the 256 bytes, and pairs of tokens. Default 4096. */
  readonly size?: number | undefined;
}
const BYTE_PAIR_TOKENIZER_KEYS: KeysOf<BytePairTokenizerOptions> = { size: 'number' };
const DEFAULT_SIZE = 4096;
const BYTES = 256;

/** The parts that a file may leave out, and the encoder asks for. */
const NO_PARTS = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };

/** What the special tokens are called, here and elsewhere. */
const SPECIAL_NAMES: Readonly<Record<keyof SpecialTokens, readonly string[]>> = {
  pad: ['<pad>', '[PAD]', '<|pad|>'],
  bos: ['<bos>', '<s>', '[CLS]', '<|startoftext|>'],
  eos: ['<eos>', '</s>', '[SEP]', '<|endoftext|>'],
  unk: ['<unk>', '[UNK]'],
};

/**
 * A tokenizer of byte pairs learned from `texts`: the special tokens 0 to 3 (<pad>, <bos>, <eos>, <unk>), the 256
 * bytes, then pairs, most frequent first, until there are `size` tokens or no pair occurs twice. Any text is encoded,
 * and decoded to itself. Throws OptionError.
 */
export async function bytePairTokenizer(
  texts: Iterable<string>,
  options: BytePairTokenizerOptions = {},
): Promise<Tokenizer> {
  requireTexts(texts, 'bytePairTokenizer');
  requireKnownOptions(options, BYTE_PAIR_TOKENIZER_KEYS, 'bytePairTokenizer');
  const first = SPECIAL_TOKENS.length;
  const size = requireWhole(options.size ?? DEFAULT_SIZE, 'size', first + BYTES, 2 ** 24);
  const { tokens, merges } = learnBytePairs(texts, size - first);
  const json: TokenizerJson = {
    version: '1.0',
    added_tokens: SPECIAL_TOKENS.map((content, id) => ({ id, content, special: true })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      vocab: Object.fromEntries([...SPECIAL_TOKENS, ...tokens].map((token, number) => [token, number])),
      merges,
    },
  };
  return tokenizerOfJson(json, 'bytePairTokenizer');
}

/** All tokens by their text: those of the model, and those that were added to it. */
function numbersOf({ model, added_tokens: added = [] }: TokenizerJson, path: string): Map<string, number> {
  const { vocab } = model;
  const listed = Array.isArray(vocab)
    ? vocab.map((entry, number) => [String(Array.isArray(entry) ? entry[0] : entry), number] as const)
    : Object.entries((vocab ?? {}) as Record<string, number>);
  const numbers = new Map([...listed, ...added.map(({ id, content }) => [content, id] as const)]);
  const wrong = [...numbers].find(([, number]) => !Number.isSafeInteger(number) || number < 0);
  if (numbers.size === 0 || wrong !== undefined)
    throw new FileFormatError(
      `${path}: ${wrong === undefined ? 'there is no token in it' : `token "${wrong[0]}" has no whole number`}.`,
      { path },
    );
  return numbers;
}

/** Throws OptionError where one is missing that sequences need. */
function specialsOf(numbers: ReadonlyMap<string, number>, path: string): SpecialTokens {
  const find = (name: keyof SpecialTokens): number | undefined => {
    const called = SPECIAL_NAMES[name].find((one) => numbers.has(one));
    return called === undefined ? undefined : numbers.get(called);
  };
  const need = (name: keyof SpecialTokens): number => {
    const number = find(name);
    if (number === undefined)
      throw new OptionError(
        `${path}: none of its tokens is called ${SPECIAL_NAMES[name].map((one) => `"${one}"`).join(' or ')}: add one ` +
          `to its added_tokens, for ${name}.`,
        { path, token: name },
      );
    return number;
  };
  return { pad: need('pad'), bos: need('bos'), eos: need('eos'), unk: find('unk') };
}

/** The tokenizer of a `tokenizer.json`. Throws FileFormatError, OptionError (a special token is missing). */
export async function tokenizerOfJson(json: TokenizerJson, path: string): Promise<Tokenizer> {
  const numbers = numbersOf(json, path);
  const specials = specialsOf(numbers, path);
  const own = new Set<number | undefined>(Object.values(specials) as (number | undefined)[]);
  const known = [...numbers.values()];
  const size = known.reduce((most, number) => Math.max(most, number), 0) + 1;
  const { Tokenizer: Encoder } = await import('@huggingface/tokenizers');
  // Special tokens that a text spells out are text: the encoder does not learn of them.
  const added = (json.added_tokens ?? []).filter(({ id }) => !own.has(id));
  let encoder: InstanceType<typeof Encoder>;
  try {
    encoder = new Encoder({ ...NO_PARTS, ...json, added_tokens: added }, { clean_up_tokenization_spaces: false });
  } catch (error) {
    throw new FileFormatError(`${path}: its parts make no tokenizer: ${(error as Error).message}.`, { path });
  }
  return {
    ...specials,
    size,
    encode: (text) => Int32Array.from(encoder.encode(requireText(text), { add_special_tokens: false }).ids),
    decode: (given) => {
      const tokens = Array.from(given, (token) => requireToken(token, size)).filter((token) => !own.has(token));
      return tokens.length === 0 ? '' : encoder.decode(tokens, { clean_up_tokenization_spaces: false });
    },
    toJSON: () => json,
  };
}
