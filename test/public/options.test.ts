/**
 * Every public function refuses options it does not know, and names the nearest right one. The tables cover the index:
 * a new export must be entered.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { failureOf, fixtures, network, SIZE, type Fixtures } from './fixtures.js';

const folder = temporaryFolder();
const path = join(folder, 'matrix.hm');
let f: Fixtures;

beforeAll(async () => {
  f = await fixtures();
  await hmatrix.saveMatrix(path, f.matrix);
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.closeDefaultTeam();
});

type Call = (options: never) => unknown;
/** One of the options that a call takes, and the call. */
type Entry = readonly [option: string, call: Call];

const b = (): hmatrix.Matrix => hmatrix.matrixOver(new Float64Array(SIZE).fill(1), SIZE, 1);
const x = (): hmatrix.Matrix => hmatrix.zeros(SIZE, 1);
const products = { format: 'hss', maxRank: 8, tolerance: 1e-6, seed: 0 } as const;
const adam = { epochs: 1, batchSize: 4, learningRate: 1e-3, seed: 0 };
/** What the call needs and the options tried; what is no object, as it is. */
const and = <T extends object>(fixed: T, options: never): T =>
  typeof options === 'object' && options !== null ? { ...fixed, ...(options as object) } : options;
const factored = async (): Promise<hmatrix.Factorization> => hmatrix.factor(f.matrix, {}, { team: f.team });

/** Functions and methods by the name of the export that they belong to. */
const TAKE_OPTIONS: Readonly<Record<string, readonly Entry[]>> = {
  compress: [
    ['leafSize', (o) => hmatrix.compress(f.source, o)],
    ['signal', (o) => hmatrix.compress(f.source, {}, o)],
  ],
  loadMatrix: [['onProgress', (o) => hmatrix.loadMatrix(path, o)]],
  saveMatrix: [['onProgress', (o) => hmatrix.saveMatrix(path, f.matrix, o)]],
  describeMatrixFile: [['signal', (o) => hmatrix.describeMatrixFile(path, o)]],
  kernelSource: [['ridge', (o) => hmatrix.kernelSource(f.points, hmatrix.gaussian(1), o)]],
  denseSource: [['blas', (o) => hmatrix.denseSource([1, 0, 0, 1], o)]],
  findNeighbors: [
    ['neighbors', (o) => hmatrix.findNeighbors(f.source, 'geometric', and({ neighbors: 2 }, o))],
    ['team', (o) => hmatrix.findNeighbors(f.source, 'geometric', { neighbors: 2 }, o)],
  ],
  buildClusterTree: [
    ['leafSize', (o) => hmatrix.buildClusterTree(f.source, 'geometric', and({ leafSize: 8 }, o))],
    ['team', (o) => hmatrix.buildClusterTree(f.source, 'geometric', { leafSize: 8 }, o)],
  ],
  approximate: [
    ['powerPasses', (o) => hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 }, o)],
    ['share', (o) => hmatrix.approximate(f.operator, 'rsvd', and({ share: 0.5 }, o))],
    ['team', (o) => hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 }, {}, o)],
    ['columns', async (o) => (await hmatrix.approximate(f.operator, 'rsvd', { share: 0.5 })).error(o)],
  ],
  operatorError: [
    ['columns', (o) => hmatrix.operatorError(f.source, f.operator, o)],
    ['team', (o) => hmatrix.operatorError(f.source, f.operator, {}, o)],
  ],
  compressOperator: [
    ['maxRank', (o) => hmatrix.compressOperator(f.operator, f.tree, and(products, o))],
    ['team', (o) => hmatrix.compressOperator(f.operator, f.tree, products, o)],
  ],
  compressionCost: [['maxRank', (o) => hmatrix.compressionCost(f.tree, and(products, o))]],
  gaussNewton: [['memoryLimit', (o) => hmatrix.gaussNewton(f.model, o)]],
  hessian: [['memoryLimit', (o) => hmatrix.hessian(f.model, o)]],
  empiricalFisher: [['memoryLimit', (o) => hmatrix.empiricalFisher(f.model, o)]],
  monteCarloFisher: [['samples', (o) => hmatrix.monteCarloFisher(f.model, o)]],
  kfac: [
    ['variant', (o) => hmatrix.kfac(f.model, o)],
    ['damping', (o) => hmatrix.kfac(f.model).solver(and({ damping: 1 }, o))],
  ],
  ekfac: [
    ['variant', (o) => hmatrix.ekfac(f.model, o)],
    ['damping', (o) => hmatrix.ekfac(f.model).solver(and({ damping: 1 }, o))],
  ],
  curvatureDiagonal: [['batchSize', (o) => hmatrix.curvatureDiagonal(f.model, o)]],
  gaussNewtonSource: [
    ['beyondMemory', (o) => hmatrix.gaussNewtonSource(f.model, o)],
    ['error', (o) => hmatrix.gaussNewtonSource(f.model, { sampling: o })],
  ],
  sampledGaussNewtonSource: [['error', (o) => hmatrix.sampledGaussNewtonSource(f.model, o)]],
  dualForm: [['largestOrder', (o) => hmatrix.dualForm(f.model, o)]],
  sketchEmbedding: [['dimension', (o) => hmatrix.sketchEmbedding(f.model, o)]],
  kroneckerHierarchical: [
    ['tolerance', (o) => hmatrix.kroneckerHierarchical(f.model, o)],
    ['team', (o) => hmatrix.kroneckerHierarchical(f.model, {}, o)],
  ],
  factorKronecker: [
    ['memoryLimit', (o) => hmatrix.factorKronecker(f.kronecker, and({ shift: 1 }, o))],
    ['team', (o) => hmatrix.factorKronecker(f.kronecker, { shift: 1 }, o)],
    ['signal', async (o) => (await hmatrix.factorKronecker(f.kronecker, { shift: 1 })).refactor(2, o)],
  ],
  certifyDefiniteness: [
    ['tolerance', (o) => hmatrix.certifyDefiniteness(f.matrix, o)],
    ['team', (o) => hmatrix.certifyDefiniteness(f.matrix, {}, o)],
  ],
  compressHessian: [
    ['sketchDimension', (o) => hmatrix.compressHessian(f.model, o)],
    ['team', (o) => hmatrix.compressHessian(f.model, {}, o)],
  ],
  hessianTree: [
    ['leafSize', (o) => hmatrix.hessianTree(f.model, hmatrix.gaussNewtonSource(f.model), and({ leafSize: 8 }, o))],
    ['team', (o) => hmatrix.hessianTree(f.model, hmatrix.gaussNewtonSource(f.model), { leafSize: 8 }, o)],
  ],
  structuralTree: [
    ['leafSize', (o) => hmatrix.structuralTree(f.model, hmatrix.gaussNewtonSource(f.model), and({ leafSize: 8 }, o))],
    ['team', (o) => hmatrix.structuralTree(f.model, hmatrix.gaussNewtonSource(f.model), { leafSize: 8 }, o)],
  ],
  blockDiagonal: [
    ['memoryLimit', (o) => hmatrix.blockDiagonal(f.source, [0, SIZE], o)],
    ['team', (o) => hmatrix.blockDiagonal(f.source, [0, SIZE], {}, o)],
  ],
  randomizedSvd: [
    ['powerPasses', (o) => hmatrix.randomizedSvd(f.operator, and({ rank: 2 }, o))],
    ['team', (o) => hmatrix.randomizedSvd(f.operator, { rank: 2 }, o)],
  ],
  nystrom: [
    ['oversampling', (o) => hmatrix.nystrom(f.operator, and({ rank: 2 }, o))],
    ['team', (o) => hmatrix.nystrom(f.operator, { rank: 2 }, o)],
  ],
  extremeEigenvalues: [
    ['tolerance', (o) => hmatrix.extremeEigenvalues(f.operator, o)],
    ['signal', (o) => hmatrix.extremeEigenvalues(f.operator, {}, o)],
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
  solve: [
    ['shiftRelative', (o) => hmatrix.solve(f.operator, b(), o)],
    ['leafSize', (o) => hmatrix.solve(f.operator, b(), { making: o })],
    ['team', (o) => hmatrix.solve(f.operator, b(), {}, o)],
  ],
  makePreconditioner: [
    ['rank', (o) => hmatrix.makePreconditioner(f.operator, 'none', o)],
    ['team', (o) => hmatrix.makePreconditioner(f.operator, 'none', {}, o)],
  ],
  entryOperator: [
    ['keepBytes', (o) => hmatrix.entryOperator(f.source, o)],
    ['team', (o) => hmatrix.entryOperator(f.source, {}, o)],
  ],
  conjugateGradientSolver: [
    ['maxIterations', (o) => hmatrix.conjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.conjugateGradientSolver(f.operator).solve(b(), x(), o)],
    ['guess', (o) => hmatrix.conjugateGradientSolver(f.operator).solveAsync(b(), x(), o)],
  ],
  conjugateGradients: [['preconditioner', (o) => hmatrix.conjugateGradients(f.operator, b(), x(), o)]],
  minresSolver: [
    ['maxIterations', (o) => hmatrix.minresSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.minresSolver(f.operator).solve(b(), x(), o)],
  ],
  minres: [['preconditioner', (o) => hmatrix.minres(f.operator, b(), x(), o)]],
  flexibleConjugateGradientSolver: [
    ['directions', (o) => hmatrix.flexibleConjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.flexibleConjugateGradientSolver(f.operator).solve(b(), x(), o)],
  ],
  blockConjugateGradientSolver: [
    ['blockSize', (o) => hmatrix.blockConjugateGradientSolver(f.operator, o)],
    ['onIteration', (o) => hmatrix.blockConjugateGradientSolver(f.operator).solve(b(), x(), o)],
  ],
  stochasticLanczosQuadrature: [
    ['probes', (o) => hmatrix.stochasticLanczosQuadrature(f.operator, Math.abs, o)],
    ['signal', (o) => hmatrix.stochasticLanczosQuadrature(f.operator, Math.abs, {}, o)],
  ],
  logDeterminant: [
    ['lowerBound', (o) => hmatrix.logDeterminant(f.operator, o)],
    ['signal', (o) => hmatrix.logDeterminant(f.operator, {}, o)],
  ],
  spectralDensity: [
    ['width', (o) => hmatrix.spectralDensity(f.operator, o)],
    ['count', (o) => hmatrix.spectralDensity(f.operator, { grid: o })],
    ['signal', (o) => hmatrix.spectralDensity(f.operator, {}, o)],
  ],
  trainAdam: [
    ['learningRate', (o) => hmatrix.trainAdam(f.model, and(adam, o))],
    ['signal', (o) => hmatrix.trainAdam(f.model, adam, o)],
  ],
  lossAndGradient: [['batchSize', (o) => hmatrix.lossAndGradient(f.model, o)]],
  meanLoss: [['batchSize', (o) => hmatrix.meanLoss(f.model, o)]],
  denseOperator: [['blas', (o) => hmatrix.denseOperator(hmatrix.zeros(2, 2), true, o)]],
  defineNetwork: [['activation', (o) => hmatrix.defineNetwork(and({ widths: [2, 2] }, o))]],
  memoryDataSet: [['samples', (o) => hmatrix.memoryDataSet(hmatrix.zeros(2, 3), hmatrix.zeros(2, 3), o)]],
  initialParameters: [['scheme', (o) => hmatrix.initialParameters(network, 0, o)]],
  readWeights: [['precision', (o) => hmatrix.readWeights(path, network, o)]],
  writeWeights: [
    ['convention', (o) => hmatrix.writeWeights(join(folder, 'weights.npz'), network, f.model.parameters, o)],
  ],
  readLabels: [['limit', (o) => hmatrix.readLabels(path, o)]],
  readPoints: [['columns', (o) => hmatrix.readPoints(path, o)]],
  readNpyMatrix: [['signal', (o) => hmatrix.readNpyMatrix(path, o)]],
  writeNpyMatrix: [['signal', (o) => hmatrix.writeNpyMatrix(join(folder, 'x.npy'), b(), o)]],
  openTeam: [['workers', (o) => hmatrix.openTeam(o)]],
  Team: [['stallSeconds', (o) => hmatrix.Team.open(o)]],
  HierarchicalMatrix: [
    ['columns', (o) => f.matrix.estimateError(f.source, o)],
    ['signal', (o) => f.matrix.estimateError(f.source, {}, o)],
  ],
};

const TAKE_NONE = [
  'applyOperator',
  'checkModel',
  'closeDefaultTeam',
  'convertedOperator',
  'cosine',
  'decide',
  'diagonalOperator',
  'expressionKernel',
  'gaussian',
  'identityOperator',
  'inverseMultiquadric',
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
  'permutedOperator',
  'polynomial',
  'productOperator',
  'projectionError',
  'RandomStream',
  'SampleOperator',
  'scaledOperator',
  'shiftedOperator',
  'sumOperator',
  'toleranceAdvice',
  'unitRanges',
  'validateSource',
  'zeros',
];

const isError = (name: string): boolean =>
  /Error$/.test(name) && name !== 'operatorError' && name !== 'projectionError';

describe('options', () => {
  it('every_function_of_the_index_is_in_one_of_the_tables', () => {
    const functions = Object.entries(hmatrix)
      .filter(([name, value]) => typeof value === 'function' && !isError(name))
      .map(([name]) => name);
    expect([...Object.keys(TAKE_OPTIONS), ...TAKE_NONE].sort()).toEqual(functions.sort());
  });

  const cases = Object.entries(TAKE_OPTIONS).flatMap(([name, entries]) =>
    entries.map(([option, call]) => [name, option, call] as const),
  );

  it.each(cases)('%s refuses an unknown option beside %s', async (_name, option, call) => {
    const unknown = await failureOf(() => call({ bogusOption: 1 } as never));
    expect(unknown).toBeInstanceOf(hmatrix.OptionError);
    expect((unknown as Error).message).toMatch(/has no option "bogusOption"/);
    const misspelt = `${option.slice(0, -1)}${option.endsWith('x') ? 'y' : 'x'}`;
    const near = await failureOf(() => call({ [misspelt]: 1 } as never));
    expect(near).toBeInstanceOf(hmatrix.OptionError);
    expect((near as Error).message).toMatch(`has no option "${misspelt}": did you mean "${option}"?`);
  });

  it.each(cases)('%s refuses options that are no object beside %s', async (_name, _option, call) => {
    for (const wrong of [3, 'fmm', null]) {
      const failure = await failureOf(() => call(wrong as never));
      expect(failure).toBeInstanceOf(hmatrix.OptionError);
      expect((failure as Error).message).toMatch(/must be an object, not/);
    }
  });

  it('take_undefined_for_left_out_and_a_control_with_a_team_where_none_works', async () => {
    expect(
      (
        await hmatrix.compress(f.source, { leafSize: undefined, tolerance: 1e-3 } as never, {
          team: undefined,
          signal: undefined,
        })
      ).size,
    ).toBe(SIZE);
    expect((await hmatrix.extremeEigenvalues(f.operator, {}, { team: f.team } as never)).outcome).toBe('converged');
    expect((await f.matrix.estimateError(f.source, {}, { team: f.team } as never)).exact).toBe(true);
  });

  it('a_signal_or_callback_or_team_that_is_none_is_named', async () => {
    for (const [control, message] of [
      [{ signal: new AbortController() }, /signal given to compress must be an AbortSignal/],
      [{ onProgress: 3 }, /onProgress of compress must be a function/],
      [{ team: 2 }, /takes a team.*not 2/],
    ] as const) {
      const failure = await failureOf(() => hmatrix.compress(f.source, {}, control as never));
      expect(failure).toBeInstanceOf(hmatrix.OptionError);
      expect((failure as Error).message).toMatch(message);
    }
  });
});
