/**
 * A transformer that translates generated sentences into another word order, label smoothing 0.1, by every kind of
 * optimizer: samples to a loss, and BLEU of held-out sentences by beam search.
 */
import { translationPairs } from '../../datasets/translation.js';
import type { FloatArray } from '../../src/core/floats.js';
import { graphNetwork, initialParameters, tokenInput, type GraphNetwork } from '../../src/layers/graph-network.js';
import { tokenLoss } from '../../src/layers/losses.js';
import { sequenceScorer } from '../../src/layers/sequence-scorer.js';
import { translationDataSet, type TranslationDataSet } from '../../src/layers/translation-data.js';
import { transformer } from '../../src/models/transformer.js';
import { bleu } from '../../src/text/bleu.js';
import { beamSearch } from '../../src/text/decoding/beam-search.js';
import type { Tokenizer } from '../../src/text/tokenizer.js';
import { wordTokenizer } from '../../src/text/word-tokenizer.js';
import { digits, trials, type Experiment, type Outcome, type RunRow, type Setup } from './experiment.js';
import { fewerSamples, field, isAdam, raceTable } from './race.js';

/** BLEU of the data's translations by beam search. */
async function translated(
  network: GraphNetwork,
  parameters: FloatArray,
  { sources, samples, targetLength, pairs }: TranslationDataSet,
  { bos, eos, decode }: Tokenizer,
): Promise<number> {
  const scorer = sequenceScorer({ network, parameters, sources });
  const found = await beamSearch(scorer, samples, { bos, eos, maxLength: targetLength, beams: 4 });
  const texts = found.map((hypotheses) => (hypotheses.length === 0 ? '' : decode(hypotheses[0].tokens)));
  return bleu(
    texts,
    pairs.map(({ target }) => target),
  ).score;
}

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const { training, heldOut } = translationPairs(quick ? 60 : 4000, quick ? 8 : 200, seed + 1);
  const source = wordTokenizer(training.map((pair) => pair.source));
  const target = wordTokenizer(training.map((pair) => pair.target));
  const lengths = { source, target, sourceLength: 16, targetLength: 16, tooLong: 'skip' } as const;
  const [data, apart] = [translationDataSet(training, lengths), translationDataSet(heldOut, lengths)];
  const { padding, sourceLength, targetLength } = data;
  const shape = quick ? { features: 8, heads: 2, layers: 1 } : { features: 64, heads: 4, layers: 2, feedForward: 128 };
  const network = graphNetwork({
    inputs: [tokenInput(sourceLength, source.size), tokenInput(targetLength, target.size)],
    layers: transformer({ ...shape, sourceWords: source.size, targetWords: target.size, padding }),
    loss: tokenLoss({ padding, smoothing: 0.1 }),
  });
  const start = { network, parameters: initialParameters(network, { seed }), data };
  const racers = field({
    adam: quick ? [2e-3] : [2e-3, 4e-3, 8e-3],
    ekfac: quick ? [2e-3] : [4e-3, 8e-3],
    batchSize: quick ? 20 : 64,
    largeBatch: quick ? 30 : 128,
    iterations: quick ? 2 : 10,
    newtonSteps: quick ? 1 : 20,
    kfacSteps: quick ? 1 : 90,
  });
  const common = { seed, validation: apart, epochs: quick ? 1 : 6, evaluateEvery: quick ? 2 : 15 };
  const goal = { loss: 2 };
  const done = await trials(setup, start, racers, common);
  const scored: (RunRow & { readonly bleu: number })[] = [];
  for (const { row, run: trained } of done) {
    const score = await translated(network, trained.best.parameters, apart, target);
    setup.say(`${row.label}: BLEU ${digits(score)}`);
    scored.push({ ...row, bleu: score });
  }
  const best = (adam: boolean) =>
    scored.filter((row) => isAdam(row) === adam).reduce((most, row) => (row.bleu > most.bleu ? row : most));
  const [first, second] = [best(true), best(false)];
  return {
    data: `generated sentences, ${data.samples} pairs for training, ${apart.samples} held out, up to 16 tokens`,
    tables: [
      raceTable(
        `transformer, d ${shape.features}, ${shape.layers} layers, ${network.trained} parameters: held-out pairs`,
        scored,
        goal,
        {
          columns: ['BLEU', 'outcome'],
          of: ({ bleu: score, outcome }) => [digits(score), outcome],
        },
      ),
    ],
    checks: [
      fewerSamples(scored, goal),
      {
        expected: "the BLEU of a method of the second order is not below tuned Adam's",
        met: second.bleu >= first.bleu,
        seen: `${second.label} ${digits(second.bleu)}, ${first.label} ${digits(first.bleu)}`,
      },
    ],
    details: { network: { transformer: shape, smoothing: 0.1 }, target: goal, runs: scored },
  };
}

/** The transformer. */
export const translation: Experiment = { what: 'a transformer that translates: every kind of optimizer, BLEU', run };
