/**
 * A step of planned work: a kernel, what it reads, and how many workgroups run it.
 */
import { MemoryError } from '../../../core/errors.js';
import type { BlockRows } from '../../block-rows.js';
import type { Kernel } from './shader.js';

/** The operand that is memory of the work's own. */
export const SCRATCH = 'scratch';

/** A step by a kernel of its own. */
export interface Step {
  readonly kernel: (width: number) => Kernel;
  readonly lists: Readonly<Record<string, Uint32Array>>;
  /** Words 2, 3, … of the constants. */
  readonly constants: readonly number[];
  /** Of each operand of the kernel, the operand of the work. */
  readonly operands: Readonly<Record<string, string>>;
  /** Workgroups for vectors of that width, and how many such layers. */
  readonly groups: (width: number) => readonly [count: number, layers: number];
  /** Flops with those of tiles that are not full; default: those of the work. */
  readonly padded?: ((width: number) => number) | undefined;
}

/** A step by the kernel of block rows. */
export interface RowsStep {
  readonly rows: BlockRows;
  /** The operands of the work that the blocks and the vectors are. */
  readonly values: string;
  readonly vectors: string;
}

/** A list as kernels read it. Throws MemoryError where a number lies beyond what 32 bits can hold. */
export function wordsOf(list: ArrayLike<number>): Uint32Array {
  const words = new Uint32Array(list.length);
  for (let i = 0; i < list.length; i++) {
    if (list[i] >= 2 ** 32)
      throw new MemoryError(
        'A block lies beyond the 2³² numbers that a kernel can address: make the problem smaller.',
        { place: list[i] },
      );
    words[i] = list[i];
  }
  return words;
}
