/** Training on devices: the steps are those of the processor but for rounding, whatever a run asks for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, dropout, sequential } from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  initialParameters as initialGraphParameters,
  vectorInput,
} from '#hmatrix/layers/graph-network.js';
import { perceptronGraph } from '#hmatrix/layers/perceptron-graph.js';
import { graphSlices } from '#hmatrix/layers/slices.js';
import { DeviceBatch } from '#hmatrix/training/device/device-batch.js';
import { DeviceObjective } from '#hmatrix/training/device/device-objective.js';
import { sizeOf } from '#hmatrix/training/device/moment-steps.js';
import { factorMoments } from '#hmatrix/training/newton/preconditioners/kfac.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import type { GivenModel } from '#hmatrix/network/model.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { constantSchedule, cosineSchedule } from '#hmatrix/training/schedules.js';
import { convolutional, language, variational, windows } from '../curvature/graphs/models.js';
import { useDevice } from '../device/devices.js';
import { randomMatrix } from '../support.js';

const SAMPLES = 53;

function perceptron(samples = SAMPLES, hidden = 5): GivenModel {
  const network = defineNetwork({ widths: [6, hidden, 6], activation: 'tanh' });
  const inputs = randomMatrix(6, samples, 2);
  const data = memoryDataSet(inputs, inputs, { samples: 'columns' });
  return { network, parameters: initialParameters(network, 1), loss: 'mse', data };
}

const MODELS = {
  convolutional: () => convolutional(SAMPLES),
  language: () => language(SAMPLES),
  windows: () => windows(SAMPLES),
  variational: () => variational(SAMPLES),
};

const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let k = 0; k < a.length; k++) most = Math.max(most, Math.abs(a[k] - b[k]));
  return most;
};

/** What a run may ask for besides its optimizer. */
const RUNS: Readonly<Record<string, TrainOptions>> = {
  'parts, decay, a schedule': { accumulate: 3, decay: 0.1, schedule: cosineSchedule(), optimizer: 'adamw' },
  'regularization, clipping': { regularization: 0.05, clip: 0.1, optimizer: 'momentum' },
  'an average, validation': { average: 0.9, validation: 0.2, optimizer: 'adam' },
  'groups, one frozen': {
    groups: [
      { layers: [0], frozen: true },
      { layers: [1], rate: 0.5, decay: 0.2, decayBias: true },
    ],
    optimizer: 'sgd',
    clip: 0.5,
  },
  'one batch': { batchSize: 'all', schedule: constantSchedule(), optimizer: 'rmsprop' },
};

/** Directions by conjugate gradients and Steihaug's, negative curvature among them; each search; a history of pairs. */
const CURVED: Readonly<Record<string, TrainOptions>> = {
  'newton-cg, armijo': { optimizer: { name: 'newton-cg', iterations: 6 }, regularization: 0.05 },
  'newton-cg, radius': { optimizer: { name: 'newton-cg', search: 'radius', iterations: 6, radius: 0.3 } },
  'newton-cg, wolfe': { optimizer: { name: 'newton-cg', search: 'wolfe', iterations: 5 }, decay: 0.1 },
  'gauss-newton-cg, ratio': { optimizer: { name: 'gauss-newton-cg', iterations: 8 }, clip: 0.4 },
  'gauss-newton-cg, groups': {
    optimizer: { name: 'gauss-newton-cg', search: 'fixed', learningRate: 0.5, iterations: 5 },
    groups: [
      { layers: [0], frozen: true },
      { layers: [1], rate: 0.5, decay: 0.2, decayBias: true },
    ],
  },
  lbfgs: { optimizer: { name: 'lbfgs', history: 3 }, epochs: 5 },
  // A quarter of the batch has the curvature; solutions go on from those before, iterates are gone back over.
  'hessian-free': { optimizer: { name: 'hessian-free', preconditioner: 'none', iterations: 14 }, epochs: 4 },
  'hessian-free, groups': {
    optimizer: { name: 'hessian-free', preconditioner: 'none', iterations: 6, curvatureShare: 1 },
    groups: [
      { layers: [0], rate: 0.5, decay: 0.2 },
      { layers: [1], decayBias: true },
    ],
    regularization: 0.02,
    clip: 0.4,
  },
  'hessian-free, kfac': { optimizer: { name: 'hessian-free', iterations: 8, damping: 0.3 }, regularization: 0.01 },
  // One basis for every radius that is tried, or damping.
  'newton-lanczos': { optimizer: { name: 'newton-lanczos', iterations: 7, radius: 0.3 } },
  'newton-lanczos, ratio': {
    optimizer: { name: 'newton-lanczos', search: 'ratio', curvature: 'gauss-newton', iterations: 5, tolerance: 0.1 },
    regularization: 0.02,
  },
  // Bases of both sides, of one, of gradients; changes of bases, decay, a layer without.
  'ekfac-adam': {
    optimizer: { name: 'ekfac-adam', basesEvery: 3, statisticsEvery: 2, statisticsSamples: 30, warmUp: 2 },
    decay: 0.05,
    epochs: 7,
  },
  'ekfac-adam, gradients': {
    optimizer: { name: 'ekfac-adam', statistics: 'gradients', basesEvery: 4, statisticsEvery: 1, largestSide: 5 },
    groups: [
      { layers: [0], rate: 0.5, decay: 0.2 },
      { layers: [1], decayBias: true },
    ],
    regularization: 0.02,
    clip: 0.4,
    epochs: 6,
  },
  // Squares of the samples' gradients; products with random vectors, kept for a step.
  'hessian-free, diagonal': {
    optimizer: { name: 'hessian-free', preconditioner: 'diagonal', iterations: 6, damping: 0.3 },
    regularization: 0.01,
  },
  'hessian-free, nystrom': {
    optimizer: { name: 'hessian-free', preconditioner: 'nystrom', rank: 5, refresh: 2, iterations: 6, damping: 0.3 },
    groups: [
      { layers: [0], rate: 0.5 },
      { layers: [1], decay: 0.1 },
    ],
    epochs: 3,
  },
  // Kept over steps, factored again for other λ; a part of the directions; frozen layers; bases of units.
  'hessian-free, hierarchical': {
    optimizer: { name: 'hessian-free', preconditioner: 'hierarchical', iterations: 8, decrease: 0.1 },
    regularization: 0.01,
    epochs: 5,
  },
  'hessian-free, hierarchical, groups': {
    optimizer: { name: 'hessian-free', preconditioner: 'hierarchical', share: 0.7, curvatureShare: 1, damping: 0.05 },
    groups: [
      { layers: [0], frozen: true },
      { layers: [1], rate: 0.5, decay: 0.1 },
    ],
    batchSize: 20,
  },
  // Hessians that are not definite; pivots that are; systems by the size of the network.
  newton: { optimizer: { name: 'newton', learningRate: 0.1 } },
  'damped-newton': { optimizer: { name: 'damped-newton', damping: 3 }, regularization: 0.02, epochs: 3 },
  'damped-newton, signed': { optimizer: { name: 'damped-newton', eigenvalues: 'signed', damping: 0.01 } },
  'levenberg-marquardt': { optimizer: 'levenberg-marquardt', epochs: 1 },
  // Systems of samples and outputs, of several λ; frozen layers; weights and biases that differ in M.
  'levenberg-marquardt, dual': { optimizer: { name: 'levenberg-marquardt', solver: 'dual' }, epochs: 3 },
  'levenberg-marquardt, dual, groups': {
    optimizer: { name: 'levenberg-marquardt', solver: 'dual', damping: 0.3 },
    groups: [
      { layers: [0], frozen: true },
      { layers: [1], decay: 0.1 },
    ],
    regularization: 0.05,
    batchSize: 20,
  },
  // Without a name: the system is smaller than the matrix.
  'levenberg-marquardt, few samples': { optimizer: 'levenberg-marquardt', batchSize: 7, steps: 3 },
  'levenberg-marquardt, cg': { optimizer: { name: 'levenberg-marquardt', solver: 'cg', iterations: 6 } },
  kfac: { optimizer: { name: 'kfac', statisticsSamples: 30, modelSamples: 17, inversesEvery: 4 }, epochs: 9 },
  'kfac, factored': {
    optimizer: { name: 'kfac', dampingKind: 'factored', largestSide: 5, average: 0.5, ratioEvery: 2 },
    regularization: 0.02,
    decay: 0.05,
    epochs: 7,
  },
};

describe.each(['cuda', 'webgpu'] as const)('training on %s', (name) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;

  const both = async (model: GivenModel, options: TrainOptions): Promise<void> => {
    const asked: TrainOptions = { epochs: 2, batchSize: 20, ...options };
    const host = await train(model, asked);
    const before = device.memory;
    const run = await train(model, { ...asked, device });
    expect(device.memory).toEqual(before);
    expect(run.steps).toBe(host.steps);
    expect(run.optimizer).toEqual(host.optimizer);
    // Gradients that are zero but for rounding (biases of keys) make steps of their signs: as far as the processor's
    // own precisions differ by them, so may others.
    const single = await train({ ...model, parameters: Float32Array.from(model.parameters) }, asked);
    const rounding = 2e-4 + 4 * difference(single.parameters, host.parameters);
    const bound = name === 'cuda' ? 1e-9 : rounding;
    expect(difference(run.parameters, host.parameters)).toBeLessThan(bound);
    if (host.averaged !== null) expect(difference(run.averaged!, host.averaged)).toBeLessThan(bound);
    run.evaluations.forEach((own, k) => {
      const there = host.evaluations[k];
      expect(Math.abs(own.loss! - there.loss!)).toBeLessThan(1e-4 * (1 + Math.abs(there.loss!)));
      if (there.validationLoss === null) return;
      expect(Math.abs(own.validationLoss! - there.validationLoss)).toBeLessThan(1e-4 * (1 + there.validationLoss));
      expect(own.validationAccuracy).toEqual(there.validationAccuracy);
      if (there.averagedLoss !== null) expect(own.averagedLoss).toBeCloseTo(there.averagedLoss, 3);
    });
  };

  it.each(['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw'] as const)(
    'takes_the_steps_of_the_processor: %s',
    async (optimizer) => {
      await both(perceptron(), { optimizer });
    },
  );
  it.each(Object.keys(RUNS))('takes_them_with %s', async (run) => {
    await both(perceptron(), RUNS[run]);
  });
  // Batch norm, dropout, convolutions; tokens, attention, layer norm.
  it.each([
    ['convolutional', 'parts, decay, a schedule'],
    ['convolutional', 'an average, validation'],
    ['language', 'regularization, clipping'],
  ] as const)('takes_them_in_networks_of_layers: %s, %s', async (network, run) => {
    await both(MODELS[network]() as unknown as GivenModel, { epochs: 1, ...RUNS[run] });
  });

  it.each(
    name === 'cuda'
      ? Object.keys(CURVED)
      : ['newton-cg, armijo', 'levenberg-marquardt', 'levenberg-marquardt, dual', 'hessian-free, hierarchical'],
  )('takes_steps_by_curvature: %s', async (of) => {
    // A column of a dense matrix is a product.
    const model = of === 'levenberg-marquardt' ? perceptron(20, 1) : perceptron();
    await both(model, { epochs: 2, batchSize: 'all', ...CURVED[of] });
  });
  it.each([0, 1e6])('an_input_that_is_zero_makes_no_matrix_singular: damping %d', async (damping) => {
    const network = defineNetwork({ widths: [6, 6], activation: 'tanh' });
    const inputs = randomMatrix(6, 40, 2);
    for (let s = 0; s < 40; s++) inputs.data[6 * s + 2] = 0;
    const data = memoryDataSet(inputs, randomMatrix(6, 40, 3), { samples: 'columns' });
    const model: GivenModel = { network, parameters: initialParameters(network, 1), loss: 'mse', data };
    const { downloaded } = device.counters;
    const optimizer = damping === 0 ? 'newton' : ({ name: 'damped-newton', search: 'fixed', damping } as const);
    await both(model, { optimizer, batchSize: 'all', epochs: 1 });
    // Eigenpairs are found here: the matrix would come.
    expect(device.counters.downloaded - downloaded).toBeLessThan(4 * model.parameters.length ** 2);
  });
  // Errors by the outputs' probabilities; masks, without which f is measured; networks of layers draw otherwise.
  it
    .runIf(name === 'cuda')
    .each([
      'hessian-free, kfac',
      'hessian-free, diagonal',
      'hessian-free, hierarchical',
      'levenberg-marquardt, dual',
      'kfac',
      'kfac, networks of layers',
    ])('draws_errors_of_classes_and_measures_without_masks: %s', async (of) => {
    const { network, parameters, data: images } = perceptron();
    const { inputs } = images.batch(0, SAMPLES);
    const targets = zeros(6, SAMPLES);
    for (let s = 0; s < SAMPLES; s++) targets.data[6 * s + (s % 6)] = 1;
    const data = memoryDataSet(inputs, targets, { samples: 'columns' });
    const options = CURVED[of] ?? { optimizer: { name: 'kfac', ratioEvery: 2 }, epochs: 4 };
    if (of in CURVED)
      await both({ network, parameters, loss: 'cross-entropy', data }, { batchSize: 'all', ...options });
    else {
      const layers = sequential(dense(5), activation('tanh'), dropout(0.2), dense(6));
      const own = graphNetwork({ inputs: vectorInput(6), layers, loss: 'cross-entropy' });
      const model = { network: own, parameters: initialGraphParameters(own, { seed: 1, precision: 'f64' }), data };
      await both(model as unknown as GivenModel, { batchSize: 'all', ...options });
    }
  });
  // Batch norm and dropout, whose masks trials keep; tokens.
  it.each(name === 'cuda' ? (['convolutional', 'language'] as const) : [])(
    'takes_steps_by_curvature_in_networks_of_layers: %s',
    async (of) => {
      const model = MODELS[of]() as unknown as GivenModel;
      await both(model, { optimizer: { name: 'gauss-newton-cg', iterations: 3 }, batchSize: 30, epochs: 1 });
    },
  );

  // Patches of windows, batch norm, tokens with padding, scales and embeddings, terms of the loss; diagonals of sides.
  it.each(
    name === 'cuda'
      ? ([
          ['convolutional', { name: 'kfac', statisticsSamples: 30, statisticsEvery: 2, ratioEvery: 2 }],
          ['windows', { name: 'kfac' }],
          ['windows', { name: 'kfac', largestSide: 3, dampingKind: 'factored' }],
          ['language', { name: 'kfac', average: 0.5, statisticsEvery: 2, modelSamples: 20, largestSide: 6 }],
          ['variational', { name: 'kfac' }],
          ['language', { name: 'hessian-free', iterations: 4, curvatureShare: 0.5 }],
          ['language', { name: 'hessian-free', preconditioner: 'nystrom', rank: 4, iterations: 3 }],
          // Larger factors here have eigenvalues that are equal but for rounding, which tells their vectors.
          ['windows', { name: 'ekfac-adam', basesEvery: 2, largestSide: 6 }],
          ['language', { name: 'ekfac-adam', statisticsSamples: 20 }],
        ] as const)
      : ([['windows', { name: 'kfac' }]] as const),
  )('takes_steps_by_factors_in_networks_of_layers: %s, %o', async (of, optimizer) => {
    const model = MODELS[of]() as unknown as GivenModel;
    await both(model, { optimizer, batchSize: 'all', epochs: name === 'cuda' ? 3 : 1 });
  });
  // Of two slices each: squares of gradients are those of the processor's slices, columns are counted first.
  it.runIf(name === 'cuda')('takes_factors_of_the_same_slices', async () => {
    const model = language(300) as unknown as GivenModel;
    const optimizer = { name: 'kfac', statisticsSamples: 280, inversesEvery: 1 } as const;
    await both(model, { optimizer, batchSize: 'all', epochs: 1 });
  });

  it.each(name === 'cuda' ? ['adam', 'kfac', 'ekfac-adam', 'nystrom', 'hierarchical'] : ['adam'])(
    'goes_on_from_a_checkpoint_to_the_same_parameters: %s',
    async (of) => {
      const folder = await mkdtemp(join(tmpdir(), 'hmatrix-device-'));
      try {
        const model = of === 'adam' ? (MODELS.convolutional() as unknown as GivenModel) : perceptron();
        const isPreconditioner = of === 'nystrom' || of === 'hierarchical';
        const optimizer = isPreconditioner
          ? { name: 'hessian-free', preconditioner: of, refresh: 4, iterations: 3 }
          : of;
        const asked = { optimizer, batchSize: 20, average: 0.9, device } as TrainOptions;
        const whole = await train(model, { ...asked, epochs: 2 });
        await train(model, { ...asked, epochs: 1, checkpoint: folder });
        const rest = await train(model, { ...asked, epochs: 2, checkpoint: folder, resume: true });
        expect(rest.parameters).toEqual(whole.parameters);
        expect(rest.averaged).toEqual(whole.averaged);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  it.each([
    // Coefficients, the weight of a mean and the rule of a step there; its length, what that was made of, sums back.
    ['fixed', [5, 11]],
    ['radius', [5, 9]],
  ] as const)('an_iteration_of_conjugate_gradients_waits_once_for_some_numbers: %s', async (search, numbers) => {
    const moved = async (iterations: number): Promise<readonly number[]> => {
      const before = device.counters;
      const reads = vi.spyOn(device, 'read');
      const optimizer = { name: 'gauss-newton-cg', search, iterations, tolerance: 0, mostRadius: 1e3, radius: 1e3 };
      const asked = { optimizer, batchSize: 'all', steps: 1, device } as TrainOptions;
      const { lastStep } = await train(perceptron(), asked);
      expect(lastStep!.cgIterations).toBe(iterations);
      const after = device.counters;
      const waits = reads.mock.calls.length;
      reads.mockRestore();
      return [waits, after.uploaded - before.uploaded, after.downloaded - before.downloaded];
    };
    const [few, many] = [await moved(3), await moved(8)];
    const width = name === 'cuda' ? 8 : 4;
    expect(many.map((own, k) => own - few[k])).toEqual([5, ...numbers.map((each) => 5 * each * width)]);
  });

  // A software adapter takes long for so many samples.
  it.runIf(name === 'cuda').each([
    { name: 'gauss-newton-cg', iterations: 4 },
    { name: 'kfac', statisticsSamples: 800, modelSamples: 700 },
  ] as const)('passes_that_do_not_fit_are_made_again_in_each_product: $name', async (optimizer) => {
    const asked = { optimizer, batchSize: 'all', steps: 2 } as const;
    const whole = await train(perceptron(900), { ...asked, device });
    const small = await openDevice(name, { memoryLimit: 0.6 * whole.memory.bytes });
    const parts = await train(perceptron(900), { ...asked, device: small });
    await small.close();
    expect(parts.memory.bytes).toBeLessThan(0.6 * whole.memory.bytes);
    expect(parts.lastStep!.cgIterations).toBe(whole.lastStep!.cgIterations);
    expect(difference(parts.parameters, whole.parameters)).toBeLessThan(1e-12);
  });

  it.runIf(name === 'cuda')('a_dual_system_is_solved_to_rounding_of_several_slices_too', async () => {
    const optimizer = { name: 'levenberg-marquardt', solver: 'dual' } as const;
    const asked = { optimizer, batchSize: 'all', steps: 2 } as const;
    const whole = await train(perceptron(40, 300), { ...asked, device });
    expect(whole.lastStep!.residual).toBeLessThan(1e-12);
    const small = await openDevice(name, { memoryLimit: 0.95 * whole.memory.bytes });
    const slices = vi.spyOn(DeviceBatch.prototype, 'slices');
    const parts = await train(perceptron(40, 300), { ...asked, device: small });
    expect(Math.max(...slices.mock.results.map(({ value }) => (value as readonly unknown[]).length))).toBeGreaterThan(
      1,
    );
    slices.mockRestore();
    await small.close();
    expect(difference(parts.parameters, whole.parameters)).toBeLessThan(1e-12);
  });

  it.runIf(name === 'cuda').each([1, 0.7])('lists_of_launches_take_no_more_than_was_planned: %s', async (share) => {
    const network = perceptronGraph(defineNetwork({ widths: [6, 5, 6], activation: 'tanh' }), 'mse');
    const { data } = perceptron(600);
    const before = device.memory.bytes;
    const open = async (own: Device) =>
      DeviceObjective.open({
        ...{
          network,
          device: own,
          precision: 'f64',
          batchSize: 400,
          spare: 200,
          apart: 0,
          passes: ['gauss-newton'],
          parts: 1,
          moments: [],
        },
        factors: { rotatedInputs: false, diagonalOutputs: false },
        blas: defaultBlas(),
        regularization: 0.1,
        seed: 0,
      });
    const whole = await open(device);
    const small = await openDevice(name, {
      memoryLimit: before + share * whole.memory.bytes + whole.batch.layout.lists,
    });
    whole.close();
    const objective = await open(small);
    const own = objective.newton();
    const [v, out] = [own.vector(), own.vector()];
    for (const count of [400, 200]) {
      objective.load(data.batch(0, count));
      await objective.evaluate(0);
      for (const samples of [count, count / 4]) await objective.product('gauss-newton', v, out, samples);
      await objective.trial(v, 0);
      await objective.measure();
    }
    const lists = small.memory.bytes - objective.memory.bytes;
    expect(graphSlices(400, objective.batch.layout.slice) > 1).toBe(share < 1);
    expect(lists).toBeLessThanOrEqual(objective.batch.layout.lists);
    expect(lists).toBeGreaterThan(objective.batch.layout.lists / 40);
    objective.close();
    await small.close();
  });

  it.runIf(name === 'cuda')('lists_of_moments_take_no_more_than_was_planned', async () => {
    const { network, data, parameters } = language(40);
    const moments = factorMoments(network);
    const before = device.memory.bytes;
    const objective = await DeviceObjective.open({
      ...{ network, device, precision: 'f64', batchSize: 40, spare: 0, passes: ['draw'], parts: 1, moments },
      apart: moments.reduce((sum, shape) => sum + sizeOf(shape, network.layers[shape.layer]) ** 2 + 16, 0),
      factors: { rotatedInputs: false, diagonalOutputs: false },
      blas: defaultBlas(),
      regularization: 0,
      seed: 0,
    });
    objective.parameters.set(parameters);
    objective.put();
    const places = moments.map((shape) => {
      const size = sizeOf(shape, network.layers[shape.layer]);
      return { ...shape, at: objective.placeOf(objective.apart(shape.diagonal ? size : size * size)) };
    });
    for (const count of [40, 30]) {
      objective.load(data.batch(0, count));
      await objective.evaluate(0);
      for (const samples of [count, 10]) await objective.moments(places, 0.5, 0, samples);
    }
    const lists = device.memory.bytes - before - objective.memory.bytes;
    expect(lists).toBeLessThanOrEqual(objective.batch.layout.lists);
    expect(lists).toBeGreaterThan(objective.batch.layout.lists / 40);
    objective.close();
  });

  it('a_run_that_diverges_ends_with_the_last_good_parameters', async () => {
    const model = perceptron();
    const run = await train(model, { optimizer: { name: 'sgd', learningRate: 1e30 }, batchSize: 20, device });
    expect(run.outcome).toBe('diverged');
    expect(run.parameters.every(Number.isFinite)).toBe(true);
  });

  it('what_needs_more_than_gradients_is_refused', async () => {
    const asked = train(perceptron(), { device, optimizer: { ...adam(), name: 'own', onDevice: undefined } });
    await expect(asked).rejects.toThrow(OptionError);
    await expect(asked).rejects.toThrow(/own does not train on a device: take one of sgd, /);
    const blocks = { name: 'hessian-free', preconditioner: 'hierarchical' } as const;
    const other = train(MODELS.convolutional() as unknown as GivenModel, { device, optimizer: blocks });
    await expect(other).rejects.toThrow(/preconditioner: 'hierarchical' is for perceptrons .*: 'kfac'/);
    const squares = { name: 'hessian-free', preconditioner: 'diagonal' } as const;
    const unlike = train(MODELS.convolutional() as unknown as GivenModel, { device, optimizer: squares });
    await expect(unlike).rejects.toThrow(/gradients are known for perceptrons alone: take preconditioner: 'kfac'/);
    const dual = { name: 'levenberg-marquardt', solver: 'dual' } as const;
    const ofLayers = train(MODELS.convolutional() as unknown as GivenModel, { device, optimizer: dual });
    await expect(ofLayers).rejects.toThrow(/solver: 'dual' is for perceptrons .*take solver: 'cg'/);
    await expect(train(perceptron(), { device: 'webgpu' as never })).rejects.toThrow(/device of train takes/);
    expect((await train(perceptron(), { device, steps: 1 })).optimizer.name).toBe('adam');
    await expect(train(perceptron(), { device, optimizer: 'adam', dropout: 0.5 })).rejects.toThrow(/dropout\(share\)/);
  });
});
