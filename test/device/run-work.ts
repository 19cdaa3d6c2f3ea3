/** Launches of planned work on numbers, and rooms for their blocks. */
import { floats, precisionOf, type FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import type { Device } from '#hmatrix/device/device.js';
import type { Block } from '#hmatrix/device/work/demand.js';
import type { Work, WorkOperands } from '#hmatrix/device/work/work.js';

/** Where entry (i, j) of a block stands. */
export const at = ({ offset, ld, transposed }: Block, i: number, j: number): number =>
  transposed === true ? offset + j + i * ld : offset + i + j * ld;

/** Blocks one after the other in a buffer, with room between them. */
export class Room {
  length = 2;
  readonly #random: RandomStream;

  constructor(seed: number) {
    this.#random = new RandomStream(seed);
  }

  whole(below: number): number {
    return Math.floor(this.#random.uniform() * below);
  }

  block(rows: number, columns: number, transposed = this.whole(2) === 1): Block {
    const [height, width] = transposed ? [columns, rows] : [rows, columns];
    const ld = height + this.whole(3);
    const offset = this.length;
    this.length += ld * width + this.whole(3);
    return { offset, ld, transposed };
  }
}

/** What the operands hold after one launch; `numbers` are those before it, by name. */
export async function runWork<W extends Work>(
  device: Device,
  work: W,
  numbers: Readonly<Record<string, FloatArray>>,
  width?: number,
): Promise<Record<string, FloatArray>> {
  const planned = await device.plan(work);
  const entries = Object.entries(numbers);
  const buffers = await Promise.all(entries.map(([, values]) => device.upload(values)));
  const operands = Object.fromEntries(entries.map(([operand], i) => [operand, buffers[i]]));
  device.launch(planned, operands as never as WorkOperands<never>[W['kind']], width);
  const results: Record<string, FloatArray> = {};
  for (const [i, [operand, values]] of entries.entries()) {
    results[operand] = floats(values.length, precisionOf(values));
    await device.read(buffers[i], results[operand]);
  }
  for (const one of [planned, ...buffers]) one.destroy();
  return results;
}
