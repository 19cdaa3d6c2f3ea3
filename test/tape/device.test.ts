/** The tape on a card: every primitive and its derivatives give what they give on the host. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floats, PRECISIONS, type FloatArray, type Precision } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { portableHead, portableText } from '#hmatrix/device/cuda/portable-text.js';
import type { Device } from '#hmatrix/device/device.js';
import type { PortableKernel } from '#hmatrix/device/portable-kernel.js';
import { recordSteps } from '#hmatrix/tape/device/lower.js';
import { Recorder } from '#hmatrix/tape/device/recorder.js';
import { Launches, nodeAt, stepMemory, stepsOfPhase } from '#hmatrix/tape/device/tape.js';
import type { Node } from '#hmatrix/tape/node.js';
import { aligned, makePlan } from '#hmatrix/tape/plan/plan.js';
import { numbersOf } from '#hmatrix/tape/shape.js';
import { CARDS, useDevice } from '../device/devices.js';
import { hasNvcc } from '../device/nvcc.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { CASES, makeCase } from './cases.js';
import { derive } from './derived.js';
import { evaluate, type Values } from './evaluate.js';

const inPrecision = (numbers: ArrayLike<number>, precision: Precision): FloatArray =>
  precision === 'f64' ? Float64Array.from(numbers) : Float32Array.from(numbers);

/** The outputs' numbers, computed on the device. */
async function onDevice(
  { device, precision }: { readonly device: Device; readonly precision: Precision },
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
  const buffer = await device.allocate(end, precision);
  // What is read before it is written shows.
  device.write(buffer, floats(end, precision).fill(Number.NaN));
  for (const [leaf, numbers] of values)
    if (plan.places.has(leaf.id)) device.write(buffer, inPrecision(numbers, precision), nodeAt(plan, regions, leaf));
  const launches = await Launches.prepare(device, buffer, stepsOfPhase(plan, 0, count, regions));
  launches.run();
  const read: Float64Array[] = [];
  for (const node of outputs) {
    const numbers = floats(numbersOf(node.shape, count), precision);
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

describe.each(CARDS)('the tape on %s in %s', (name, precision) => {
  let device: Device;
  if (!useDevice(name, (opened) => (device = opened))) return;

  /** The case and its derivatives, there and here. */
  const check = async (of: string, seed: number, samples?: number): Promise<void> => {
    const random = new RandomStream(seed);
    const { node, push, pulls, second, values, count, graph } = derive(makeCase(of, random, samples), random);
    // Rounded on both sides, so that what is piecewise linear has its kinks at the same places.
    const rounded = new Map([...values].map(([leaf, numbers]) => [leaf, inPrecision(numbers, precision)]));
    const outputs = [node, push, ...pulls, ...second].filter((one) => one.op !== 'leaf');
    const host = evaluate(graph, outputs, rounded, { count });
    const { difference, size } = compare(await onDevice({ device, precision }, outputs, rounded, count), host);
    expect(difference).toBeLessThan((precision === 'f64' ? 1e-12 : 3e-5) * Math.max(1, size));
  };

  it.each(Object.keys(CASES))('%s_and_its_derivatives_are_those_of_the_host', async (of) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => check(of, seed)),
      { numRuns: name === 'cuda' ? 2 : 6 },
    );
  });

  it.each([
    ['dense', 200, 2],
    ['convolution', 80, 10],
  ] as const)('so_are_long_sums_over_samples: %s, %d, seed %d', async (of, samples, seed) => {
    expect(kernelsOf(of, new RandomStream(seed), samples).has('join')).toBe(true);
    await check(of, seed, samples);
  });
});

/** The kernels that a case takes, by name. */
function kernelsOf(name: string, random: RandomStream, samples?: number): Map<string, PortableKernel> {
  const { node, push, pulls, second, count } = derive(makeCase(name, random, samples), random);
  const phases = [[node, push, ...pulls, ...second].map((one) => ({ node: one, place: null }))];
  const plan = makePlan({ phases, phaseOf: () => 0, leafPlace: () => null, capacity: count });
  const recorder = new Recorder({ samples: count, at: () => 0, scratch: 0 });
  recordSteps(recorder, plan.phases[0]);
  return new Map(recorder.steps.flatMap((step) => ('kernel' in step ? [[step.kernel.name, step.kernel]] : [])));
}

/** Those of all cases. */
const kernelsOfCases = (): PortableKernel[] => [
  ...new Map([
    ...Object.keys(CASES).flatMap((name) => [...kernelsOf(name, new RandomStream(1))]),
    ...kernelsOf('dense', new RandomStream(1), 700),
  ]).values(),
];

describe('portable kernels', () => {
  const folder = temporaryFolder();
  const nvcc = hasNvcc();

  it.skipIf(!nvcc)(`are_compiled_for_cards${nvcc ? '' : ' (skipped: there is no nvcc)'}`, () => {
    const kernels = kernelsOfCases();
    expect(kernels.length).toBeGreaterThan(40);
    for (const precision of PRECISIONS) {
      const file = join(folder, `${precision}.cu`);
      const texts = kernels.flatMap((kernel) =>
        (kernel.sum === undefined ? [true] : [true, false]).map((byThread) =>
          portableText(kernel, byThread, precision),
        ),
      );
      writeFileSync(file, [portableHead(precision), ...texts].join('\n'));
      execFileSync('nvcc', [
        '-cubin',
        '-std=c++14',
        '-arch=sm_90',
        '-Werror=all-warnings',
        '-diag-suppress=177,550',
        '-o',
        `${file}.bin`,
        file,
      ]);
    }
  });
});
