/**
 * Networks of layers with their data, from the command's options: the small ones of tables, and those that are trained.
 */
import { basename } from 'node:path';
import type { GraphTableSetup } from '../experiment/graph-table-run.js';
import type { ImageSets } from '../experiment/image-sets.js';
import type { ModelName, ModelSettings, TableModelName } from '../experiment/model-names.js';
import type { Model } from '../experiment/models.js';
import type { ModelTrainingSetup } from '../experiment/model-training-run.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { SentencePair } from '../text/sentence-pairs.js';
import type { Tokenizer } from '../text/tokenizer.js';
import { openImages, type OpenImages } from './image-data.js';
import { MAX_SIZE } from './options/common.js';
import { UsageError } from './usage.js';
import type { TableOptions, TrainCommandOptions } from './command-options.js';

/** The network and its data. */
export type ModelData = Pick<GraphTableSetup, 'network' | 'title' | 'part' | 'epochs' | 'data'>;

/** Words that tables tell apart, and tokens of their sentences. */
const TABLE_SENTENCES = { words: 48, length: 10, precision: 'f64' } as const;

/** Opens the data of a table, and makes the network for it. Throws UsageError, and what reading throws. */
export async function openTableModel(
  name: TableModelName,
  { images, labels, seed, ...options }: Pick<TableOptions, 'images' | 'labels' | 'seed' | 'samples' | 'samplesGiven'>,
  control: TeamControl,
): Promise<ModelData> {
  const { TABLE_MODELS } = await import('../experiment/models.js');
  const model = TABLE_MODELS[name];
  const { title, part, epochs } = model;
  const samples = options.samplesGiven === false ? model.samples : options.samples;
  if (model.takes === 'sentences') {
    if (images !== undefined) throw new UsageError(`--model ${name} takes sentences: leave out --images.`);
    const { sentenceSets } = await import('../experiment/sentence-sets.js');
    const texts = { training: await generatedSentences(samples, seed), validation: [] };
    const { sizes, training } = sentenceSets(texts, TABLE_SENTENCES);
    return { network: model.network(sizes), title, part, epochs, data: { ...training, name: 'generated sentences' } };
  }
  const { generated } = model;
  const opened = await openImages({ images, labels, samples, seed, generated, classes: true }, control);
  const { sizes, training } = await imageSets(await halved(opened), { validation: 0, seed, precision: 'f64' });
  return { network: model.network(sizes), title, part, epochs, data: { ...training, name: opened.name } };
}

/** Sides of images that tables halve. */
const SIDE = 28;

/** Grey images of 28 × 28 pixels as those of 14 × 14. */
async function halved(opened: OpenImages): Promise<OpenImages> {
  if (opened.kind === 'bytes' || opened.images.dimension !== SIDE * SIDE) return opened;
  const { halvedImages } = await import('../experiment/network-data.js');
  return { ...opened, images: halvedImages(opened.images) };
}

/** The images as data. */
async function imageSets(
  opened: OpenImages,
  {
    reconstructs = false,
    ...how
  }: Pick<TrainCommandOptions, 'validation' | 'seed' | 'precision'> & { readonly reconstructs?: boolean },
): Promise<ImageSets> {
  const { byteSets, greySets } = await import('../experiment/image-sets.js');
  const options = { ...how, reconstructs };
  return opened.kind === 'bytes' ? byteSets(opened.images, options) : greySets(opened, options);
}

/** A model that is to be trained. */
export interface OpenModel {
  readonly setup: Omit<ModelTrainingSetup, 'how'>;
  /** Those of its words, by what they are called. */
  readonly tokenizers: Readonly<Record<string, Tokenizer>>;
  /** Sizes of images that are to be moved. */
  readonly moved: ImageSets['sizes'] | null;
}

/** What is the same for all models. */
type Common = Omit<ModelTrainingSetup, 'how' | 'network' | 'data' | 'training' | 'validation'>;

/** All sizes of a model, as records have them. */
type Sizes = Readonly<Record<string, number>>;

/** The model's sizes, those that were asked for first. */
const settingsOf = ({ settings }: Model, options: TrainCommandOptions): Sizes =>
  Object.fromEntries(
    Object.entries(settings as Sizes).map(([key, usual]) => [key, options[key as keyof ModelSettings] ?? usual]),
  );

/** Opens the data, and makes the network for it. Throws UsageError, and what reading throws. */
export async function openTrainedModel(
  name: ModelName,
  options: TrainCommandOptions,
  control: TeamControl,
): Promise<OpenModel> {
  const { MODELS } = await import('../experiment/models.js');
  const model = MODELS[name];
  const { precision, seed, weights, images, text } = options;
  const settings = settingsOf(model, options);
  const { features, heads } = settings;
  if (features % heads > 0)
    throw new UsageError(`--features ${features} is no multiple of --heads ${heads}: each head takes as many numbers.`);
  const isOwn = images !== undefined || text !== undefined;
  const samples = options.samples ?? (isOwn ? MAX_SIZE : model.training.samples);
  const common: Common = {
    title: model.title,
    model: { name, settings },
    precision,
    seed,
    weights: weights === undefined ? undefined : { path: weights, name: basename(weights) },
  };
  const asked = { ...options, samples };
  switch (model.takes) {
    case 'images':
      return ofImages(model, settings, common, asked, control);
    case 'sentences':
      return ofSentences(model, settings, common, asked, control);
    case 'pairs':
      return ofPairs(model, settings, common, asked, control);
  }
}

/** A kind of model. */
type Of<T extends Model['takes']> = Model & { readonly takes: T };
/** Options with the number of samples. */
type Asked = TrainCommandOptions & { readonly samples: number };

async function ofImages(
  { generated, reconstructs, training, network }: Of<'images'>,
  settings: Sizes,
  common: Common,
  { images, labels, samples, seed, validation, precision, augment = training.augment }: Asked,
  control: TeamControl,
): Promise<OpenModel> {
  const opened = await openImages({ images, labels, samples, seed, generated, classes: !reconstructs }, control);
  const { sizes, ...sets } = await imageSets(opened, { validation, seed, precision, reconstructs });
  const { name } = common.model;
  return {
    setup: {
      ...common,
      ...sets,
      model: { name, settings: reconstructs ? settings : { ...settings, augment } },
      network: network(sizes, settings),
      data: opened.name,
    },
    tokenizers: {},
    moved: augment && !reconstructs ? sizes : null,
  };
}

async function ofSentences(
  { network }: Of<'sentences'>,
  settings: Sizes,
  common: Common,
  { text, samples, seed, validation: share, ...options }: Asked,
  control: TeamControl,
): Promise<OpenModel> {
  const { keptApart, readSentences, sentenceSets } = await import('../experiment/sentence-sets.js');
  const own =
    text === undefined ? await generatedSentences(samples, seed) : await readSentences(text, samples, control);
  const { sizes, training, validation, tokenizer } = sentenceSets(keptApart(own, share, seed), wordOptions(options));
  return {
    setup: { ...common, network: network(sizes, settings), training, validation, data: dataName(text) },
    tokenizers: { words: tokenizer },
    moved: null,
  };
}

async function ofPairs(
  { network }: Of<'pairs'>,
  settings: Sizes,
  common: Common,
  { text, samples, seed, validation: share, beams = 1, ...options }: Asked,
  control: TeamControl,
): Promise<OpenModel> {
  const { keptApart, pairSets } = await import('../experiment/sentence-sets.js');
  const own = text === undefined ? await generatedPairs(samples, seed) : await readPairs(text, samples, control);
  const how = wordOptions(options);
  const { sizes, training, validation, source, target, skipped } = pairSets(keptApart(own, share, seed), how);
  const left = skipped === 0 ? '' : ` (${skipped} pairs of more than ${how.length} tokens left out)`;
  return {
    setup: {
      ...common,
      network: network(sizes, settings),
      training,
      validation,
      data: `${dataName(text)}${left}`,
      translation: validation === null ? undefined : { data: validation, target, beams },
    },
    tokenizers: { source, target },
    moved: null,
  };
}

/** Most words of a language, and most tokens of a sentence, where nobody says. */
const WORDS = 8000;
const LENGTH = 64;

const wordOptions = ({
  words = WORDS,
  length = LENGTH,
  precision,
}: Pick<TrainCommandOptions, 'words' | 'length' | 'precision'>) => ({
  words,
  length,
  precision,
});

const dataName = (text: string | undefined): string => (text === undefined ? 'generated sentences' : basename(text));

async function readPairs(path: string, limit: number, { signal, onProgress }: TeamControl): Promise<SentencePair[]> {
  const { readSentencePairs } = await import('../text/sentence-pairs.js');
  return readSentencePairs(path, { limit, signal, onProgress });
}

/** Generated sentences with their translations. */
async function generatedPairs(samples: number, seed: number): Promise<readonly SentencePair[]> {
  const { translationPairs } = await import('../../datasets/translation.js');
  return translationPairs(samples, 1, seed).training;
}

/** The sentences alone. */
const generatedSentences = async (samples: number, seed: number): Promise<string[]> =>
  (await generatedPairs(samples, seed)).map(({ source }) => source);
