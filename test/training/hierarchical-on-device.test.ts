/** The hierarchical preconditioner on devices: what it solves, what it takes there, and what it does where it fails. */
import { describe, expect, it } from 'vitest';
import { MemoryError } from '#hmatrix/core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '#hmatrix/core/floats.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { perceptronGraph } from '#hmatrix/layers/perceptron-graph.js';
import type { LossName } from '#hmatrix/network/losses/table.js';
import { DeviceObjective } from '#hmatrix/training/device/device-objective.js';
import { onHost } from '#hmatrix/training/newton/newton-objective.js';
import { Point } from '#hmatrix/training/newton/point.js';
import { numbersThere } from '#hmatrix/training/newton/preconditioners/hierarchical-costs.js';
import { hierarchicalPreconditioner } from '#hmatrix/training/newton/preconditioners/hierarchical.js';
import { later, now } from '#hmatrix/training/newton/steps.js';
import { hessianFree } from '#hmatrix/training/optimizers/hessian-free.js';
import { hierarchicalThere } from '#hmatrix/training/optimizers/hierarchical-on-device.js';
import { train } from '#hmatrix/training/train.js';
import { aligned } from '#hmatrix/tape/plan/plan.js';
import { CARDS, useDevice } from '../device/devices.js';
import { smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';
import { distance, openCase, type Case } from './newton-cases.js';

const LISTS = 64 * 1024;

/** Both preconditioners at one point, before they are made. */
async function openBoth(
  device: Device,
  precision: Precision,
  options: { loss: LossName; share?: number; widths?: readonly number[] },
) {
  const settings = { share: options.share, curvatureShare: 0.75 };
  const { widths = options.loss === 'mse' ? [5, 7, 4, 9] : [5, 6, 4, 3] } = options;
  const asked = { widths, loss: options.loss, samples: 40, regularization: 0.02, precision } as const;
  const optimizer = hessianFree({ preconditioner: 'hierarchical', ...settings });
  const one = await openCase(optimizer, asked);
  const { objective, network, plan } = one;
  const { kept, apart, beside, begin } = hierarchicalThere(settings);
  const before = device.memory;
  const there = await DeviceObjective.open({
    ...{ network: perceptronGraph(network, options.loss), perceptron: network, device, precision, batchSize: 40 },
    spare: optimizer.spare(network, 40) - kept(network, 40),
    kept: kept(network, 40),
    apart: apart(network, 40, options.loss),
    beside: beside(network, 40, options.loss),
    ...{ passes: ['gauss-newton'], parts: 1, moments: [], factors: { rotatedInputs: false, diagonalOutputs: false } },
    ...{ blas: defaultBlas(), regularization: 0.02, seed: 0 },
  });
  there.parameters.set(objective.parameters);
  there.put();
  load(there, one);
  const own = there.newton();
  const numbers: Record<string, number> = {};
  const [r, z] = [own.vector(), own.vector()];
  const preconditioner = begin(there, own.space, numbers);
  const point = new Point(own);
  await later(point.begin(plan()));
  const host = hierarchicalPreconditioner(settings).begin((await openCase(optimizer, asked)).objective, {})!;
  const hostPoint = new Point(onHost(objective));
  now(hostPoint.begin(plan()));
  for (const prepared of [preconditioner.prepare(point, 30, 1), host.prepare(hostPoint, 30, 1)]) await later(prepared);
  const [given, expected] = [objective.vector(), objective.vector()];
  /** What both make of a vector. */
  const applied = async (): Promise<readonly [FloatArray, FloatArray]> => {
    given.forEach((_, k) => (given[k] = Math.sin(k + 1)));
    host.apply(given, expected);
    there.batch.write(given, there.placeOf(r));
    preconditioner.apply(r, z);
    await later(own.end());
    return [await there.batch.read(given.length, there.placeOf(z)), expected];
  };
  const size = { network, loss: options.loss, samples: 30 };
  return { there, host, preconditioner, numbers, applied, before, planned: numbersThere(size, options.share) };
}

/** The batch of the case, there. */
function load(there: DeviceObjective, { objective, network: { layers, inputs, outputs } }: Case): void {
  const { width } = layers[0];
  const rows = floats(inputs * 40, objective.precision);
  for (let i = 0; i < 40; i++) rows.set(objective.inputsOf(0).subarray(i * width, i * width + inputs), i * inputs);
  const matrix = (data: FloatArray, own: number) => ({ data, offset: 0, rows: own, cols: 40, ld: own });
  there.load({ inputs: matrix(rows, inputs), targets: matrix(objective.targetsOf(), outputs) });
}

describe.each(CARDS)('the hierarchical preconditioner on %s in %s', (name, precision) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;
  const bound = precision === 'f64' ? 1e-9 : 2e-3;

  // A complement of the outputs; units by eigenvectors; the outputs as they are; all directions, some of them, or none
  // but the complement.
  it.each([
    { loss: 'mse' },
    { loss: 'mse', share: 0.4 },
    { loss: 'cross-entropy' },
    { loss: 'cross-entropy', share: 0.6 },
    { loss: 'bce' },
    { loss: 'mse', widths: [6, 4] },
  ] as const)('solves_as_the_host_does: %o', async (options) => {
    const one = await openBoth(device, precision, options);
    const { there, preconditioner, host, numbers, applied, planned } = one;
    const both = async (damping: number): Promise<void> => {
      for (const own of [preconditioner, host]) await own.ready!(30, damping, undefined);
      expect(preconditioner.note).toBe(host.note);
      await applied();
      // Nothing moves then but the vector that it is given here, and the one that comes back.
      const before = device.counters;
      const [z, expected] = await applied();
      const { uploaded, downloaded } = device.counters;
      const vector = NUMBER_BYTES[precision] * z.length;
      expect([uploaded - before.uploaded, downloaded - before.downloaded]).toEqual([vector, vector]);
      expect(distance(z, expected)).toBeLessThan(bound);
    };
    const opened = device.memory.bytes;
    const before = device.counters;
    await preconditioner.ready!(30, 0.05, undefined);
    // θ, and two solves that are measured, come here; bases, factors and lists go there.
    const { uploaded, downloaded } = device.counters;
    // No more rotated numbers than parameters.
    expect(downloaded - before.downloaded).toBeLessThanOrEqual(3 * NUMBER_BYTES[precision] * there.parameters.length);
    expect(uploaded - before.uploaded).toBeLessThan(NUMBER_BYTES[precision] * (planned.own + planned.core) + LISTS);
    await both(0.05);
    const taken = device.memory.bytes - opened;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(NUMBER_BYTES[precision] * planned.core + LISTS);
    // λ within a factor of four leaves it as it is, another one sends it once more: nothing of the one before stays.
    await both(0.1);
    expect(numbers['hierarchicalShift']).toBe(0.07);
    await both(1);
    expect(numbers['hierarchicalShift']).toBe(1.02);
    expect(numbers['hierarchicalMade']).toBe(1);
    expect(device.memory.bytes - opened).toBe(taken);
    const moved = device.counters;
    await preconditioner.ready!(30, 1, undefined);
    expect(device.counters).toEqual(moved);
    there.close();
    expect(device.memory).toEqual(one.before);
  });

  it('goes_without_where_it_cannot_be_made_and_says_so', async () => {
    const { there, preconditioner, numbers, applied, before } = await openBoth(device, precision, { loss: 'mse' });
    const { inputs } = there.batch.samples();
    const kept = inputs.data.slice();
    inputs.data.fill(Number.NaN);
    await preconditioner.ready!(30, 0.1, undefined);
    expect(preconditioner.note).toMatch(/^no hierarchical preconditioner: /);
    expect(numbers['hierarchicalSamples']).toBe(0);
    inputs.data.set(kept);
    const [z] = await applied();
    expect(z[3]).toBeCloseTo(Math.sin(4), 6);
    await preconditioner.ready!(30, 0.1, undefined);
    expect(preconditioner.note).toBeUndefined();
    expect(numbers['hierarchicalMade']).toBe(1);
    there.close();
    expect(device.memory).toEqual(before);
  });

  it('is_measured_and_gone_without_where_rounding_leaves_nothing_of_it', async () => {
    const one = await openBoth(device, precision, { loss: 'mse', widths: [6, 4] });
    const { there, preconditioner, numbers, applied } = one;
    const { inputs } = there.batch.samples();
    inputs.data.forEach((value, k) => (inputs.data[k] = 1e5 * value));
    await applied();
    const { bytes } = device.memory;
    // ‖G̃‖ is some 10¹⁰.
    await preconditioner.ready!(30, 1e7, undefined);
    expect(preconditioner.note).toBeUndefined();
    const near = numbers['hierarchicalDistance'];
    expect(near).toBeGreaterThan(0);
    expect(near).toBeLessThan(precision === 'f64' ? 1e-12 : 1e-3);
    // Factored again for one that it is lost beside.
    await preconditioner.ready!(30, 1, undefined);
    if (precision === 'f64') {
      expect(preconditioner.note).toBeUndefined();
      expect(numbers['hierarchicalDistance']).toBeGreaterThan(near);
      expect(numbers['hierarchicalDistance']).toBeLessThan(1e-5);
    }
    for (let time = 0; time < 2 && precision === 'f32'; time++) {
      expect(preconditioner.note).toMatch(
        /^no hierarchical preconditioner: in f32 .* lost in rounding: .* away, λ = 1\.02/,
      );
      expect(numbers).toMatchObject({ hierarchicalSamples: 0, hierarchicalDistance: 0 });
      expect(device.memory.bytes).toBe(bytes);
      const [z] = await applied();
      expect(z[3]).toBeCloseTo(Math.sin(4), 6);
      // Made anew for it.
      await preconditioner.ready!(30, 1, undefined);
    }
    await preconditioner.ready!(30, 1e7, undefined);
    expect(preconditioner.note).toBeUndefined();
    expect(numbers['hierarchicalDistance']).toBe(near);
    there.close();
    expect(device.memory).toEqual(one.before);
  });

  it('what_stays_here_takes_nothing_there', async () => {
    const model = smallModel({ samples: 400, widths: [6, 5, 4] });
    const bytes = async (preconditioner: 'none' | 'hierarchical') => {
      const optimizer = { name: 'hessian-free', preconditioner, curvatureShare: 1 } as const;
      const { memory } = await train(model, { optimizer, batchSize: 'all', steps: 1, device, validation: 0 });
      return memory.bytes;
    };
    const own = hierarchicalThere({ share: undefined, curvatureShare: 1 });
    const apart = own.apart(model.network, 400, model.loss);
    const taken = (await bytes('hierarchical')) - (await bytes('none'));
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(NUMBER_BYTES[precision] * aligned(apart));
  });

  it('the_same_bits_come_of_every_team', async () => {
    const model = smallModel({ samples: 60, widths: [6, 5, 4] });
    const optimizer = { name: 'hessian-free', preconditioner: 'hierarchical', share: 0.8 } as const;
    const asked = { optimizer, batchSize: 20, epochs: 1, device } as const;
    const alone = await train(model, asked);
    for (const workers of [1, 2])
      expect((await train(model, asked, { team: await sharedTeam(workers) })).parameters).toEqual(alone.parameters);
  });

  it('memory_is_asked_for_before_anything_is_computed', async () => {
    const model = smallModel({ samples: 60, widths: [6, 5, 4] });
    const optimizer = { name: 'hessian-free', preconditioner: 'hierarchical', curvatureShare: 1 } as const;
    const asked = { optimizer, batchSize: 'all', steps: 1 } as const;
    const whole = await train(model, { ...asked, device });
    const small = await openDevice(name, { memoryLimit: whole.memory.bytes + 4096 });
    await expect(train(model, { ...asked, device: small, batchSize: 60 })).rejects.toThrow(MemoryError);
    expect(small.counters.launches).toBe(0);
    expect(small.memory.bytes).toBe(0);
    await small.close();
  });
});
