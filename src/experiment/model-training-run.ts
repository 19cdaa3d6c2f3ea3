/**
 * hmatrix train --model: a run of a network of layers, and its record.
 */
import { floats, type FloatArray, type Precision } from '../core/floats.js';
import { readTensors } from '../io/tensors.js';
import { meanLoss } from '../layers/gradient.js';
import { initialParameters, type GraphNetwork } from '../layers/graph-network.js';
import { accuracy } from '../layers/predict.js';
import { sequenceScorer } from '../layers/sequence-scorer.js';
import { fromStateDict } from '../layers/state-dict.js';
import type { TranslationDataSet } from '../layers/translation-data.js';
import type { DataSet } from '../network/data-set.js';
import { lossOf } from '../network/losses/table.js';
import type { TeamControl } from '../parallel/team-control.js';
import { bleu } from '../text/bleu.js';
import { beamSearch } from '../text/decoding/beam-search.js';
import { greedyDecode } from '../text/decoding/greedy.js';
import type { Hypothesis } from '../text/decoding/scorer.js';
import type { Tokenizer } from '../text/tokenizer.js';
import type { Setting } from '../training/optimizer.js';
import type { NamedFile } from './sample-table.js';
import { runTask, type Measured, type RunMethod, type Trained, type TranslationRecord } from './training-run.js';

/** How translations are measured. */
export interface TranslationSetup {
  readonly data: TranslationDataSet;
  readonly target: Tokenizer;
  /** 1: the likeliest next word is taken. */
  readonly beams: number;
}

/** A network of layers with its data. */
export interface ModelTrainingSetup {
  readonly network: GraphNetwork;
  readonly title: string;
  /** Its name, and the sizes and ways that were taken. */
  readonly model: { readonly name: string; readonly settings: Readonly<Record<string, Setting>> };
  /** What the data is called. */
  readonly data: string;
  readonly training: DataSet;
  readonly validation: DataSet | null;
  readonly translation?: TranslationSetup | undefined;
  readonly precision: Precision;
  readonly seed: number;
  readonly weights?: NamedFile | undefined;
  readonly how: RunMethod;
}

/** Translations that are shown. */
const EXAMPLES = 3;

/** θ to begin from. */
async function startOf(
  { network, precision, seed, weights }: ModelTrainingSetup,
  { signal }: TeamControl,
): Promise<FloatArray> {
  if (weights === undefined) return initialParameters(network, { seed, precision });
  const { tensors } = await readTensors(weights.path, { signal });
  const θ = floats(network.parameters, precision);
  θ.set(fromStateDict(network, tensors));
  return θ;
}

/** Mean loss, and the share of classes or words that are right, where the loss has either. */
function measured(
  { network, training, validation }: ModelTrainingSetup,
  θ: FloatArray,
  control: TeamControl,
): Measured {
  const model = { network, parameters: θ, data: validation ?? training };
  const tools = { blas: control.team.blas, signal: control.signal };
  const { loss } = network;
  const ofClasses = typeof loss !== 'string' || lossOf(loss).classes;
  return { loss: meanLoss(model, tools), accuracy: ofClasses ? accuracy(model, tools) : null };
}

/** BLEU of the translations of pairs. */
async function translated(
  network: GraphNetwork,
  parameters: FloatArray,
  { data: { sources, samples, targetLength, pairs }, target, beams }: TranslationSetup,
  { team: { blas } }: TeamControl,
): Promise<TranslationRecord> {
  const scorer = sequenceScorer({ network, parameters, sources }, { blas });
  const { bos, eos } = target;
  const length = { bos, eos, maxLength: targetLength };
  const found: (Hypothesis | undefined)[] =
    beams === 1
      ? await greedyDecode(scorer, samples, length)
      : (await beamSearch(scorer, samples, { ...length, beams })).map(([best]) => best);
  const texts = found.map((best) => (best === undefined ? '' : target.decode(best.tokens)));
  const { score } = bleu(
    texts,
    pairs.map((pair) => pair.target),
  );
  return {
    bleu: score,
    beams,
    pairs: samples,
    examples: pairs.slice(0, EXAMPLES).map((pair, k) => ({ ...pair, translation: texts[k] })),
  };
}

/** Trains, and translates where the network does. Throws what reading and `train` throw. */
export async function runModelTraining(setup: ModelTrainingSetup, control: TeamControl): Promise<Trained> {
  const began = performance.now();
  const { network, title, model, data, training, validation, translation, precision, seed, weights, how } = setup;
  const { record, parameters } = await runTask(
    {
      record: {
        network: title,
        model,
        size: network.trained,
        activation: null,
        loss: typeof network.loss === 'string' ? network.loss : 'cross-entropy of words',
        bias: null,
        data,
        training: training.samples,
        validation: validation?.samples ?? 0,
        precision,
        standardized: false,
        weights: weights?.name ?? null,
        seed,
      },
      start: { network, parameters: await startOf(setup, control), data: training },
      validation,
      raw: (θ) => θ,
      measured: (θ) => measured(setup, θ, control),
      unevenScales: null,
    },
    how,
    began,
    control,
  );
  if (translation === undefined) return { record, parameters };
  return {
    record: { ...record, translation: await translated(network, parameters, translation, control) },
    parameters,
  };
}
