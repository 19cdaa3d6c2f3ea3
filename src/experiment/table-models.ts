/**
 * Networks of layers that a table compares approximations of, small enough for two minutes on two cores.
 */
import { conv2d, dense } from '../layers/affine.js';
import type { Layer } from '../layers/builder.js';
import { flatten, relu, residual, sequential, stack } from '../layers/compose.js';
import { graphNetwork, imageInput, tokenInput, type GraphNetwork } from '../layers/graph-network.js';
import { tokenLoss } from '../layers/losses.js';
import { batchNorm } from '../layers/normalization.js';
import { globalAveragePool } from '../layers/pooling.js';
import { simpleCnn } from '../models/simple-cnn.js';
import { languageModel } from '../models/transformer.js';
import type { TableModelName } from './table-model-names.js';

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

/** A network for images, or for sentences. */
export type TableModel =
  | { readonly title: string; readonly takes: 'images'; readonly network: (sizes: ImageSizes) => GraphNetwork }
  | { readonly title: string; readonly takes: 'sentences'; readonly network: (sizes: SentenceSizes) => GraphNetwork };

const ofImages = (layers: (classes: number) => Layer) => ({
  takes: 'images' as const,
  network: ({ classes, ...image }: ImageSizes): GraphNetwork =>
    graphNetwork({ inputs: imageInput(image), layers: layers(classes), loss: 'cross-entropy' }),
});

const convolution = (channels: number, stride = 1): Layer =>
  sequential(conv2d(channels, 3, { padding: 1, stride, bias: false }), batchNorm());

/** Two convolutions, and what is added to them. */
const block = (channels: number, stride: number): Layer => {
  const main = stack({ conv1: convolution(channels, stride), relu, conv2: convolution(channels) });
  const shortcut = sequential(conv2d(channels, 1, { stride, bias: false }), batchNorm());
  return sequential(stride === 1 ? residual(main) : residual(main, shortcut), relu);
};

/** The models by name. */
export const TABLE_MODELS = {
  'simple-cnn': {
    title: 'simple CNN of 8 and 16 channels',
    ...ofImages((classes) => simpleCnn({ classes, channels: [8, 16] })),
  },
  resnet8: {
    title: 'ResNet-8 of 4, 8 and 16 channels',
    ...ofImages((classes) =>
      stack({
        stem: convolution(4, 2),
        relu,
        block1: block(4, 1),
        block2: block(8, 2),
        block3: block(16, 2),
        pool: globalAveragePool,
        flatten,
        fc: dense(classes),
      }),
    ),
  },
  transformer: {
    title: 'one transformer block of 16 features and 2 heads, between an embedding and the scores of words',
    takes: 'sentences',
    network: ({ length, words, padding }: SentenceSizes): GraphNetwork =>
      graphNetwork({
        inputs: tokenInput(length, words),
        layers: languageModel({ words, features: 16, heads: 2, layers: 1, feedForward: 32, padding }),
        loss: tokenLoss({ padding }),
      }),
  },
} as const satisfies Readonly<Record<TableModelName, TableModel>>;
