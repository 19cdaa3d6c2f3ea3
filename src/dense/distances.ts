/**
 * Squared Euclidean distances by direct differences, and functions of them, vectorised. Independent of the choice of
 * BLAS.
 */
import type { Indices } from '../core/indices.js';
import type { Matrix } from './matrix.js';
import { openWasm } from './portable/wasm.js';
import { radialAt, type RadialFunction } from './radial.js';

/**
 * Rows, and entries, of the blocks that go through the arena: x, y and the distances stay in the second-level cache.
 */
const ROWS_AT_ONCE = 1024;
const ENTRIES_AT_ONCE = 8192;
/** From this many numbers on, copying a run by TypedArray.set is faster than a loop. */
const SHORTEST_RUN = 32;

/**
 * out(a, b) ← ‖x_rows[a] − x_cols[b]‖² for points x of that dimension, one after the other in `coordinates`; out is
 * rows.length × cols.length over float64. Never negative, exactly 0 between equal points, relative error at most
 * (dimension + 2)·eps; bits depend on the two points alone and not on which is the row. Not checked. Cost about 0.3 ns
 * a coordinate and entry on a core of 2.4 GHz. Method: `assembly/distances.ts`. With `radial`, out(a, b) is that
 * function of the distance, with the bits of `radialInPlace`: what goes through the cache once.
 */
export function squaredDistances(
  coordinates: Float64Array,
  dimension: number,
  rows: Indices,
  cols: Indices,
  out: Matrix,
  radial?: RadialFunction,
): void {
  const d = dimension;
  const wasm = openWasm();
  const target = out.data as Float64Array;
  for (let first = 0; first < rows.length; first += ROWS_AT_ONCE) {
    const m = Math.min(ROWS_AT_ONCE, rows.length - first);
    // Padded to whole vectors; the kernel's rows are a multiple of 4.
    const padded = (m + 3) & ~3;
    const most = Math.max(1, Math.min(cols.length, Math.floor(ENTRIES_AT_ONCE / padded)));
    wasm.begin(8 * (padded * d + most * d + padded * most) + 192);
    const xAt = wasm.take(8 * padded * d);
    const yAt = wasm.take(8 * most * d);
    const cAt = wasm.take(8 * padded * most);
    const heap = wasm.heap64;
    for (let a = 0; a < m; a++)
      for (let k = 0, p = rows[first + a] * d, q = xAt / 8 + a; k < d; k++, q += padded) heap[q] = coordinates[p + k];
    for (let a = m; a < padded; a++) for (let k = 0, q = xAt / 8 + a; k < d; k++, q += padded) heap[q] = 0;
    for (let col = 0; col < cols.length; col += most) {
      const n = Math.min(most, cols.length - col);
      for (let b = 0, q = yAt / 8; b < n; b++)
        for (let p = cols[col + b] * d, end = p + d; p < end; p++) heap[q++] = coordinates[p];
      wasm.exports.squaredDistances(padded, n, d, xAt, yAt, cAt);
      if (radial !== undefined) radialAt(radial, padded * n, cAt);
      const c = cAt / 8;
      const to = out.offset + first + col * out.ld;
      if (padded === m && out.ld === m) {
        target.set(heap.subarray(c, c + m * n), to);
      } else if (m >= SHORTEST_RUN) {
        for (let b = 0; b < n; b++) target.set(heap.subarray(c + b * padded, c + b * padded + m), to + b * out.ld);
      } else {
        for (let b = 0; b < n; b++) for (let a = 0; a < m; a++) target[to + b * out.ld + a] = heap[c + b * padded + a];
      }
    }
  }
}
