/**
 * Networks: perceptrons and their definition, data, loss, weights.
 */
export { ACTIVATIONS, type ActivationName } from '../network/activations/table.js';
export {
  labelTargets,
  memoryDataSet,
  type Batch,
  type DataSet,
  type MemoryDataSetOptions,
} from '../network/data-set.js';
export { lossAndGradient, meanLoss } from '../layers/gradient.js';
export type { LossOptions } from '../network/gradient.js';
export {
  imageDataSet,
  type ChannelStatistics,
  type ImageDataSet,
  type ImageDataSetOptions,
} from '../network/image-data.js';
export { initialParameters, type InitialOptions, type InitialScheme } from '../network/initialize.js';
export { jacobian, type JacobianOptions } from '../network/jacobian.js';
export { LOSSES, type LossName } from '../network/losses/table.js';
export { checkModel, type GivenModel, type GivenNetwork, type Model } from '../network/model.js';
export { defineNetwork, layerWeights, type Layer, type Network, type NetworkOptions } from '../network/network.js';
export { accuracy, predict } from '../layers/predict.js';
export type { PredictOptions } from '../network/predict.js';
export { fromPyTorch, toPyTorch, type GivenTensor, type GivenTensors, type LinearTensors } from '../network/pytorch.js';
export { layerRanges, unitRanges } from '../network/ranges.js';
export {
  readWeights,
  writeWeights,
  type LoadedWeights,
  type ReadWeightsOptions,
  type WriteWeightsOptions,
} from '../network/weights-file.js';
