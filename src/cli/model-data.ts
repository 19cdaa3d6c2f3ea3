/**
 * The data of a table's network of layers, from the command's options: images as MNIST comes, else generated digits,
 * coloured shapes or sentences; and the network that takes them.
 */
import { basename } from 'node:path';
import type { GraphTableSetup } from '../experiment/graph-table-run.js';
import type { TableModelName } from '../experiment/table-model-names.js';
import type { ImageSizes, SentenceSizes } from '../experiment/table-models.js';
import type { Points } from '../source/entry-source.js';
import type { TeamControl } from '../parallel/team-control.js';
import { UsageError } from './usage.js';
import type { TableOptions } from './command-options.js';

/** The network and its data. */
export type ModelData = Pick<GraphTableSetup, 'network' | 'title' | 'data'>;

/** Words that are told apart, and tokens of a sentence. */
const WORDS = 48;
const LENGTH = 10;
const DIGITS = 10;

/** Opens the data, and makes the network for it. Throws UsageError, and what reading throws. */
export async function openModel(
  name: TableModelName,
  options: Pick<TableOptions, 'images' | 'labels' | 'seed'> & { readonly samples: number },
  control: TeamControl,
): Promise<ModelData> {
  const { TABLE_MODELS } = await import('../experiment/table-models.js');
  const model = TABLE_MODELS[name];
  if (model.takes === 'sentences') {
    if (options.images !== undefined) throw new UsageError(`--model ${name} takes sentences: leave out --images.`);
    const { sizes, data } = await sentences(options.samples, options.seed);
    return { network: model.network(sizes), title: model.title, data };
  }
  const { sizes, data } =
    options.images !== undefined || name === 'simple-cnn'
      ? await greyImages(options, control)
      : await shapes(options.samples, options.seed);
  return { network: model.network(sizes), title: model.title, data };
}

interface Opened<S> {
  readonly sizes: S;
  readonly data: GraphTableSetup['data'];
}

/** Generated digits, or images of a file with its labels, both halved to 14 × 14 pixels. */
async function greyImages(
  { images, labels, samples, seed }: Parameters<typeof openModel>[1],
  control: TeamControl,
): Promise<Opened<ImageSizes>> {
  const { halvedImages, readLabeledImages } = await import('../experiment/network-data.js');
  const { labelTargets, memoryDataSet } = await import('../network/data-set.js');
  const { view } = await import('../dense/matrix.js');
  let read: { readonly images: Points; readonly labels?: Int32Array | undefined };
  if (images === undefined) read = (await import('../../datasets/digits.js')).digitImages(samples, seed);
  else {
    if (labels === undefined) throw new UsageError('--model with --images needs their --labels.');
    read = await readLabeledImages(images, labels, samples, control);
  }
  const { dimension } = read.images;
  if (dimension !== 784)
    throw new UsageError(`--model takes images of 28 × 28 pixels, as MNIST has; these have ${dimension} numbers.`);
  const { coordinates, count, dimension: pixels } = halvedImages(read.images);
  const side = Math.sqrt(pixels);
  const inputs = view(coordinates, 0, pixels, count);
  const targets = labelTargets(read.labels!, DIGITS);
  return {
    sizes: { channels: 1, height: side, width: side, classes: DIGITS },
    data: {
      ...memoryDataSet(inputs, targets, { samples: 'columns' }),
      name: images === undefined ? 'generated digits' : basename(images),
    },
  };
}

async function shapes(samples: number, seed: number): Promise<Opened<ImageSizes>> {
  const { shapeImages } = await import('../../datasets/shapes.js');
  const { imageDataSet } = await import('../network/image-data.js');
  const images = shapeImages(samples, seed);
  const { channels, height, width, classes } = images;
  return {
    sizes: { channels, height, width, classes: classes.length },
    data: { ...imageDataSet(images, { standardize: true }), name: 'generated shapes' },
  };
}

/** English sentences, of which the next word is to be told; rare words are one. */
async function sentences(samples: number, seed: number): Promise<Opened<SentenceSizes>> {
  const { translationPairs } = await import('../../datasets/translation.js');
  const { wordTokenizer } = await import('../text/word-tokenizer.js');
  const { padTokens } = await import('../text/pad-tokens.js');
  const { memoryDataSet } = await import('../network/data-set.js');
  const texts = translationPairs(samples, 1, seed).training.map(({ source }) => source);
  const tokenizer = wordTokenizer(texts, { size: WORDS });
  const tokens = texts.map((text) => tokenizer.encode(text));
  const columns = { length: LENGTH, truncate: true };
  const inputs = padTokens(tokens, tokenizer, { ...columns, begin: true });
  const targets = padTokens(tokens, tokenizer, { ...columns, end: true });
  return {
    sizes: { length: LENGTH, words: tokenizer.size, padding: tokenizer.pad },
    data: { ...memoryDataSet(inputs, targets, { samples: 'columns' }), name: 'generated sentences' },
  };
}
