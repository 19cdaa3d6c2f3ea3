/**
 * Blocks of a kernel matrix evaluated on a card, from points that are sent: a thread for each entry.
 *
 * The points of each of the kernel's inputs stand in tree order, then once more those of all skeletons, so that rows
 * and columns of a block are neighboring points. Squared distances are sums of squared differences, of points that are
 * centred in float64 first, so that float32 loses as little as may be.
 */
import { OptionError } from '../../core/errors.js';
import { precisionOf, ROUNDOFF, type FloatArray, type Precision } from '../../core/floats.js';
import { view } from '../../dense/matrix.js';
import type { Device, DeviceBuffer, KernelDevice } from '../../device/device.js';
import { MOST_NUMBERS, type KernelArguments, type PortableKernel } from '../../device/portable-kernel.js';
import { sendPoints } from '../../device/sent-points.js';
import { allHalves, wholeText } from '../../device/whole-numbers.js';
import type { EntrySource } from '../../source/entry-source.js';
import { KernelSource } from '../../source/kernel-source.js';
import { kernelText, type KernelText } from '../../source/kernels/kernel-text.js';
import type { HierarchicalData } from '../matrix/data.js';
import { placesOf } from '../matrix/transposed-vectors.js';
import type { PackedBlock } from './packing.js';
import {
  BLOCK_WORDS,
  listOfBlocks,
  nameOfValue,
  numberNames,
  numbersOf,
  PLACE_IN_BLOCKS,
  placeNames,
  valueText,
} from './entry-text.js';

/** Blocks of which one entry is compared with the source's, and how far they may be apart, of the largest. */
const COMPARED = 64;
const ALIKE = 1e-5;
const OTHERWISE = 'Leave { source } out: blocks are then sent.';

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
          OTHERWISE,
        { option: 'source' },
      );
    this.#source = source;
    this.#data = data;
    this.#blocks = blocks.length;
    this.#text = kernelText(source.kernel, OTHERWISE);
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
    return this.numbers + 2 * this.#skeletons.length + BLOCK_WORDS * this.#blocks;
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
      const { order } = this.#data.tree;
      for (const [g, input] of inputs.entries()) {
        const d = dimensions[g];
        await sendPoints(device, { buffer: points, at, order }, numbersOf(input));
        const count = this.#skeletons.length * d;
        const integers = [at, this.#size, d];
        if (count > 0) await launch(COPY, { count, buffers: [points, positions], integers });
        places.push(at, d);
        at += this.#points * d;
      }
      if (noise > 0) {
        const numbers = this.#source.noise as Float64Array;
        await sendPoints(device, { buffer: points, at, order }, { numbers, dimension: 1 });
      }
      const kernel = this.#kernel(noise > 0);
      const ridge = noise > 0 ? [] : [this.#source.noise as number];
      for (const { buffer, blocks } of parts) {
        if (blocks.length === 0) continue;
        const lists = await allocate(BLOCK_WORDS * blocks.length);
        device.write(lists, listOfBlocks(blocks, precision));
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
    return allHalves(
      this.#skeletons.map((index) => place[index]),
      precision,
    );
  }

  /** The kernel of all entries. */
  #kernel(nugget: boolean): PortableKernel {
    const { inputs } = this.#source;
    const { text, numbers } = this.#text;
    const body = `${PLACE_IN_BLOCKS}
${valueText(inputs, text)}
if (row == column) { value = value + ${nugget ? 'points[noise + row]' : 'ridge'}; }
values[i] = value;`;
    return {
      name: `entries ${nugget ? 'nugget' : 'ridge'} ${nameOfValue(inputs, text)}`,
      buffers: ['values', 'lists', 'points'],
      integers: ['blocks', ...placeNames(inputs), ...(nugget ? ['noise'] : [])],
      reals: [...numberNames(numbers), ...(nugget ? [] : ['ridge'])],
      body,
    };
  }

  /** Throws OptionError where stored entries are not those of the source. */
  #requireOwn(blocks: readonly PackedBlock[]): void {
    const { tree, values } = this.#data;
    const refuse = (what: string): never => {
      throw new OptionError(
        `The source of matrix.to is not what this matrix was compressed from: ${what}. ${OTHERWISE}`,
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
int place = ${wholeText('positions', '2 * j')};
points[base + size * dimension + i] = points[base + place * dimension + k];`,
};
