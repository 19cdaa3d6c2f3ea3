/**
 * Layers and models of the index: those that take options, and those that take none.
 */
import * as hmatrix from '#hmatrix/index.js';

const { layers } = hmatrix;
const graph = layers.graphNetwork({ inputs: layers.vectorInput(3), layers: layers.dense(2), loss: 'mse' });
/** What the call needs and the options tried; what is no object, as it is. */
const and = (fixed: object, options: never): never =>
  (typeof options === 'object' && options !== null ? { ...fixed, ...(options as object) } : options) as never;
const transformer = { features: 4, heads: 2, layers: 1 };
const words = layers.graphNetwork({
  inputs: layers.tokenInput(2, 5),
  layers: layers.languageModel({ words: 5, ...transformer }),
  loss: layers.tokenLoss(),
});
const startOf = (network: hmatrix.layers.GraphNetwork) => layers.startParameters(network);
const tokenizer = hmatrix.text.wordTokenizer(['a']);
const pairs = [{ source: 'a', target: 'a' }];

/** By the function: one of its options, and the call. */
export const LAYERS_WITH_OPTIONS: Readonly<
  Record<string, readonly (readonly [option: string, call: (options: never) => unknown])[]>
> = {
  averagePool: [['stride', (o) => layers.averagePool(2, o)]],
  batchNorm: [['momentum', (o) => layers.batchNorm(o)]],
  conv2d: [['padding', (o) => layers.conv2d(2, 3, o)]],
  dense: [['deviation', (o) => layers.dense(2, o)]],
  embedding: [['deviation', (o) => layers.embedding(5, 2, o)]],
  graphNetwork: [
    ['loss', (o) => layers.graphNetwork(and({ inputs: layers.vectorInput(3), layers: layers.relu, loss: 'mse' }, o))],
  ],
  groupNorm: [['epsilon', (o) => layers.groupNorm(2, o)]],
  imageInput: [['channels', (o) => layers.imageInput(and({ channels: 1, height: 2, width: 2 }, o))]],
  languageModel: [['features', (o) => layers.languageModel(and({ words: 5, ...transformer }, o))]],
  layerNorm: [['epsilon', (o) => layers.layerNorm(o)]],
  learnedPositions: [['deviation', (o) => layers.learnedPositions(o)]],
  maxPool: [['stride', (o) => layers.maxPool(2, o)]],
  mobilenet: [['classes', (o) => layers.mobilenet(1, o)]],
  multiHeadAttention: [['dropout', (o) => layers.multiHeadAttention(and({ heads: 2 }, o))]],
  resnet18: [['classes', (o) => layers.resnet18(o)]],
  resnet20: [['shortcut', (o) => layers.resnet20(o)]],
  resnet32: [['shortcut', (o) => layers.resnet32(o)]],
  resnet50: [['classes', (o) => layers.resnet50(o)]],
  rmsNorm: [['epsilon', (o) => layers.rmsNorm(o)]],
  sequenceScorer: [['blas', (o) => layers.sequenceScorer({ network: words, parameters: startOf(words) }, o)]],
  simpleCnn: [['channels', (o) => layers.simpleCnn(o)]],
  startParameters: [['precision', (o) => layers.startParameters(graph, o)]],
  tokenLoss: [['smoothing', (o) => layers.tokenLoss(o)]],
  translationDataSet: [
    ['tooLong', (o) => layers.translationDataSet(pairs, and({ source: tokenizer, target: tokenizer }, o))],
  ],
  transformer: [['features', (o) => layers.transformer(and({ sourceWords: 5, targetWords: 5, ...transformer }, o))]],
  transformerDecoderLayer: [['activation', (o) => layers.transformerDecoderLayer(and({ heads: 2 }, o))]],
  variationalAutoencoder: [
    [
      'encoder',
      (o) => layers.variationalAutoencoder(and({ encoder: layers.dense(3), decoder: layers.dense(3), code: 1 }, o)),
    ],
  ],
  transformerEncoderLayer: [['activation', (o) => layers.transformerEncoderLayer(and({ heads: 2 }, o))]],
};

/** Those without options. */
export const LAYERS_WITHOUT_OPTIONS = [
  'activation',
  'asSequence',
  'dropout',
  'flatten',
  'fromStateDict',
  'gaussianCode',
  'globalAveragePool',
  'named',
  'positionalEncoding',
  'relu',
  'residual',
  'sequential',
  'stack',
  'tokenInput',
  'toStateDict',
  'trainedPart',
  'unflatten',
  'vectorInput',
];

/** Those that take no numbers in arrays. */
export const LAYERS_WITHOUT_NUMBERS = [...Object.keys(LAYERS_WITH_OPTIONS), ...LAYERS_WITHOUT_OPTIONS].filter(
  (name) => !['fromStateDict', 'sequenceScorer', 'toStateDict', 'trainedPart'].includes(name),
);
