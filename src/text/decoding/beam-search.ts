/**
 * Decoding by beam search, with the length normalised.
 * Source: Y. Wu et al., "Google's neural machine translation system", 2016, §7: hypotheses Y are ranked by
 * log P(Y)/lp(|Y|), lp(n) = ((5 + n)/6)^α, n counting <eos>. Departure: a search ends when no hypothesis that goes on
 * can still overtake the finished ones, which is known, because log P only falls and lp only grows.
 */
import { requireNonNegative, requireWhole } from '../../core/checks.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { checkDecoding, scoresOf, type DecodingOptions, type Hypothesis, type Scorer } from './scorer.js';

/** How wide the search is, and how lengths count. */
export interface BeamSearchOptions extends DecodingOptions {
  /** Hypotheses that go on at every step, for each sample. Default 4. */
  readonly beams?: number | undefined;
  /** α: 0 ranks by probability, which favors short sequences. Default 0.6. */
  readonly lengthPenalty?: number | undefined;
  /** Hypotheses that are returned for each sample, at most `beams`. Default 1. */
  readonly best?: number | undefined;
}
const BEAM_SEARCH_KEYS: KeysOf<BeamSearchOptions> = {
  bos: 'number',
  eos: 'number',
  maxLength: 'number',
  beams: 'number',
  lengthPenalty: 'number',
  best: 'number',
};
const EXAMPLE = 'beamSearch(scorer, samples, { bos, eos, maxLength })';

/** A hypothesis that goes on; `tokens` begin with <bos>. */
interface Open {
  readonly tokens: Int32Array;
  readonly logProbability: number;
}

/** The search for one sample. */
class Search {
  open: Open[];
  readonly #finished: Hypothesis[] = [];
  readonly #beams: number;
  readonly #penalty: (length: number) => number;
  readonly #wanted: number;
  readonly #options: DecodingOptions;

  /** Of `beams` hypotheses at a time, `wanted` are returned; `penalty` is lp. */
  constructor(options: DecodingOptions, beams: number, wanted: number, penalty: (length: number) => number) {
    this.open = [{ tokens: Int32Array.of(options.bos), logProbability: 0 }];
    this.#options = options;
    this.#beams = beams;
    this.#wanted = wanted;
    this.#penalty = penalty;
  }

  /**
   * Takes the `beams` likeliest continuations of all hypotheses; `at` is where the scores of the first begin. Those
   * that end are finished. Twice as many are looked at, so that as many go on.
   */
  step(scores: ArrayLike<number>, at: number, size: number): void {
    const { eos } = this.#options;
    const found = this.#likeliest(scores, at, size, 2 * this.#beams);
    const next: Open[] = [];
    found.forEach(({ parent, token, logProbability }, rank) => {
      const { tokens } = this.open[parent];
      if (token === eos) {
        if (rank < this.#beams) this.#finish(tokens, logProbability, tokens.length, true);
      } else if (next.length < this.#beams) {
        const longer = new Int32Array(tokens.length + 1);
        longer.set(tokens);
        longer[tokens.length] = token;
        next.push({ tokens: longer, logProbability });
      }
    });
    this.open = this.#isDecided(next) ? [] : next;
  }

  /** Cuts what still goes on. */
  cut(): void {
    for (const { tokens, logProbability } of this.open) this.#finish(tokens, logProbability, tokens.length - 1, false);
    this.open = [];
  }

  /** The best hypotheses: those that ended before those that were cut. */
  best(): Hypothesis[] {
    return [...this.#finished]
      .sort((a, b) => Number(b.finished) - Number(a.finished) || b.score - a.score)
      .slice(0, this.#wanted);
  }

  /** The likeliest continuations, most likely first; equally likely ones by their parent's rank, then by token. */
  #likeliest(
    scores: ArrayLike<number>,
    at: number,
    size: number,
    most: number,
  ): { parent: number; token: number; logProbability: number }[] {
    const found: { parent: number; token: number; logProbability: number }[] = [];
    this.open.forEach(({ logProbability: before }, parent) => {
      for (let token = 0; token < size; token++) {
        const logProbability = before + scores[at + parent * size + token];
        if (logProbability === -Infinity) continue;
        if (found.length === most && logProbability <= found[most - 1].logProbability) continue;
        let place = found.length;
        while (place > 0 && found[place - 1].logProbability < logProbability) place--;
        found.splice(place, 0, { parent, token, logProbability });
        if (found.length > most) found.pop();
      }
    });
    return found;
  }

  #finish(tokens: Int32Array, logProbability: number, length: number, finished: boolean): void {
    const score = logProbability / this.#penalty(length);
    this.#finished.push({ tokens: tokens.slice(1), logProbability, score, finished });
  }

  /** Whether no hypothesis that goes on can come among the best any more. */
  #isDecided(next: readonly Open[]): boolean {
    if (next.length === 0) return true;
    const last = this.#finished.map(({ score }) => score).sort((a, b) => b - a)[this.#wanted - 1] as number | undefined;
    return last !== undefined && last >= next[0].logProbability / this.#penalty(this.#options.maxLength);
  }
}

/**
 * For samples 0 … samples − 1 the `best` hypotheses that a beam search finds, best first; those that did not end by
 * `maxLength` come last. Hypotheses of all samples that go on are scored in one call. The same scores give the same
 * hypotheses: ties are broken by rank and by number of the token. A sample where every continuation is impossible has
 * none. Throws OptionError, ShapeError and NonFiniteError (what the scorer gives).
 */
export async function beamSearch(scorer: Scorer, samples: number, options: BeamSearchOptions): Promise<Hypothesis[][]> {
  requireKnownOptions(options, BEAM_SEARCH_KEYS, 'beamSearch', EXAMPLE);
  checkDecoding(scorer, samples, options, 'beamSearch');
  const beams = requireWhole(options.beams ?? 4, 'beams', 1);
  const α = requireNonNegative(options.lengthPenalty ?? 0.6, 'lengthPenalty');
  const best = requireWhole(options.best ?? 1, 'best', 1, beams);
  const penalty = (length: number): number => ((5 + length) / 6) ** α;
  const searches = Array.from({ length: samples }, () => new Search(options, beams, best, penalty));
  for (let step = 0; step < options.maxLength; step++) {
    const prefixes = searches.flatMap(({ open }) => open.map(({ tokens }) => tokens));
    if (prefixes.length === 0) break;
    const owners = Int32Array.from(searches.flatMap(({ open }, j) => open.map(() => j)));
    const { scores, size } = await scoresOf(scorer, prefixes, owners, options.eos);
    let at = 0;
    for (const search of searches) {
      const count = search.open.length;
      if (count > 0) search.step(scores, at, size);
      at += count * size;
    }
  }
  for (const search of searches) search.cut();
  return searches.map((search) => search.best());
}
