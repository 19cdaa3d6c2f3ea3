/**
 * Decoding by the likeliest next token, step by step.
 */
import { NonFiniteError } from '../../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../../core/known-options.js';
import { checkDecoding, scoresOf, type DecodingOptions, type Hypothesis, type Scorer } from './scorer.js';

const GREEDY_KEYS: KeysOf<DecodingOptions> = { bos: 'number', eos: 'number', maxLength: 'number' };
const EXAMPLE = 'greedyDecode(scorer, samples, { bos, eos, maxLength })';

/**
 * For samples 0 … samples − 1 the sequence of the likeliest next tokens, until <eos> or `maxLength`; of equally likely
 * ones the token of the smallest number. All samples that go on are scored in one call. The score of a hypothesis is
 * its log-probability. Throws OptionError, ShapeError and NonFiniteError (what the scorer gives).
 */
export async function greedyDecode(scorer: Scorer, samples: number, options: DecodingOptions): Promise<Hypothesis[]> {
  requireKnownOptions(options, GREEDY_KEYS, 'greedyDecode', EXAMPLE);
  checkDecoding(scorer, samples, options, 'greedyDecode');
  const { bos, eos, maxLength } = options;
  const sequences = Array.from({ length: samples }, () => ({ tokens: [bos], logProbability: 0, finished: false }));
  for (let step = 0; step < maxLength; step++) {
    const open = Int32Array.from(sequences.keys()).filter((j) => !sequences[j].finished);
    if (open.length === 0) break;
    const prefixes = Array.from(open, (j) => Int32Array.from(sequences[j].tokens));
    const { scores, size } = await scoresOf(scorer, prefixes, open, eos);
    open.forEach((j, i) => {
      let best = 0;
      for (let v = 1; v < size; v++) if (scores[i * size + v] > scores[i * size + best]) best = v;
      const sequence = sequences[j];
      if (scores[i * size + best] === -Infinity)
        throw new NonFiniteError(`No token can follow the first ${step + 1} of sample ${j}: all are at −∞.`, {
          sample: j,
        });
      sequence.logProbability += scores[i * size + best];
      if (best === eos) sequence.finished = true;
      else sequence.tokens.push(best);
    });
  }
  return sequences.map(({ tokens, logProbability, finished }) => ({
    tokens: Int32Array.from(tokens.slice(1)),
    logProbability,
    score: logProbability,
    finished,
  }));
}
