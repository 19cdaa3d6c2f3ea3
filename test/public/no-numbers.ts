/**
 * Functions of the index that are not in the table of those that take numbers (number-places.ts).
 */

/**
 * Functions that take no numbers in arrays: paths, options, single numbers, and objects that others of the table make.
 */
export const TAKE_NONE = [
  'buildClusterTree',
  'certifyDefiniteness',
  'closeDefaultTeam',
  'converted',
  'cosine',
  'decide',
  'describeMatrixFile',
  'entryOperator',
  'expressionKernel',
  'extremeEigenvalues',
  'findNeighbors',
  'gaussian',
  'identityOperator',
  'initialParameters',
  'inverseMultiquadric',
  'kernelOfFamily',
  'laplace',
  'layerRanges',
  'loadMatrix',
  'logDeterminant',
  'matern32',
  'matern52',
  'nystrom',
  'openBlas',
  'openTeam',
  'operatorError',
  'polynomial',
  'product',
  'projectionError',
  'randomizedSvd',
  'readLabels',
  'readNpyMatrix',
  'readPoints',
  'readSamples',
  'readWeights',
  'SampleOperator',
  'saveMatrix',
  'scaled',
  'shifted',
  'spectralDensity',
  'stochasticLanczosQuadrature',
  'sum',
  'Team',
  'toleranceAdvice',
  'unitRanges',
  'validateSource',
  'zeros',
];
/**
 * Views of the caller's array, and arrays that are written to: another type than a typed array is refused or filled,
 * never copied.
 */
export const IN_PLACE = ['layerWeights', 'RandomStream'];
