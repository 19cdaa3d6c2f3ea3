/**
 * Masks of dropout, and noise: numbers that are drawn for each sample of a step.
 */
import type { FloatArray } from '../core/floats.js';
import { RandomStream } from '../core/random.js';
import { positionsOf, rowsOf } from '../tape/shape.js';
import type { Mask } from './builder.js';

/** Keeps the streams of masks apart from others of the same seed. */
const MASKS = 0x6d61736b;

/** What masks of a step depend on; `first`: the first sample's place in the batch. */
export interface MaskDraw {
  readonly seed: number;
  readonly step: number;
  readonly first: number;
}

/** The mask with number k of so many samples. */
export interface MaskPlace {
  readonly count: number;
  readonly k: number;
  /** null: nothing is dropped, and there is no noise. */
  readonly draw: MaskDraw | null;
}

/** to ← the mask. */
export function drawMask(to: FloatArray, { node, share }: Mask, { count, k, draw }: MaskPlace): void {
  if (draw === null) {
    to.fill(share === null ? 0 : 1);
    return;
  }
  const rows = rowsOf(node.shape);
  const positions = positionsOf(node.shape);
  for (let b = 0; b < count; b++) {
    const random = new RandomStream(draw.seed, MASKS, draw.step, draw.first + b, k);
    for (let p = 0; p < positions; p++) {
      const at = rows * (b + count * p);
      for (let i = 0; i < rows; i++)
        to[at + i] = share === null ? random.normal() : random.uniform() < share ? 0 : 1 / (1 - share);
    }
  }
}
