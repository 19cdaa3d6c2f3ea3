/**
 * The parts in which a dataset is moved.
 */
import { elementCount } from './shape-size.js';

/** A part: of each axis where it begins, and how many. */
export interface Tile {
  readonly offset: readonly number[];
  readonly count: readonly number[];
}

/** Sizes of the parts: whole `units` (of a dataset in chunks those), as many as `most` elements hold, at least one. */
export function tileShape(shape: readonly number[], units: readonly number[] | null, most: number): number[] {
  const unit = shape.map((n, k) => Math.max(1, Math.min(n, units?.[k] ?? 1)));
  const tile = [...unit];
  for (let k = shape.length - 1; k >= 0; k--) {
    const fitting = Math.max(1, Math.floor(most / elementCount(tile)));
    tile[k] = Math.min(shape[k], unit[k] * fitting);
    if (tile[k] < shape[k]) break;
  }
  return tile;
}

/** The parts, last axis fastest; of () one, of a shape without elements none. */
export function* tilesOf(shape: readonly number[], tile: readonly number[]): Generator<Tile> {
  if (elementCount(shape) === 0) return;
  const offset = shape.map(() => 0);
  for (;;) {
    yield { offset: [...offset], count: shape.map((n, k) => Math.min(tile[k], n - offset[k])) };
    let axis = shape.length - 1;
    for (; axis >= 0; axis--) {
      offset[axis] += tile[axis];
      if (offset[axis] < shape[axis]) break;
      offset[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Where the part's lines along the last axis begin in an array of C order, in order, and how long they are. */
export function linesOf(
  shape: readonly number[],
  { offset, count }: Tile,
): { readonly starts: readonly number[]; readonly length: number } {
  // Trailing axes that are whole belong to one line.
  let axis = shape.length;
  let length = 1;
  while (axis > 0) {
    axis--;
    length *= count[axis];
    if (count[axis] < shape[axis]) break;
  }
  const stride = shape.map((_, k) => elementCount(shape.slice(k + 1)));
  let starts = [offset.reduce((sum, o, k) => sum + o * stride[k], 0)];
  for (let k = 0; k < axis; k++)
    starts = starts.flatMap((start) => Array.from({ length: count[k] }, (_, i) => start + i * stride[k]));
  return { starts, length };
}
