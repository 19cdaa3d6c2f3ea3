/** Pairs of sentences as data, and the scorer that decoding asks: log softmax of what the whole network gives. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { translationPairs } from '#datasets/translation.js';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { dense } from '#hmatrix/layers/affine.js';
import {
  graphNetwork,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { sequenceScorer } from '#hmatrix/layers/sequence-scorer.js';
import { translationDataSet } from '#hmatrix/layers/translation-data.js';
import { languageModel, transformer } from '#hmatrix/models/transformer.js';
import { beamSearch } from '#hmatrix/text/decoding/beam-search.js';
import { greedyDecode } from '#hmatrix/text/decoding/greedy.js';
import { wordTokenizer } from '#hmatrix/text/word-tokenizer.js';
import { compute } from './networks.js';

const EPS = { f64: 2 ** -53, f32: 2 ** -24 };
const [SOURCE, PREFIX, WORDS] = [5, 6, 9];
const size = { features: 8, heads: 2, layers: 1, padding: 0, dropout: 0.3 };
const loss = tokenLoss({ padding: 0, smoothing: 0.1 });
const translator = graphNetwork({
  inputs: [tokenInput(SOURCE, 7), tokenInput(PREFIX, WORDS)],
  layers: transformer({ ...size, sourceWords: 7, targetWords: WORDS }),
  loss,
});
const writer = graphNetwork({
  inputs: tokenInput(PREFIX, WORDS),
  layers: languageModel({ ...size, words: WORDS }),
  loss,
});
const θ = (network: GraphNetwork, seed: number) => initialParameters(network, { seed, precision: 'f64' });

/** Sources of 1 to SOURCE words, then padding; prefixes of `length` words. */
function drawn(seed: number, length: number, sources: number, prefixes: number) {
  const random = new RandomStream(seed, 1);
  const data = new Float64Array(SOURCE * sources);
  for (let j = 0; j < sources; j++)
    for (let i = 0; i <= random.integer(SOURCE); i++) data[j * SOURCE + i] = 1 + random.integer(6);
  return {
    sources: { data, offset: 0, rows: SOURCE, cols: sources, ld: SOURCE },
    prefixes: Array.from({ length: prefixes }, () => Int32Array.from({ length }, () => 1 + random.integer(WORDS - 1))),
    samples: Int32Array.from({ length: prefixes }, () => random.integer(sources)),
  };
}

/** log softmax of the output at one position of one sample, by the tests' own evaluation. */
function expected(network: GraphNetwork, θ: Float64Array, inputs: readonly Float64Array[], position: number): number[] {
  const targets = new Float64Array(network.outputs);
  const { output } = compute(network, θ, { count: 1, inputs, targets }, { mode: 'evaluation' });
  const own = Array.from(output.subarray(WORDS * position, WORDS * (position + 1)));
  const log = Math.log(own.reduce((sum, value) => sum + Math.exp(value), 0));
  return own.map((value) => value - log);
}

describe('scores of the next token', () => {
  const lengths = fc.integer({ min: 1, max: PREFIX });

  it.each(['f64', 'f32'] as const)('are_log_softmax_of_the_whole_output_at_the_last_position_%s', (precision) => {
    fc.assert(
      fc.property(fc.nat(), lengths, fc.boolean(), (seed, length, translates) => {
        const network = translates ? translator : writer;
        const given = θ(network, seed);
        const parameters = precision === 'f32' ? Float32Array.from(given) : given;
        const { sources, prefixes, samples } = drawn(seed, length, 3, 4);
        const scorer = sequenceScorer({ network, parameters, sources: translates ? sources : undefined });
        const scores = scorer(prefixes, samples) as ArrayLike<number>;
        expect(scores.length).toBe(WORDS * prefixes.length);
        prefixes.forEach((prefix, i) => {
          const target = new Float64Array(PREFIX);
          target.set(prefix);
          const source = sources.data.subarray(SOURCE * samples[i], SOURCE * (samples[i] + 1));
          const inputs = translates ? [source, target] : [target];
          const wanted = expected(network, Float64Array.from(parameters), inputs, length - 1);
          const largest = Math.max(...wanted.map(Math.abs));
          wanted.forEach((score, k) => {
            expect(Math.abs(scores[i * WORDS + k] - score)).toBeLessThanOrEqual(1000 * EPS[precision] * largest);
          });
        });
      }),
      { numRuns: 12 },
    );
  });

  it('do_not_depend_on_what_stands_behind_the_prefix_or_on_the_others_of_a_call', () => {
    const parameters = θ(translator, 3);
    const { sources, prefixes, samples } = drawn(3, 4, 5, 70);
    const scorer = sequenceScorer({ network: translator, parameters, sources });
    const all = Float64Array.from(scorer(prefixes, samples) as Float64Array);
    // Shorter sources in more room: padding changes nothing.
    const wide = graphNetwork({
      inputs: [tokenInput(SOURCE + 3, 7), tokenInput(PREFIX + 2, WORDS)],
      layers: transformer({ ...size, sourceWords: 7, targetWords: WORDS }),
      loss,
    });
    const roomy = new Float64Array((SOURCE + 3) * sources.cols);
    for (let j = 0; j < sources.cols; j++)
      roomy.set(sources.data.subarray(SOURCE * j, SOURCE * (j + 1)), (SOURCE + 3) * j);
    const other = sequenceScorer({
      network: wide,
      parameters,
      sources: { ...sources, data: roomy, rows: SOURCE + 3, ld: SOURCE + 3 },
    });
    const again = other(prefixes, samples) as ArrayLike<number>;
    all.forEach((score, k) => {
      expect(Math.abs(again[k] - score)).toBeLessThanOrEqual(1000 * EPS.f64 * Math.abs(score));
    });
    const one = scorer([prefixes[69]], samples.subarray(69)) as ArrayLike<number>;
    for (let k = 0; k < WORDS; k++)
      expect(Math.abs(one[k] - all[69 * WORDS + k])).toBeLessThanOrEqual(1000 * EPS.f64 * Math.abs(one[k]));
  });

  it('lead_greedy_decoding_and_a_beam_of_one_to_the_same_sequence', async () => {
    const { sources } = drawn(4, 1, 6, 1);
    const scorer = sequenceScorer({ network: translator, parameters: θ(translator, 4), sources });
    const options = { bos: 1, eos: 2, maxLength: PREFIX };
    const greedy = await greedyDecode(scorer, 6, options);
    const beams = await beamSearch(scorer, 6, { ...options, beams: 1, lengthPenalty: 0 });
    greedy.forEach(({ tokens, finished }, j) => {
      if (finished && beams[j][0].finished) expect([...beams[j][0].tokens]).toEqual([...tokens]);
      expect(tokens.length).toBeLessThanOrEqual(PREFIX);
    });
  });

  it('ask_for_networks_of_tokens_and_sources_prefixes_and_samples_that_fit', () => {
    const parameters = θ(translator, 1);
    const { sources, prefixes } = drawn(1, 2, 3, 1);
    const plain = graphNetwork({ inputs: vectorInput(3), layers: dense(2), loss: 'mse' });
    expect(() => sequenceScorer({ network: plain, parameters: θ(plain, 1) })).toThrow(OptionError);
    expect(() => sequenceScorer({ network: translator, parameters })).toThrow(/sources of 5 tokens/);
    expect(() => sequenceScorer({ network: writer, parameters: θ(writer, 1), sources })).toThrow(/takes no sources/);
    expect(() => sequenceScorer({ network: translator, parameters: θ(writer, 1), sources })).toThrow(ShapeError);
    const scorer = sequenceScorer({ network: translator, parameters, sources });
    expect(() => scorer([new Int32Array(PREFIX + 1)], Int32Array.of(0))).toThrow(/maxLength up to 6/);
    expect(() => scorer(prefixes, Int32Array.of(3))).toThrow(/sources are 0 to 2/);
    expect(() => scorer([Int32Array.of(WORDS)], Int32Array.of(0))).toThrow(/indices of words run from 0 to 8/);
    expect((scorer(prefixes, Int32Array.of(0)) as ArrayLike<number>).length).toBe(WORDS);
  });
});

describe('pairs of sentences as a data set', () => {
  const pairs = translationPairs(40, 1, 2).training;
  const source = wordTokenizer(pairs.map((pair) => pair.source));
  const target = wordTokenizer(pairs.map((pair) => pair.target));

  it('hold_sources_the_decoders_inputs_and_its_outputs_one_token_on', () => {
    const data = translationDataSet(pairs, { source, target });
    const { sourceLength, targetLength, padding } = data;
    const { inputs, targets } = data.batch(0, pairs.length);
    expect([data.samples, data.inputs, data.outputs]).toEqual([40, sourceLength + targetLength, targetLength]);
    const column = (matrix: typeof inputs, j: number, first: number, count: number): number[] =>
      Array.from({ length: count }, (_, i) => matrix.data[matrix.offset + j * matrix.ld + first + i]);
    pairs.forEach((pair, j) => {
      const [from, to] = [[...source.encode(pair.source)], [...target.encode(pair.target)]];
      const filled = (tokens: number[], length: number): number[] => [
        ...tokens,
        ...new Array<number>(length - tokens.length).fill(padding),
      ];
      expect(column(inputs, j, 0, sourceLength)).toEqual(filled([...from, source.eos], sourceLength));
      expect(column(data.sources, j, 0, sourceLength)).toEqual(column(inputs, j, 0, sourceLength));
      expect(column(inputs, j, sourceLength, targetLength)).toEqual(filled([target.bos, ...to], targetLength));
      expect(column(targets, j, 0, targetLength)).toEqual(filled([...to, target.eos], targetLength));
    });
  });

  it('refuse_cut_or_skip_pairs_that_are_too_long', () => {
    const whole = translationDataSet(pairs, { source, target });
    const sourceLength = whole.sourceLength - 1;
    const short = { source, target, sourceLength };
    expect(() => translationDataSet(pairs, short)).toThrow(/source of pair \d+ has .* tooLong: 'cut' or 'skip'/);
    const skipped = translationDataSet(pairs, { ...short, tooLong: 'skip' });
    expect(skipped.samples).toBeLessThan(40);
    expect(skipped.pairs).toEqual(pairs.filter((pair) => source.encode(pair.source).length < sourceLength));
    const cut = translationDataSet(pairs, { ...short, tooLong: 'cut' });
    expect([cut.samples, cut.inputs]).toEqual([40, whole.inputs - 1]);
    expect(() => translationDataSet(pairs, { source, target, sourceLength: 1, tooLong: 'skip' })).toThrow(ShapeError);
  });

  it('ask_for_pairs_and_tokenizers_with_one_number_for_padding', () => {
    expect(() => translationDataSet([], { source, target })).toThrow(OptionError);
    expect(() => translationDataSet([{ source: 'a' } as never], { source, target })).toThrow(/Pair 0/);
    expect(() => translationDataSet(pairs, { source, target: null as never })).toThrow(/target of translationDataSet/);
    expect(() => translationDataSet(pairs, { source, target: { ...target, pad: 7 } })).toThrow(
      /one number for padding/,
    );
    expect(() => translationDataSet(pairs, { source, target, tooLong: 'drop' as never })).toThrow(OptionError);
  });
});
