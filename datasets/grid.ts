/**
 * The n × n grids behind the test matrices: sizes, points, and the combination of results. Test data.
 */
import { OptionError } from '../src/core/errors.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { FloatArray, Matrix } from '../src/dense/matrix.js';
import type { Points } from '../src/source/entry-source.js';

/** n with n² = size; throws OptionError, naming the nearest squares, where there is none ≥ `smallest`. */
export function gridSide(size: number, smallest: number): number {
  const n = Math.floor(Math.sqrt(size));
  if (Number.isInteger(size) && n * n === size && n >= smallest) return n;
  const below = Number.isFinite(size) ? Math.max(smallest, n) : smallest;
  throw new OptionError(
    `The size must be a perfect square n² with n ≥ ${smallest}, not ${size}; the nearest are ${below * below} ` +
      `and ${(below + 1) ** 2}.`,
    { size, nearest: [below * below, (below + 1) ** 2] },
  );
}

/** Point i of the tensor grid `ticks` × `ticks`: (ticks[i mod n], ticks[⌊i/n⌋]). */
export function gridPoints(ticks: Float64Array): Points {
  const n = ticks.length;
  const coordinates = sharedFloat64(2 * n * n);
  for (let i = 0; i < n * n; i++) {
    coordinates[2 * i] = ticks[i % n];
    coordinates[2 * i + 1] = ticks[Math.floor(i / n)];
  }
  return { dimension: 2, count: n * n, coordinates };
}

/** out ← α·result + β·out, columns first … first + count of out; result is contiguous. With β = 0, out is not read. */
export function combine(
  out: Matrix,
  first: number,
  count: number,
  alpha: number,
  result: Float64Array,
  beta: number,
): void {
  const y: FloatArray = out.data;
  for (let j = 0; j < count; j++) {
    const q = out.offset + (first + j) * out.ld;
    const p = j * out.rows;
    if (beta === 0) for (let i = 0; i < out.rows; i++) y[q + i] = alpha * result[p + i];
    else for (let i = 0; i < out.rows; i++) y[q + i] = alpha * result[p + i] + beta * y[q + i];
  }
}

/** How many columns of length N an operator works on at a time: enough for gemm, few enough to stay near the cache. */
export const columnsAtOnce = (rows: number): number => Math.max(1, Math.min(64, Math.floor(2 ** 20 / rows)));
