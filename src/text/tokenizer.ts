/**
 * What turns texts into numbers of tokens and back, whatever its tokens are.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';

/** Numbers of the tokens that stand for no text. */
export interface SpecialTokens {
  /** Fills up a sequence to the length of the longest. */
  readonly pad: number;
  /** Begins a sequence. */
  readonly bos: number;
  /** Ends it. */
  readonly eos: number;
  /** Stands for what no other token stands for; undefined where there is nothing that it would be needed for. */
  readonly unk: number | undefined;
}

/** Turns texts into numbers of tokens and back. */
export interface Tokenizer extends SpecialTokens {
  /** How many tokens there are: numbers run from 0 to size − 1. */
  readonly size: number;
  /** Tokens of a text, no special ones but unk. Throws OptionError for what is no text. */
  encode(text: string): Int32Array;
  /** The text of tokens, special ones left out. Throws OptionError for a number that no token has. */
  decode(tokens: ArrayLike<number>): string;
  /** What a file keeps of it, as `tokenizer.json` has it. */
  toJSON(): TokenizerJson;
}

/** The content of a `tokenizer.json`: its parts that matter here. */
export interface TokenizerJson {
  readonly model: { readonly type?: string | undefined; readonly vocab?: unknown; readonly [part: string]: unknown };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[] | undefined;
  readonly [part: string]: unknown;
}

/** The special tokens of tokenizers that are made here, in the order of their numbers. */
export const SPECIAL_TOKENS = ['<pad>', '<bos>', '<eos>', '<unk>'] as const;

/** Their numbers. */
export const SPECIAL_NUMBERS = { pad: 0, bos: 1, eos: 2, unk: 3 } as const;

/** Throws OptionError unless each is a text; `of` takes them. */
export function requireTexts(texts: Iterable<string>, of: string): void {
  if (typeof texts === 'string' || typeof (texts as Iterable<string> | undefined)?.[Symbol.iterator] !== 'function')
    throw new OptionError(`${of} takes a list of texts, not ${describe(texts)}.`);
  let k = 0;
  for (const text of texts as Iterable<unknown>) {
    if (typeof text !== 'string') throw new OptionError(`Text ${k} of ${of} is ${describe(text)}.`, { text: k });
    k++;
  }
  if (k === 0) throw new OptionError(`${of} takes at least one text.`);
}

/** Throws OptionError for what is no text. */
export function requireText(text: string): string {
  if (typeof text !== 'string') throw new OptionError(`encode takes a text, not ${describe(text)}.`);
  return text;
}

/** `token`, where it is a token's number. Throws OptionError. */
export function requireToken(token: number, size: number): number {
  if (!Number.isInteger(token) || token < 0 || token >= size)
    throw new OptionError(`There is no token ${describe(token)}: tokens have numbers from 0 to ${size - 1}.`, {
      token,
      size,
    });
  return token;
}
