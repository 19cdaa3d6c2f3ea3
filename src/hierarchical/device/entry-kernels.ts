/**
 * Blocks of a kernel matrix evaluated on a card, from points that are sent: a thread for each entry.
 *
 * The points of each of the kernel's inputs stand in tree order, then once more those of all skeletons, so that rows
 * and columns of a block are neighboring points. Squared distances are sums of squared differences, of points that are
 * centred in float64 first, so that float32 loses as little as may be.
 */
import { NonFiniteError, OptionError } from '../../core/errors.js';
import { firstNonFinite, floats, precisionOf, ROUNDOFF, type FloatArray, type Precision } from '../../core/floats.js';
import { view } from '../../dense/matrix.js';
import type { Device, DeviceBuffer, KernelDevice } from '../../device/device.js';
import { MOST_NUMBERS, type KernelArguments, type PortableKernel } from '../../device/portable-kernel.js';
import type { EntrySource } from '../../source/entry-source.js';
import { KernelSource } from '../../source/kernel-source.js';
import { kernelText, type KernelText } from '../../source/kernels/kernel-text.js';
import type { HierarchicalData } from '../matrix/data.js';
import { placesOf } from '../matrix/transposed-vectors.js';
import type { PackedBlock } from './packing.js';

/** Whole numbers go to cards as numbers of its precision, in two halves of so many values each. */
const HALF = 2 ** 16;
/** Numbers of a block in `lists`: halves of where it begins and of its first points, rows. */
const WORDS = 7;
/** Numbers that are sent at a time. */
const CHUNK = 2 ** 20;
/** Blocks of which one entry is compared with the source's, and how far they may be apart, of the largest. */
const COMPARED = 64;
const ALIKE = 1e-5;

/** Of a kernel source, what its entries are on a card. */
export class EntryKernels {
  readonly #source: KernelSource;
  readonly #text: KernelText;
  readonly #data: HierarchicalData;
  readonly #blocks: number;

  /** Throws OptionError for a source whose entries a card cannot evaluate, or that is not the matrix's. */
  constructor(source: EntrySource, data: HierarchicalData, blocks: readonly PackedBlock[]) {
    if (!(source instanceof KernelSource))
      throw new OptionError(
        'The source of matrix.to must be a kernelSource: a card evaluates kernels of points, and no other entries. ' +
          'Leave { source } out: blocks are then sent.',
        { option: 'source' },
      );
    this.#source = source;
    this.#data = data;
    this.#blocks = blocks.length;
    this.#text = kernelText(source.kernel);
    this.#requireOwn(blocks);
    const most = blocks.reduce((sum, { rows, columns }) => sum + rows * columns, this.numbers);
    if (most >= MOST_NUMBERS)
      throw new OptionError(
        `Points and blocks have ${most} numbers, and kernels count fewer than 2³¹: leave { source } out.`,
        { numbers: most },
      );
  }

  /** Numbers that lie on the device for as long as blocks are evaluated. */
  get numbers(): number {
    const { dimensions, noise } = this.#shape();
    return this.#points * dimensions.reduce((sum, d) => sum + d, 0) + noise;
  }

  /** Numbers that lie there beside the blocks while they are evaluated. */
  get scratch(): number {
    return this.numbers + 2 * this.#skeletons.length + WORDS * this.#blocks;
  }

  /**
   * `buffers` ← the entries of their blocks, which are packed one after the other. Nothing is read back. Throws
   * MemoryError, DeviceError, DeviceLostError.
   */
  async evaluate(
    device: Device,
    kernels: KernelDevice,
    precision: Precision,
    parts: readonly { readonly buffer: DeviceBuffer; readonly blocks: readonly PackedBlock[] }[],
  ): Promise<void> {
    const { inputs } = this.#source;
    const made: { destroy(): void }[] = [];
    const allocate = async (length: number): Promise<DeviceBuffer> => {
      const buffer = await device.allocate(length, precision);
      made.push(buffer);
      return buffer;
    };
    const launch = async (kernel: PortableKernel, args: KernelArguments<DeviceBuffer>): Promise<void> => {
      const prepared = await kernels.prepare(kernel, args);
      made.push(prepared);
      kernels.launch(prepared);
    };
    try {
      const { dimensions, noise } = this.#shape();
      const points = await allocate(this.numbers);
      const positions = await allocate(2 * this.#skeletons.length);
      device.write(positions, this.#positions(precision));
      let at = 0;
      const places: number[] = [];
      for (const [g, { argument, operand, points: given }] of inputs.entries()) {
        const d = dimensions[g];
        const numbers = argument === 'squaredDistance' ? centred(given.coordinates, d) : operand;
        await this.#sendPoints(device, { buffer: points, at, precision }, numbers, d);
        const count = this.#skeletons.length * d;
        const integers = [at, this.#size, d];
        if (count > 0) await launch(COPY, { count, buffers: [points, positions], integers });
        places.push(at, d);
        at += this.#points * d;
      }
      if (noise > 0)
        await this.#sendPoints(device, { buffer: points, at, precision }, this.#source.noise as Float64Array, 1);
      const kernel = this.#kernel(noise > 0);
      const ridge = noise > 0 ? [] : [this.#source.noise as number];
      for (const { buffer, blocks } of parts) {
        if (blocks.length === 0) continue;
        const lists = await allocate(WORDS * blocks.length);
        device.write(lists, listOf(blocks, precision));
        await launch(kernel, {
          count: buffer.length,
          buffers: [buffer, lists, points],
          integers: [blocks.length, ...places, ...(noise > 0 ? [at] : [])],
          reals: [...this.#text.numbers, ...ridge],
        });
      }
      await device.finish();
    } finally {
      for (const one of made) one.destroy();
    }
  }

  get #size(): number {
    return this.#data.tree.size;
  }

  get #skeletons(): Int32Array {
    return this.#data.skeletons.indices;
  }

  get #points(): number {
    return this.#size + this.#skeletons.length;
  }

  #shape(): { readonly dimensions: readonly number[]; readonly noise: number } {
    const dimensions = this.#source.inputs.map(({ points }) => points.dimension);
    return { dimensions, noise: typeof this.#source.noise === 'number' ? 0 : this.#size };
  }

  /** Where each skeleton stands in tree order, in halves. */
  #positions(precision: Precision): FloatArray {
    const place = placesOf(this.#data.tree.order);
    const halves = floats(2 * this.#skeletons.length, precision);
    this.#skeletons.forEach((index, j) => halves.set(halvesOf(place[index]), 2 * j));
    return halves;
  }

  /** Numbers of each point in tree order, a chunk at a time. */
  async #sendPoints(
    device: Device,
    { buffer, at, precision }: { readonly buffer: DeviceBuffer; readonly at: number; readonly precision: Precision },
    numbers: Float64Array,
    d: number,
  ): Promise<void> {
    const { order } = this.#data.tree;
    const most = Math.max(1, Math.floor(CHUNK / d));
    for (let first = 0; first < order.length; first += most) {
      const count = Math.min(most, order.length - first);
      const chunk = floats(count * d, precision);
      for (let i = 0; i < count; i++) for (let k = 0; k < d; k++) chunk[i * d + k] = numbers[order[first + i] * d + k];
      if (firstNonFinite(chunk) >= 0)
        throw new NonFiniteError(`The points have coordinates that ${precision} cannot hold: scale them.`, {
          precision,
        });
      device.write(buffer, chunk, at + first * d);
      await device.finish();
    }
  }

  /** The kernel of all entries. */
  #kernel(nugget: boolean): PortableKernel {
    const { inputs } = this.#source;
    const { text, numbers } = this.#text;
    const half = (word: number): string => `int(lists[${WORDS} * low + ${word}])`;
    const whole = (word: number): string => `${half(word)} * ${HALF} + ${half(word + 1)}`;
    const argumentOf = ({ argument }: (typeof inputs)[number], g: number): string => {
      const [x, y] = ['row', 'column'].map((point) => `points[base${g} + ${point} * dimension${g} + k]`);
      const term =
        argument === 'squaredDistance'
          ? `real e = ${x} - ${y}; a${g} = a${g} + e * e;`
          : `a${g} = a${g} + ${x} * ${y};`;
      return `real a${g} = 0.0;
for (int k = 0; k < dimension${g}; k++) { ${term} }`;
    };
    const body = `int low = 0;
int high = blocks;
for (int k = 0; k < 31; k++) {
  if (high - low > 1) {
    int middle = (low + high) / 2;
    int begin = int(lists[${WORDS} * middle]) * ${HALF} + int(lists[${WORDS} * middle + 1]);
    if (begin <= i) { low = middle; } else { high = middle; }
  }
}
int within = i - (${whole(0)});
int rows = int(lists[${WORDS} * low + 6]);
int row = ${whole(2)} + within % rows;
int column = ${whole(4)} + within / rows;
${inputs.map(argumentOf).join('\n')}
real value = 0.0;
${text}
if (row == column) { value = value + ${nugget ? 'points[noise + row]' : 'ridge'}; }
values[i] = value;`;
    const names = numbers.map((_, k) => `p${k}`);
    return {
      name: ['entries', ...inputs.map(({ argument }) => argument), nugget ? 'nugget' : 'ridge', hashOf(text)].join(' '),
      buffers: ['values', 'lists', 'points'],
      integers: ['blocks', ...inputs.flatMap((_, g) => [`base${g}`, `dimension${g}`]), ...(nugget ? ['noise'] : [])],
      reals: [...names, ...(nugget ? [] : ['ridge'])],
      body,
    };
  }

  /** Throws OptionError where stored entries are not those of the source. */
  #requireOwn(blocks: readonly PackedBlock[]): void {
    const { tree, values } = this.#data;
    const refuse = (what: string): never => {
      throw new OptionError(
        `The source of matrix.to is not what this matrix was compressed from: ${what}. Leave { source } out: blocks ` +
          'are then sent.',
        { option: 'source' },
      );
    };
    if (this.#source.size !== this.#size) refuse(`it has ${this.#source.size} points, the matrix ${this.#size} rows`);
    const { noise } = this.#source;
    const noiseAt = (index: number): number => (typeof noise === 'number' ? noise : noise[index]);
    const one = new Float64Array(1);
    const indexOf = (point: number): number =>
      point < this.#size ? tree.order[point] : this.#skeletons[point - this.#size];
    const step = Math.max(1, Math.floor(blocks.length / COMPARED));
    for (let b = 0; b < blocks.length; b += step) {
      const { kind, offset, ld, rows, columns, points } = blocks[b];
      // A corner off the diagonal: kernels have like diagonals.
      const [r, c] = kind === 'upper' ? [0, columns - 1] : [rows - 1, 0];
      const stored = values[offset + r + c * ld];
      const [row, column] = [indexOf(points![0] + r), indexOf(points![1] + c)];
      this.#source.entries(Int32Array.of(row), Int32Array.of(column), view(one, 0, 1, 1));
      const [entry] = one;
      // The largest entry of these two indices, but for what is added to the diagonal.
      let largest = 0;
      for (const index of [row, column]) {
        this.#source.entries(Int32Array.of(index), Int32Array.of(index), view(one, 0, 1, 1));
        largest = Math.max(largest, Math.abs(one[0] - noiseAt(index)));
      }
      const rounding = 4 * ROUNDOFF[precisionOf(values)] * Math.abs(entry);
      if (!(Math.abs(stored - entry) <= ALIKE * largest + rounding))
        refuse(`entry (${row}, ${column}) is ${entry} there, and ${stored} here`);
    }
  }
}

/** Points of skeletons, from where they stand among all. */
const COPY: PortableKernel = {
  name: 'points of skeletons',
  buffers: ['points', 'positions'],
  integers: ['base', 'size', 'dimension'],
  body: `int j = i / dimension;
int k = i - j * dimension;
int place = int(positions[2 * j]) * ${HALF} + int(positions[2 * j + 1]);
points[base + size * dimension + i] = points[base + place * dimension + k];`,
};

const halvesOf = (whole: number): readonly [number, number] => [Math.floor(whole / HALF), whole % HALF];

/** What tells blocks apart for the kernel of entries. */
function listOf(blocks: readonly PackedBlock[], precision: Precision): FloatArray {
  const list = floats(WORDS * blocks.length, precision);
  let begin = 0;
  blocks.forEach(({ rows, columns, points }, b) => {
    list.set([...halvesOf(begin), ...halvesOf(points![0]), ...halvesOf(points![1]), rows], WORDS * b);
    begin += rows * columns;
  });
  return list;
}

/** Coordinates less their mean. */
function centred(coordinates: Float64Array, d: number): Float64Array {
  const count = coordinates.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < coordinates.length; i++) mean[i % d] += coordinates[i] / count;
  return coordinates.map((value, i) => value - mean[i % d]);
}

/** Tells texts apart. */
function hashOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b ^ text.charCodeAt(i), 0x85ebca6b);
  }
  return [a, b].map((half) => (half >>> 0).toString(16)).join('');
}
