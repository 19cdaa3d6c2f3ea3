/**
 * Networks of layers by name: what they take, how they are made for their data, how they are trained where nobody says,
 * and of some a small one that tables compare approximations of, in two minutes on two cores.
 */
import { conv2d, dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { activation, flatten, relu, residual, sequential, stack } from '../layers/compose.js';
import { graphNetwork, imageInput, tokenInput, vectorInput, type GraphNetwork } from '../layers/graph-network.js';
import { tokenLoss } from '../layers/losses.js';
import { batchNorm } from '../layers/normalization.js';
import { globalAveragePool } from '../layers/pooling.js';
import type { ChooseBlock } from '../layers/trained-part.js';
import { mobilenet } from '../models/mobilenet.js';
import { resnet18, resnet20, resnet32, resnet50 } from '../models/resnet.js';
import { simpleCnn } from '../models/simple-cnn.js';
import { languageModel, transformer } from '../models/transformer.js';
import { variationalAutoencoder } from '../models/variational-autoencoder.js';
import type { Setting } from '../training/optimizer.js';
import type { OptimizerName } from '../training/optimizers/table.js';
import type { ModelName, ModelSettings, TableModelName } from './model-names.js';

/** Sizes of images and their classes. */
export interface ImageSizes {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly classes: number;
}

/** Sizes of sentences: tokens, and words that there are; word `padding` is none. */
export interface SentenceSizes {
  readonly length: number;
  readonly words: number;
  readonly padding: number;
}

/** Sizes of sentences and of their translations. */
export interface PairSizes {
  readonly source: SentenceSizes;
  readonly target: SentenceSizes;
}

/** How a network of some data is made. */
interface Form<S> {
  readonly title: string;
  /** Sizes that may be asked for, with those that are taken otherwise. */
  readonly settings: ModelSettings;
  readonly network: (sizes: S, settings: ModelSettings) => GraphNetwork;
}

/** Images and their classes; `generated`: which there are without files. */
interface OfImages extends Form<ImageSizes> {
  readonly takes: 'images';
  readonly generated: 'digits' | 'shapes';
  /** Whether images are their own targets, and not their classes. */
  readonly reconstructs: boolean;
}
/** Sentences, of which the next word is to be told. */
interface OfSentences extends Form<SentenceSizes> {
  readonly takes: 'sentences';
}
/** Sentences with translations. */
interface OfPairs extends Form<PairSizes> {
  readonly takes: 'pairs';
}

/** How a model is trained where nobody says. */
export interface ModelTraining {
  /** The one that is taken where none is named. */
  readonly optimizer: OptimizerName;
  /** Settings that go before an optimizer's own, with the samples of a step. */
  readonly settings: Readonly<
    Partial<Record<OptimizerName, Readonly<Record<string, Setting>> & { readonly batchSize: number }>>
  >;
  readonly epochs: number;
  /** Generated samples. */
  readonly samples: number;
  /** Whether images are moved at random. */
  readonly augment: boolean;
}

/** A small network for tables. */
interface SmallModel {
  readonly title: string;
  /** Samples that tables take. */
  readonly samples: number;
  /** Passes over them in training, where nobody says. */
  readonly epochs: number;
  /** Which blocks the matrix is of; absent: all. The others are trained with them, and then stay. */
  readonly part?: ChooseBlock | undefined;
}
/** One of images, halved where they are grey, or of sentences. */
export type TableModel = SmallModel &
  (
    | (Pick<OfImages, 'takes' | 'generated'> & { readonly network: (sizes: ImageSizes) => GraphNetwork })
    | (Pick<OfSentences, 'takes'> & { readonly network: (sizes: SentenceSizes) => GraphNetwork })
  );

/** A model. */
export type Model = (OfImages | OfSentences | OfPairs) & { readonly training: ModelTraining };

/** A classifier of images. */
const classifier =
  (layers: (sizes: ImageSizes, settings: ModelSettings) => Layer) =>
  (sizes: ImageSizes, settings: ModelSettings = {}): GraphNetwork => {
    const { channels, height, width } = sizes;
    return graphNetwork({
      inputs: imageInput({ channels, height, width }),
      layers: layers(sizes, settings),
      loss: 'cross-entropy',
    });
  };

const ofImages = (
  title: string,
  generated: OfImages['generated'],
  layers: Parameters<typeof classifier>[0],
  settings: ModelSettings = {},
): OfImages => ({
  takes: 'images',
  title,
  generated,
  reconstructs: false,
  settings,
  network: classifier(layers),
});

/** Sides up to which images come in by a convolution of stride 1. */
const SMALL = 64;
const kindOf = ({ height, width }: ImageSizes): 'small' | 'large' =>
  Math.max(height, width) <= SMALL ? 'small' : 'large';

const convolution = (channels: number, stride = 1): Layer =>
  sequential(conv2d(channels, 3, { padding: 1, stride, bias: false }), batchNorm());

/** Two convolutions, and what is added to them. */
const block = (channels: number, stride: number): Layer => {
  const main = stack({ conv1: convolution(channels, stride), relu, conv2: convolution(channels) });
  const shortcut = sequential(conv2d(channels, 1, { stride, bias: false }), batchNorm());
  return sequential(stride === 1 ? residual(main) : residual(main, shortcut), relu);
};

const resnet8 = ({ classes }: ImageSizes): Layer =>
  stack({
    stem: convolution(4, 2),
    relu,
    block1: block(4, 1),
    block2: block(8, 2),
    block3: block(16, 2),
    pool: globalAveragePool,
    flatten,
    fc: dense(classes),
  });

/** Units of the layers between images and their code. */
const BETWEEN = 256;

function vae({ channels, height, width }: ImageSizes, { code }: ModelSettings): GraphNetwork {
  const pixels = channels * height * width;
  return graphNetwork({
    inputs: vectorInput(pixels),
    layers: variationalAutoencoder({
      encoder: stack({ fc: dense(BETWEEN), tanh: activation('tanh') }),
      decoder: stack({ fc: dense(BETWEEN), tanh: activation('tanh'), out: dense(pixels) }),
      code: code!,
    }),
    loss: 'bce',
  });
}

const WORD_SETTINGS = { features: 64, heads: 4, layers: 2, dropout: 0, smoothing: 0.1 } as const;

/** What both networks of words are made with. */
const wordLayers = ({ features, heads, layers, dropout }: ModelSettings) => ({
  features: features!,
  heads: heads!,
  layers: layers!,
  dropout,
  feedForward: 2 * features!,
});

function translator({ source, target }: PairSizes, settings: ModelSettings): GraphNetwork {
  const { padding } = source;
  return graphNetwork({
    inputs: [tokenInput(source.length, source.words), tokenInput(target.length, target.words)],
    layers: transformer({
      ...wordLayers(settings),
      sourceWords: source.words,
      targetWords: target.words,
      padding,
    }),
    loss: tokenLoss({ padding, smoothing: settings.smoothing }),
  });
}

function nextWords({ length, words, padding }: SentenceSizes, settings: ModelSettings): GraphNetwork {
  return graphNetwork({
    inputs: tokenInput(length, words),
    layers: languageModel({ ...wordLayers(settings), words, padding }),
    loss: tokenLoss({ padding, smoothing: settings.smoothing }),
  });
}

/** Digits: measured on the small CNN (docs/benchmarks.md). */
const ON_DIGITS: ModelTraining = {
  optimizer: 'ekfac-adam',
  settings: {
    adam: { learningRate: 1e-2, batchSize: 100 },
    adamw: { learningRate: 1e-2, batchSize: 100 },
    'ekfac-adam': { learningRate: 1.2e-2, batchSize: 100 },
    kfac: { learningRate: 0.03, normConstraint: null, dampingFloor: 0.1, batchSize: 200 },
    'newton-cg': { iterations: 10, batchSize: 200 },
    'gauss-newton-cg': { iterations: 10, batchSize: 200 },
  },
  epochs: 5,
  samples: 4000,
  augment: false,
};

/** Codes of digits: by ekfac-adam the loss falls as by Adam, a step of which takes half the time. */
const ON_CODES: ModelTraining = {
  ...ON_DIGITS,
  optimizer: 'adam',
  settings: {
    adam: { learningRate: 6e-3, batchSize: 100 },
    adamw: { learningRate: 6e-3, batchSize: 100 },
    'ekfac-adam': { learningRate: 6e-3, batchSize: 100 },
  },
  epochs: 10,
};

/**
 * Deep networks of images: measured on ResNet-20 and MobileNet (docs/benchmarks.md), where Adam and ekfac-adam take
 * about the same seconds to a target, and a step of Adam the fewest. In so few epochs of so little data a rate that
 * stays is ahead of one that falls as a cosine (ResNet-8: 46.6 against 33.5 % right).
 */
const DEEP: ModelTraining = {
  optimizer: 'adam',
  settings: {
    sgd: { learningRate: 0.1, batchSize: 64 },
    momentum: { learningRate: 0.03, batchSize: 64 },
    nesterov: { learningRate: 0.03, batchSize: 64 },
    adam: { learningRate: 3e-3, batchSize: 64 },
    adamw: { learningRate: 3e-3, batchSize: 64 },
    'ekfac-adam': { learningRate: 3e-3, batchSize: 64 },
    kfac: { batchSize: 128 },
    'newton-cg': { iterations: 5, batchSize: 128 },
    'gauss-newton-cg': { iterations: 5, batchSize: 128 },
  },
  epochs: 10,
  samples: 4000,
  augment: true,
};

/** Words: measured on the transformer (docs/benchmarks.md). */
const ON_WORDS: ModelTraining = {
  optimizer: 'ekfac-adam',
  settings: {
    adam: { learningRate: 4e-3, batchSize: 64 },
    adamw: { learningRate: 4e-3, batchSize: 64 },
    'ekfac-adam': { learningRate: 4e-3, batchSize: 64 },
    kfac: { batchSize: 128 },
    'newton-cg': { iterations: 10, batchSize: 128 },
    'gauss-newton-cg': { iterations: 10, batchSize: 128 },
  },
  epochs: 8,
  samples: 4000,
  augment: false,
};

/** The models by name. */
export const MODELS: Readonly<Record<ModelName, Model>> = {
  'simple-cnn': {
    ...ofImages('simple CNN of 16 and 32 channels', 'digits', ({ classes }) => simpleCnn({ classes })),
    training: ON_DIGITS,
  },
  resnet8: { ...ofImages('ResNet-8 of 4, 8 and 16 channels', 'shapes', resnet8), training: DEEP },
  resnet20: { ...ofImages('ResNet-20', 'shapes', ({ classes }) => resnet20({ classes })), training: DEEP },
  resnet32: { ...ofImages('ResNet-32', 'shapes', ({ classes }) => resnet32({ classes })), training: DEEP },
  resnet18: {
    ...ofImages('ResNet-18', 'shapes', (sizes) => resnet18({ classes: sizes.classes, images: kindOf(sizes) })),
    training: DEEP,
  },
  resnet50: {
    ...ofImages('ResNet-50', 'shapes', (sizes) => resnet50({ classes: sizes.classes, images: kindOf(sizes) })),
    training: DEEP,
  },
  mobilenet: {
    ...ofImages(
      'MobileNet',
      'shapes',
      (sizes, { width }) => mobilenet(width, { classes: sizes.classes, images: kindOf(sizes) }),
      { width: 1 },
    ),
    training: DEEP,
  },
  vae: {
    takes: 'images',
    title: 'variational autoencoder',
    generated: 'digits',
    reconstructs: true,
    settings: { code: 16 },
    network: vae,
    training: ON_CODES,
  },
  transformer: {
    takes: 'pairs',
    title: 'transformer',
    settings: WORD_SETTINGS,
    network: translator,
    training: ON_WORDS,
  },
  'language-model': {
    takes: 'sentences',
    title: 'language model',
    settings: { ...WORD_SETTINGS, smoothing: 0 },
    network: nextWords,
    // The loss of generated sentences that were kept apart rises from the fifth epoch on.
    training: { ...ON_WORDS, optimizer: 'adam', epochs: 4 },
  },
};

/** The small ones of tables, by name. */
export const TABLE_MODELS: Readonly<Record<TableModelName, TableModel>> = {
  'simple-cnn': {
    title: 'simple CNN of 8 and 16 channels',
    samples: 100,
    epochs: 5,
    takes: 'images',
    generated: 'digits',
    network: classifier(({ classes }) => simpleCnn({ classes, channels: [8, 16] })),
  },
  resnet8: {
    title: MODELS.resnet8.title,
    samples: 32,
    epochs: 5,
    takes: 'images',
    generated: 'shapes',
    network: classifier(resnet8),
  },
  resnet20: {
    title: 'last convolution, its norm, and scores of a ResNet-20 of 8, 16 and 32 channels',
    samples: 200,
    epochs: 20,
    part: (name) => /^(layer3\.2\.(conv2|bn2)|linear)\./.test(name),
    takes: 'images',
    generated: 'shapes',
    network: classifier(({ classes }) => resnet20({ classes, channels: 8 })),
  },
  transformer: {
    title: 'one transformer block of 16 features and 2 heads, between an embedding and the scores of words',
    samples: 60,
    epochs: 5,
    takes: 'sentences',
    network: (sizes) => {
      const small = { features: 16, heads: 2, layers: 1, dropout: 0, smoothing: 0 };
      return nextWords(sizes, small);
    },
  },
  'transformer-layer': {
    title: 'the one transformer layer of a language model of 32 features and 4 heads',
    samples: 40,
    epochs: 20,
    part: (name) => name.startsWith('layers.0.'),
    takes: 'sentences',
    network: (sizes) => nextWords(sizes, { features: 32, heads: 4, layers: 1, dropout: 0, smoothing: 0 }),
  },
};
