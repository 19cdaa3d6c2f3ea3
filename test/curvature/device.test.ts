/** Models on devices: loss, gradient and products with curvature are those of the host; memory, order and errors. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DeviceError, MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { DEVICE_CURVATURES } from '#hmatrix/curvature/device/passes.js';
import { putModel } from '#hmatrix/curvature/device/model.js';
import { empiricalFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GivenGraphModel } from '#hmatrix/layers/graph-model.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { GivenModel } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { apply } from '#hmatrix/operator/apply.js';
import { hasAdapter, NO_ADAPTER } from '../device/adapter.js';
import { useStandIn } from '../device/cuda-stand-in/stand-in.js';
import { whatIsMissing } from '../device/devices.js';
import { randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { smallGraphs, variational } from './graphs/models.js';

const OPERATORS = { 'gauss-newton': gaussNewton, hessian, 'empirical-fisher': empiricalFisher } as const;
const SAMPLES = 14;

function perceptron(samples = SAMPLES): GivenModel {
  const network = defineNetwork({ widths: [7, 5, 3, 7], activation: ['tanh', 'softplus', 'linear'] });
  const parameters = initialParameters(network, 1);
  const inputs = randomMatrix(7, samples, 2);
  return { network, parameters, loss: 'mse', data: memoryDataSet(inputs, inputs, { samples: 'columns' }) };
}

const MODELS: readonly { readonly name: string; readonly model: GivenModel | GivenGraphModel }[] = [
  { name: 'perceptron', model: perceptron() },
  { name: 'code', model: variational(SAMPLES) },
  ...smallGraphs(SAMPLES),
];

const vector = (numbers: ArrayLike<number>): Matrix => {
  const column = zeros(numbers.length, 1);
  column.data.set(numbers);
  return column;
};

describe.each(['cpu', 'cuda', 'webgpu'] as const)('models on %s', (name) => {
  const missing = whatIsMissing(name);
  if (missing !== undefined) {
    it.skip(missing);
    return;
  }
  if (name === 'cuda') useStandIn();
  let device: Device;
  const open = async (memoryLimit?: number): Promise<Device> =>
    openDevice(name, { memoryLimit }, { team: await sharedTeam(2) });
  const bound = name === 'webgpu' ? 2e-5 : 1e-12;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(async () => device.close());

  it.each(MODELS)('loss_gradient_and_curvature_are_those_of_the_host: $name', async ({ model }) => {
    const host = lossAndGradient(model as GivenModel);
    for (const curvature of DEVICE_CURVATURES) {
      const before = device.memory;
      const onDevice = await putModel(model, device, { curvature });
      const { loss, gradient } = await onDevice.lossAndGradient();
      expect(Math.abs(loss - host.loss)).toBeLessThan(bound * Math.abs(host.loss));
      expect(relativeError(vector(gradient), vector(host.gradient))).toBeLessThan(bound);
      const x = randomMatrix(onDevice.rows, 3, 5);
      const exact = apply(OPERATORS[curvature](model as GivenModel), x);
      expect(relativeError(await onDevice.apply(x), exact)).toBeLessThan(4 * bound);
      onDevice.release();
      expect(device.memory).toEqual(before);
    }
  });

  it('a_product_needs_no_gradient_first_and_follows_other_parameters', async () => {
    const model = perceptron();
    const onDevice = await putModel(model, device);
    const x = randomMatrix(onDevice.rows, 2, 5);
    expect(relativeError(await onDevice.apply(x), apply(gaussNewton(model), x))).toBeLessThan(4 * bound);
    const parameters = initialParameters(model.network, 9);
    onDevice.setParameters(parameters);
    const moved = { ...model, parameters };
    expect(relativeError(await onDevice.apply(x), apply(gaussNewton(moved), x))).toBeLessThan(4 * bound);
    expect((await onDevice.lossAndGradient()).loss).toBeCloseTo(lossAndGradient(moved).loss, 5);
    onDevice.release();
  });

  it('what_is_asked_at_once_is_done_in_turn', async () => {
    const model = perceptron();
    const onDevice = await putModel(model, device);
    const x = randomMatrix(onDevice.rows, 1, 5);
    const first = onDevice.apply(x);
    onDevice.setParameters(initialParameters(model.network, 9));
    const second = onDevice.apply(x);
    expect(relativeError(await first, apply(gaussNewton(model), x))).toBeLessThan(4 * bound);
    expect(relativeError(await second, await first)).toBeGreaterThan(0.1);
    onDevice.release();
  });

  it('misuse_is_told', async () => {
    const model = perceptron();
    await expect(putModel(model, device, { curvature: 'kfac' as never })).rejects.toThrow(OptionError);
    await expect(putModel(model, {} as Device)).rejects.toThrow(OptionError);
    const onDevice = await putModel(model, device);
    await expect(onDevice.apply(randomMatrix(onDevice.rows + 1, 1, 5))).rejects.toThrow(ShapeError);
    expect(() => {
      onDevice.setParameters([1, 2]);
    }).toThrow(ShapeError);
    expect(() => {
      onDevice.setParameters(new Float64Array(onDevice.rows).fill(Number.NaN));
    }).toThrow(NonFiniteError);
    onDevice.setParameters(new Float64Array(onDevice.rows).fill(1e200));
    await expect(onDevice.lossAndGradient()).rejects.toThrow(NonFiniteError);
    onDevice.release();
    onDevice.release();
    await expect(onDevice.lossAndGradient()).rejects.toThrow(/was released: put it there again/);
  });
});

describe.skipIf(!hasAdapter)(`models on a card${hasAdapter ? '' : `: ${NO_ADAPTER}`}`, () => {
  const model = (): GivenModel => perceptron(1500);

  it('only_vectors_go_there_and_back_once_it_is_there', async () => {
    const device = await openDevice('webgpu');
    const onDevice = await putModel(model(), device);
    const n = onDevice.rows;
    await onDevice.lossAndGradient();
    const before = device.counters;
    await onDevice.apply(randomMatrix(n, 3, 5));
    const after = device.counters;
    expect([after.uploaded - before.uploaded, after.downloaded - before.downloaded]).toEqual([12 * n, 12 * n]);
    const { launches, flops, padded } = onDevice.launches!.product;
    expect([after.launches - before.launches, after.flops - before.flops]).toEqual([3 * launches, 3 * flops]);
    // J·v and its adjoint: eight for each weight and sample, but none for inputs.
    expect(flops).toBe(1500 * (8 * (7 * 5 + 5 * 3 + 3 * 7) - 2 * 2 * 7 * 5));
    expect(padded).toBeGreaterThan(flops);
    await device.close();
  });

  it('what_does_not_fit_is_made_again_slice_by_slice_to_the_same_numbers', async () => {
    const whole = await openDevice('webgpu');
    const all = await putModel(model(), whole);
    expect(all.capacity).toBe(1500);
    const x = randomMatrix(all.rows, 2, 5);
    const expected = [await all.lossAndGradient(), await all.apply(x)] as const;
    const device = await openDevice('webgpu', { memoryLimit: all.bytes / 2 });
    const part = await putModel(model(), device);
    expect(part.capacity).toBeLessThan(1500);
    const { loss, gradient } = await part.lossAndGradient();
    expect(Math.abs(loss - expected[0].loss)).toBeLessThan(1e-6 * expected[0].loss);
    expect(relativeError(vector(gradient), vector(expected[0].gradient))).toBeLessThan(1e-5);
    expect(relativeError(await part.apply(x), expected[1])).toBeLessThan(1e-5);
    const small = await openDevice('webgpu', { memoryLimit: 1000 });
    await expect(putModel(model(), small)).rejects.toThrow(MemoryError);
    expect(small.memory.bytes).toBe(0);
    for (const one of [whole, device, small]) await one.close();
  });

  it('a_device_that_is_closed_says_so_and_the_model_is_as_it_was', async () => {
    const device = await openDevice('webgpu');
    const own = model();
    const onDevice = await putModel(own, device);
    await device.close();
    await expect(onDevice.lossAndGradient()).rejects.toThrow(DeviceError);
    expect(lossAndGradient(own).loss).toBeGreaterThan(0);
  });
});
