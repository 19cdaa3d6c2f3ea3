/**
 * Samples of a batch as tensors have them: samples within positions (tape/shape.ts).
 */
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { positionsOf, rowsOf, type Shape } from '../tape/shape.js';

/** Which samples of a batch: `order[first], …`, or `first, …` without an order. */
export interface Samples {
  readonly order: ArrayLike<number> | null;
  readonly first: number;
  readonly count: number;
}

/** Which rows of a batch a tensor has: `firstRow`, …; planar: the positions of a channel one after the other. */
export interface PlacedRows extends Samples {
  readonly firstRow: number;
  readonly planar: boolean;
}

/** Numbers from which on they are copied at one stroke. */
const LONG = 32;

/** to ← the samples' rows, as a tensor of that shape. */
export function placeSamples(to: FloatArray, shape: Shape, from: Matrix, placed: PlacedRows): void {
  const { order, first, count, firstRow, planar } = placed;
  const rows = rowsOf(shape);
  const positions = positionsOf(shape);
  const [byRow, byPosition] = planar ? [positions, 1] : [1, rows];
  const { data } = from;
  for (let b = 0; b < count; b++) {
    const column = order === null ? first + b : order[first + b];
    const begin = from.offset + column * from.ld + firstRow;
    for (let p = 0; p < positions; p++) {
      const at = rows * (b + count * p);
      const source = begin + p * byPosition;
      if (byRow === 1 && rows >= LONG) to.set(data.subarray(source, source + rows), at);
      else for (let i = 0; i < rows; i++) to[at + i] = data[source + i * byRow];
    }
  }
}

/** out ← a tensor's numbers of every sample, a column each, in the order of data sets. */
export function takeSamples(out: Matrix, shape: Shape, from: FloatArray): void {
  const rows = rowsOf(shape);
  for (let b = 0; b < out.cols; b++)
    for (let p = 0; p < positionsOf(shape); p++) {
      const at = rows * (b + out.cols * p);
      for (let i = 0; i < rows; i++) out.data[out.offset + b * out.ld + p * rows + i] = from[at + i];
    }
}
