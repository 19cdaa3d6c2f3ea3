/**
 * Blocks packed one after the other, as a device gets them.
 */
import { NonFiniteError } from '../../core/errors.js';
import { firstNonFinite, floats, type FloatArray, type Precision } from '../../core/floats.js';
import { copyInto, view, type Matrix } from '../../dense/matrix.js';

/** A block where it stands: dense, or a symmetric one of which one triangle does, and where its numbers go. */
export interface PackedBlock {
  readonly kind: 'dense' | 'lower' | 'upper';
  /** Where it begins among the matrix's values, and its leading dimension there. */
  readonly offset: number;
  readonly ld: number;
  readonly rows: number;
  readonly columns: number;
  /**
   * Where its rows and columns lie, of entries of the matrix: the first of as many points one after the other, all in
   * tree order, then those of all skeletons.
   */
  readonly points?: readonly [rows: number, columns: number] | undefined;
}

/** Numbers that are sent at a time. */
const CHUNK = 2 ** 20;

/** Blocks in the order they are packed in. */
export class BlockPacking {
  readonly blocks: PackedBlock[] = [];
  #elements = 0;

  /** Numbers of all blocks. */
  get elements(): number {
    return this.#elements;
  }

  /** The next block; returns where it will begin. Its leading dimension there is its number of rows. */
  add(block: PackedBlock): number {
    this.blocks.push(block);
    const at = this.#elements;
    this.#elements += block.rows * block.columns;
    return at;
  }
}

/** to ← columns first … first + to.cols of the block, both triangles of a symmetric one. */
function copyColumns(to: Matrix, values: FloatArray, block: PackedBlock, first: number): void {
  const { kind, offset, ld, rows } = block;
  copyInto(to, view(values, offset + first * ld, rows, to.cols, ld));
  if (kind === 'dense') return;
  for (let j = 0; j < to.cols; j++) {
    const column = first + j;
    // What the other triangle has of this column stands in a row.
    const [from, end] = kind === 'lower' ? [0, column] : [column + 1, rows];
    for (let i = from; i < end; i++) to.data[to.offset + i + j * to.ld] = values[offset + column + i * ld];
  }
}

/**
 * Hands all numbers of the blocks over, in their order and in that precision, a chunk at a time: `send(numbers, at)`,
 * whose array is used again. Throws NonFiniteError for a number that float32 has no room for.
 */
export async function sendBlocks(
  blocks: readonly PackedBlock[],
  values: FloatArray,
  precision: Precision,
  send: (numbers: FloatArray, at: number) => Promise<void>,
): Promise<void> {
  // A column of a block is whole in a chunk.
  const tallest = blocks.reduce((most, { rows }) => Math.max(most, rows), 0);
  const chunk = floats(Math.max(CHUNK, tallest), precision);
  let filled = 0;
  let at = 0;
  const flush = async (): Promise<void> => {
    const numbers = chunk.subarray(0, filled);
    const bad = firstNonFinite(numbers);
    if (bad >= 0)
      throw new NonFiniteError(
        `The matrix has numbers that ${precision} cannot hold: scale it, or take a device with f64.`,
        { precision },
      );
    if (filled > 0) await send(numbers, at);
    at += filled;
    filled = 0;
  };
  for (const block of blocks) {
    for (let first = 0; first < block.columns;) {
      const columns = Math.min(block.columns - first, Math.floor((chunk.length - filled) / block.rows));
      if (columns === 0) {
        await flush();
        continue;
      }
      copyColumns(view(chunk, filled, block.rows, columns), values, block, first);
      filled += block.rows * columns;
      first += columns;
    }
  }
  await flush();
}
