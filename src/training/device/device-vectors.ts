/**
 * Vectors of an objective on a device, as the Newton methods work on them. What is asked for is handed over in order;
 * dot products are summed there in PARTS parts, those here in double precision, so that each wait costs one read of
 * some hundred numbers.
 */
import { floats, type FloatArray } from '../../core/floats.js';
import type { Device, DeviceBuffer } from '../../device/device.js';
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { combineKernel, FILL, GATHER, writing } from '../../tape/device/maps.js';
import type { DeviceStep, KernelStep } from '../../tape/device/recorder.js';
import type { Launches } from '../../tape/device/tape.js';
import { awaited, type Steps } from '../newton/steps.js';
import { pairsOf, Space, type Advanced, type CgStep, type Pair, type Part } from '../newton/vectors.js';
import { sumsOfParts } from './launch-steps.js';
import { LENGTH_NUMBERS, lengthStep, MOST, RULE_NUMBERS, ruleNumbers } from './step-kernel.js';

/** Parts of a dot product, how many are made at once, and how many tell the length of a step. */
export const PARTS = 256;
const MOST_DOTS = 5;
const STEP_DOTS = 4;
/** Where numbers of dot products stand: parts of those of a step, its rule, its length, their sums; parts of others. */
const RULE = PARTS * STEP_DOTS;
const LENGTH = RULE + RULE_NUMBERS;
const SUMS = LENGTH + LENGTH_NUMBERS;
const OTHERS = SUMS + STEP_DOTS;
/** Numbers for dot products. */
export const DOT_NUMBERS = OTHERS + PARTS * MOST_DOTS;
/** A part has so many numbers at least. */
const LEAST_PART = 1024;

/** y ← h[s]·x + h[s + 1]·y; where that is zero y is not read. */
const COMBINE = writing(
  'combine vectors',
  ['y', 'x', 's'],
  `real result = h[s] * h[x + i];
if (h[s + 1] != 0.0) { result = result + h[s + 1] * h[y + i]; }
h[y + i] = result;`,
);
const combineStep = (integers: readonly number[], count: number): DeviceStep => ({
  kernel: COMBINE,
  count,
  integers,
  reals: [],
});
/** x ← h[s]·x in rows below `inputs`. */
const SHRINK = writing(
  'shrink weights',
  ['x', 's', 'width', 'inputs'],
  'if (i % width < inputs) { h[x + i] = h[s] * h[x + i]; }',
);

const partial = (name: string, text: string, reals: readonly string[] = []): PortableKernel => ({
  name,
  buffers: ['h'],
  integers: ['out', 'chunk', 'x', 'y', 'n'],
  reals,
  sum: { terms: 'chunk', text: `int at = i * chunk + k;\nif (at < n) { value = ${text}; }`, join: 'sum' },
  body: 'h[out + i] = total;',
});
const DOT = partial('parts of a dot product', 'h[x + at] * h[y + at]');
/** Numbers of a part of a sum of n. */
const chunkOf = (n: number): number => Math.max(LEAST_PART, Math.ceil(n / PARTS));
/** How many parts a sum of n numbers has. */
export const partsOf = (n: number): number => Math.ceil(n / chunkOf(n));

/** Parts of a dot product of n numbers. */
export const dotStep = ({
  to,
  x,
  y,
  n,
}: {
  readonly to: number;
  readonly x: number;
  readonly y: number;
  readonly n: number;
}): KernelStep => ({ kernel: DOT, count: partsOf(n), integers: [to, chunkOf(n), x, y, n], reals: [] });

/** How many numbers are not finite. */
const UNBOUNDED = partial('numbers beyond', 'select(1.0, 0.0, abs(h[x + at]) <= most)', ['most']);

/** What the vectors lie in, and what is done there. */
export interface VectorPlaces {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  /** Where a vector begins. */
  readonly placeOf: (vector: FloatArray) => number;
  /** Launches by name, made when they are first asked for. */
  readonly prepared: (name: string, make: () => DeviceStep[]) => Promise<Launches>;
  /** Two numbers for coefficients, and DOT_NUMBERS for dot products. */
  readonly coefficients: number;
  readonly dots: number;
}

/** The vectors. */
export class DeviceVectors extends Space {
  readonly #places: VectorPlaces;
  /** Resolves when what was asked before is handed over; rejects once that failed. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(length: number, places: VectorPlaces) {
    super(length);
    this.#places = places;
  }

  combine(
    alpha: number,
    x: FloatArray,
    beta: number,
    y: FloatArray,
    { first, length }: Part = { first: 0, length: this.length },
  ): void {
    const { placeOf, coefficients } = this.#places;
    const [from, to] = [placeOf(x) + first, placeOf(y) + first];
    const name = `${from} ${to} ${length}`;
    if (Math.abs(alpha) === 1 && (beta === 0 || beta === 1)) {
      const step = { kernel: combineKernel(1), count: length, integers: [to, beta, from], reals: [alpha] };
      this.#hand(`combine ${alpha} ${beta} ${name}`, step);
    } else this.#hand(`combine ${name}`, combineStep([to, from, coefficients], length), [alpha, beta]);
  }

  clear(x: FloatArray, { first, length }: Part = { first: 0, length: this.length }): void {
    const at = this.#places.placeOf(x) + first;
    this.#hand(`clear ${at} ${length}`, { kernel: FILL, count: length, integers: [at, 0], reals: [0] });
  }

  shrink(x: FloatArray, { offset, width, inputs, outputs }: LayerBlock, keep: number, biases: boolean): void {
    const { placeOf, coefficients } = this.#places;
    const at = placeOf(x) + offset;
    const integers = [at, coefficients, width, biases ? width : inputs];
    this.#hand(`shrink ${at} ${biases}`, { kernel: SHRINK, count: width * outputs, integers, reals: [] }, [keep, 0]);
  }

  dots(...pairs: readonly Pair[]): Steps<readonly number[]> {
    return awaited(this.ask(async () => this.#sums(DOT, pairs, [])));
  }

  *isFinite(x: FloatArray): Steps<boolean> {
    const most = [MOST[this.#places.buffer.precision]];
    const [beyond] = yield* awaited(this.ask(async () => this.#sums(UNBOUNDED, [[x, x]], most)));
    return beyond === 0;
  }

  advance(step: CgStep, between: () => void, after: readonly Pair[]): Steps<Advanced> {
    this.inOrder(async () => this.#take(step));
    between();
    return awaited(this.ask(async () => this.#told(after)));
  }

  orthogonalize(w: FloatArray, vectors: readonly FloatArray[]): void {
    this.inOrder(async () => {
      for (let turn = 0; turn < 2; turn++)
        for (let j = vectors.length - 1; j >= 0; j--) await this.#leaveOut(vectors[j], w);
    });
  }

  /** w ← w − v·(vᵀw): the product is summed there. */
  async #leaveOut(v: FloatArray, w: FloatArray): Promise<void> {
    const { prepared, placeOf, dots, coefficients } = this.#places;
    const [x, y, n, parts] = [placeOf(v), placeOf(w), this.length, dots + OTHERS];
    const launches = await prepared(`leave out ${x} ${y}`, () => [
      dotStep({ to: parts, x, y, n }),
      { kernel: GATHER, count: 1, integers: [coefficients, 0, this.#count, parts, 1, 0, 1], reals: [-1] },
      { kernel: FILL, count: 1, integers: [coefficients + 1, 0], reals: [1] },
      combineStep([y, x, coefficients], n),
    ]);
    launches.run();
  }

  /** What `work` comes to, after what was asked before. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    const asked = this.#turn.then(work);
    // What fails here is told to who asked; vectors are as they were.
    this.#turn = this.#turn.then(async () => asked.catch(() => undefined));
    this.#turn.catch(() => undefined);
    return asked;
  }

  #hand(name: string, step: DeviceStep, coefficients?: readonly number[]): void {
    const { prepared, coefficients: at } = this.#places;
    this.inOrder(async () => {
      const launches = await prepared(name, () => [step]);
      if (coefficients !== undefined) this.#write(coefficients, at);
      launches.run();
    });
  }

  /** Does `work` after what was asked before. */
  inOrder(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work);
    // Told to who asks next.
    this.#turn.catch(() => undefined);
  }

  #write(values: readonly number[], at: number): void {
    const { device, buffer } = this.#places;
    const numbers = floats(values.length, buffer.precision);
    numbers.set(values);
    device.write(buffer, numbers, at);
  }

  /** Parts of the sums that tell a step's length, that length, and x and r by it. */
  async #take(step: CgStep): Promise<void> {
    const { buffer, prepared, placeOf, dots } = this.#places;
    const { x, r, p, q, rule } = step;
    const pairs = pairsOf(step);
    const [sums, length, ball] = [dots + SUMS, dots + LENGTH, rule.radius !== undefined];
    const n = this.length;
    await this.#parts(DOT, pairs, [], dots);
    this.#write(ruleNumbers(rule), dots + RULE);
    const launches = await prepared(`step ${[x, r, p, q].map(placeOf).join(' ')} ${ball}`, () => [
      { kernel: GATHER, count: pairs.length, integers: [sums, 0, this.#count, dots, 1, this.#count, 1], reals: [1] },
      lengthStep({ to: length, from: sums, rule: dots + RULE, ball }, buffer.precision),
      combineStep([placeOf(x), placeOf(p), length], n),
      combineStep([placeOf(r), placeOf(q), length + 2], n),
    ]);
    launches.run();
  }

  /** What a step told, and sums behind it. */
  async #told(after: readonly Pair[]): Promise<Advanced> {
    const { device, buffer, dots } = this.#places;
    await this.#parts(DOT, after, [], dots + OTHERS);
    const numbers = floats(OTHERS - LENGTH + this.#count * after.length, buffer.precision);
    await device.read(buffer, numbers, dots + LENGTH);
    const [along, , across] = numbers;
    return {
      length: { along, across: -across },
      before: Array.from(numbers.subarray(SUMS - LENGTH, OTHERS - LENGTH)),
      after: sumsOfParts(numbers.subarray(OTHERS - LENGTH), this.#count),
    };
  }

  async #sums(kernel: PortableKernel, pairs: readonly Pair[], reals: readonly number[]): Promise<number[]> {
    const { device, buffer, dots } = this.#places;
    await this.#parts(kernel, pairs, reals, dots + OTHERS);
    const numbers = floats(this.#count * pairs.length, buffer.precision);
    await device.read(buffer, numbers, dots + OTHERS);
    return sumsOfParts(numbers, this.#count);
  }

  /** How many parts a sum has. */
  get #count(): number {
    return partsOf(this.length);
  }

  /** Parts of the sums of pairs, from `at` on. */
  async #parts(kernel: PortableKernel, pairs: readonly Pair[], reals: readonly number[], at: number): Promise<void> {
    const { prepared, placeOf } = this.#places;
    for (const [k, [x, y]] of pairs.entries()) {
      const places = { to: at + k * this.#count, x: placeOf(x), y: placeOf(y), n: this.length };
      const step = { ...dotStep(places), kernel, reals };
      (await prepared(`${kernel.name} ${step.integers.join(' ')}`, () => [step])).run();
    }
  }
}
