/**
 * Reading and writing files: points, arrays, images, labels, weights, matrices.
 */
export type { CsvFormat, CsvReading } from '../io/csv-format.js';
export {
  readPoints,
  readSamples,
  type PointTable,
  type ReadPointsOptions,
  type ReadSamplesOptions,
  type SampleMatrix,
} from '../io/points.js';
export { readMatrix, writeMatrix } from '../io/matrix-file.js';
export { readNpyMatrix, writeNpyMatrix } from '../io/npy.js';
export { readHdf5Matrix } from '../io/hdf5-read.js';
export { writeHdf5Matrix } from '../io/hdf5-write.js';
export { readMatrixMarket, writeMatrixMarket } from '../io/matrix-market.js';
export { readCifar10, type ReadCifar10Options } from '../io/cifar10.js';
export type { LabeledImages } from '../io/labeled-images.js';
export { readTensors, writeTensors, type NamedTensors, type ReadTensorsOptions } from '../io/tensors.js';
export type { Tensor } from '../io/safetensors.js';
export { readLabels, type ReadLabelsOptions } from '../io/labels.js';
export {
  readWeights,
  writeWeights,
  type LoadedWeights,
  type ReadWeightsOptions,
  type WriteWeightsOptions,
} from '../network/weights-file.js';
export { save } from '../files/save.js';
export { load, type LoadOptions } from '../files/load.js';
export type { Saved, SavedKind, SavedKinds } from '../files/kinds.js';
export { describeMatrixFile, type MatrixFileSummary } from '../hierarchical/matrix/file.js';
export { describeFactorizationFile, type FactorizationFileSummary } from '../hierarchical/factor/file.js';
