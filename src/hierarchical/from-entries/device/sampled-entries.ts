/**
 * Entries of samples on a card, from points that lie there: of each block those of rows and columns that are sent by
 * their numbers, each with a factor,
 *
 *   A_ij = w_i·k(x_i, y_j)·d_j.
 *
 * No row is a column of its block: what a source adds to its diagonal is not looked at.
 */
import { floats, type Precision } from '../../../core/floats.js';
import type { DeviceBuffer, KernelDevice } from '../../../device/device.js';
import type { PortableKernel } from '../../../device/portable-kernel.js';
import { sendPoints } from '../../../device/sent-points.js';
import { halvesOf, wholeText } from '../../../device/whole-numbers.js';
import {
  listOfBlocks,
  nameOfValue,
  numberNames,
  numbersOf,
  PLACE_IN_BLOCKS,
  placeNames,
  valueText,
} from '../../device/entry-text.js';
import type { SampledBlock } from './batch-interpolation.js';
import type { Card } from './card.js';
import type { Workspace } from './workspace.js';

/** Numbers of a row or a column in `picks`: halves of its index, its factor. */
const PICK_WORDS = 3;

/** What entries of a kernel source are on a card. */
export class SampledEntries {
  readonly #kernel: PortableKernel;
  readonly #reals: readonly number[];
  readonly #places: readonly number[];
  readonly #points: DeviceBuffer;
  readonly #precision: Precision;

  private constructor(
    kernel: PortableKernel,
    reals: readonly number[],
    places: readonly number[],
    points: DeviceBuffer,
  ) {
    this.#kernel = kernel;
    this.#reals = reals;
    this.#places = places;
    this.#points = points;
    this.#precision = points.precision;
  }

  /** Sends the points. Throws MemoryError, NonFiniteError, DeviceError, DeviceLostError. */
  static async open({ source, device, precision, text: { text, numbers } }: Card): Promise<SampledEntries> {
    const { inputs, size } = source;
    const length = inputs.reduce((sum, { points }) => sum + size * points.dimension, 0);
    const points = await device.allocate(length, precision);
    const places: number[] = [];
    try {
      let at = 0;
      for (const input of inputs) {
        const { dimension } = input.points;
        await sendPoints(device, { buffer: points, at }, numbersOf(input));
        places.push(at, dimension);
        at += size * dimension;
      }
    } catch (error) {
      points.destroy();
      throw error;
    }
    const pick = (what: string): string => wholeText('picks', `${PICK_WORDS} * ${what}Pick`);
    const body = `${PLACE_IN_BLOCKS}
int rowPick = row;
int columnPick = column;
row = ${pick('row')};
column = ${pick('column')};
${valueText(inputs, text)}
values[i] = value * picks[${PICK_WORDS} * rowPick + 2] * picks[${PICK_WORDS} * columnPick + 2];`;
    const kernel: PortableKernel = {
      name: `sampled entries ${nameOfValue(inputs, text)}`,
      buffers: ['values', 'lists', 'picks', 'points'],
      integers: ['blocks', ...placeNames(inputs)],
      reals: numberNames(numbers),
      body,
    };
    return new SampledEntries(kernel, numbers, places, points);
  }

  /** `values` ← the blocks, one after the other, column by column: one launch. Returns where each begins. */
  async evaluate(
    blocks: readonly SampledBlock[],
    kernels: KernelDevice,
    workspace: Workspace,
  ): Promise<{ readonly values: DeviceBuffer; readonly begins: readonly number[] }> {
    const precision = this.#precision;
    // Blocks of one node have their rows in common: each list once.
    const picked = new Map<Int32Array, { readonly first: number; readonly factors: Float64Array }>();
    let count = 0;
    const pick = (list: Int32Array, factors: Float64Array): number => {
      const known = picked.get(list);
      if (known !== undefined) return known.first;
      const first = count;
      picked.set(list, { first, factors });
      count += list.length;
      return first;
    };
    let length = 0;
    const begins: number[] = [];
    const listed = blocks.map(({ rows, rowFactors, columns, columnFactors }) => {
      begins.push(length);
      length += rows.length * columns.length;
      const points: [number, number] = [pick(rows, rowFactors), pick(columns, columnFactors)];
      return { rows: rows.length, columns: columns.length, points };
    });
    const picks = floats(PICK_WORDS * count, precision);
    for (const [list, { first, factors }] of picked)
      list.forEach((index, i) => {
        picks.set([...halvesOf(index), factors[i]], PICK_WORDS * (first + i));
      });
    const values = await workspace.room('values', length);
    const buffers = [
      values,
      await workspace.sent('lists', listOfBlocks(listed, precision)),
      await workspace.sent('picks', picks),
      this.#points,
    ];
    const args = {
      count: length,
      buffers,
      integers: [blocks.length, ...this.#places],
      reals: this.#reals,
    };
    const prepared = workspace.holds(await kernels.prepare(this.#kernel, args));
    kernels.launch(prepared);
    return { values, begins };
  }

  release(): void {
    this.#points.destroy();
  }
}
