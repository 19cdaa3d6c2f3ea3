/** The tape on a card: every primitive and its derivatives give what they give on the host. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Device } from '#hmatrix/device/device.js';
import { openDevice } from '#hmatrix/device/open.js';
import { Launches, nodeAt, stepMemory, stepsOfPhase } from '#hmatrix/tape/device/tape.js';
import type { Graph } from '#hmatrix/tape/graph.js';
import type { Node } from '#hmatrix/tape/node.js';
import { aligned, makePlan } from '#hmatrix/tape/plan/plan.js';
import { numbersOf } from '#hmatrix/tape/shape.js';
import { hasAdapter, NO_ADAPTER } from '../device/adapter.js';
import { CASES, makeCase } from './cases.js';
import { derive } from './derived.js';
import { evaluate, type Values } from './evaluate.js';

/** The outputs' numbers, computed on the device in float32. */
async function onDevice(
  device: Device,
  outputs: readonly Node[],
  values: Values,
  count: number,
): Promise<Float64Array[]> {
  const plan = makePlan({
    phases: [outputs.map((node) => ({ node, place: null }))],
    phaseOf: () => 0,
    leafPlace: () => null,
    capacity: count,
  });
  const work = aligned(plan.kept);
  const scratch = work + aligned(plan.work);
  const end = scratch + stepMemory(plan, count).scratch;
  const regions = {
    kept: 0,
    work,
    scratch,
    constants: end,
    parameters: end,
    gradient: end,
    direction: end,
    result: end,
  };
  const buffer = await device.allocate(end, 'f32');
  // What is read before it is written shows.
  device.write(buffer, new Float32Array(end).fill(Number.NaN));
  for (const [leaf, numbers] of values)
    if (plan.places.has(leaf.id)) device.write(buffer, Float32Array.from(numbers), nodeAt(plan, regions, leaf));
  const launches = await Launches.prepare(device, buffer, stepsOfPhase(plan, 0, count, regions));
  launches.run();
  const read: Float64Array[] = [];
  for (const node of outputs) {
    const numbers = new Float32Array(numbersOf(node.shape, count));
    await device.read(buffer, numbers, nodeAt(plan, regions, node));
    read.push(Float64Array.from(numbers));
  }
  launches.destroy();
  buffer.destroy();
  return read;
}

/** The largest difference, and the largest number. */
function compare(a: readonly Float64Array[], b: readonly Float64Array[]): { difference: number; size: number } {
  let [difference, size] = [0, 0];
  a.forEach((x, k) => {
    x.forEach((value, i) => {
      const own = Math.abs(value - b[k][i]);
      difference = Math.max(difference, Number.isNaN(own) ? Infinity : own);
      size = Math.max(size, Math.abs(b[k][i]));
    });
  });
  return { difference, size };
}

describe.skipIf(!hasAdapter)(`the tape on a card${hasAdapter ? '' : `: ${NO_ADAPTER}`}`, () => {
  let device: Device;
  beforeAll(async () => {
    device = await openDevice('webgpu');
  });
  afterAll(async () => device.close());

  it.each(Object.keys(CASES))('%s_and_its_derivatives_are_those_of_the_host', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
        const random = new RandomStream(seed);
        const { node, push, pulls, second, values, count, graph } = derive(makeCase(name, random), random);
        // In float32 on both sides, so that what is piecewise linear has its kinks at the same places.
        const rounded = new Map([...values].map(([leaf, numbers]) => [leaf, Float32Array.from(numbers)]));
        const outputs = [node, push, ...pulls, ...second].filter((one) => one.op !== 'leaf');
        const host = evaluate(graph satisfies Graph, outputs, rounded, { count });
        const { difference, size } = compare(await onDevice(device, outputs, rounded, count), host);
        expect(difference).toBeLessThan(3e-5 * Math.max(1, size));
      }),
      { numRuns: 6 },
    );
  });
});
