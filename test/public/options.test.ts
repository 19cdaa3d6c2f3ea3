/** Every public function refuses unknown options, and names the nearest right one: a new export must be entered. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describe as describeValue } from '#hmatrix/core/kind.js';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { LAYERS_WITH_OPTIONS, LAYERS_WITHOUT_OPTIONS } from './layer-options.js';
import { and, DATA_OPTIONS, type Call, type Entry } from './data-options.js';
import { solverOptions } from './solver-places.js';
import { sourceOptions } from './source-places.js';
import { WORKER_OPTIONS } from './worker-options.js';
import { failureOf, fixtures, network, SIZE, pair, type Fixtures, publicFunctions } from './fixtures.js';

const folder = temporaryFolder();
const path = join(folder, 'matrix.hm');
let f: Fixtures;

beforeAll(async () => {
  f = await fixtures();
  await hmatrix.io.save(path, f.matrix);
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

const b = (): hmatrix.Matrix => hmatrix.dense.matrixOver(new Float64Array(SIZE).fill(1), SIZE, 1);
const x = (): hmatrix.Matrix => hmatrix.dense.zeros(SIZE, 1);
const products = { format: 'hss', maxRank: 8, tolerance: 1e-6, seed: 0 } as const;
const factored = async (): Promise<hmatrix.Factorization> => hmatrix.factor(f.matrix, {}, { team: f.team });

/** Functions and methods by the name of the export that they belong to. */
const TAKE_OPTIONS: Readonly<Record<string, readonly Entry[]>> = {
  ...LAYERS_WITH_OPTIONS,
  compress: [
    ['leafSize', (o) => hmatrix.compress(f.source, o)],
    ['signal', (o) => hmatrix.compress(f.source, {}, o)],
  ],
  planRanks: [
    ['leafSize', (o) => hmatrix.hierarchical.planRanks(o)],
    ['gemm', (o) => hmatrix.hierarchical.planRanks({ speeds: o })],
  ],
  tune: [['objective', (o) => hmatrix.hierarchical.tune(f.source, o)]],
  load: [['kind', (o) => hmatrix.io.load(path, o)]],
  save: [['onProgress', (o) => hmatrix.io.save(path, f.matrix, o)]],
  describeFactorizationFile: [['signal', (o) => hmatrix.io.describeFactorizationFile(path, o)]],
  describeMatrixFile: [['signal', (o) => hmatrix.io.describeMatrixFile(path, o)]],
  denseSource: [['blas', (o) => hmatrix.denseSource([1, 0, 0, 1], o)]],
  findNeighbors: [
    ['neighbors', (o) => hmatrix.trees.findNeighbors(f.source, 'geometric', and({ neighbors: 2 }, o))],
    ['team', (o) => hmatrix.trees.findNeighbors(f.source, 'geometric', { neighbors: 2 }, o)],
  ],
  buildClusterTree: [
    ['leafSize', (o) => hmatrix.trees.buildClusterTree(f.source, 'geometric', and({ leafSize: 8 }, o))],
    ['team', (o) => hmatrix.trees.buildClusterTree(f.source, 'geometric', { leafSize: 8 }, o)],
  ],
  approximate: [
    ['powerPasses', (o) => hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 }, o)],
    ['share', (o) => hmatrix.approximate(f.operator, 'rsvd', and({ share: 0.5 }, o))],
    ['team', (o) => hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 }, {}, o)],
    ['columns', async (o) => (await hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 })).error(o)],
  ],
  operatorError: [
    ['columns', (o) => hmatrix.approximation.operatorError(f.source, f.operator, o)],
    ['team', (o) => hmatrix.approximation.operatorError(f.source, f.operator, {}, o)],
  ],
  compressOperator: [
    ['maxRank', (o) => hmatrix.hierarchical.compressOperator(f.operator, f.tree, and(products, o))],
    ['team', (o) => hmatrix.hierarchical.compressOperator(f.operator, f.tree, products, o)],
  ],
  compressionCost: [['maxRank', (o) => hmatrix.hierarchical.compressionCost(f.tree, and(products, o))]],
  gaussNewton: [['memoryLimit', (o) => hmatrix.gaussNewton(f.model, o)]],
  hessian: [['memoryLimit', (o) => hmatrix.curvature.hessian(f.model, o)]],
  empiricalFisher: [['memoryLimit', (o) => hmatrix.curvature.empiricalFisher(f.model, o)]],
  monteCarloFisher: [['draws', (o) => hmatrix.curvature.monteCarloFisher(f.model, o)]],
  kfac: [
    ['variant', (o) => hmatrix.curvature.kfac(f.model, o)],
    ['damping', (o) => hmatrix.curvature.kfac(f.model).solver(and({ damping: 1 }, o))],
    ['count', (o) => hmatrix.curvature.kfac(f.model).solver({ damping: 1 }).sample(o)],
  ],
  ekfac: [
    ['variant', (o) => hmatrix.curvature.ekfac(f.model, o)],
    ['damping', (o) => hmatrix.curvature.ekfac(f.model).solver(and({ damping: 1 }, o))],
    ['count', (o) => hmatrix.curvature.ekfac(f.model).solver({ damping: 1 }).sample(o)],
  ],
  curvatureDiagonal: [['batchSize', (o) => hmatrix.curvature.curvatureDiagonal(f.model, o)]],
  gaussNewtonSource: [
    ['beyondMemory', (o) => hmatrix.curvature.gaussNewtonSource(f.model, o)],
    ['error', (o) => hmatrix.curvature.gaussNewtonSource(f.model, { sampling: o })],
  ],
  sampledGaussNewtonSource: [['error', (o) => hmatrix.curvature.sampledGaussNewtonSource(f.model, o)]],
  dualForm: [
    ['largestOrder', (o) => hmatrix.curvature.dualForm(f.model, o)],
    ['count', (o) => hmatrix.curvature.dualForm(f.model).sample(1, o)],
  ],
  sketchEmbedding: [['dimension', (o) => hmatrix.curvature.sketchEmbedding(f.model, o)]],
  kroneckerHierarchical: [
    ['tolerance', (o) => hmatrix.curvature.kroneckerHierarchical(f.model, o)],
    ['team', (o) => hmatrix.curvature.kroneckerHierarchical(f.model, {}, o)],
  ],
  kroneckerSum: [
    ['tolerance', (o) => hmatrix.curvature.kroneckerSum(f.model, o)],
    ['team', (o) => hmatrix.curvature.kroneckerSum(f.model, {}, o)],
    ['tableMemory', async (o) => (await hmatrix.curvature.kroneckerSum(f.model, {}, { team: f.team })).source(o)],
  ],
  factorKronecker: [
    ['memoryLimit', (o) => hmatrix.curvature.factorKronecker(f.kronecker, and({ shift: 1 }, o))],
    ['team', (o) => hmatrix.curvature.factorKronecker(f.kronecker, { shift: 1 }, o)],
    ['signal', async (o) => (await hmatrix.curvature.factorKronecker(f.kronecker, { shift: 1 })).refactor(2, o)],
    ['count', async (o) => (await hmatrix.curvature.factorKronecker(f.kronecker, { shift: 1 })).sample(o)],
  ],
  certifyDefiniteness: [
    ['tolerance', (o) => hmatrix.hierarchical.certifyDefiniteness(f.matrix, o)],
    ['team', (o) => hmatrix.hierarchical.certifyDefiniteness(f.matrix, {}, o)],
  ],
  compressHessian: [
    ['sketchDimension', (o) => hmatrix.curvature.compressHessian(f.model, o)],
    ['team', (o) => hmatrix.curvature.compressHessian(f.model, {}, o)],
  ],
  hessianTree: [
    [
      'leafSize',
      (o) =>
        hmatrix.curvature.hessianTree(f.model, hmatrix.curvature.gaussNewtonSource(f.model), and({ leafSize: 8 }, o)),
    ],
    [
      'team',
      (o) => hmatrix.curvature.hessianTree(f.model, hmatrix.curvature.gaussNewtonSource(f.model), { leafSize: 8 }, o),
    ],
  ],
  structuralTree: [
    [
      'leafSize',
      (o) =>
        hmatrix.curvature.structuralTree(
          f.model,
          hmatrix.curvature.gaussNewtonSource(f.model),
          and({ leafSize: 8 }, o),
        ),
    ],
    [
      'team',
      (o) =>
        hmatrix.curvature.structuralTree(f.model, hmatrix.curvature.gaussNewtonSource(f.model), { leafSize: 8 }, o),
    ],
  ],
  blockDiagonal: [
    ['memoryLimit', (o) => hmatrix.operators.blockDiagonal(f.source, [0, SIZE], o)],
    ['team', (o) => hmatrix.operators.blockDiagonal(f.source, [0, SIZE], {}, o)],
  ],
  randomizedSvd: [
    ['powerPasses', (o) => hmatrix.lowrank.randomizedSvd(f.operator, and({ rank: 2 }, o))],
    ['team', (o) => hmatrix.lowrank.randomizedSvd(f.operator, { rank: 2 }, o)],
  ],
  nystrom: [
    ['oversampling', (o) => hmatrix.lowrank.nystrom(f.operator, and({ rank: 2 }, o))],
    ['team', (o) => hmatrix.lowrank.nystrom(f.operator, { rank: 2 }, o)],
  ],
  extremeEigenvalues: [
    ['tolerance', (o) => hmatrix.krylov.extremeEigenvalues(f.operator, o)],
    ['signal', (o) => hmatrix.krylov.extremeEigenvalues(f.operator, {}, o)],
  ],
  topEigenvalues: [
    ['blockSize', (o) => hmatrix.krylov.topEigenvalues(f.operator, 1, o)],
    ['team', (o) => hmatrix.krylov.topEigenvalues(f.operator, 1, {}, o)],
  ],
  estimateDiagonal: [
    ['products', (o) => hmatrix.krylov.estimateDiagonal(f.operator, o)],
    ['team', (o) => hmatrix.krylov.estimateDiagonal(f.operator, {}, o)],
  ],
  curvatureOf: [
    [
      'vectorsAtOnce',
      (o) =>
        hmatrix.curvature.curvatureOf(
          and({ parameters: 1, jvp: (v: Float64Array) => v, vjp: (u: Float64Array) => u }, o),
        ),
    ],
  ],
  trace: [
    ['products', (o) => hmatrix.krylov.trace(f.operator, o)],
    ['team', (o) => hmatrix.krylov.trace(f.operator, {}, o)],
  ],
  add: [
    ['maxRank', (o) => hmatrix.hierarchical.add(f.matrix, f.matrix, o)],
    ['team', (o) => hmatrix.hierarchical.add(f.matrix, f.matrix, {}, o)],
  ],
  multiply: [
    ['symmetrize', (o) => hmatrix.hierarchical.multiply(f.matrix, f.matrix, o)],
    ['team', (o) => hmatrix.hierarchical.multiply(f.matrix, f.matrix, {}, o)],
  ],
  inverse: [
    ['maxRank', (o) => hmatrix.hierarchical.inverse(f.matrix, o)],
    ['team', (o) => hmatrix.hierarchical.inverse(f.matrix, {}, o)],
  ],
  update: [
    ['weights', (o) => hmatrix.hierarchical.update(f.matrix, b(), o)],
    ['team', (o) => hmatrix.hierarchical.update(f.matrix, b(), {}, o)],
  ],
  factor: [
    ['precision', (o) => hmatrix.factor(f.matrix, o)],
    ['team', (o) => hmatrix.factor(f.matrix, {}, o)],
    ['count', async (o) => (await factored()).sample(o)],
    ['maxIterations', async (o) => (await factored()).conditionEstimate(o)],
    ['signal', async (o) => (await factored()).conditionEstimate({}, o)],
    ['signal', async (o) => (await factored()).refactor(1, o)],
    ['signal', async (o) => (await factored()).diagonalOfInverse(o)],
  ],
  calibrate: [['team', (o) => hmatrix.preconditioners.calibrate(o)]],
  solve: [
    ['shiftRelative', (o) => hmatrix.solve(f.operator, b(), o)],
    ['leafSize', (o) => hmatrix.solve(f.operator, b(), { making: o })],
    ['team', (o) => hmatrix.solve(f.operator, b(), {}, o)],
  ],
  makePreconditioner: [
    ['rank', (o) => hmatrix.preconditioners.makePreconditioner(f.operator, 'none', o)],
    ['team', (o) => hmatrix.preconditioners.makePreconditioner(f.operator, 'none', {}, o)],
  ],
  entryOperator: [
    ['keepBytes', (o) => hmatrix.operators.entryOperator(f.source, o)],
    ['team', (o) => hmatrix.operators.entryOperator(f.source, {}, o)],
  ],
  conjugateGradientSolver: [
    ['maxIterations', (o) => hmatrix.krylov.conjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.krylov.conjugateGradientSolver(f.operator).solve(b(), x(), o)],
    ['guess', (o) => hmatrix.krylov.conjugateGradientSolver(f.operator).solveAsync(b(), x(), o)],
  ],
  ...solverOptions(() => f),
  minresSolver: [
    ['maxIterations', (o) => hmatrix.krylov.minresSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.krylov.minresSolver(f.operator).solve(b(), x(), o)],
  ],
  minres: [['preconditioner', (o) => hmatrix.krylov.minres(f.operator, b(), x(), o)]],
  flexibleConjugateGradientSolver: [
    ['directions', (o) => hmatrix.krylov.flexibleConjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.krylov.flexibleConjugateGradientSolver(f.operator).solve(b(), x(), o)],
  ],
  blockConjugateGradientSolver: [
    ['blockSize', (o) => hmatrix.krylov.blockConjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.krylov.blockConjugateGradientSolver(f.operator).solve(b(), x(), o)],
  ],
  stochasticLanczosQuadrature: [
    ['probes', (o) => hmatrix.krylov.stochasticLanczosQuadrature(f.operator, Math.abs, o)],
    ['signal', (o) => hmatrix.krylov.stochasticLanczosQuadrature(f.operator, Math.abs, {}, o)],
  ],
  logDeterminant: [
    ['lowerBound', (o) => hmatrix.krylov.logDeterminant(f.operator, o)],
    ['signal', (o) => hmatrix.krylov.logDeterminant(f.operator, {}, o)],
  ],
  preconditionedLogDeterminant: [['probes', (o) => hmatrix.krylov.preconditionedLogDeterminant(f.operator, o)]],
  spectralDensity: [
    ['width', (o) => hmatrix.krylov.spectralDensity(f.operator, o)],
    ['count', (o) => hmatrix.krylov.spectralDensity(f.operator, { grid: o })],
    ['signal', (o) => hmatrix.krylov.spectralDensity(f.operator, {}, o)],
  ],
  train: [
    ['epochs', (o) => hmatrix.training.train(f.model, o)],
    ['frozen', (o) => hmatrix.training.train(f.model, { groups: [and({ layers: [0] }, o)] })],
    ['signal', (o) => hmatrix.training.train(f.model, { epochs: 1 }, o)],
  ],
  trainVariational: [
    ['divergence', (o) => hmatrix.training.trainVariational(and(pair(f.model), o))],
    ['epochs', (o) => hmatrix.training.trainVariational(pair(f.model), o)],
    ['signal', (o) => hmatrix.training.trainVariational(pair(f.model), { epochs: 1 }, o)],
  ],
  readCheckpoint: [['signal', (o) => hmatrix.training.readCheckpoint(folder, o)]],
  sgd: [['learningRate', (o) => hmatrix.training.sgd(o)]],
  momentum: [['beta', (o) => hmatrix.training.momentum(o)]],
  nesterov: [['beta', (o) => hmatrix.training.nesterov(o)]],
  adagrad: [['epsilon', (o) => hmatrix.training.adagrad(o)]],
  rmsprop: [['epsilon', (o) => hmatrix.training.rmsprop(o)]],
  adam: [['epsilon', (o) => hmatrix.training.adam(o)]],
  adamw: [['decay', (o) => hmatrix.training.adamw(o)]],
  dampedNewton: [['damping', (o) => hmatrix.training.dampedNewton(o)]],
  ekfacAdam: [['warmUp', (o) => hmatrix.training.ekfacAdam(o)]],
  gaussNewtonCg: [['damping', (o) => hmatrix.training.gaussNewtonCg(o)]],
  hessianFree: [['damping', (o) => hmatrix.training.hessianFree(o)]],
  kfacOptimizer: [['damping', (o) => hmatrix.training.kfacOptimizer(o)]],
  lbfgs: [['history', (o) => hmatrix.training.lbfgs(o)]],
  levenbergMarquardt: [['damping', (o) => hmatrix.training.levenbergMarquardt(o)]],
  newton: [['learningRate', (o) => hmatrix.training.newton(o)]],
  newtonCg: [['damping', (o) => hmatrix.training.newtonCg(o)]],
  newtonLanczos: [['damping', (o) => hmatrix.training.newtonLanczos(o)]],
  optimizerOf: [['learningRate', (o) => hmatrix.training.optimizerOf('adam', o)]],
  stepSchedule: [['factor', (o) => hmatrix.training.stepSchedule(and({ every: 2 }, o))]],
  exponentialSchedule: [['factor', (o) => hmatrix.training.exponentialSchedule(o)]],
  timeSchedule: [['decay', (o) => hmatrix.training.timeSchedule(o)]],
  cosineSchedule: [['least', (o) => hmatrix.training.cosineSchedule(o)]],
  warmUpSchedule: [['steps', (o) => hmatrix.training.warmUpSchedule(o)]],
  oneCycleSchedule: [['first', (o) => hmatrix.training.oneCycleSchedule(o)]],
  cyclicSchedule: [['least', (o) => hmatrix.training.cyclicSchedule(o)]],
  joinedSchedules: [['schedule', (o) => hmatrix.training.joinedSchedules([o])]],
  putModel: [['curvature', async (o) => hmatrix.devices.putModel(f.model, await hmatrix.devices.openDevice('cpu'), o)]],
  lossAndGradient: [['batchSize', (o) => hmatrix.networks.lossAndGradient(f.model, o)]],
  accuracy: [['batchSize', (o) => hmatrix.networks.accuracy({ ...f.model, loss: 'bce' }, o)]],
  predict: [['probabilities', (o) => hmatrix.networks.predict(f.model, hmatrix.dense.zeros(3, 2), o)]],
  jacobian: [['memoryLimit', (o) => hmatrix.networks.jacobian(f.model, hmatrix.dense.zeros(3, 2), o)]],
  predictiveVariance: [
    [
      'batchSize',
      (o) => {
        const inverse = hmatrix.operators.identityOperator(network.parameters);
        return hmatrix.curvature.predictiveVariance(f.model, inverse, hmatrix.dense.zeros(3, 2), o);
      },
    ],
  ],
  logMarginalLikelihood: [
    ['batchSize', (o) => hmatrix.curvature.logMarginalLikelihood(f.model, { logdet: 0, shift: 1 }, o)],
  ],
  meanLoss: [['batchSize', (o) => hmatrix.networks.meanLoss(f.model, o)]],
  denseOperator: [['blas', (o) => hmatrix.operators.denseOperator(hmatrix.dense.zeros(2, 2), true, o)]],
  defineNetwork: [['activation', (o) => hmatrix.networks.defineNetwork(and({ widths: [2, 2] }, o))]],
  memoryDataSet: [
    ['samples', (o) => hmatrix.networks.memoryDataSet(hmatrix.dense.zeros(2, 3), hmatrix.dense.zeros(2, 3), o)],
  ],
  initialParameters: [['scheme', (o) => hmatrix.networks.initialParameters(network, 0, o)]],
  readWeights: [['precision', (o) => hmatrix.networks.readWeights(path, network, o)]],
  writeWeights: [
    ['convention', (o) => hmatrix.networks.writeWeights(join(folder, 'weights.npz'), network, f.model.parameters, o)],
  ],
  plot: [
    ['singularValues', (o) => hmatrix.report.plot(f.matrix, o)],
    ['signal', (o) => hmatrix.report.plot(f.matrix, {}, o)],
  ],
  Picture: [['theme', async (o) => (await hmatrix.report.plot(f.matrix)).toSvg(o)]],
  report: [
    ['title', (o) => hmatrix.report.report([f.matrix], o)],
    ['signal', (o) => hmatrix.report.report([f.matrix], {}, o)],
  ],
  ...DATA_OPTIONS,
  readLabels: [['limit', (o) => hmatrix.io.readLabels(path, o)]],
  readPoints: [['columns', (o) => hmatrix.io.readPoints(path, o)]],
  readSamples: [['columns', (o) => hmatrix.io.readSamples(path, o)]],
  readMatrix: [['signal', (o) => hmatrix.io.readMatrix(path, o)]],
  writeMatrix: [['signal', (o) => hmatrix.io.writeMatrix(join(folder, 'x.npz'), b(), o)]],
  readNpyMatrix: [['signal', (o) => hmatrix.io.readNpyMatrix(path, o)]],
  readHdf5Matrix: [['signal', (o) => hmatrix.io.readHdf5Matrix(path, o)]],
  writeHdf5Matrix: [['signal', (o) => hmatrix.io.writeHdf5Matrix(join(folder, 'x.h5'), b(), o)]],
  readMatrixMarket: [['signal', (o) => hmatrix.io.readMatrixMarket(path, o)]],
  writeMatrixMarket: [['signal', (o) => hmatrix.io.writeMatrixMarket(join(folder, 'x.mtx'), b(), o)]],
  writeNpyMatrix: [['signal', (o) => hmatrix.io.writeNpyMatrix(join(folder, 'x.npy'), b(), o)]],
  ...WORKER_OPTIONS,
  ...sourceOptions(() => f),
  HierarchicalMatrix: [
    ['columns', (o) => f.matrix.estimateError(f.source, o)],
    ['signal', (o) => f.matrix.estimateError(f.source, {}, o)],
  ],
};

const TAKE_NONE = [
  ...LAYERS_WITHOUT_OPTIONS,
  'apply',
  'ard',
  'checkModel',
  'closeDefaultTeam',
  'constant',
  'constantSchedule',
  'converted',
  'cosine',
  'covertypePoints',
  'decide',
  'describeDevices',
  'diagonalOperator',
  'digitImages',
  'expressionKernel',
  'fromPyTorch',
  'gaussian',
  'identityOperator',
  'inverseMultiquadric',
  'joinWords',
  'kernelOfFamily',
  'labelTargets',
  'laplace',
  'layerRanges',
  'layerWeights',
  'LowRankOperator',
  'matern32',
  'matern52',
  'matrixOver',
  'medianBandwidth',
  'openBlas',
  'ownRows',
  'periodic',
  'permuted',
  'polynomial',
  'product',
  'productKernels',
  'projectionError',
  'RandomStream',
  'rationalQuadratic',
  'SampleOperator',
  'scaled',
  'scaleKernel',
  'shapeImages',
  'shifted',
  'splitWords',
  'sum',
  'toDense',
  'tokenAccuracy',
  'sumKernels',
  'toleranceAdvice',
  'toPyTorch',
  'translationPairs',
  'transpose',
  'unitRanges',
  'validateSource',
  'zeros',
];

/** What is neither a number nor a boolean, though some of it would pass for one in a comparison. */
const WRONG_VALUES = ['1e-6', '5', '', 'yes', [0.5], ['5'], null, {}, 5n] as const;

/** The options of a call, as it lists them where one is asked for that is like none. */
async function optionsOf(call: Call): Promise<string[]> {
  const failure = await failureOf(() => call({ ['?'.repeat(99)]: 1 } as never));
  return /there are ([\w, ]+)/.exec((failure as Error).message)?.[1].split(', ') ?? [];
}

/** Options that take some of those values: by name, or by function and name. */
const isText = (value: unknown): boolean => typeof value === 'string';
const isPath = (value: unknown): boolean => isText(value) && value !== '';
const isNull = (value: unknown): boolean => value === null;
const isEmpty = (value: unknown): boolean => describeValue(value) === 'an object without members';
const isArray = (value: unknown): boolean => Array.isArray(value);
const TAKE_OTHERS: Readonly<Record<string, (value: unknown) => boolean>> = {
  title: isText,
  checkpoint: isPath,
  metrics: isPath,
  grid: isEmpty,
  making: isEmpty,
  sampling: isEmpty,
  // Their numbers, or the members of their objects, are named in messages.
  weights: isArray,
  groups: isArray,
  // Its length counts.
  'curvatureOf.parameters': isArray,
  // The default, as HMATRIX_BLAS has it.
  'openTeam.blas': (value) => value === '',
  'Team.blas': (value) => value === '',
  // As HMATRIX_MPI has it.
  'openMpi.library': (value) => value === '',
  batchNorm: isEmpty,
  'planRanks.speeds': isEmpty,
  padding: isNull,
  'kfacOptimizer.learningRate': isNull,
  'kfacOptimizer.normConstraint': isNull,
};
const takes = (inFull: string, option: string, value: unknown): boolean =>
  (TAKE_OTHERS[inFull] ?? TAKE_OTHERS[option])?.(value) ?? false;

describe('options', () => {
  it('every_function_of_the_index_is_in_one_of_the_tables', () => {
    expect([...Object.keys(TAKE_OPTIONS), ...TAKE_NONE].sort()).toEqual(publicFunctions());
  });

  const cases = Object.entries(TAKE_OPTIONS).flatMap(([name, entries]) =>
    entries.map(([option, call]) => [name, option, call] as const),
  );

  it.each(cases)('%s refuses an unknown option beside %s', async (_name, option, call) => {
    const unknown = await failureOf(() => call({ bogusOption: 1 } as never));
    expect(unknown).toBeInstanceOf(hmatrix.errors.OptionError);
    expect((unknown as Error).message).toMatch(/has no option "bogusOption"/);
    const misspelt = `${option.slice(0, -1)}${option.endsWith('x') ? 'y' : 'x'}`;
    const near = await failureOf(() => call({ [misspelt]: 1 } as never));
    expect(near).toBeInstanceOf(hmatrix.errors.OptionError);
    expect((near as Error).message).toMatch(`has no option "${misspelt}": did you mean "${option}"?`);
  });

  it.each(cases)('%s refuses options of another type beside %s', async (name, option, call) => {
    const options = await optionsOf(call);
    expect(options).toContain(option);
    const taken: string[] = [];
    for (const one of options) {
      for (const wrong of WRONG_VALUES) {
        if (takes(`${name}.${one}`, one, wrong)) continue;
        const failure = await failureOf(() => call({ [one]: wrong } as never));
        const message = failure instanceof hmatrix.errors.HmatrixError ? failure.message : `! ${String(failure)}`;
        if (/^!|\[object|(\bnot|\bis) (1e-6|0\.5|5|yes)\b/.test(message))
          taken.push(`${one}: ${describeValue(wrong)} → ${message}`);
      }
    }
    expect(taken).toEqual([]);
  });

  it.each(cases)('%s refuses options that are no object beside %s', async (_name, _option, call) => {
    for (const wrong of [3, 'fmm', null]) {
      const failure = await failureOf(() => call(wrong as never));
      expect(failure).toBeInstanceOf(hmatrix.errors.OptionError);
      expect((failure as Error).message).toMatch(/must (be an object, not|not be null)/);
    }
  });
});
