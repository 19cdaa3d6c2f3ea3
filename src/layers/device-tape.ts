/**
 * A network's plan on a device: data of a slice of samples in, passes as launches, numbers of nodes out. All lies in
 * one buffer of the caller's.
 */
import { floats, type FloatArray, type Precision } from '../core/floats.js';
import type { Device, DeviceBuffer } from '../device/device.js';
import type { Batch } from '../network/data-set.js';
import type { DeviceStep } from '../tape/device/recorder.js';
import { Launches, nodeAt, stepsOfPhase, type DeviceRegions } from '../tape/device/tape.js';
import type { Node } from '../tape/node.js';
import { numbersEach, numbersOf } from '../tape/shape.js';
import type { InputKind } from './graph-network.js';
import { drawMask, type MaskDraw } from './mask.js';
import { constantNumbers, type NetworkPlan } from './network-plan.js';
import { placeSamples, type Samples } from './place-samples.js';

/** Where a tape lies. */
export interface DeviceTapePlace {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  readonly precision: Precision;
  readonly regions: DeviceRegions;
}

/** A plan at some place of a device. */
export class DeviceTape {
  readonly plan: NetworkPlan;
  readonly #kinds: readonly InputKind[];
  readonly #place: DeviceTapePlace;

  constructor(plan: NetworkPlan, kinds: readonly InputKind[], place: DeviceTapePlace) {
    this.plan = plan;
    this.#kinds = kinds;
    this.#place = place;
  }

  /** Sends the network's constants. */
  sendConstants(): void {
    const { device, buffer, precision, regions } = this.#place;
    const constants = floats(constantNumbers(this.plan), precision);
    for (const { at, values } of this.plan.constants) constants.set(values, at);
    device.write(buffer, constants, regions.constants);
  }

  /** Sends samples of a batch, whose losses are multiplied by one, and the masks: without a draw nothing is dropped. */
  load({ inputs, targets }: Batch, samples: Samples, draw: MaskDraw | null): void {
    const { inputs: leaves, targets: wanted, scale, masks } = this.plan;
    const { count } = samples;
    let firstRow = 0;
    leaves.forEach((leaf, k) => {
      const placed = { ...samples, firstRow, planar: this.#kinds[k].planar };
      this.#send(leaf, count, (to) => {
        placeSamples(to, leaf.shape, inputs, placed);
      });
      firstRow += numbersEach(leaf.shape);
    });
    this.#send(wanted, count, (to) => {
      placeSamples(to, wanted.shape, targets, { ...samples, firstRow: 0, planar: false });
    });
    if (scale !== null) this.#send(scale, count, (to) => to.fill(1));
    masks.forEach((mask, k) => {
      this.#send(mask.node, count, (to) => {
        drawMask(to, mask, { count, k, draw });
      });
    });
  }

  /** Where a node's numbers begin in the buffer. */
  at(node: Node): number {
    return nodeAt(this.plan.plan, this.#place.regions, node);
  }

  /** A phase for so many samples, and further steps, ready. Throws MemoryError, DeviceError, DeviceLostError. */
  async prepare(phase: number, count: number, more: readonly DeviceStep[] = []): Promise<Launches> {
    const { device, buffer, regions } = this.#place;
    return Launches.prepare(device, buffer, [...stepsOfPhase(this.plan.plan, phase, count, regions), ...more]);
  }

  #send(leaf: Node, count: number, fill: (to: FloatArray) => void): void {
    const { device, buffer, precision } = this.#place;
    if (!this.plan.plan.places.has(leaf.id)) return;
    const numbers = floats(numbersOf(leaf.shape, count), precision);
    fill(numbers);
    device.write(buffer, numbers, this.at(leaf));
  }
}
