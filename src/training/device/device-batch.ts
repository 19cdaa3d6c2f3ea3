/**
 * A batch and its passes on a device: samples are kept here and sent when a slice of them is passed forward; what
 * passes at θ keep stays there for products, of all slices where they fit. Launches are prepared when they are first
 * asked for.
 */
import { floats, type FloatArray, type Precision } from '../../core/floats.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import type { Device, DeviceBuffer } from '../../device/device.js';
import { DeviceTape } from '../../layers/device-tape.js';
import { requireWords } from '../../layers/graph-model.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import type { MaskDraw } from '../../layers/mask.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { lossWeight } from '../../layers/targets.js';
import type { Batch } from '../../network/data-set.js';
import type { Picks } from '../../network/sample-order.js';
import { Launches, type LaunchStep } from '../../tape/device/tape.js';
import { statisticNumbers } from '../graph/workspace.js';
import { copySamples } from '../objective/copy-samples.js';
import { lossStep, statisticSteps } from './launch-steps.js';
import { regionsOf, type DeviceLayout, type DeviceMode } from './layout.js';

/** Samples first … first + count − 1 of the batch. */
export interface Slice {
  readonly s: number;
  readonly first: number;
  readonly count: number;
}

/** Where a batch is worked on. */
export interface DeviceBatchPlace {
  readonly network: GraphNetwork;
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  readonly layout: DeviceLayout;
  /** Most samples. */
  readonly batchSize: number;
  /** Tells dropout's masks. */
  readonly seed: number;
}

/** The batch. */
export class DeviceBatch {
  readonly network: GraphNetwork;
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  readonly layout: DeviceLayout;
  readonly seed: number;
  loads = 0;
  count = 0;
  /** What the batch counts in a mean over batches. */
  weight = 0;
  readonly #launches = new Map<string, Launches>();
  readonly #inputs: Matrix;
  readonly #targets: Matrix;
  /** Of how many samples passes at θ are kept, and the step of their masks; 0: none. */
  #passed = 0;
  #step: number | null = null;

  constructor({ network, device, buffer, layout, batchSize, seed }: DeviceBatchPlace) {
    this.network = network;
    this.device = device;
    this.buffer = buffer;
    this.layout = layout;
    this.seed = seed;
    this.#inputs = zeros(network.inputs, batchSize, buffer.precision);
    this.#targets = zeros(network.outputs, batchSize, buffer.precision);
  }

  get precision(): Precision {
    return this.buffer.precision;
  }

  /** Takes samples. Throws ShapeError. */
  load({ inputs, targets }: Batch, picks?: Pick<Picks, 'order' | 'first' | 'count'>): void {
    const count = picks?.count ?? inputs.cols;
    copySamples(inputs, count, picks ?? { first: 0 }, this.#inputs.data, inputs.rows);
    copySamples(targets, count, picks ?? { first: 0 }, this.#targets.data, targets.rows);
    this.count = count;
    requireWords(this.network, this.samples());
    this.weight = lossWeight(this.network.loss, this.samples().targets);
    this.#passed = 0;
    this.loads++;
  }

  /** The first samples. */
  samples(count = this.count): Batch {
    const own = ({ data, rows }: Matrix): Matrix => view(data, 0, rows, count);
    return { inputs: own(this.#inputs), targets: own(this.#targets) };
  }

  /** What the first samples count. */
  weightOf(samples: number): number {
    return samples === this.count ? this.weight : lossWeight(this.network.loss, this.samples(samples).targets);
  }

  /** The slices of the first samples. */
  slices(samples = this.count): Slice[] {
    const { slice } = this.layout;
    return Array.from({ length: graphSlices(samples, slice) }, (_, s) => {
      const first = graphSliceFirst(samples, slice, s);
      return { s, first, count: graphSliceFirst(samples, slice, s + 1) - first };
    });
  }

  /** What is computed of slice `s` with θ at `parameters`. */
  tape(mode: DeviceMode, parameters: number, s = 0): DeviceTape {
    const { device, buffer, precision, layout } = this;
    const place = { device, buffer, precision, regions: regionsOf(layout, mode, parameters, s) };
    return new DeviceTape(layout[mode]!, this.network.inputKinds, place);
  }

  /** Masks of a step for the samples from `first` on; without a step none. */
  draw(step: number | null, first: number): MaskDraw {
    return { seed: this.seed, step: step!, first };
  }

  /** Forward and back at θ, slice by slice of the whole batch; passes are kept where all fit. */
  async pass(step: number | null, after: (slice: Slice) => Promise<void>): Promise<void> {
    this.#step = step;
    this.#passed = 0;
    await this.overPassed(this.count, after);
  }

  /** Visits the slices of the first samples, each with what its pass at the point of the last `pass` keeps. */
  async overPassed(samples: number, visit: (slice: Slice, tape: DeviceTape) => Promise<void>): Promise<void> {
    const { at, held } = this.layout;
    const slices = this.slices(samples);
    const isPassed = this.#passed === samples;
    // What fails on the way leaves passes of some slices alone.
    if (!isPassed) this.#passed = 0;
    for (const slice of slices) {
      const tape = this.tape('training', at.parameters, slice.s);
      if (!isPassed) await this.#forward(tape, slice);
      await visit(slice, tape);
    }
    this.#passed = slices.length <= held ? samples : 0;
  }

  /** What is kept is overwritten. */
  drop(): void {
    this.#passed = 0;
  }

  /** A slice's data, its loss, its gradient, and what products need. */
  async #forward(tape: DeviceTape, slice: Slice): Promise<void> {
    const { at } = this.layout;
    const { s, first, count } = slice;
    const launches = await this.prepared(`training ${this.placeOf(slice)}`, () => tape.prepare(0, count));
    const results = await this.prepared(`results ${s} ${count}`, () => [
      lossStep(tape, count, at.losses + s),
      ...statisticSteps(tape, at.statistics + s * statisticNumbers(tape.plan)),
    ]);
    tape.load(this.samples(), { order: null, first, count }, this.draw(this.#step, first));
    launches.run();
    results.run();
  }

  /** Slices of one size that are worked on in one place have the same launches. */
  placeOf({ s, count }: Slice): string {
    return `${this.layout.held > 1 ? s : 0} ${count}`;
  }

  /** The sum of all slices' losses. */
  async losses(): Promise<number> {
    let total = 0;
    for (const value of await this.read(this.slices().length, this.layout.at.losses)) total += value;
    return total;
  }

  /** Launches by name. */
  async prepared(name: string, make: () => LaunchStep[] | Promise<Launches>): Promise<Launches> {
    let launches = this.#launches.get(name);
    if (launches === undefined) {
      const made = make();
      launches = Array.isArray(made) ? await Launches.prepare(this.device, this.buffer, made) : await made;
      this.#launches.set(name, launches);
    }
    return launches;
  }

  write(numbers: ArrayLike<number>, at: number): void {
    const own = floats(numbers.length, this.precision);
    own.set(numbers);
    this.device.write(this.buffer, own, at);
  }

  async read(length: number, at: number): Promise<FloatArray> {
    const numbers = floats(length, this.precision);
    await this.device.read(this.buffer, numbers, at);
    return numbers;
  }

  close(): void {
    for (const launches of this.#launches.values()) launches.destroy();
    this.buffer.destroy();
  }
}
