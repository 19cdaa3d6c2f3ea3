/** Vectorised squared distances against their definition, in every dimension and remainder of rows. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { view, zeros } from '#hmatrix/dense/matrix.js';
import { squaredDistances } from '#hmatrix/dense/distances.js';

const count = 1500;
const eps = Number.EPSILON;

function points(d: number): Float64Array {
  const x = new Float64Array(d * count);
  new RandomStream(d).fillNormal(x);
  return x;
}

const some = (n: number, seed: number): Int32Array => {
  const random = new RandomStream(seed);
  return Int32Array.from({ length: n }, () => random.integer(count));
};

describe('squaredDistances', () => {
  it.each([1, 2, 3, 6, 7, 16, 40])('is_the_sum_of_squared_differences_in_dimension_%i', (d) => {
    const x = points(d);
    for (const [m, n] of [
      [1, 1],
      [2, 9],
      [3, 5],
      [4, 4],
      [7, 31],
      [8, 2],
      [13, 40],
      [33, 17],
      [64, 300],
      [1100, 11],
    ]) {
      const rows = some(m, m);
      const cols = some(n, n + 100);
      const out = zeros(m, n);
      squaredDistances(x, d, rows, cols, out);
      const wrong: number[][] = [];
      for (let b = 0; b < n; b++) {
        for (let a = 0; a < m; a++) {
          let exact = 0;
          for (let k = 0; k < d; k++) exact += (x[rows[a] * d + k] - x[cols[b] * d + k]) ** 2;
          const found = out.data[a + b * m];
          if (!(Math.abs(found - exact) <= (d + 2) * eps * exact)) wrong.push([a, b, found, exact]);
        }
      }
      expect(wrong).toEqual([]);
    }
  });

  it('the_same_two_points_give_the_same_bits_wherever_and_either_way', () => {
    const d = 5;
    const x = points(d);
    const rows = some(45, 1);
    const cols = some(1200, 2);
    const whole = zeros(45, 1200);
    squaredDistances(x, d, rows, cols, whole);
    const turned = zeros(1200, 45);
    squaredDistances(x, d, cols, rows, turned);
    const one = zeros(1, 1);
    for (let b = 0; b < 1200; b += 7) {
      for (let a = 0; a < 45; a++) {
        expect(turned.data[b + a * 1200]).toBe(whole.data[a + b * 45]);
        if (a % 11 !== 0) continue;
        squaredDistances(x, d, rows.subarray(a, a + 1), cols.subarray(b, b + 1), one);
        expect(one.data[0]).toBe(whole.data[a + b * 45]);
      }
    }
  });

  it('equal_points_are_at_distance_zero_and_only_the_view_is_written', () => {
    const x = points(3);
    const rows = Int32Array.of(4, 9, 4);
    const target = new Float64Array(60).fill(-7);
    squaredDistances(x, 3, rows, rows, view(target, 2, 3, 3, 6));
    expect([target[2], target[4], target[9], target[14], target[16]]).toEqual([0, 0, 0, 0, 0]);
    const written = new Set([2, 3, 4, 8, 9, 10, 14, 15, 16]);
    target.forEach((value, p) => {
      expect(written.has(p) ? value >= 0 : value === -7).toBe(true);
    });
    squaredDistances(x, 3, new Int32Array(0), rows, zeros(0, 3));
    squaredDistances(x, 3, rows, new Int32Array(0), zeros(3, 0));
  });
});
