/** The Nyström preconditioner of hessian-free: its vectors on a device, and of fewer free parameters than its rank. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import type { Device } from '#hmatrix/device/device.js';
import { perceptronGraph } from '#hmatrix/layers/perceptron-graph.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { DeviceObjective } from '#hmatrix/training/device/device-objective.js';
import { nystromPreconditioner } from '#hmatrix/training/newton/preconditioners/nystrom.js';
import { later } from '#hmatrix/training/newton/steps.js';
import { hessianFree } from '#hmatrix/training/optimizers/hessian-free.js';
import { nystromApart, NystromThere } from '#hmatrix/training/optimizers/nystrom-on-device.js';
import { train } from '#hmatrix/training/train.js';
import { useDevice } from '../device/devices.js';
import { randomMatrix } from '../support.js';
import { openCase } from './newton-cases.js';

const EPS = { cuda: 2 ** -52, webgpu: 2 ** -23 };

describe('the Nyström preconditioner here', () => {
  it('is_the_inverse_where_its_rank_is_that_of_all_free_parameters', async () => {
    // 21 of 41 parameters are free: 21 of 30 random vectors are independent there.
    const optimizer = hessianFree({ preconditioner: 'nystrom', rank: 30, curvatureShare: 1, damping: 0.1 });
    const { stepper, plan } = await openCase(optimizer, { samples: 30, widths: [3, 5, 3] });
    const [free, frozen] = [plan().layers[0], null];
    const { cgIterations } = stepper.step({ ...plan(), layers: [frozen, free] });
    // The second iteration finds that the first one was enough.
    expect(cgIterations).toBeLessThanOrEqual(2);
  });
});

describe.each(['cuda', 'webgpu'] as const)('the Nyström preconditioner on %s', (name) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;

  const open = async (rank: number) => {
    const network = perceptronGraph(defineNetwork({ widths: [12, 40, 12], activation: 'tanh' }), 'mse');
    const settings = { rank, refresh: 1, seed: 0 };
    const objective = await DeviceObjective.open({
      ...{ network, device, precision: 'f64', batchSize: 4, passes: ['gauss-newton'], parts: 0, moments: [] },
      spare: nystromPreconditioner(settings).spare(network, 4),
      apart: nystromApart(settings, network),
      factors: { rotatedInputs: false, diagonalOutputs: false },
      blas: defaultBlas(),
      regularization: 0,
      seed: 0,
    });
    const { space } = objective.newton();
    const places = new NystromThere(objective, space, settings);
    const n = network.parameters;
    const columns = async (): Promise<Float64Array[]> => {
      const all = await space.ask(async () => objective.batch.read(n * rank, objective.placeOf(places.u[0])));
      return places.u.map((_, j) => Float64Array.from(all.subarray(j * n, (j + 1) * n)));
    };
    return { objective, space, places, columns };
  };
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, own, i) => sum + own * y[i], 0);

  it.each([4, 32])('orthonormalizes_all_vectors_in_few_launches: %d', async (rank) => {
    const { objective, places, columns } = await open(rank);
    places.u.forEach((column, j) => places.fill(column, new RandomStream(7, j)));
    const before = await columns();
    const { launches } = device.counters;
    expect(await later(places.orthonormalize())).toBe(true);
    // Copy, Gram matrix in parts, their sum, rotation: three passes at most.
    expect(device.counters.launches - launches).toBeLessThanOrEqual(12);
    const q = await columns();
    // Q of before = QR with R's diagonal above zero is one alone: that of Gram and Schmidt.
    const bound = 8 * rank * Math.sqrt(before[0].length) * EPS[name];
    before.forEach((own, j) => {
      for (const one of before.slice(0, j)) {
        const along = dot(one, own);
        own.forEach((_, i) => (own[i] -= along * one[i]));
      }
      const length = Math.sqrt(dot(own, own));
      own.forEach((value, i) => (own[i] = value / length));
      expect(Math.max(...own.map((value, i) => Math.abs(value - q[j][i])))).toBeLessThan(bound);
      for (const [i, one] of q.entries()) expect(Math.abs(dot(q[j], one) - (i === j ? 1 : 0))).toBeLessThan(bound);
    });
    objective.close();
  });

  it('tells_that_there_are_fewer_directions', async () => {
    const { objective, space, places, columns } = await open(6);
    places.u.forEach((column, j) => {
      places.fill(column, new RandomStream(7, j));
      space.clear(column, { first: 5, length: space.length - 5 });
    });
    expect(await later(places.orthonormalize())).toBe(false);
    expect((await columns()).every((own) => own.every(Number.isFinite))).toBe(true);
    objective.close();
  });

  it.runIf(name === 'cuda')('leaves_out_vectors_where_fewer_parameters_are_free', async () => {
    const network = defineNetwork({ widths: [6, 5, 6], activation: 'tanh' });
    const inputs = randomMatrix(6, 53, 2);
    const data = memoryDataSet(inputs, inputs, { samples: 'columns' });
    const model = { network, parameters: initialParameters(network, 1), loss: 'mse', data } as const;
    const optimizer = { name: 'hessian-free', preconditioner: 'nystrom', rank: 40, iterations: 5 } as const;
    const groups = [{ layers: [0], frozen: true }];
    const asked = { optimizer, groups, batchSize: 'all', epochs: 2 } as const;
    const [here, there] = [await train(model, asked), await train(model, { ...asked, device })];
    expect(there.lastStep!.cgIterations).toBe(here.lastStep!.cgIterations);
    here.parameters.forEach((own, k) => expect(Math.abs(there.parameters[k] - own)).toBeLessThan(1e-9));
  });
});
