import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { beamSearch } from '#hmatrix/text/decoding/beam-search.js';
import { greedyDecode } from '#hmatrix/text/decoding/greedy.js';
import type { Hypothesis, Scorer } from '#hmatrix/text/decoding/scorer.js';

const [BOS, EOS] = [1, 2];

/** Log-probabilities of V tokens that depend on seed, sample and the whole prefix; `levels`: with ties. */
function next(prefix: Int32Array, sample: number, size: number, seed: number, levels = 0): Float64Array {
  const random = new RandomStream(seed, sample, ...prefix);
  const weights = Float64Array.from({ length: size }, () =>
    levels > 0 ? 1 + random.integer(levels) : 0.05 + random.uniform(),
  );
  const sum = weights.reduce((total, w) => total + w, 0);
  return weights.map((w) => Math.log(w / sum));
}
const scorerOf =
  (size: number, seed: number, levels = 0): Scorer =>
  (prefixes, samples) => {
    const out = new Float64Array(size * prefixes.length);
    prefixes.forEach((prefix, i) => {
      out.set(next(prefix, samples[i], size, seed, levels), i * size);
    });
    return out;
  };

/** Every sequence that ends within `most` tokens, by brute force. */
function everySequence(
  size: number,
  seed: number,
  sample: number,
  most: number,
): { tokens: number[]; logProbability: number; length: number }[] {
  const ended: { tokens: number[]; logProbability: number; length: number }[] = [];
  const visit = (tokens: number[], before: number): void => {
    const scores = next(Int32Array.from([BOS, ...tokens]), sample, size, seed);
    for (let token = 0; token < size; token++) {
      const logProbability = before + scores[token];
      if (token === EOS) ended.push({ tokens, logProbability, length: tokens.length + 1 });
      else if (tokens.length + 1 < most) visit([...tokens, token], logProbability);
    }
  };
  visit([], 0);
  return ended;
}

const plain = (hypotheses: readonly Hypothesis[]): unknown[] =>
  hypotheses.map(({ tokens, ...rest }) => ({ ...rest, tokens: [...tokens] }));

describe('beam search', () => {
  it('that keeps everything finds the best sequences of all, by their normalised scores', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 3, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        fc.constantFrom(0, 0.6, 1.5),
        async (size, maxLength, seed, lengthPenalty) => {
          const beams = size ** maxLength;
          const options = { bos: BOS, eos: EOS, maxLength, beams, lengthPenalty, best: 3 };
          const found = await beamSearch(scorerOf(size, seed), 2, { ...options, best: Math.min(3, beams) });
          found.forEach((hypotheses, sample) => {
            const all = everySequence(size, seed, sample, maxLength)
              .map((one) => ({ ...one, score: one.logProbability / ((5 + one.length) / 6) ** lengthPenalty }))
              .sort((a, b) => b.score - a.score);
            const ended = hypotheses.filter(({ finished }) => finished);
            expect(ended.map(({ score }) => score)).toEqual(all.slice(0, ended.length).map(({ score }) => score));
            expect(ended.length).toBe(Math.min(all.length, hypotheses.length));
            expect([...ended[0].tokens]).toEqual(all[0].tokens);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of one beam without a penalty is greedy', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 3, max: 9 }),
        fc.nat(),
        fc.constantFrom(0, 2),
        fc.integer({ min: 1, max: 8 }),
        async (size, seed, levels, maxLength) => {
          const options = { bos: BOS, eos: EOS, maxLength };
          const scorer = scorerOf(size, seed, levels);
          const greedy = await greedyDecode(scorer, 4, options);
          const beam = await beamSearch(scorer, 4, { ...options, beams: 1, lengthPenalty: 0 });
          expect(plain(beam.map(([first]) => first))).toEqual(plain(greedy));
        },
      ),
    );
  });

  it('gives the same for each sample alone and among others, with ties too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 3, max: 8 }), fc.nat(), fc.constantFrom(0, 2), async (size, seed, levels) => {
        const options = { bos: BOS, eos: EOS, maxLength: 6, beams: 3, best: 3 };
        const scorer = scorerOf(size, seed, levels);
        const together = await beamSearch(scorer, 5, options);
        for (let sample = 0; sample < 5; sample++) {
          const alone = await beamSearch(
            (prefixes, own) =>
              scorer(
                prefixes,
                own.map(() => sample),
              ),
            1,
            options,
          );
          expect(plain(alone[0])).toEqual(plain(together[sample]));
          const scores = together[sample].filter(({ finished }) => finished).map(({ score }) => score);
          expect(scores).toEqual([...scores].sort((a, b) => b - a));
          for (const { tokens, logProbability, finished } of together[sample]) {
            // The log-probability is that of the tokens.
            let sum = 0;
            const steps = [...tokens, ...(finished ? [EOS] : [])];
            steps.forEach((token, k) => {
              sum += next(Int32Array.from([BOS, ...tokens.slice(0, k)]), sample, size, seed, levels)[token];
            });
            expect(logProbability).toBe(sum);
            expect(tokens).not.toContain(EOS);
          }
        }
      }),
    );
  });

  it('finds what greedy decoding misses', async () => {
    // Token 3 first is likelier (0.6), but then all is unlikely; 4 first (0.4) goes on surely.
    const scorer: Scorer = (prefixes) =>
      prefixes.flatMap(([, first]) => {
        const p = first === undefined ? [0, 0, 0, 0.6, 0.4] : first === 3 ? [0.4, 0.2, 0.4, 0, 0] : [0, 0, 1, 0, 0];
        return p.map(Math.log);
      });
    const options = { bos: BOS, eos: EOS, maxLength: 4 };
    expect([...(await greedyDecode(scorer, 1, options))[0].tokens]).not.toEqual([4]);
    const [[best]] = await beamSearch(scorer, 1, { ...options, beams: 2 });
    expect([...best.tokens]).toEqual([4]);
    expect(best.logProbability).toBe(Math.log(0.4));
  });

  it('scores all that goes on in one call, prefixes of one length, and ends early', async () => {
    const calls: [number, number[]][] = [];
    const scorer: Scorer = (prefixes, samples) => {
      expect(new Set(prefixes.map(({ length }) => length)).size).toBe(1);
      expect(prefixes.every(([first]) => first === BOS)).toBe(true);
      calls.push([prefixes.length, [...samples]]);
      // Sample 0 ends at once, the others go on with token 3 for three steps.
      return prefixes.flatMap((prefix, i) =>
        (samples[i] === 0 || prefix.length > 3 ? [0, 0, 1, 0] : [0, 0, 0, 1]).map(Math.log),
      );
    };
    const found = await beamSearch(scorer, 3, { bos: BOS, eos: EOS, maxLength: 1000, beams: 2 });
    expect(found.map(([{ tokens }]) => [...tokens])).toEqual([[], [3, 3, 3], [3, 3, 3]]);
    expect(calls).toEqual([
      [3, [0, 1, 2]],
      [2, [1, 2]],
      [2, [1, 2]],
      [2, [1, 2]],
    ]);
  });

  it('is cut at the greatest length, and says so; none are left where nothing can follow', async () => {
    const never: Scorer = (prefixes) => prefixes.flatMap(() => [0, 0, 0, 1].map(Math.log));
    const [[cut]] = await beamSearch(never, 1, { bos: BOS, eos: EOS, maxLength: 3 });
    expect(plain([cut])).toEqual([{ tokens: [3, 3, 3], logProbability: 0, score: 0, finished: false }]);
    const nothing: Scorer = (prefixes) => prefixes.flatMap(() => [0, 0, 0, 0].map(Math.log));
    await expect(greedyDecode(nothing, 1, { bos: BOS, eos: EOS, maxLength: 3 })).rejects.toThrow(NonFiniteError);
    expect(await beamSearch(nothing, 2, { bos: BOS, eos: EOS, maxLength: 3 })).toEqual([[], []]);
    expect(await beamSearch(never, 0, { bos: BOS, eos: EOS, maxLength: 3 })).toEqual([]);
  });
});

describe('a scorer', () => {
  const options = { bos: BOS, eos: EOS, maxLength: 3 };
  it.each<readonly [string, Scorer, unknown, RegExp]>([
    ['NaN', () => [0, Number.NaN, 0], NonFiniteError, /token 1 behind prefix 0 \(sample 0\) is NaN/],
    ['a probability', () => [0, 0.5, 0], NonFiniteError, /is 0\.5: numbers up to 0/],
    ['infinity', () => [0, Infinity, 0], NonFiniteError, /Infinity/],
    ['nothing', () => [], ShapeError, /an array of 0 for 1 prefixes/],
    ['no array', () => undefined as never, ShapeError, /undefined for 1 prefixes/],
    ['too few tokens', () => [0, 0], OptionError, /knows 2 tokens, and eos is token 2/],
  ])('that gives %s is refused', async (_, scorer, type, message) => {
    for (const decode of [greedyDecode, beamSearch]) {
      const error: unknown = await (decode(scorer, 1, options) as Promise<unknown>).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(type as typeof ShapeError);
      expect((error as Error).message).toMatch(message);
    }
  });

  it('that fails fails the decoding, and what is no function is named', async () => {
    const failing: Scorer = () => Promise.reject(new RangeError('mine'));
    await expect(beamSearch(failing, 1, options)).rejects.toThrow(RangeError);
    await expect(beamSearch([0] as never, 1, options)).rejects.toThrow(/takes a function.*not an array of 1/);
    for (const bad of [{ maxLength: 0 }, { eos: -1 }, { bos: 1.5 }])
      await expect(greedyDecode(() => [0], 1, { ...options, ...bad })).rejects.toThrow(OptionError);
    await expect(beamSearch(() => [0], 1, { ...options, beams: 2, best: 3 })).rejects.toThrow(OptionError);
  });
});
