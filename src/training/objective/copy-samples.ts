/**
 * Samples of a data set into the memory of an objective.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Matrix } from '../../dense/matrix.js';
import type { Picks } from '../../network/sample-order.js';

/** Rows from which on a column is copied at one stroke (dense/portable/staging.ts has the figures). */
const LONG = 32;

/** Columns first, first + 1, … of a matrix, or those that `order` has there. */
export interface Columns {
  readonly order?: Picks['order'] | undefined;
  readonly first: number;
}

/** out(:, i) ← column first + i of x, or its column order[first + i], for i < count; out has leading dimension ld. */
export function copySamples(
  { data, rows, ld: step, offset }: Matrix,
  count: number,
  { order, first }: Columns,
  out: FloatArray,
  ld: number,
): void {
  for (let i = 0, to = 0; i < count; i++, to += ld) {
    const from = offset + (order === undefined ? first + i : order[first + i]) * step;
    if (rows >= LONG) out.set(data.subarray(from, from + rows), to);
    else for (let k = 0; k < rows; k++) out[to + k] = data[from + k];
  }
}
