/**
 * What says how likely each next token is, and its checked answers: what decoding asks for, whatever the model.
 */
import { requireWhole } from '../../core/checks.js';
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';

/**
 * Log-probabilities of the next token behind each prefix, which begins with <bos>: entry v + i·V of an array of V
 * numbers for each prefix, −∞ for a token that cannot follow. samples[i] is the number of the sample (of the sentence
 * that is translated) that prefix i belongs to. All prefixes of a call have the same length. What it returns may be
 * reused by the next call.
 */
export type Scorer = (
  prefixes: readonly Int32Array[],
  samples: Int32Array,
) => ArrayLike<number> | Promise<ArrayLike<number>>;

/** What every way of decoding needs to know. */
export interface DecodingOptions {
  /** Number of the token that begins a sequence. */
  readonly bos: number;
  /** Number of the token that ends it. */
  readonly eos: number;
  /** Most tokens behind <bos>, <eos> among them. */
  readonly maxLength: number;
}

/** A sequence that was decoded. */
export interface Hypothesis {
  /** Its tokens, without <bos> and <eos>. */
  readonly tokens: Int32Array;
  /** Sum of the log-probabilities of its tokens, <eos> among them where it ended. */
  readonly logProbability: number;
  /** What it was ranked by. */
  readonly score: number;
  /** Whether it ended by <eos>, or was cut at the greatest length. */
  readonly finished: boolean;
}

/** Throws OptionError for what every way of decoding refuses. */
export function checkDecoding(scorer: Scorer, samples: number, options: DecodingOptions, of: string): void {
  if (typeof scorer !== 'function')
    throw new OptionError(`${of} takes a function (prefixes, samples) => log-probabilities, not ${describe(scorer)}.`);
  requireWhole(samples, 'samples', 0);
  requireWhole(options.bos, 'bos', 0);
  requireWhole(options.eos, 'eos', 0);
  requireWhole(options.maxLength, 'maxLength', 1);
}

/** The scorer's answer, checked: V and V numbers for each prefix. Throws ShapeError, NonFiniteError, OptionError. */
export async function scoresOf(
  scorer: Scorer,
  prefixes: readonly Int32Array[],
  samples: Int32Array,
  eos: number,
): Promise<{ readonly scores: ArrayLike<number>; readonly size: number }> {
  const scores = await scorer(prefixes, samples);
  const length = (scores as ArrayLike<number> | undefined)?.length;
  if (length === undefined || length === 0 || length % prefixes.length !== 0)
    throw new ShapeError(
      `The scorer gives ${describe(scores)} for ${prefixes.length} prefixes: as many numbers for each are needed, ` +
        'one for every token.',
      { length, prefixes: prefixes.length },
    );
  const size = length / prefixes.length;
  if (eos >= size)
    throw new OptionError(`The scorer knows ${size} tokens, and eos is token ${eos}.`, { option: 'eos', size });
  for (let i = 0; i < length; i++) {
    const score: unknown = scores[i];
    // A rounding above log 1 = 0 is let be.
    if (typeof score === 'number' && score <= 1e-3) continue;
    const prefix = Math.floor(i / size);
    throw new NonFiniteError(
      `The log-probability of token ${i % size} behind prefix ${prefix} (sample ${samples[prefix]}) is ` +
        `${describe(score)}: numbers up to 0 are needed.`,
      { token: i % size, prefix, sample: samples[prefix], value: score },
    );
  }
  return { scores, size };
}
