/**
 * Tokenizers in files: `tokenizer.json`.
 */
import type { RunControl } from '../core/context.js';
import { FileFormatError, OptionError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { writeAtomically } from '../io/atomic-write.js';
import { readText } from '../io/text-file.js';
import { tokenizerOfJson } from './byte-pair-tokenizer.js';
import { SPECIAL_TOKENS, type Tokenizer, type TokenizerJson } from './tokenizer.js';
import { wordTokenizerOf } from './word-tokenizer.js';

const CONTROL_KEYS: KeysOf<RunControl & { readonly team?: unknown | undefined }> = {
  signal: true,
  onProgress: 'function',
  team: true,
};

/** Tokens of a model of words in the order of their numbers; undefined where they are not those of this library. */
function wordsOf({ model }: TokenizerJson): string[] | undefined {
  if (model.type !== 'WordLevel' || typeof model.vocab !== 'object' || model.vocab === null) return undefined;
  const tokens = Object.entries(model.vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token);
  const whole = tokens.every((token, number) => (model.vocab as Record<string, number>)[token] === number);
  return whole && SPECIAL_TOKENS.every((token, number) => tokens[number] === token) ? tokens : undefined;
}

/**
 * Reads a tokenizer from a `tokenizer.json`, as `saveTokenizer` and Hugging Face's libraries write it: models of byte
 * pairs, word pieces and unigrams, and words as `wordTokenizer` makes them. Its special tokens are found by their usual
 * names. Throws FileFormatError (no JSON, no tokenizer), OptionError (a special token is missing), FileAccessError,
 * MemoryError, AbortedError.
 */
export async function loadTokenizer(path: string, control: RunControl = {}): Promise<Tokenizer> {
  requireRole(path, 'path', 'loadTokenizer');
  requireKnownOptions(control, CONTROL_KEYS, 'loadTokenizer');
  const text = await readText(path, control);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(`${path}: it is no JSON (${(error as Error).message}); a tokenizer.json is.`, { path });
  }
  const { model } = (json ?? {}) as Partial<TokenizerJson>;
  if (typeof model !== 'object' || model === null)
    throw new FileFormatError(`${path}: there is no "model" in it: a tokenizer.json has one.`, { path });
  const words = wordsOf(json as TokenizerJson);
  if (words === undefined) return tokenizerOfJson(json as TokenizerJson, path);
  return wordTokenizerOf(words, (json as TokenizerJson)['normalizer'] !== null);
}

/**
 * Writes a tokenizer as `tokenizer.json`, whole or not at all. Throws OptionError, FileAccessError, AbortedError; then
 * `path` is as it was.
 */
export async function saveTokenizer(path: string, tokenizer: Tokenizer, control: RunControl = {}): Promise<void> {
  requireRole(path, 'path', 'saveTokenizer');
  requireKnownOptions(control, CONTROL_KEYS, 'saveTokenizer');
  if (typeof (tokenizer as Partial<Tokenizer> | undefined)?.toJSON !== 'function')
    throw new OptionError(`saveTokenizer takes a tokenizer, not ${describe(tokenizer)}.`);
  const text = new TextEncoder().encode(`${JSON.stringify(tokenizer, undefined, 1)}\n`);
  await writeAtomically(path, control, (file) => file.append(text));
}
