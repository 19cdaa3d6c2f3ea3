/**
 * Vectors on the team: a task is some rows of a combination, or an inner product.
 */
import { defineTask } from '../../parallel/task.js';
import type { FloatArray } from '../../core/floats.js';
import { INNER_PRODUCT_WORDS, isReplaced, PARTIAL_ROWS, type Coefficient, type Combination } from '../work/vectors.js';
import type { KernelArguments, KernelState } from './kernel-state.js';

/** Rows of a combination that are one task. */
export const COMBINED_ROWS = 4096;

function factors(
  { constant, numerator, denominator, positive = false }: Coefficient,
  scalars: FloatArray,
  width: number,
): Float64Array {
  return Float64Array.from({ length: width }, (_, q) => {
    const above = numerator === undefined ? 1 : scalars[numerator * width + q];
    const below = denominator === undefined ? 1 : scalars[denominator * width + q];
    if (below === 0 || (positive && !(above > 0 && below > 0 && above + below < Infinity))) return 0;
    return (constant * above) / below;
  });
}

/** Task t: rows 4096·t … */
export const combineRows = defineTask<KernelState<Combination>, KernelArguments>(
  import.meta.url,
  'combineRows',
  ({ operands, settings }) => {
    const { x, y } = operands;
    const { alpha, beta, count } = settings;
    const replaced = isReplaced(settings);
    return (task, { width }) => {
      const a = factors(alpha, operands['scalars'], width);
      const b = factors(beta, operands['scalars'], width);
      const end = Math.min(count, (task + 1) * COMBINED_ROWS);
      for (let i = task * COMBINED_ROWS; i < end; i++) {
        const d = settings.diagonal === true ? operands['diagonal'][i] : 1;
        const [from, to] = [(settings.x + i) * width, (settings.y + i) * width];
        for (let q = 0; q < width; q++) {
          const value = a[q] * d * x[from + q];
          y[to + q] = replaced ? value : value + b[q] * y[to + q];
        }
      }
    };
  },
);

/** Task t: inner product t, of each column. */
export const sumProducts = defineTask<KernelState<undefined>, KernelArguments>(
  import.meta.url,
  'sumProducts',
  ({ lists: { products }, operands: { x, y, out } }) =>
    (task, { width }) => {
      const [xFirst, yFirst, count, to] = products.subarray(
        INNER_PRODUCT_WORDS * task,
        INNER_PRODUCT_WORDS * (task + 1),
      );
      const sums = new Float64Array(width);
      const partial = new Float64Array(width);
      for (let first = 0; first < count; first += PARTIAL_ROWS) {
        partial.fill(0);
        for (let i = first; i < Math.min(count, first + PARTIAL_ROWS); i++) {
          const [xRow, yRow] = [(xFirst + i) * width, (yFirst + i) * width];
          for (let q = 0; q < width; q++) partial[q] += x[xRow + q] * y[yRow + q];
        }
        for (let q = 0; q < width; q++) sums[q] += partial[q];
      }
      out.set(sums, to * width);
    },
);
