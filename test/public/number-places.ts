/**
 * Every place of the index that takes numbers, by the function: its name in messages, numbers, and what comes of them.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as hmatrix from '#hmatrix/index.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { DATA_PLACES, type Numbers, type Place } from './data-number-places.js';
import { solverPlaces } from './solver-places.js';
import { entriesOf, sourcePlaces } from './source-places.js';
import { fixtures, fractions, gradientOnDevice, network, SIZE, trainPair, type Fixtures } from './fixtures.js';
import { TENSOR_PLACES } from './tensor-places.js';

const folder = temporaryFolder();
/** Set by `openFixtures`. */
export let f: Fixtures;
export const openFixtures = async (): Promise<void> => {
  f = await fixtures();
};
export const vector = (): Float64Array => fractions(SIZE, 5);
const column = (data: Numbers): hmatrix.Matrix =>
  ({ data, offset: 0, rows: SIZE, cols: 1, ld: SIZE }) as hmatrix.Matrix;
const onTeam = (): hmatrix.Control => ({ team: f.team });
const parametersOf = (numbers: Numbers): hmatrix.GivenModel => ({ ...f.model, parameters: numbers });
const parameters = (): Float64Array => fractions(network.parameters, 6);
const θ = (seed: number): hmatrix.Matrix =>
  hmatrix.dense.matrixOver(fractions(network.parameters, seed), network.parameters, 1);
const multiply = (operator: hmatrix.LinearOperator): Numbers =>
  hmatrix.operators.apply(operator, fractions(operator.cols, 7)).data;
/** A symmetric positive definite matrix, column by column. */
export const stored = (): Float64Array => Float64Array.from(entriesOf(f.source));
export const points = (coordinates: Numbers): hmatrix.GivenPoints => ({ dimension: 2, count: SIZE, coordinates });
const treeOf = (order: Numbers): hmatrix.trees.GivenTree => ({
  size: f.tree.size,
  depth: f.tree.depth,
  order,
  begin: Array.from(f.tree.begin),
  end: Array.from(f.tree.end),
});
const operatorOf = (model: hmatrix.GivenModel, make: (model: hmatrix.GivenModel) => hmatrix.LinearOperator): Numbers =>
  multiply(make(model));
const evidenceOf = (model: hmatrix.GivenModel): number =>
  hmatrix.curvature.logMarginalLikelihood(model, { logdet: 0, shift: 1 }).value;
const varianceOf = (model: hmatrix.GivenModel, inputs: Numbers): Numbers =>
  hmatrix.curvature.predictiveVariance(model, hmatrix.operators.identityOperator(network.parameters), inputs).data;
const leastSquares = { shift: 0.5, tolerance: 1e-9 } as const;
const solved =
  (solve: (b: Numbers, x: hmatrix.Matrix) => unknown) =>
  (b: Numbers): Numbers => {
    const x = hmatrix.dense.zeros(SIZE, 1);
    solve(b, x);
    return x.data;
  };
const ofModel = (make: (model: hmatrix.GivenModel) => Numbers | Promise<Numbers>): Place => ({
  name: /parameters/,
  numbers: parameters,
  result: (numbers) => make(parametersOf(numbers)),
});
const ofVector = (result: Place['result'], name = /\b[bxz](\.data)?\b/): Place => ({ name, numbers: vector, result });
const ofTree = (result: (tree: hmatrix.trees.GivenTree) => Numbers | Promise<Numbers>): Place => ({
  name: /tree\.order/,
  numbers: () => f.tree.order,
  result: (order) => result(treeOf(order)),
});
const updated = async (u: Numbers, weights?: Numbers): Promise<Numbers> =>
  (await hmatrix.hierarchical.update(f.matrix, u, { weights, maxRank: 8 }, onTeam())).apply(vector()).data;
const products = { format: 'hss', maxRank: 8, tolerance: 1e-6, seed: 0 } as const;
const written = async (path: string, write: (path: string) => Promise<void>): Promise<Numbers> => {
  await write(path);
  return readFile(path);
};

/** Every place of the index that takes numbers, by the function. */
export const TAKE_NUMBERS: Readonly<Record<string, readonly Place[]>> = {
  matrixOver: [{ name: /data/, numbers: vector, result: (data) => hmatrix.dense.matrixOver(data, SIZE / 2, 2).data }],
  denseSource: [
    { name: /matrix/, numbers: stored, result: (data) => entriesOf(hmatrix.denseSource(data)) },
    {
      name: /matrix\.data/,
      numbers: stored,
      result: (data) =>
        entriesOf(hmatrix.denseSource({ data, offset: 0, rows: SIZE, cols: SIZE, ld: SIZE } as hmatrix.Matrix)),
    },
  ],
  denseOperator: [
    {
      name: /matrix\.data/,
      numbers: stored,
      result: (data) =>
        multiply(
          hmatrix.operators.denseOperator(
            { data, offset: 0, rows: SIZE, cols: SIZE, ld: SIZE } as hmatrix.Matrix,
            true,
          ),
        ),
    },
  ],
  diagonalOperator: [
    { name: /diagonal/, numbers: vector, result: (d) => multiply(hmatrix.operators.diagonalOperator(d)) },
  ],
  permuted: [
    {
      name: /order/,
      numbers: () => f.tree.order,
      result: (order) => multiply(hmatrix.operators.permuted(f.operator, order)),
    },
  ],
  LowRankOperator: [
    {
      name: /values/,
      numbers: () => fractions(2, 1),
      result: (values) =>
        multiply(
          new hmatrix.lowrank.LowRankOperator(
            hmatrix.dense.matrixOver(fractions(2 * SIZE, 2), SIZE, 2),
            values,
            f.team.blas,
          ),
        ),
    },
    {
      name: /vectors/,
      numbers: vector,
      result: (u) => multiply(new hmatrix.lowrank.LowRankOperator(u, [0.5], f.team.blas)),
    },
  ],
  apply: [
    ofVector((x) => hmatrix.operators.apply(f.operator, x).data),
    ofVector((x) => hmatrix.operators.apply(f.operator, column(x)).data),
  ],
  HierarchicalMatrix: [ofVector((x) => f.matrix.apply(x).data), ofVector((x) => f.matrix.apply(column(x)).data)],
  solve: [
    ofVector(async (b) => (await hmatrix.solve(f.operator, b, leastSquares, onTeam())).x.data),
    ofVector(async (b) => (await hmatrix.solve(f.operator, column(b), leastSquares, onTeam())).x.data),
    ofVector(
      async (guess) =>
        (
          await hmatrix.solve(
            f.operator,
            vector(),
            { ...leastSquares, guess, preconditioner: 'none', maxIterations: 1 },
            onTeam(),
          )
        ).x.data,
      /guess/,
    ),
    ofModel(
      async (model) =>
        (
          await hmatrix.solve(
            hmatrix.gaussNewton(f.model),
            θ(8),
            { shift: 0.5, preconditioner: 'kfac', model },
            onTeam(),
          )
        ).x.data,
    ),
    // Known for the operator's own model, though its parameters were copied twice.
    ofModel(
      async (model) =>
        (await hmatrix.solve(hmatrix.gaussNewton(model), θ(8), { shift: 0.5, preconditioner: 'dual', model }, onTeam()))
          .x.data,
    ),
    ofTree(
      async (tree) =>
        (
          await hmatrix.solve(
            f.operator,
            vector(),
            { ...leastSquares, preconditioner: 'hss', making: { tree } },
            onTeam(),
          )
        ).x.data,
    ),
  ],
  makePreconditioner: [
    ofTree(async (tree) =>
      multiply(
        (await hmatrix.preconditioners.makePreconditioner(f.operator, 'hss', { shift: 0.5, tree }, onTeam())).operator!,
      ),
    ),
    ofModel(async (model) => {
      const [g, options] = [hmatrix.gaussNewton(f.model), { shift: 0.5, model }];
      return multiply((await hmatrix.preconditioners.makePreconditioner(g, 'kfac', options, onTeam())).operator!);
    }),
  ],
  preconditionedLogDeterminant: [
    ofTree(async (tree) => {
      const options = { shift: 0.5, making: { tree }, probes: 1, degree: 4 };
      return [(await hmatrix.krylov.preconditionedLogDeterminant(f.operator, options, onTeam())).value];
    }),
  ],
  ...solverPlaces(() => f),
  ...sourcePlaces(() => f),
  conjugateGradientSolver: [
    ofVector(solved((b, x) => hmatrix.krylov.conjugateGradientSolver(f.operator).solve(b, x))),
    ofVector(
      solved((guess, x) =>
        hmatrix.krylov.conjugateGradientSolver(f.operator).solve(vector(), x, { guess, maxIterations: 1 }),
      ),
      /guess/,
    ),
  ],
  minres: [ofVector(solved((b, x) => hmatrix.krylov.minres(f.operator, b, x)))],
  minresSolver: [ofVector(solved((b, x) => hmatrix.krylov.minresSolver(f.operator).solve(b, x)))],
  flexibleConjugateGradientSolver: [
    ofVector(solved((b, x) => hmatrix.krylov.flexibleConjugateGradientSolver(f.operator).solve(b, x))),
  ],
  blockConjugateGradientSolver: [
    ofVector(solved((b, x) => hmatrix.krylov.blockConjugateGradientSolver(f.operator).solve(b, x))),
  ],
  factor: [
    ofVector(async (b) => (await hmatrix.factor(f.matrix, { shift: 0.5 }, onTeam())).solve(b).data),
    ofVector(async (z) => (await hmatrix.factor(f.matrix, { shift: 0.5 }, onTeam())).applyFactor(z).data),
    ofVector(async (z) => (await hmatrix.factor(f.matrix, { shift: 0.5 }, onTeam())).applyInverseFactor(z).data),
  ],
  factorKronecker: [
    {
      name: /\bb\b/,
      numbers: parameters,
      result: async (b) =>
        (await hmatrix.curvature.factorKronecker(f.kronecker, { shift: 0.5 }, onTeam())).solve(b).data,
    },
  ],
  compress: [ofTree(async (tree) => multiply(await hmatrix.compress(f.source, { tree }, onTeam())))],
  tune: [
    ofTree(async (tree) =>
      Float64Array.from((await hmatrix.hierarchical.tune(f.source, { tree }, onTeam())).measured, ({ rank }) => rank),
    ),
  ],
  compressOperator: [
    ofTree(async (tree) => multiply(await hmatrix.hierarchical.compressOperator(f.operator, tree, products, onTeam()))),
  ],
  compressionCost: [ofTree((tree) => [hmatrix.hierarchical.compressionCost(tree, products).flops])],
  approximate: [
    ofTree(async (tree) =>
      multiply(
        (await hmatrix.approximate(f.operator, 'hss', { share: 0.9 }, { tree, source: f.source }, onTeam())).operator,
      ),
    ),
    ofModel(async (model) =>
      multiply(
        (await hmatrix.approximate(hmatrix.gaussNewton(f.model), 'kfac', { share: 0.9 }, { model }, onTeam())).operator,
      ),
    ),
  ],
  blockDiagonal: [
    {
      name: /ranges/,
      numbers: () => Int32Array.of(0, 10, SIZE),
      result: async (ranges) => multiply(await hmatrix.operators.blockDiagonal(f.source, ranges, {}, onTeam())),
    },
  ],
  gaussNewton: [ofModel((model) => operatorOf(model, hmatrix.gaussNewton))],
  hessian: [ofModel((model) => operatorOf(model, hmatrix.curvature.hessian))],
  empiricalFisher: [ofModel((model) => operatorOf(model, hmatrix.curvature.empiricalFisher))],
  monteCarloFisher: [
    ofModel((model) => operatorOf(model, (one) => hmatrix.curvature.monteCarloFisher(one, { draws: 2 }))),
  ],
  kfac: [ofModel((model) => operatorOf(model, hmatrix.curvature.kfac))],
  ekfac: [ofModel((model) => operatorOf(model, hmatrix.curvature.ekfac))],
  curvatureDiagonal: [ofModel((model) => operatorOf(model, hmatrix.curvature.curvatureDiagonal))],
  gaussNewtonSource: [ofModel((model) => entriesOf(hmatrix.curvature.gaussNewtonSource(model)))],
  sampledGaussNewtonSource: [ofModel((model) => entriesOf(hmatrix.curvature.sampledGaussNewtonSource(model)))],
  dualForm: [
    ofModel((model) => hmatrix.curvature.dualForm(model).matrix.data),
    {
      name: /right-hand sides/,
      numbers: parameters,
      result: (b) => hmatrix.curvature.dualForm(f.model).solve(b, 0.5).data,
    },
    {
      name: /\bx\b/,
      numbers: parameters,
      result: (x) => {
        const dual = hmatrix.curvature.dualForm(f.model);
        const out = hmatrix.dense.zeros(dual.order, 1);
        dual.applyJacobian(x, out);
        return out.data;
      },
    },
  ],
  sketchEmbedding: [ofModel((model) => hmatrix.curvature.sketchEmbedding(model).coordinates)],
  kroneckerHierarchical: [
    ofModel(async (model) => multiply(await hmatrix.curvature.kroneckerHierarchical(model, { share: 0.9 }, onTeam()))),
  ],
  kroneckerSum: [ofModel(async (model) => multiply(await hmatrix.curvature.kroneckerSum(model, {}, onTeam())))],
  compressHessian: [
    ofModel(async (model) => multiply((await hmatrix.curvature.compressHessian(model, {}, onTeam())).matrix)),
    {
      name: /tree\.end/,
      numbers: () => Int32Array.of(network.parameters),
      result: async (end) =>
        multiply(
          (
            await hmatrix.curvature.compressHessian(
              f.model,
              {
                tree: {
                  size: network.parameters,
                  depth: 0,
                  order: [...Array(network.parameters).keys()],
                  begin: [0],
                  end,
                },
              },
              onTeam(),
            )
          ).matrix,
        ),
    },
  ],
  hessianTree: [
    ofModel(
      async (model) =>
        (
          await hmatrix.curvature.hessianTree(
            model,
            hmatrix.curvature.gaussNewtonSource(f.model),
            { leafSize: 4 },
            onTeam(),
          )
        ).tree.order,
    ),
  ],
  structuralTree: [
    ofModel(
      async (model) =>
        (
          await hmatrix.curvature.structuralTree(
            model,
            hmatrix.curvature.gaussNewtonSource(f.model),
            { leafSize: 4 },
            onTeam(),
          )
        ).order,
    ),
  ],
  update: [
    ofVector((u) => updated(u), /U/),
    { name: /weights/, numbers: () => fractions(1, 2), result: (weights) => updated(vector(), weights) },
  ],
  checkModel: [
    ofModel((model) => {
      hmatrix.networks.checkModel(model);
      return [0];
    }),
  ],
  train: [ofModel(async (model) => (await hmatrix.training.train(model, { epochs: 1, batchSize: 4 })).parameters)],
  trainVariational: [ofModel(async (model) => (await trainPair(model)).parameters.encoder)],
  logMarginalLikelihood: [ofModel((model) => [evidenceOf(model)])],
  putModel: [ofModel((model) => gradientOnDevice(model, onTeam()))],
  lossAndGradient: [ofModel((model) => hmatrix.networks.lossAndGradient(model).gradient)],
  meanLoss: [ofModel((model) => [hmatrix.networks.meanLoss(model)])],
  predict: [
    ofModel((model) => hmatrix.networks.predict(model, fractions(3, 9)).data),
    {
      name: /inputs/,
      numbers: () => fractions(3, 9),
      result: (inputs) => hmatrix.networks.predict(f.model, inputs).data,
    },
  ],
  accuracy: [
    ofModel((model) => [
      hmatrix.networks.accuracy({
        ...model,
        loss: 'bce',
        data: hmatrix.networks.memoryDataSet(hmatrix.dense.zeros(3, 2), hmatrix.dense.zeros(2, 2)),
      }),
    ]),
  ],
  jacobian: [
    ofModel((model) => hmatrix.networks.jacobian(model, fractions(3, 9)).data),
    {
      name: /inputs/,
      numbers: () => fractions(3, 9),
      result: (inputs) => hmatrix.networks.jacobian(f.model, inputs).data,
    },
  ],
  predictiveVariance: [
    ofModel((model) => varianceOf(model, fractions(3, 9))),
    { name: /inputs/, numbers: () => fractions(3, 9), result: (inputs) => varianceOf(f.model, inputs) },
  ],
  ...TENSOR_PLACES,
  transpose: [
    {
      name: /matrix\.data/,
      numbers: vector,
      result: (data) => hmatrix.dense.transpose(column(data)).data,
    },
  ],
  memoryDataSet: [
    {
      name: /inputs\.data/,
      numbers: () => fractions(6, 1),
      result: (data) =>
        hmatrix.networks
          .memoryDataSet({ data, offset: 0, rows: 2, cols: 3, ld: 2 } as hmatrix.Matrix, hmatrix.dense.zeros(1, 3))
          .batch(0, 3).inputs.data,
    },
    {
      name: /targets\.data/,
      numbers: () => fractions(3, 1),
      result: (data) =>
        hmatrix.networks
          .memoryDataSet(hmatrix.dense.zeros(2, 3), { data, offset: 0, rows: 1, cols: 3, ld: 1 } as hmatrix.Matrix)
          .batch(0, 3).targets.data,
    },
  ],
  labelTargets: [
    {
      name: /Label/,
      numbers: () => Int32Array.of(0, 2, 1),
      result: (labels) => hmatrix.networks.labelTargets(labels, 3).data,
    },
  ],
  ...DATA_PLACES,
  defineNetwork: [
    {
      name: /widths|units/,
      numbers: () => Int32Array.of(2, 3),
      result: (widths) => [hmatrix.networks.defineNetwork({ widths }).parameters],
    },
  ],
  writeWeights: [
    {
      name: /parameters/,
      numbers: parameters,
      result: (numbers) =>
        written(join(folder, 'weights.npz'), (path) => hmatrix.networks.writeWeights(path, network, numbers)),
    },
  ],
  writeMatrix: [
    {
      name: /matrix/,
      numbers: vector,
      result: (numbers) => written(join(folder, 'vector.npz'), (path) => hmatrix.io.writeMatrix(path, numbers)),
    },
    {
      name: /matrix/,
      numbers: vector,
      result: (numbers) => written(join(folder, 'x.safetensors'), (path) => hmatrix.io.writeMatrix(path, numbers)),
    },
  ],
  writeHdf5Matrix: [
    {
      name: /matrix/,
      numbers: vector,
      // The file keeps the time at which it was made.
      result: async (numbers) => {
        await hmatrix.io.writeHdf5Matrix(join(folder, 'vector.h5'), numbers);
        return (await hmatrix.io.readHdf5Matrix(join(folder, 'vector.h5'))).data;
      },
    },
  ],
  writeMatrixMarket: [
    {
      name: /matrix/,
      numbers: vector,
      result: (numbers) => written(join(folder, 'vector.mtx'), (path) => hmatrix.io.writeMatrixMarket(path, numbers)),
    },
  ],
  writeNpyMatrix: [
    {
      name: /matrix/,
      numbers: vector,
      result: (numbers) => written(join(folder, 'vector.npy'), (path) => hmatrix.io.writeNpyMatrix(path, numbers)),
    },
  ],
};
