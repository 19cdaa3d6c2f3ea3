/**
 * Networks of any shape: layers, graphs of them, models, weights by PyTorch's names.
 */
export { conv2d, dense, type ConvolutionOptions, type DenseOptions } from '../layers/affine.js';
export { multiHeadAttention, type AttentionLayer, type AttentionOptions, type Memory } from '../layers/attention.js';
export type { Builder, Keys, Layer } from '../layers/builder.js';
export {
  activation,
  asSequence,
  dropout,
  flatten,
  named,
  relu,
  residual,
  sequential,
  stack,
  unflatten,
} from '../layers/compose.js';
export {
  graphNetwork,
  imageInput,
  initialParameters as startParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
  type GraphNetworkOptions,
  type ImageSize,
  type InputKind,
  type MakeOutputs,
  type StartOptions,
} from '../layers/graph-network.js';
export { gaussianCode } from '../layers/gaussian-code.js';
export { tokenLoss, type GraphLoss, type TokenLoss, type TokenLossOptions } from '../layers/losses.js';
export {
  batchNorm,
  groupNorm,
  layerNorm,
  rmsNorm,
  type BatchNormOptions,
  type NormOptions,
} from '../layers/normalization.js';
export type { BlockKind, InitialValues, ParameterBlock } from '../layers/parameter-block.js';
export { averagePool, globalAveragePool, maxPool, type PoolOptions } from '../layers/pooling.js';
export { sequenceScorer, type ScoredNetwork } from '../layers/sequence-scorer.js';
export { fromStateDict, toStateDict, type StateTensor } from '../layers/state-dict.js';
export {
  embedding,
  learnedPositions,
  positionalEncoding,
  type EmbeddingOptions,
  type LearnedPositionsOptions,
} from '../layers/tokens.js';
export {
  transformerDecoderLayer,
  transformerEncoderLayer,
  type TransformerLayerOptions,
} from '../layers/transformer-layers.js';
export {
  translationDataSet,
  type TranslationDataOptions,
  type TranslationDataSet,
} from '../layers/translation-data.js';
export { trainedPart, type ChooseBlock, type TrainedPart } from '../layers/trained-part.js';
export type { WindowOptions } from '../layers/windows.js';
export { mobilenet, type MobilenetOptions } from '../models/mobilenet.js';
export type { ImageModelOptions } from '../models/image-options.js';
export {
  resnet18,
  resnet20,
  resnet32,
  resnet50,
  type ResnetOptions,
  type SmallResnetOptions,
} from '../models/resnet.js';
export { simpleCnn, type SimpleCnnOptions } from '../models/simple-cnn.js';
export {
  languageModel,
  transformer,
  type LanguageModelOptions,
  type TransformerOptions,
} from '../models/transformer.js';
export { variationalAutoencoder, type VariationalAutoencoderOptions } from '../models/variational-autoencoder.js';
