/**
 * BLEU: how much translations have in common with references, over a corpus.
 * Source: K. Papineni, S. Roukos, T. Ward, W.-J. Zhu, "BLEU: a method for automatic evaluation of machine translation",
 * 2002: BP·exp(Σ_n log p_n / N), p_n the share of the candidates' n-grams that a reference has (each at most as often
 * as the reference that has it most), BP = min(1, e^(1 − r/c)), c the words of all candidates, r those of the
 * references nearest in length (of two as near the shorter). Smoothing: 'add-one' after C.-Y. Lin, F. J. Och, "Orange:
 * a method for evaluating automatic evaluation metrics for machine translation", 2004: (m + 1)/(t + 1) for n > 1; 'exp'
 * as NIST's mteval-v13a: the k-th p_n that is zero becomes 1/(2ᵏ t).
 */
import { requireWhole } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { splitWords } from './words.js';

/** How BLEU is counted. */
export interface BleuOptions {
  /** N, the longest n-grams. Default 4. */
  readonly order?: number | undefined;
  /** What becomes of precisions that are zero. Default 'none': BLEU is zero then. */
  readonly smoothing?: 'none' | 'add-one' | 'exp' | undefined;
  /** Whether capital letters count as small ones. Default false. */
  readonly lowercase?: boolean | undefined;
  /** Cuts a text into words. Default `splitWords`: words and punctuation marks. */
  readonly split?: ((text: string) => readonly string[]) | undefined;
}
const BLEU_KEYS: KeysOf<BleuOptions> = { order: 'number', smoothing: true, lowercase: 'boolean', split: 'function' };
const SMOOTHINGS = ['none', 'add-one', 'exp'] as const;

/** BLEU and what it is made of. */
export interface Bleu {
  /** From 0 to 1; papers often give it times 100. */
  readonly score: number;
  /** p_1 … p_N, smoothed. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  /** Words of the candidates, c, and of the references, r. */
  readonly candidateLength: number;
  readonly referenceLength: number;
}

function countsOf(words: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let k = 0; k + n <= words.length; k++) {
    const gram = words.slice(k, k + n).join('\0');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** How many n-grams of the candidate a reference has. */
function matchesOf(candidate: readonly string[], references: readonly (readonly string[])[], n: number): number {
  const known = references.map((reference) => countsOf(reference, n));
  let matches = 0;
  for (const [gram, count] of countsOf(candidate, n))
    matches += Math.min(count, Math.max(...known.map((counts) => counts.get(gram) ?? 0)));
  return matches;
}

const nearest = (length: number, lengths: readonly number[]): number =>
  lengths.reduce((best, other) => {
    const difference = Math.abs(other - length) - Math.abs(best - length);
    return difference < 0 || (difference === 0 && other < best) ? other : best;
  });

function precisionsOf(matches: readonly number[], totals: readonly number[], smoothing: string): number[] {
  let zeros = 0;
  return matches.map((m, k) => {
    const t = totals[k];
    if (smoothing === 'add-one' && k > 0) return (m + 1) / (t + 1);
    if (t === 0) return 0;
    return m > 0 || smoothing !== 'exp' ? m / t : 1 / (2 ** ++zeros * t);
  });
}

function requireTextIn(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new OptionError(`${what} of bleu must be a text, not ${describe(value)}.`);
  return value;
}

/**
 * BLEU of all candidates together: each a text, beside one reference or a list of several. Throws ShapeError (other
 * numbers of candidates and references, none at all), OptionError.
 */
export function bleu(
  candidates: readonly string[],
  references: readonly (string | readonly string[])[],
  options: BleuOptions = {},
): Bleu {
  requireKnownOptions(options, BLEU_KEYS, 'bleu');
  const { smoothing = 'none', lowercase = false, split = splitWords } = options;
  const order = requireWhole(options.order ?? 4, 'order', 1);
  if (!SMOOTHINGS.includes(smoothing))
    throw new OptionError(`smoothing must be 'none', 'add-one' or 'exp', not ${describe(smoothing)}.`, {
      option: 'smoothing',
    });
  const lists: readonly unknown[] = [candidates, references];
  if (!lists.every(Array.isArray) || candidates.length !== references.length || candidates.length === 0)
    throw new ShapeError(
      `bleu takes a list of texts and as many references, not ${describe(candidates)} and ${describe(references)}.`,
    );
  const words = (text: string): readonly string[] => split(lowercase ? text.toLowerCase() : text);
  const matches = new Array<number>(order).fill(0);
  const totals = new Array<number>(order).fill(0);
  let candidateLength = 0;
  let referenceLength = 0;
  candidates.forEach((text, i) => {
    const candidate = words(requireTextIn(text, `Candidate ${i}`));
    const given = references[i];
    const several: readonly string[] = Array.isArray(given) ? (given as string[]) : [given as string];
    if (several.length === 0) throw new ShapeError(`Candidate ${i} has no reference.`, { candidate: i });
    const own = several.map((reference) => words(requireTextIn(reference, `A reference of candidate ${i}`)));
    candidateLength += candidate.length;
    referenceLength += nearest(
      candidate.length,
      own.map(({ length }) => length),
    );
    for (let n = 1; n <= order; n++) {
      matches[n - 1] += matchesOf(candidate, own, n);
      totals[n - 1] += Math.max(0, candidate.length - n + 1);
    }
  });
  const precisions = precisionsOf(matches, totals, smoothing);
  const brevityPenalty =
    candidateLength >= referenceLength
      ? 1
      : candidateLength === 0
        ? 0
        : Math.exp(1 - referenceLength / candidateLength);
  const mean = precisions.reduce((sum, p) => sum + Math.log(p), 0) / order;
  return { score: brevityPenalty * Math.exp(mean), precisions, brevityPenalty, candidateLength, referenceLength };
}
