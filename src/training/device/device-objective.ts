/**
 * What is trained on a device by first-order rules: θ, its gradient and the optimizer's vectors lie there, a step sends
 * its batch, and one number for each slice of it comes back. The arrays here are copies, made by `fetch` and sent by
 * `put`. The mathematics is that of the host (../graph/graph-objective.ts); sums run in the device's precision.
 */
import { NonFiniteError } from '../../core/errors.js';
import { floats, NUMBER_BYTES, type FloatArray, type Precision } from '../../core/floats.js';
import { view, zeros } from '../../dense/matrix.js';
import { VectorMemory, type VectorKernels } from '../../dense/vector-memory.js';
import type { Blas } from '../../dense/blas.js';
import type { Device, DeviceBuffer } from '../../device/device.js';
import type { SampleSigns } from '../../layers/draw.js';
import type { GraphNetwork } from '../../layers/graph-network.js';
import { takeSamples } from '../../layers/place-samples.js';
import { divisorOf, rightCount, rightShare } from '../../layers/targets.js';
import type { Batch } from '../../network/data-set.js';
import type { Network } from '../../network/network.js';
import type { Picks } from '../../network/sample-order.js';
import type { Team } from '../../parallel/team.js';
import { FILL } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import type { Launches } from '../../tape/device/tape.js';
import { aligned } from '../../tape/plan/plan.js';
import { followStatistics } from '../graph/statistics.js';
import { decays, statisticNumbers } from '../graph/workspace.js';
import { maskStep } from '../objective/mask-step.js';
import type { LoopObjective, Measure, Objective, TrainingMemory } from '../objective/objective.js';
import type { TeamChoice } from '../objective/team-trial.js';
import type { Update } from '../objective/update.js';
import { vectorNumbers, type Span } from '../objective/workspace.js';
import type { NewtonCurvature, NewtonObjective } from '../newton/newton-objective.js';
import { DeviceBatch } from './device-batch.js';
import { DeviceFactors } from './device-factors.js';
import { DeviceVectors } from './device-vectors.js';
import { copyStep, finishingSteps, lossStep, sumsOfParts, weightDotSteps } from './launch-steps.js';
import { deviceLayout, type DeviceLayout, type DevicePass } from './layout.js';
import type { DeviceMoment, MomentShape } from './moment-steps.js';
import { onDevice } from './newton-on-device.js';
import { quadraticForm } from './quadratic.js';
import { FOLLOW, SETTING_NUMBERS, settingsOf, SQUARE_PARTS, updateKernel } from './update-kernels.js';

/** What training on a device is opened with. */
export interface DeviceObjectiveOptions {
  readonly network: GraphNetwork;
  readonly device: Device;
  /** Of θ here; on the device the same where it has it, else f32. */
  readonly precision: Precision;
  readonly batchSize: number;
  /** Numbers that `vector` and `take` are to give (`vectorNumbers`). */
  readonly spare: number;
  /** Numbers that `keep` is to give besides. Default 0. */
  readonly kept?: number | undefined;
  /** Numbers that `apart` is to give besides. */
  readonly apart: number;
  /** Numbers of buffers that its optimizer makes. Default 0. */
  readonly beside?: number | undefined;
  /** Passes at θ that its optimizer asks for. */
  readonly passes: readonly DevicePass[];
  /** How many parts of a batch it takes passes of besides. */
  readonly parts: number;
  /** Moments of layers that it asks for, which are made behind the pass 'draw'. */
  readonly moments: readonly MomentShape[];
  /** What is known of the layers' Kronecker factors, and how errors are drawn. */
  readonly factors: Pick<Objective, 'rotatedInputs' | 'diagonalOutputs'> & { readonly signs?: SampleSigns | undefined };
  /** What the network was given as, where that is a perceptron, whose draws of errors are the samples' own. */
  readonly perceptron?: Network | undefined;
  /** Here, for eigenbases and inverses. */
  readonly blas: Blas;
  /** Here, for hierarchical matrices. */
  readonly team?: Team | undefined;
  readonly regularization: number;
  readonly seed: number;
}

/** The objective. */
export class DeviceObjective implements LoopObjective {
  readonly network: GraphNetwork;
  readonly kernels: VectorKernels;
  readonly parameters: FloatArray;
  readonly capacity: number;
  readonly memory: TrainingMemory;
  readonly teamChoice: TeamChoice;
  readonly options: DeviceObjectiveOptions;
  /** The loaded batch, and the passes over it. */
  readonly batch: DeviceBatch;
  readonly #memory: VectorMemory;
  /** Where the arrays here stand there: θ, then what `vector` gave. */
  readonly #places = new Map<FloatArray, number>();
  /** Vectors that are there alone, by what stands for them. */
  readonly #apart = new Map<FloatArray, number>();
  /** How many of the spare numbers are taken. */
  #taken = 0;
  /** Frees what was made besides. */
  readonly #closing: (() => void)[] = [];
  /** Which data a trial of one slice has. */
  #tried = '';
  readonly #carried = { loss: 0, weight: 0, parts: 0 };

  private constructor(options: DeviceObjectiveOptions, layout: DeviceLayout, buffer: DeviceBuffer) {
    const { network, batchSize, precision, spare, kept = 0, team } = options;
    this.network = network;
    this.capacity = batchSize;
    this.options = options;
    this.batch = new DeviceBatch({ ...options, layout, buffer });
    const bytes = VectorMemory.bytesOf(vectorNumbers(network.parameters) + spare + kept, precision);
    this.#memory = VectorMemory.open(bytes + 64 * NUMBER_BYTES[precision], 'Training');
    this.kernels = this.#memory.kernels(precision);
    this.parameters = this.#memory.take(network.parameters, precision);
    this.#places.set(this.parameters, layout.at.parameters);
    this.memory = { bytes: buffer.bytes, recomputes: false };
    this.teamChoice = { threads: team?.workers ?? 1, soloMilliseconds: null, teamMilliseconds: null };
  }

  /** Takes the memory, here and there. Throws MemoryError, DeviceError, DeviceLostError. */
  static async open(options: DeviceObjectiveOptions): Promise<DeviceObjective> {
    const { device } = options;
    const precision = device.precisions.includes(options.precision) ? options.precision : 'f32';
    const layout = deviceLayout({ ...options, precision, spare: options.spare + options.apart });
    const objective = new DeviceObjective(options, layout, await device.allocate(layout.numbers, precision));
    for (const mode of ['training', 'evaluation', 'trial'] as const)
      if (mode !== 'trial' || layout.trial !== null) objective.batch.tape(mode, 0).sendConstants();
    return objective;
  }

  get weight(): number {
    return this.batch.weight;
  }

  get loads(): number {
    return this.batch.loads;
  }

  /** Samples of the loaded batch. */
  get count(): number {
    return this.batch.count;
  }

  /** Whether f differs from step to step. */
  get isRandom(): boolean {
    return this.batch.layout.training.masks.length > 0;
  }

  /** Whether f is one of statistics of the batch. */
  get usesBatchStatistics(): boolean {
    return this.batch.layout.training.updates.length > 0;
  }

  vector(): FloatArray {
    return this.take(this.network.parameters);
  }

  /** Numbers of the optimizer's state, zero. */
  take(length: number): FloatArray {
    const array = this.#memory.take(length, this.options.precision);
    this.#places.set(array, this.#nextPlace(length));
    return array;
  }

  /** The objective as a Newton method takes it. */
  newton(): NewtonObjective<DeviceVectors> {
    const { at } = this.batch.layout;
    const space = new DeviceVectors(this.network.parameters, {
      device: this.options.device,
      buffer: this.batch.buffer,
      placeOf: (vector) => this.placeOf(vector),
      prepared: async (name, make) => this.batch.prepared(name, make),
      coefficients: this.#shared,
      dots: at.dots,
    });
    const vector = (): FloatArray => this.apart(this.network.parameters);
    return onDevice(this, { space, gradient: this.#handle(at.sum), vector });
  }

  /** Numbers of the optimizer's state that are here alone, zero. */
  keep(length: number): FloatArray {
    return this.#memory.take(length, this.options.precision);
  }

  /** Numbers that are there alone, zero: what stands for them here. */
  apart(length: number): FloatArray {
    return this.#handle(this.#nextPlace(length));
  }

  /** What stands for parts of θ's length, one after the other, of an array or of numbers that are there alone. */
  parts(of: FloatArray, count: number): FloatArray[] {
    const { parameters } = this.network;
    return Array.from({ length: count }, (_, k) => this.#handle(this.placeOf(of) + k * parameters));
  }

  #handle(place: number): FloatArray {
    const own = floats(0, this.batch.precision);
    this.#apart.set(own, place);
    return own;
  }

  #nextPlace(length: number): number {
    const begin = this.#taken;
    if (begin + length > this.options.spare + this.options.apart)
      throw new RangeError('All numbers of the objective are taken.');
    this.#taken += aligned(length);
    return this.batch.layout.at.vectors + begin;
  }

  /** Where numbers stand on the device, by what stands for them here. */
  placeOf(vector: FloatArray): number {
    return (this.#places.get(vector) ?? this.#apart.get(vector))!;
  }

  /** Where a vector stands on the device, for rules. */
  span(vector: FloatArray): Span {
    return { at: this.#places.get(vector)!, length: vector.length };
  }

  async fetch(): Promise<void> {
    for (const [array, at] of this.#places) array.set(await this.batch.read(array.length, at));
  }

  put(): void {
    for (const [array, at] of this.#places) this.batch.write(array, at);
  }

  load(batch: Batch, picks?: Pick<Picks, 'order' | 'first' | 'count'>): void {
    this.batch.load(batch, picks);
  }

  /**
   * f of the loaded batch, and of the parts before it, at θ; its gradient there. Rejects with NonFiniteError, where θ
   * is as it was, DeviceError, DeviceLostError.
   */
  async evaluate(step: number): Promise<number> {
    const { at } = this.batch.layout;
    const { loss: before, weight, parts } = this.#carried;
    this.forget();
    const penalty = await this.#penalty(at.parameters);
    const loss = await this.#pass(step, parts);
    const total = divisorOf(this.batch.weight + weight);
    this.batch.write([1 / total], this.#shared);
    (await this.batch.prepared('finish', () => this.#finishing(at.sum, at.parameters))).run();
    return (loss + before) / total + penalty;
  }

  async accumulate({ step = null }: { readonly step?: number | null } = {}): Promise<void> {
    const carried = this.#carried;
    try {
      carried.loss += await this.#pass(step ?? 0, carried.parts);
    } catch (error) {
      this.forget();
      throw error;
    }
    carried.weight += this.batch.weight;
    carried.parts++;
  }

  forget(): void {
    Object.assign(this.#carried, { loss: 0, weight: 0, parts: 0 });
  }

  /** Scales the gradient to at most `clip`; resolves to its norm before, over layers that are not frozen. */
  async clip(clip: number, frozen: readonly boolean[]): Promise<number> {
    const { sum } = this.batch.layout.at;
    const squares = await this.#weightDots('gradient', [sum, sum], () => true);
    const norm = Math.sqrt(squares.reduce((total, own, ℓ) => total + (frozen[ℓ] ? 0 : own), 0));
    if (norm > clip) {
      this.batch.write([clip / norm], this.#shared);
      (await this.batch.prepared('clip', () => this.#finishing(sum, 0, 0))).run();
    }
    return norm;
  }

  /** θ by a rule whose moments are at places of the device (`span`), from the gradient or what stands elsewhere. */
  async update({ rule, layers }: Update, from = this.batch.layout.at.sum): Promise<void> {
    const { at } = this.batch.layout;
    const moments = 'moments' in rule ? rule.moments.map((span) => span.at) : [];
    const settings: number[] = [];
    const launches: Launches[] = [];
    for (const [ℓ, layer] of this.network.layers.entries()) {
      const own = layers[ℓ];
      settings.push(...(own === null ? [0, 0, 0, 0] : settingsOf(rule, own, layer)));
      if (own === null) continue;
      const { offset, width, inputs, outputs } = layer;
      const places = [at.parameters, from, moments[0] ?? 0, moments[1] ?? 0].map((place) => place + offset);
      const integers = [...places, at.settings + SETTING_NUMBERS * ℓ, width, inputs];
      const step = { ...updateKernel(rule), count: width * outputs, integers };
      launches.push(await this.batch.prepared(`update ${step.kernel.name} ${ℓ} ${from}`, () => [step]));
    }
    this.batch.write(settings, at.settings);
    for (const launch of launches) launch.run();
  }

  /**
   * out ← C·v at the point of the last `evaluate`, on the batch's first samples. Rejects with DeviceError,
   * DeviceLostError.
   */
  async product(of: NewtonCurvature, v: FloatArray, out: FloatArray, samples: number): Promise<void> {
    const batch = this.batch;
    const { at, training } = batch.layout;
    const { trained } = this.network;
    const [from, to] = [this.placeOf(v), this.placeOf(out)];
    (await batch.prepared(`direction ${from}`, () => [copyStep(at.direction, from, trained)])).run();
    await batch.overPassed(samples, async (slice, tape) => {
      const phase = training.phases.get(of)!;
      const launches = await batch.prepared(`${of} ${batch.placeOf(slice)}`, () => tape.prepare(phase, slice.count));
      launches.run();
      const keep = slice.s > 0 ? 1 : 0;
      (await batch.prepared(`product ${keep} ${to}`, () => [copyStep(to, at.each, trained, keep)])).run();
    });
    batch.write([1 / divisorOf(batch.weightOf(samples))], this.#shared);
    (await batch.prepared(`finish ${from} ${to}`, () => this.#finishing(to, from))).run();
    const rest = this.network.parameters - trained;
    if (rest > 0) {
      const clearing = { kernel: FILL, count: rest, integers: [to + trained, 0], reals: [0] };
      (await batch.prepared(`clear ${to}`, () => [clearing])).run();
    }
  }

  /**
   * f of the batch at a vector with the masks of a step, or without any; passes of `evaluate` stay. Rejects as
   * `product`.
   */
  async trial(vector: FloatArray, step: number | null): Promise<number> {
    // Without masks and statistics of the batch it is what is evaluated.
    if (step === null && (this.isRandom || this.usesBatchStatistics)) return (await this.measure(vector)).loss;
    const { at } = this.batch.layout;
    const place = this.placeOf(vector);
    const penalty = await this.#penalty(place);
    const tape = this.batch.tape('trial', place);
    const slices = this.batch.slices();
    for (const slice of slices) {
      const { s, first, count } = slice;
      const launches = await this.batch.prepared(`trial ${place} ${count}`, () => tape.prepare(0, count));
      const sum = await this.batch.prepared(`loss of ${s} ${count}`, () => [lossStep(tape, count, at.losses + s)]);
      const data = slices.length === 1 ? `${this.loads} ${this.isRandom ? step : ''}` : '';
      if (data === '' || data !== this.#tried)
        tape.load(this.batch.samples(), { order: null, first, count }, this.batch.draw(maskStep(step, 0), first));
      this.#tried = data;
      launches.run();
      sum.run();
    }
    return (await this.batch.losses()) / divisorOf(this.batch.weight) + penalty;
  }

  /** Vᵀ(G + λI_W)V of one or two vectors on the batch's first samples. Rejects as `product`. */
  async quadratic(vectors: readonly FloatArray[], samples: number): Promise<Float64Array> {
    const places = vectors.map((vector) => this.placeOf(vector));
    const form = await quadraticForm(this.batch, places, samples);
    const { regularization } = this.options;
    if (regularization > 0)
      for (const [j, z] of places.entries())
        for (const [i, x] of places.entries())
          form[i + places.length * j] += regularization * (await this.#weightDot(x, z));
    return form;
  }

  /** Whether the network was given as a perceptron. */
  get isPerceptron(): boolean {
    return this.options.perceptron !== undefined;
  }

  /** Moments of the batch's first samples (device-factors.ts). Rejects as `product`. */
  async moments(moments: readonly DeviceMoment[], keep: number, step: number, samples: number): Promise<void> {
    await new DeviceFactors(this.batch, moments, this.options.factors.signs).update(keep, step, samples);
  }

  async follow(averaged: FloatArray, keep: number): Promise<void> {
    const { parameters } = this.batch.layout.at;
    this.batch.write([keep], this.#shared);
    const to = this.#places.get(averaged)!;
    const count = this.network.parameters;
    const step = { kernel: FOLLOW, count, integers: [to, parameters, this.#shared], reals: [] };
    (await this.batch.prepared(`follow ${to}`, () => [step])).run();
  }

  async measure(vector: FloatArray = this.parameters): Promise<Measure> {
    const { at, outputs } = this.batch.layout;
    const place = this.placeOf(vector);
    this.batch.drop();
    const penalty = await this.#penalty(place);
    const tape = this.batch.tape('evaluation', place);
    for (const slice of this.batch.slices()) {
      const { s, first, count } = slice;
      const launches = await this.batch.prepared(`evaluation ${place} ${count}`, () => tape.prepare(0, count));
      const results = await this.batch.prepared(`outputs ${s} ${count} ${first}`, () => [
        lossStep(tape, count, at.losses + s),
        copyStep(at.outputs + outputs * first, tape.at(tape.plan.output), outputs * count),
      ]);
      tape.load(this.batch.samples(), { order: null, first, count }, null);
      launches.run();
      results.run();
    }
    const total = await this.batch.losses();
    const raw = await this.batch.read(outputs * this.batch.count, at.outputs);
    const found = zeros(outputs, this.batch.count, this.batch.precision);
    for (const { first, count } of this.batch.slices()) {
      const own = view(found.data, first * outputs, outputs, count);
      takeSamples(own, tape.plan.output.shape, raw.subarray(first * outputs, (first + count) * outputs));
    }
    const { targets } = this.batch.samples();
    const { loss } = this.network;
    return {
      loss: total / divisorOf(this.batch.weight) + penalty,
      accuracy: rightShare(loss, rightCount(loss, found, targets), targets),
    };
  }

  /** Does `what` when it is closed: frees what is made besides. */
  whenClosed(what: () => void): void {
    this.#closing.push(what);
  }

  close(): void {
    for (const free of this.#closing) free();
    this.batch.close();
  }

  /** What all layers' kernels read of the step. */
  get #shared(): number {
    return this.batch.layout.at.settings + SETTING_NUMBERS * this.network.layers.length;
  }

  /** Forward and back, the gradient of the sum added to that of the parts before; resolves to the sum of losses. */
  async #pass(step: number, part: number): Promise<number> {
    const batch = this.batch;
    const { at } = batch.layout;
    await batch.pass(maskStep(step, part), async ({ s }) => {
      const keep = part + s > 0 ? 1 : 0;
      (await batch.prepared(`add ${keep}`, () => [copyStep(at.sum, at.each, this.network.trained, keep)])).run();
    });
    const loss = await batch.losses();
    if (!Number.isFinite(loss))
      throw new NonFiniteError('The loss is not finite on the device: the parameters have grown too large.', { loss });
    await this.#followStatistics();
    return loss;
  }

  /** Running statistics follow those of the slices: computed here, where they are as they are there. */
  async #followStatistics(): Promise<void> {
    const { at, slice, training } = this.batch.layout;
    const { updates } = training;
    if (updates.length === 0) return;
    const each = statisticNumbers(training);
    const numbers = floats(each * this.batch.slices().length, this.batch.precision);
    await this.options.device.read(this.batch.buffer, numbers, at.statistics);
    const { trained } = this.network;
    const own = floats(this.network.parameters - trained, this.batch.precision);
    await this.options.device.read(this.batch.buffer, own, at.parameters + trained);
    this.parameters.set(own, trained);
    followStatistics(this.parameters, this.network, { updates, numbers, each, count: this.batch.count, slice });
    this.batch.write(this.parameters.subarray(trained), at.parameters + trained);
  }

  /** A vector at `to` ← h[s]·itself + λ times the weights of that at `from`. */
  #finishing(to: number, from: number, lambda = this.options.regularization): DeviceStep[] {
    return finishingSteps(this.network, { to, from, s: this.#shared, lambda });
  }

  /** (λ/2)‖W‖² of a vector. */
  async #penalty(place: number): Promise<number> {
    const { regularization } = this.options;
    if (regularization === 0) return 0;
    return 0.5 * regularization * (await this.#weightDot(place, place));
  }

  /** xᵀz over weights that decay. */
  async #weightDot(x: number, z: number): Promise<number> {
    const dots = await this.#weightDots(`weights ${x} ${z}`, [x, z], ({ kind }) => decays(kind));
    return dots.reduce((total, own) => total + own, 0);
  }

  /** Σ x∘z in each layer of vectors at two places: of a gradient's numbers all, else of those that are weights. */
  async #weightDots(
    name: string,
    [x, z]: readonly [number, number],
    counts: (layer: GraphNetwork['layers'][number]) => boolean,
  ): Promise<number[]> {
    const { at } = this.batch.layout;
    const { layers, trained } = this.network;
    const isCounted = (layer: (typeof layers)[number]): boolean => layer.offset < trained && counts(layer);
    const launches = await this.batch.prepared(`dots of ${name}`, () =>
      weightDotSteps(layers, { to: at.weightDots, x, z, biases: name === 'gradient' }, isCounted),
    );
    launches.run();
    const dots = sumsOfParts(await this.batch.read(SQUARE_PARTS * layers.length, at.weightDots), SQUARE_PARTS);
    return layers.map((layer, ℓ) => (isCounted(layer) ? dots[ℓ] : 0));
  }
}
