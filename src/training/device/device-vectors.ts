/**
 * Vectors of an objective on a device, as the Newton methods work on them. What is asked for is handed over in order;
 * dot products are summed there in PARTS parts, those here in double precision, so that each wait costs one read of
 * some hundred numbers.
 */
import { floats, type FloatArray, type Precision } from '../../core/floats.js';
import type { Device, DeviceBuffer } from '../../device/device.js';
import type { PortableKernel } from '../../device/portable-kernel.js';
import type { LayerBlock } from '../../network/parameter-layout.js';
import { combineKernel, FILL, writing } from '../../tape/device/maps.js';
import type { DeviceStep } from '../../tape/device/recorder.js';
import type { Launches } from '../../tape/device/tape.js';
import { awaited, type Steps } from '../newton/steps.js';
import { Space, type Pair, type Part } from '../newton/vectors.js';
import { sumsOfParts } from './launch-steps.js';

/** Parts of a dot product, and how many are made at once. */
const PARTS = 256;
const MOST_DOTS = 5;
/** Numbers for the parts of dot products. */
export const DOT_NUMBERS = PARTS * MOST_DOTS;
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
/** How many numbers are not finite. */
const UNBOUNDED = partial('numbers beyond', 'select(1.0, 0.0, abs(h[x + at]) <= most)', ['most']);
const MOST: Readonly<Record<Precision, number>> = { f64: Number.MAX_VALUE, f32: 2 ** 127 * (2 - 2 ** -23) };

/** What the vectors lie in, and what is done there. */
export interface VectorPlaces {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  /** Where a vector begins. */
  readonly placeOf: (vector: FloatArray) => number;
  /** Launches by name, made when they are first asked for. */
  readonly prepared: (name: string, make: () => DeviceStep[]) => Promise<Launches>;
  /** Two numbers for coefficients, and DOT_NUMBERS for parts of dot products. */
  readonly coefficients: number;
  readonly parts: number;
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
    } else {
      const step = { kernel: COMBINE, count: length, integers: [to, from, coefficients], reals: [] };
      this.#hand(`combine ${name}`, step, [alpha, beta]);
    }
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

  /** What `work` comes to, after what was asked before. */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    const asked = this.#turn.then(work);
    // What fails here is told to who asked; vectors are as they were.
    this.#turn = this.#turn.then(async () => asked.catch(() => undefined));
    this.#turn.catch(() => undefined);
    return asked;
  }

  #hand(name: string, step: DeviceStep, coefficients?: readonly number[]): void {
    const { device, buffer, prepared, coefficients: at } = this.#places;
    this.#turn = this.#turn.then(async () => {
      const launches = await prepared(name, () => [step]);
      if (coefficients !== undefined) {
        const numbers = floats(coefficients.length, buffer.precision);
        numbers.set(coefficients);
        device.write(buffer, numbers, at);
      }
      launches.run();
    });
    // Told to who asks next.
    this.#turn.catch(() => undefined);
  }

  async #sums(kernel: PortableKernel, pairs: readonly Pair[], reals: readonly number[]): Promise<number[]> {
    const { device, buffer, prepared, placeOf, parts: at } = this.#places;
    const n = this.length;
    const chunk = Math.max(LEAST_PART, Math.ceil(n / PARTS));
    const count = Math.ceil(n / chunk);
    for (const [k, [x, y]] of pairs.entries()) {
      const integers = [at + k * count, chunk, placeOf(x), placeOf(y), n];
      const name = `${kernel.name} ${integers.join(' ')}`;
      (await prepared(name, () => [{ kernel, count, integers, reals }])).run();
    }
    const numbers = floats(count * pairs.length, buffer.precision);
    await device.read(buffer, numbers, at);
    return sumsOfParts(numbers, count);
  }
}
