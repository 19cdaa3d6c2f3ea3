/** Sums along rows and columns, sums with factors of rows and columns, softmax: against loops in double precision. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { exponentialSum } from './vector-formulas.js';
import { bits, close, epsilonOf, memory, normal, place, PRECISIONS } from './vector-support.js';

const { abs, log } = Math;
/** Rows × columns: every number of rows beside a vector, columns beside a group of them, and larger ones. */
const SHAPES: readonly (readonly [number, number])[] = [
  ...[...Array(35).keys()].flatMap((rows) => [[rows, 5] as const, [rows, 18] as const]),
  ...[0, 1, 2, 3, 7, 8, 9].map((cols) => [21, cols] as const),
  [1, 1003],
  [3, 401],
  [16, 257],
  [100, 33],
  [517, 11],
];
/** More columns than are summed in one run; at most so many runs. */
const LONG = [70, 3001] as const;
const RUNS = 16;
/** One number beyond what is written, and a beginning that is no multiple of a vector. */
const within = (whole: FloatArray, n: number): FloatArray => whole.subarray(1, 1 + n);

describe.each(PRECISIONS)('the kernels of tensors in %s', (precision) => {
  const k = memory.tensorKernels(precision);
  const eps = epsilonOf(precision);

  it.each(['rowSums', 'rowDots', 'columnSums', 'columnDots'] as const)(
    '%s_are_sums_in_double_precision_rounded_after_runs_of_columns',
    (name) => {
      for (const [rows, cols] of [...SHAPES, LONG]) {
        const n = rows * cols;
        const byRows = name.startsWith('row');
        const products = name.endsWith('Dots');
        const x = within(normal(n + 2, precision, 1), n);
        const y = within(normal(n + 2, precision, 2), n);
        const length = byRows ? rows : cols;
        const sums = new Float64Array(length);
        const scales = new Float64Array(length);
        for (let q = 0; q < n; q++) {
          const at = byRows ? q % rows : Math.floor(q / rows);
          const term = products ? x[q] * y[q] : x[q];
          sums[at] += term;
          scales[at] += abs(term);
        }
        for (const [alpha, beta] of [
          [1, 0],
          [0.75, 1],
          [-1.5, -0.5],
        ]) {
          const whole = normal(length + 2, precision, 3);
          const before = whole.slice();
          const out = within(whole, length);
          if (beta === 0) out.fill(NaN);
          if (name === 'rowSums' || name === 'columnSums') k[name](rows, cols, alpha, x, beta, out);
          else k[name](rows, cols, alpha, x, y, beta, out);
          for (let i = 0; i < length; i++) {
            const kept = beta === 0 ? 0 : beta * before[i + 1];
            const exact = alpha * sums[i] + kept;
            // Both sums in double precision, in any order; roundings.
            const scale = abs(alpha) * scales[i] + abs(kept);
            const bound = eps * abs(exact) + (n * 2 ** -51 + (cols === LONG[1] ? RUNS * eps : 0)) * scale;
            if (!(abs(out[i] - exact) <= bound)) expect.fail(`${name} ${i} of ${rows} × ${cols}: ${out[i]}, ${exact}`);
          }
          expect([whole[0], whole[length + 1]]).toEqual([before[0], before[length + 1]]);
        }
      }
    },
  );

  it('sums_do_not_lose_small_numbers_beside_large_ones', () => {
    // A large number, its negative, and ones: a sum in the precision itself would lose those between the two.
    for (const [rows, cols] of [[3, 1000], [16, 1000], [1, 1000], LONG]) {
      const x = memory.take(rows * cols, precision).fill(1);
      const large = precision === 'f32' ? 2 ** 30 : 2 ** 40;
      x.fill(large, 0, rows);
      x.fill(-large, 200 * rows, 201 * rows);
      const out = memory.take(rows, precision);
      k.rowSums(rows, cols, 1, x, 0, out);
      expect([...out]).toEqual(Array(rows).fill(cols - 2));
      k.rowDots(rows, cols, 1, x, memory.take(rows * cols, precision).fill(1), 0, out.fill(0));
      expect([...out]).toEqual(Array(rows).fill(cols - 2));
      const total = memory.take(1, precision);
      k.columnSums(rows * cols, 1, 1, x, 0, total);
      expect(total[0]).toBe(rows * (cols - 2));
      k.columnDots(rows * cols, 1, 1, x, memory.take(rows * cols, precision).fill(1), 0, total.fill(0));
      expect(total[0]).toBe(rows * (cols - 2));
    }
  });

  it('a_sum_shows_NaN_and_infinity_in_its_own_row_and_column_alone', () => {
    for (const rows of [1, 2, 5, 16, 19]) {
      const cols = 9;
      for (const bad of [NaN, Infinity]) {
        for (let q = 0; q < rows * cols; q += 7) {
          const x = normal(rows * cols, precision, 4);
          x[q] = bad;
          const [ofRows, ofColumns] = [memory.take(rows, precision), memory.take(cols, precision)];
          k.rowSums(rows, cols, 1, x, 0, ofRows);
          k.columnSums(rows, cols, 1, x, 0, ofColumns);
          ofRows.forEach((sum, i) => expect(Number.isFinite(sum)).toBe(i !== q % rows));
          ofColumns.forEach((sum, j) => expect(Number.isFinite(sum)).toBe(j !== Math.floor(q / rows)));
          expect([ofRows[q % rows], ofColumns[Math.floor(q / rows)]]).toEqual([bad, bad]);
        }
      }
    }
  });

  it.each(['combineRows', 'combineColumns'] as const)('%s_is_its_formula_with_any_terms', (name) => {
    for (const [rows, cols] of SHAPES) {
      const n = rows * cols;
      const length = name === 'combineRows' ? rows : cols;
      for (let terms = 0; terms < 8; terms++) {
        const taken = (bit: number, count: number, seed: number): FloatArray | null =>
          terms & bit ? within(normal(count + 2, precision, seed), count) : null;
        const [a, b, c] = [taken(1, length, 1), taken(2, length, 2), taken(4, length, 3)];
        const [x, z] = [taken(1, n, 4), taken(2, n, 5)];
        for (const beta of [0, 1, -0.5]) {
          const whole = normal(n + 2, precision, 6);
          const before = whole.slice();
          const y = within(whole, n);
          if (beta === 0) y.fill(NaN);
          k[name](rows, cols, a, x, b, z, c, beta, y);
          for (let q = 0; q < n; q++) {
            const i = name === 'combineRows' ? q % rows : Math.floor(q / rows);
            const parts = [
              a && x ? a[i] * x[q] : 0,
              b && z ? b[i] * z[q] : 0,
              c ? c[i] : 0,
              beta === 0 ? 0 : beta * before[q + 1],
            ];
            const exact = parts.reduce((sum, part) => sum + part, 0);
            const scale = parts.reduce((sum, part) => sum + abs(part), 0);
            close(precision, y[q], exact, scale, 4, `${name} ${q} of ${rows} × ${cols}, terms ${terms}`);
          }
          expect([whole[0], whole[n + 1]]).toEqual([before[0], before[n + 1]]);
        }
      }
    }
  });

  it.each(['combineRows', 'combineColumns'] as const)('%s_goes_in_place_to_the_bit', (name) => {
    for (const [rows, cols] of SHAPES) {
      const n = rows * cols;
      const length = name === 'combineRows' ? rows : cols;
      const [a, b, c] = [1, 2, 3].map((seed) => normal(length, precision, seed));
      const [x, z] = [normal(n, precision, 4), normal(n, precision, 5)];
      const apart = memory.take(n, precision);
      k[name](rows, cols, a, x, b, z, c, 0, apart);
      const asX = place(x, precision);
      k[name](rows, cols, a, asX, b, z, c, 0, asX);
      const asZ = place(z, precision);
      k[name](rows, cols, a, x, b, asZ, c, 0, asZ);
      expect([bits(asX), bits(asZ)]).toEqual([bits(apart), bits(apart)]);
    }
  });

  it('a_result_has_its_bits_wherever_the_arrays_lie_and_whichever_columns_are_beside_it', () => {
    for (const [rows, cols] of SHAPES) {
      const n = rows * cols;
      const whole = [1, 2].map((seed) => normal(n + 3, precision, seed));
      const factors = normal(Math.max(rows, cols), precision, 3);
      const all = (x: FloatArray, y: FloatArray, each: number): Uint8Array[] => {
        const [sums, dots] = [memory.take(rows, precision), memory.take(rows, precision)];
        k.rowSums(rows, cols, 0.7, x, 0, sums);
        k.rowDots(rows, cols, 0.7, x, y, 0, dots);
        const outs = [cols, cols, cols, n, n, n].map((length) => memory.take(length, precision));
        for (let j = 0; j < cols; j += each) {
          const count = Math.min(each, cols - j);
          const [p, q] = [x.subarray(j * rows), y.subarray(j * rows)];
          const at = (out: FloatArray): FloatArray => out.subarray(out.length === cols ? j : j * rows);
          k.columnSums(rows, count, 0.7, p, 0, outs[0].subarray(j));
          k.columnDots(rows, count, 0.7, p, q, 0, outs[1].subarray(j));
          k.logSumExp(rows, count, p, outs[2].subarray(j));
          k.softmax(rows, count, p, outs[3].subarray(j * rows));
          k.combineRows(rows, count, factors, p, factors, q, factors, 0, outs[4].subarray(j * rows));
          const own = factors.subarray(j);
          k.combineColumns(rows, count, own, p, own, q, own, 0, at(outs[5]));
        }
        return [sums, dots, ...outs].map(bits);
      };
      const here = all(whole[0].subarray(0, n), whole[1].subarray(0, n), cols + 1);
      const moved = whole.map((array) => place([...Array(3).fill(0), ...array] as never, precision).subarray(3, 3 + n));
      expect(all(moved[0], moved[1], 2), `${rows} × ${cols}`).toEqual(here);
    }
  });

  it('softmax_and_log_sum_exp_are_their_formulas_and_bear_masks', () => {
    for (const [rows, cols] of SHAPES) {
      if (rows === 0) continue;
      const n = rows * cols;
      // Roundings of the kernel's two partial sums and of the one here.
      const summing = precision === 'f64' ? 0.75 * rows : 0;
      const x = within(normal(n + 2, precision, 7, 4), n);
      // All but one entry of some columns may be masked.
      for (let q = 0; q < n; q++) if (q % rows !== Math.floor(q / rows) % rows && q % 3 === 0) x[q] = -Infinity;
      const out = memory.take(n, precision);
      const whole = memory.take(cols + 1, precision);
      k.softmax(rows, cols, x, out);
      k.logSumExp(rows, cols, x, whole.subarray(0, cols));
      for (let j = 0; j < cols; j++) {
        const { largest, sum } = exponentialSum(x, j * rows, rows);
        const what = `column ${j} of ${rows} × ${cols}`;
        close(precision, whole[j], largest + log(sum), abs(largest) + log(sum) + 1, 4, what);
        for (let q = j * rows; q < (j + 1) * rows; q++) {
          const exact = Math.exp(x[q] - largest) / sum;
          close(precision, out[q], exact, exact, x[q] === -Infinity ? 0 : 4 + (largest - x[q]) / 2 + summing, what);
        }
      }
      expect(whole[cols]).toBe(0);
      const same = place(x, precision);
      k.softmax(rows, cols, same, same);
      expect(bits(same)).toEqual(bits(out));
    }
  });

  it('log_sum_exp_has_its_limits_and_shows_NaN', () => {
    const columns: readonly (readonly [readonly number[], number])[] = [
      [[-Infinity, -Infinity, -Infinity], -Infinity],
      [[0, Infinity, -Infinity], Infinity],
      [[Infinity, Infinity, Infinity], Infinity],
      [[NaN, 0, 1], NaN],
      [[0, 1, NaN], NaN],
      [[-Infinity, NaN, -Infinity], NaN],
      [[Infinity, NaN, 0], NaN],
      [[1e30, 0, -1e30], Math.fround(1e30)],
      [[-Infinity, 3, -Infinity], 3],
    ];
    const x = place(Float64Array.from(columns.flatMap(([column]) => column)), precision);
    const out = memory.take(columns.length, precision);
    k.logSumExp(3, columns.length, x, out);
    out.forEach((value, j) => expect(Math.fround(value), `${columns[j][0]}`).toBe(columns[j][1]));
    k.logSumExp(0, 2, x, out);
    expect([...out.subarray(0, 2)]).toEqual([-Infinity, -Infinity]);
    const p = memory.take(3, precision);
    k.softmax(3, 1, x, p);
    expect([...p]).toEqual([NaN, NaN, NaN]);
  });

  it('refuses_what_does_not_fit_together', () => {
    const x = normal(8, precision, 1);
    const other = memory.take(8, precision === 'f32' ? 'f64' : 'f32');
    expect(() => k.rowSums(2, 4, 1, x, 0, x.subarray(7))).toThrow(/out must be a Float.*at least 2 numbers/);
    expect(() => k.columnSums(2, 4, 1, x, 0, x.subarray(5))).toThrow(/out must be .* 4 numbers/);
    expect(() => k.rowSums(3, 3, 1, x, 0, x)).toThrow(/x must be .* 9 numbers/);
    expect(() => k.rowSums(-2, -4, 1, x, 0, x)).toThrow(/rows must be a whole number/);
    expect(() => k.columnSums(2, 1.5, 1, x, 0, x)).toThrow(/cols must be a whole number/);
    expect(() => k.columnSums(2 ** 32, 0, 1, x, 0, x)).toThrow(ShapeError);
    expect(() => k.rowDots(2, 4, 1, x, other, 0, x)).toThrow(/y must be/);
    expect(() => k.columnDots(2, 4, 1, x, x.subarray(1), 0, x)).toThrow(/y must be/);
    expect(() => k.combineRows(2, 4, x, null, null, null, null, 0, x)).toThrow(/a and x must be null together/);
    expect(() => k.combineRows(2, 4, null, null, null, x, null, 0, x)).toThrow(/b and z must be null together/);
    expect(() => k.combineRows(4, 2, x.subarray(5), x, null, null, null, 0, x)).toThrow(/a must be .* 4 numbers/);
    expect(() => k.combineColumns(2, 4, null, null, null, null, x.subarray(5), 0, x)).toThrow(/c must be/);
    expect(() => k.softmax(3, 3, x, x)).toThrow(ShapeError);
    expect(() => k.logSumExp(1, 8, x, x.slice())).toThrow(/over another memory/);
  });
});
