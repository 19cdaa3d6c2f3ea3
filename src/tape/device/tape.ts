/**
 * A plan on a device: all its numbers in one buffer, its phases as launches that are prepared once for each place and
 * number of samples.
 */
import type { Device, DeviceBuffer, LaunchCost, PreparedWork } from '../../device/device.js';
import { MOST_NUMBERS, type PreparedKernel } from '../../device/portable-kernel.js';
import type { Choleskys, Substitutions } from '../../device/work/triangles.js';
import type { WorkKind, WorkOperands } from '../../device/work/work.js';
import { DeviceError } from '../../core/errors.js';
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import type { Node } from '../node.js';
import { aligned, type Plan, type Region } from '../plan/plan.js';
import { recordSteps } from './lower.js';
import { Recorder, type DeviceStep } from './recorder.js';

/** Where regions begin, in numbers of the buffer. */
export type DeviceRegions = Readonly<Record<Region | 'scratch', number>>;

/** Bytes that a launch takes on a device at most, for lists and parameters; besides, each target and each term. */
export const LAUNCH_BYTES = 256;
const TARGET_BYTES = 128;
const TERM_BYTES = 64;

/** What the steps of a plan take on a device besides its regions. */
export interface StepMemory {
  /** Numbers of scratch memory. */
  readonly scratch: number;
  /** Bytes of lists and parameters, at most. */
  readonly lists: number;
}

/** What the steps of a plan take for so many samples. */
export function stepMemory(plan: Plan, samples: number): StepMemory {
  const recorder = new Recorder({ samples, at: () => 0, scratch: 0 });
  for (const steps of plan.phases) recordSteps(recorder, steps);
  return recordedMemory(recorder);
}

/** What recorded steps take. */
export function recordedMemory({ steps, scratchUsed }: Recorder): StepMemory {
  let lists = 0;
  for (const step of steps) {
    lists += LAUNCH_BYTES;
    if ('kernel' in step) continue;
    for (const { terms } of step.targets) lists += TARGET_BYTES + TERM_BYTES * terms.length;
  }
  return { scratch: aligned(scratchUsed), lists };
}

/** Regions of a buffer one after the other: where each begins, and numbers of all. */
export function placeRegions<K extends string>(
  sizes: Readonly<Record<K, number>>,
): { readonly at: Readonly<Record<K, number>>; readonly numbers: number } {
  const at = {} as Record<K, number>;
  let numbers = 0;
  for (const region of Object.keys(sizes) as K[]) {
    at[region] = numbers;
    numbers += sizes[region];
  }
  return { at, numbers };
}

/** Room on a device for one buffer and the lists of launches over it. */
export interface DeviceRoom {
  /** Bytes of the buffer at most. */
  readonly available: number;
  fits(asked: { readonly numbers: number; readonly lists: number }): boolean;
}

/** The room that there is now. */
export function deviceRoom({ memory }: Device, precision: Precision): DeviceRoom {
  const { limit, bytes, bufferLimit } = memory;
  const width = NUMBER_BYTES[precision];
  const available = Math.min(limit - bytes, bufferLimit, width * MOST_NUMBERS);
  return {
    available,
    fits: ({ numbers, lists }) => width * numbers <= available && width * numbers + lists <= limit - bytes,
  };
}

/** Where a node's numbers begin in the buffer. */
export function nodeAt(plan: Plan, regions: DeviceRegions, { id, name }: Node): number {
  const place = plan.places.get(id);
  if (place === undefined) throw new RangeError(`${name} has no place in the plan.`);
  return regions[place.region] + place.at;
}

/** What several launches cost together. */
export const sumOfCosts = (costs: readonly LaunchCost[]): LaunchCost => {
  const sum = (of: (cost: LaunchCost) => number): number => costs.reduce((total, cost) => total + of(cost), 0);
  return { launches: sum((c) => c.launches), flops: sum((c) => c.flops), padded: sum((c) => c.padded) };
};

/** A launch over the buffer: one that is recorded of a plan, or of triangles, which no primitive has. */
export type LaunchStep = DeviceStep | { readonly triangles: Choleskys | Substitutions };

/** A launch that is ready. */
interface Ready {
  readonly cost: LaunchCost;
  readonly run: () => void;
  readonly destroy: () => void;
}

/** Launches one after the other, ready to be handed over. */
export class Launches {
  readonly #ready: readonly Ready[];

  private constructor(ready: readonly Ready[]) {
    this.#ready = ready;
  }

  /** Prepares steps over the buffer. Throws MemoryError, DeviceError, DeviceLostError. */
  static async prepare(device: Device, buffer: DeviceBuffer, steps: readonly LaunchStep[]): Promise<Launches> {
    const ready: Ready[] = [];
    try {
      for (const step of steps) ready.push(await prepareStep(device, buffer, step));
      return new Launches(ready);
    } catch (error) {
      for (const one of ready) one.destroy();
      throw error;
    }
  }

  get count(): number {
    return this.#ready.length;
  }

  /** Hands all over. */
  run(): void {
    for (const { run } of this.#ready) run();
  }

  /** What they cost, of products alone what they compute. */
  get cost(): LaunchCost {
    return sumOfCosts(this.#ready.map(({ cost }) => cost));
  }

  /** Frees what they keep on the device. */
  destroy(): void {
    for (const { destroy } of this.#ready) destroy();
  }
}

async function prepareStep(device: Device, buffer: DeviceBuffer, step: LaunchStep): Promise<Ready> {
  if ('kernel' in step) {
    const { kernels } = device;
    if (kernels === null) throw new DeviceError(`The device ${device.name} has no kernels.`, { device: device.name });
    const { kernel, count, integers, reals } = step;
    const prepared: PreparedKernel = await kernels.prepare(kernel, { count, buffers: [buffer], integers, reals });
    return {
      cost: { launches: 1, flops: 0, padded: 0 },
      run: () => {
        kernels.launch(prepared);
      },
      destroy: () => {
        prepared.destroy();
      },
    };
  }
  if ('triangles' in step) {
    const { triangles } = step;
    if (triangles.kind === 'cholesky')
      return readyWork(device, await device.plan(triangles), { values: buffer, status: buffer });
    return readyWork(device, await device.plan(triangles), { triangles: buffer, x: buffer });
  }
  const { keep, targets } = step;
  const prepared = await device.plan({ kind: 'products', alpha: 1, beta: keep ? 1 : 0, targets });
  return readyWork(device, prepared, { a: buffer, b: buffer, c: buffer });
}

const readyWork = <K extends WorkKind>(
  device: Device,
  prepared: PreparedWork<K>,
  operands: WorkOperands<DeviceBuffer>[K],
): Ready => ({
  cost: prepared.cost(),
  run: () => {
    device.launch(prepared, operands);
  },
  destroy: () => {
    prepared.destroy();
  },
});

/** The steps of a phase for so many samples at those regions. */
export function stepsOfPhase(plan: Plan, phase: number, samples: number, regions: DeviceRegions): DeviceStep[] {
  const at = (node: Node): number => nodeAt(plan, regions, node);
  const recorder = new Recorder({ samples, at, scratch: regions.scratch });
  recordSteps(recorder, plan.phases[phase]);
  return recorder.steps;
}
