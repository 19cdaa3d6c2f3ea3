/** Numbers that are arguments of their own, and no options: text, arrays and objects are refused, as what they are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { failureOf, fixtures, network, SIZE, type Fixtures } from './fixtures.js';

let f: Fixtures;
beforeAll(async () => {
  f = await fixtures();
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

type Call = (value: never) => unknown;
const { kernels, krylov, layers, operators, dense, networks, curvature } = hmatrix;
const factored = async (): Promise<hmatrix.Factorization> => hmatrix.factor(f.matrix, { shift: 1 }, { team: f.team });

const CALLS: Readonly<Record<string, Call>> = {
  'scaled(operator, factor)': (v) => operators.scaled(f.operator, v),
  'shifted(operator, shift)': (v) => operators.shifted(f.operator, v),
  'identityOperator(size)': (v) => operators.identityOperator(v),
  'topEigenvalues(operator, k)': (v) => krylov.topEigenvalues(f.operator, v, {}, { team: f.team }),
  'zeros(rows, 1)': (v) => dense.zeros(v, 1),
  'zeros(1, cols)': (v) => dense.zeros(1, v),
  'matrixOver(data, rows, 1)': (v) => dense.matrixOver(new Float64Array(4), v, 1),
  'gaussian(bandwidth)': (v) => kernels.gaussian(v),
  'polynomial(degree)': (v) => kernels.polynomial(v, v),
  'rationalQuadratic(1, alpha)': (v) => kernels.rationalQuadratic(1, v),
  'periodic(1, period)': (v) => kernels.periodic(1, v),
  'scaleKernel(kernel, variance)': (v) => kernels.scaleKernel(kernels.gaussian(1), v),
  'medianBandwidth(points, seed)': (v) => kernels.medianBandwidth(f.points, v),
  'points.dimension': (v) => hmatrix.kernelSource({ ...f.points, dimension: v }, kernels.gaussian(1)),
  'points.count': (v) => hmatrix.kernelSource({ ...f.points, count: v }, kernels.gaussian(1)),
  'defineNetwork({ widths })': (v) => networks.defineNetwork({ widths: [2, v] }),
  'initialParameters(network, seed)': (v) => networks.initialParameters(network, v),
  'labelTargets(labels, classes)': (v) => networks.labelTargets([0, 1], v),
  'dense(units)': (v) => layers.dense(v),
  'conv2d(channels, 3)': (v) => layers.conv2d(v, 3),
  'dropout(share)': (v) => layers.dropout(v),
  'embedding(words, features)': (v) => layers.embedding(v, 4),
  'embedding(4, features)': (v) => layers.embedding(4, v),
  'gaussianCode(size)': (v) => layers.gaussianCode(v),
  'groupNorm(groups)': (v) => layers.groupNorm(v),
  'mobilenet(width)': (v) => layers.mobilenet(v),
  'tokenInput(length, 4)': (v) => layers.tokenInput(v, 4),
  'tokenInput(4, vocabulary)': (v) => layers.tokenInput(4, v),
  'unflatten(…dims)': (v) => layers.unflatten(2, v),
  'vectorInput(size)': (v) => layers.vectorInput(v),
  'digitImages(count, seed)': (v) => hmatrix.datasets.digitImages(v, 0),
  'digitImages(1, seed)': (v) => hmatrix.datasets.digitImages(1, v),
  'covertypePoints(count, seed)': (v) => hmatrix.datasets.covertypePoints(v, 0),
  'covertypePoints(1, seed)': (v) => hmatrix.datasets.covertypePoints(1, v),
  'shapeImages(count, seed)': (v) => hmatrix.datasets.shapeImages(v, 0),
  'shapeImages(1, seed)': (v) => hmatrix.datasets.shapeImages(1, v),
  'translationPairs(training, 1, 0)': (v) => hmatrix.datasets.translationPairs(v, 1, 0),
  'translationPairs(1, heldOut, 0)': (v) => hmatrix.datasets.translationPairs(1, v, 0),
  'translationPairs(1, 1, seed)': (v) => hmatrix.datasets.translationPairs(1, 1, v),
  'greedyDecode(scorer, samples)': (v) => hmatrix.text.greedyDecode(() => [0], v, { bos: 0, eos: 0, maxLength: 1 }),
  'beamSearch(scorer, samples)': (v) => hmatrix.text.beamSearch(() => [0], v, { bos: 0, eos: 0, maxLength: 1 }),
  'tokenAccuracy([1], [1], pad)': (v) => hmatrix.text.tokenAccuracy([1], [1], v),
  'new RandomStream(seed)': (v) => new hmatrix.random.RandomStream(v),
  'new RandomStream(0, key)': (v) => new hmatrix.random.RandomStream(0, v),
  'dualForm(model).logdet(shift)': (v) => curvature.dualForm(f.model).logdet(v),
  'dualForm(model).inverse(shift)': (v) => curvature.dualForm(f.model).inverse(v),
  'factorization.refactor(shift)': async (v) => (await factored()).refactor(v),
  'factorKronecker().refactor(shift)': async (v) =>
    (await curvature.factorKronecker(f.kronecker, { shift: 1 }, { team: f.team })).refactor(v),
  'approximate(operator, method, { share })': (v) => hmatrix.approximate(f.operator, 'rsvd', { share: v }),
};

describe('a number that is an argument', () => {
  it.each(Object.entries(CALLS))('%s is no text, array, object or null', async (_name, call) => {
    const wrongs: readonly (readonly [unknown, RegExp])[] = [
      ['1', /the text "1"/],
      ['', /the text ""/],
      [[1], /array of 1/],
      [{ k: 1 }, /an object with k/],
      [null, /null/],
    ];
    for (const [wrong, shown] of wrongs) {
      const failure = await failureOf(() => call(wrong as never));
      expect(failure, JSON.stringify(wrong)).toBeInstanceOf(hmatrix.errors.HmatrixError);
      expect((failure as Error).message).toMatch(shown);
    }
  });

  it.each<readonly [string, (precision: never) => unknown]>([
    ['zeros', (p) => dense.zeros(2, 2, p)],
    ['labelTargets', (p) => networks.labelTargets([0, 1], 2, p)],
    ['initialParameters', (p) => networks.initialParameters(network, 0, { precision: p })],
    ['readWeights', (p) => networks.readWeights('none.npz', undefined, { precision: p })],
    ['converted', (p) => operators.converted(f.operator, p)],
    ['factor', (p) => hmatrix.factor(f.matrix, { precision: p }, { team: f.team })],
    ['compress', (p) => hmatrix.compress(f.source, { dtype: p }, { team: f.team })],
    ['add', (p) => hmatrix.hierarchical.add(f.matrix, f.matrix, { dtype: p }, { team: f.team })],
  ])('%s takes f64 and f32 for a precision, and tells float64 and float32 so', async (_name, call) => {
    for (const [given, own] of [
      ['float64', 'f64'],
      ['float32', 'f32'],
    ]) {
      const failure = await failureOf(() => call(given as never));
      expect(failure).toBeInstanceOf(hmatrix.errors.OptionError);
      expect((failure as Error).message).toMatch(`must be f64 or f32, not the text "${given}": write '${own}'`);
    }
    expect(((await failureOf(() => call('f16' as never))) as Error).message).toMatch(/the text "f16"\.$/);
  });

  it('labelTargets_without_the_classes_shows_the_call', () => {
    const call = (): unknown => networks.labelTargets([0, 1], ...([] as unknown as [number]));
    expect(call).toThrow(/number of classes.*not undefined: labelTargets\(labels, 10\)/);
  });
});

describe('what a call is not for', () => {
  it('a_factorization_that_is_being_refactored_says_so', async () => {
    for (const make of [factored, async () => curvature.factorKronecker(f.kronecker, { shift: 1 }, { team: f.team })]) {
      const factors = await make();
      const again = factors.refactor(0.5);
      expect(() => factors.logdet).toThrow(/for shift 0\.5 is under way: await factors\.refactor\(0\.5\)/);
      await again;
      expect(Number.isFinite(factors.logdet)).toBe(true);
    }
  });

  it('denseOperator_takes_flat_symmetric_numbers_and_sends_others_to_matrixOver', () => {
    const numbers = [2, 1, 1, 3];
    for (const given of [numbers, Float64Array.from(numbers)])
      expect(operators.apply(operators.denseOperator(given, true), [1, 2]).data).toEqual(Float64Array.of(4, 7));
    expect(() => operators.denseOperator([1, 2, 3], true)).toThrow(/3 numbers is not a square matrix/);
    expect(() => operators.denseOperator(numbers, false)).toThrow(/matrixOver\(numbers, rows, cols\)/);
    expect(() => operators.denseOperator(dense.zeros(2, 2), ...([] as unknown as [boolean]))).toThrow(
      /denseOperator\(matrix, true\), not undefined/,
    );
  });

  it('update_of_rows_is_told_to_transpose', async () => {
    const failure = await failureOf(() => hmatrix.hierarchical.update(f.matrix, dense.zeros(2, SIZE)));
    expect((failure as Error).message).toMatch(/U has 2 rows.*transpose it/);
  });

  it('weights_are_no_network_no_options_of_one_and_no_parameters', async () => {
    const { parameters, loss, data } = f.model;
    const weights = { widths: [3, 4, 2], bias: false, parameters, layers: [] };
    expect(() => networks.defineNetwork({ ...weights } as never)).toThrow(
      /takes the widths and biases of weights, not their parameters.*defineNetwork\(\{ widths, bias/,
    );
    expect(() => networks.meanLoss({ network, parameters: weights as never, loss, data })).toThrow(
      /pass its \.parameters/,
    );
    expect(() => networks.meanLoss({ network: weights as never, parameters, loss, data })).toThrow(
      /not weights as readWeights reads them: defineNetwork\(\{ widths: weights\.widths/,
    );
    const without = networks.defineNetwork({ widths: [3, 4, 2], bias: false });
    expect(() => networks.meanLoss({ network: without, parameters, loss, data })).toThrow(/With biases.*bias: true/);
    const few = new Float64Array(without.parameters);
    expect(() => networks.meanLoss({ network, parameters: few, loss, data })).toThrow(/Without biases.*bias: false/);
  });
});
