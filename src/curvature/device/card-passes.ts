/**
 * The passes of a model on a card, in one buffer: θ, vectors laid out like what is trained of it, constants, what
 * passes work in, and what they keep of each slice of samples. Where the passes of all slices do not fit, one slice is
 * kept at a time, and its data are sent again for each product.
 */
import { NonFiniteError } from '../../core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray } from '../../core/floats.js';
import { refuseMemory } from '../../core/memory.js';
import type { DeviceBuffer } from '../../device/device.js';
import { DeviceTape } from '../../layers/device-tape.js';
import type { GraphModel } from '../../layers/graph-model.js';
import { constantNumbers, planNetwork, type NetworkPlan } from '../../layers/network-plan.js';
import { readSamples } from '../../layers/read-samples.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import { divisorOf, lossWeight } from '../../layers/targets.js';
import { combineKernel, GATHER } from '../../tape/device/maps.js';
import { deviceRoom, Launches, placeRegions, stepMemory, sumOfCosts } from '../../tape/device/tape.js';
import { aligned } from '../../tape/plan/plan.js';
import { numbersOf } from '../../tape/shape.js';
import type { DeviceCurvature, DeviceModelLaunches, DevicePasses, PassesRequest } from './passes.js';

/** Where what is held lies in the buffer, in numbers; `kept` of each slice that is held. */
interface Layout {
  readonly plan: NetworkPlan;
  readonly scratch: number;
  readonly slices: number;
  readonly held: number;
  readonly begin: Readonly<Record<'parameters' | 'each' | 'direction' | 'sum' | 'loss' | 'constants' | 'work', number>>;
  readonly kept: number;
  readonly numbers: number;
  /** Bytes that launches take besides. */
  readonly lists: number;
}

function layOut(model: GraphModel, curvature: DeviceCurvature, most: number, holdsAll: boolean): Layout {
  const { network, data } = model;
  const slices = graphSlices(data.samples, most);
  const plan = planNetwork(network.evaluation, network.layers, { gradient: true, passes: [curvature], capacity: most });
  const { scratch, lists } = stepMemory(plan.plan, most);
  const vector = aligned(network.trained);
  const held = holdsAll ? slices : 1;
  const { at, numbers } = placeRegions({
    parameters: aligned(network.parameters),
    each: vector,
    direction: vector,
    sum: vector,
    loss: aligned(1),
    constants: aligned(constantNumbers(plan)),
    work: aligned(plan.plan.work) + scratch,
    kept: held * aligned(plan.plan.kept),
  });
  const { kept, ...begin } = at;
  // One slice at a time has the launches of slices of two sizes, the first one's apart.
  const sets = holdsAll ? slices : Math.min(slices, 4);
  return { plan, scratch, slices, held, begin, kept, numbers, lists: sets * lists };
}

/** All slices where they fit, as few as do; else one at a time. Throws MemoryError where one sample's do not fit. */
function layoutWithin({ model, curvature, precision, device }: PassesRequest): Layout {
  const { samples } = model.data;
  const { fits, available } = deviceRoom(device, precision);
  for (let slices = 1; ; slices *= 2) {
    const capacity = Math.ceil(samples / Math.min(slices, samples));
    const all = layOut(model, curvature, capacity, true);
    if (fits(all)) return all;
    const one = layOut(model, curvature, capacity, false);
    if (fits(one)) return one;
    if (capacity > 1) continue;
    refuseMemory(NUMBER_BYTES[precision] * one.numbers + one.lists, available, {
      what: `The passes of one sample take, on the device ${device.name},`,
      advice: 'release what lies there, or raise memoryLimit.',
      data: { device: device.name },
    });
  }
}

/** The launches of a slice: its first pass, one along the direction, and what adds what either gave to the sum. */
type SliceLaunches = readonly [first: Launches, product: Launches, add: Launches];

/** A model on a card. */
export class CardPasses implements DevicePasses {
  readonly #request: PassesRequest;
  readonly #layout: Layout;
  readonly #buffer: DeviceBuffer;
  readonly #launches = new Map<string, readonly Launches[]>();
  readonly #host: FloatArray;
  /** Whether passes at θ are kept of all slices. */
  #passed = false;
  /** Whether the data of all slices lie there. */
  #loaded = false;
  #weight = 0;

  private constructor(request: PassesRequest, layout: Layout, buffer: DeviceBuffer) {
    this.#request = request;
    this.#layout = layout;
    this.#buffer = buffer;
    this.#host = floats(request.model.network.trained, request.precision);
  }

  /** Throws MemoryError, DeviceError, DeviceLostError. */
  static async open(request: PassesRequest): Promise<CardPasses> {
    const { device, precision, model } = request;
    const layout = layoutWithin(request);
    const passes = new CardPasses(request, layout, await device.allocate(layout.numbers, precision));
    try {
      passes.#tape(0).sendConstants();
      for (let s = 0; s < layout.slices; s++) await passes.#prepare(s);
      passes.setParameters(model.parameters);
      return passes;
    } catch (error) {
      passes.release();
      throw error;
    }
  }

  get capacity(): number {
    const { held, slices } = this.#layout;
    const { samples } = this.#request.model.data;
    return held === slices ? samples : Math.ceil(samples / slices);
  }

  get bytes(): number {
    return this.#buffer.bytes;
  }

  get launches(): DeviceModelLaunches {
    const { slices, held } = this.#layout;
    const all = Array.from({ length: slices }, (_, s) => {
      const [first, product, add] = (this.#launches.get(this.#key(s)) as SliceLaunches).map(({ cost }) => cost);
      return { gradient: [first, add], product: held === slices ? [product, add] : [first, product, add] };
    });
    return {
      gradient: sumOfCosts(all.flatMap(({ gradient }) => gradient)),
      product: sumOfCosts(all.flatMap(({ product }) => product)),
    };
  }

  setParameters(parameters: FloatArray): void {
    const { device, precision } = this.#request;
    const θ = floats(parameters.length, precision);
    θ.set(parameters);
    device.write(this.#buffer, θ, this.#layout.begin.parameters);
    this.#passed = false;
  }

  async lossAndGradient(gradient: FloatArray): Promise<number> {
    const { device, precision } = this.#request;
    const { slices, begin } = this.#layout;
    this.#passed = false;
    this.#overSlices(([first, , add]) => {
      first.run();
      add.run();
    });
    this.#passed = this.#layout.held === slices;
    await this.#readSum(gradient);
    const sum = floats(1, precision);
    await device.read(this.#buffer, sum, begin.loss);
    const loss = sum[0] / divisorOf(this.#weight);
    if (!Number.isFinite(loss))
      throw new NonFiniteError(`The loss is ${loss} on the device ${device.name}: parameters or data are too large.`, {
        loss,
      });
    return loss;
  }

  async product(v: FloatArray, out: FloatArray): Promise<void> {
    const { device } = this.#request;
    device.write(this.#buffer, v, this.#layout.begin.direction);
    const made = this.#passed;
    this.#overSlices(([first, product, add]) => {
      if (!made) first.run();
      product.run();
      add.run();
    });
    this.#passed = this.#layout.held === this.#layout.slices;
    await this.#readSum(out);
  }

  release(): void {
    for (const launches of this.#launches.values()) for (const one of launches) one.destroy();
    this.#launches.clear();
    this.#buffer.destroy();
  }

  /** Hands over what each slice takes, its data there. */
  #overSlices(visit: (launches: SliceLaunches) => void): void {
    const { slices, held } = this.#layout;
    if (!this.#loaded) this.#weight = 0;
    for (let s = 0; s < slices; s++) {
      if (!this.#loaded) this.#load(s);
      visit(this.#launches.get(this.#key(s)) as SliceLaunches);
    }
    this.#loaded = held === slices;
  }

  /** out ← the sum over slices, over what it is a mean of. */
  async #readSum(out: FloatArray): Promise<void> {
    const { device } = this.#request;
    const sum = this.#host;
    await device.read(this.#buffer, sum, this.#layout.begin.sum);
    const factor = 1 / divisorOf(this.#weight);
    for (let k = 0; k < sum.length; k++) out[k] = factor * sum[k];
  }

  #first(s: number): number {
    const { samples } = this.#request.model.data;
    return graphSliceFirst(samples, this.#layout.plan.plan.capacity, s);
  }

  #count(s: number): number {
    return this.#first(s + 1) - this.#first(s);
  }

  #tape(s: number): DeviceTape {
    const { device, precision, model } = this.#request;
    const { begin, kept, held, slices, plan } = this.#layout;
    const { parameters, each, direction, constants, work } = begin;
    const regions = {
      ...{ parameters, gradient: each, result: each, direction, constants, work },
      scratch: work + aligned(plan.plan.work),
      kept: kept + (held === slices ? s : 0) * aligned(plan.plan.kept),
    };
    return new DeviceTape(plan, model.network.inputKinds, { device, buffer: this.#buffer, precision, regions });
  }

  /** Sends the data of a slice. */
  #load(s: number): void {
    const { model } = this.#request;
    const batch = readSamples(model, this.#first(s), this.#count(s));
    this.#weight += lossWeight(model.loss, batch.targets);
    this.#tape(s).load(batch, { order: null, first: 0, count: this.#count(s) }, null);
  }

  /** Slices of one size at one place have the same launches; the first one begins the sums. */
  #key(s: number): string {
    return `${this.#layout.held > 1 ? s : 0} ${this.#count(s)} ${s === 0}`;
  }

  async #prepare(s: number): Promise<void> {
    if (this.#launches.has(this.#key(s))) return;
    const { curvature, model } = this.#request;
    const { begin } = this.#layout;
    const samples = this.#count(s);
    const tape = this.#tape(s);
    const { plan } = tape;
    const { trained } = model.network;
    const keep = s === 0 ? 0 : 1;
    const add = { kernel: combineKernel(1), count: trained, integers: [begin.sum, keep, begin.each], reals: [1] };
    const losses = numbersOf(plan.loss.shape, samples);
    const addLosses = {
      kernel: GATHER,
      count: 1,
      integers: [begin.loss, keep, losses, tape.at(plan.loss), 1, 0, 1],
      reals: [1],
    };
    const made: Launches[] = [];
    this.#launches.set(this.#key(s), made);
    made.push(await tape.prepare(0, samples, [addLosses]));
    made.push(await tape.prepare(plan.phases.get(curvature)!, samples));
    made.push(await Launches.prepare(this.#request.device, this.#buffer, [add]));
  }
}
