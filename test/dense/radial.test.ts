/** Functions of a squared distance: right to rounding, never NaN, the same bits wherever a number stands. */
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { squaredDistances } from '#hmatrix/dense/distances.js';
import { view } from '#hmatrix/dense/matrix.js';
import { radialInPlace, type RadialForm, type RadialFunction } from '#hmatrix/dense/radial.js';
import { randomMatrix } from '../support.js';

/** By Math.exp and the formulas. */
const FORMULAS: Readonly<Record<RadialForm, (s: number, f: number) => number>> = {
  gaussian: (s, f) => Math.exp(f * s),
  exponential: (s, f) => Math.exp(f * Math.sqrt(s)),
  matern32: (s, f) => (1 - f * Math.sqrt(s)) * Math.exp(f * Math.sqrt(s)),
  matern52: (s, f) => (1 - f * Math.sqrt(s) + (f * f * s) / 3) * Math.exp(f * Math.sqrt(s)),
  inverseMultiquadric: (s, f) => 1 / Math.sqrt(1 + f * s),
};
const forms = Object.keys(FORMULAS) as RadialForm[];
const signed = (form: RadialForm, size: number): RadialFunction => ({
  form,
  factor: form === 'inverseMultiquadric' ? size : -size,
});
const of = (radial: RadialFunction, s: readonly number[]): Float64Array => {
  const x = Float64Array.from(s);
  radialInPlace(radial, x, 0, x.length);
  return x;
};

describe.each(forms)('the radial function %s', (form) => {
  it('is_its_formula_to_rounding', () => {
    const s = Array.from({ length: 5001 }, (_, i) => (i / 70) ** 2);
    for (const size of [0.01, 1, 3.7]) {
      const radial = signed(form, size);
      const wrong = Array.from(of(radial, s)).flatMap((value, i) => {
        const right = FORMULAS[form](s[i], radial.factor);
        // The exponent f·s is rounded, and the exponential magnifies that by f·s.
        const exponent = Math.abs(Math.log(right));
        const near =
          right > 1e-300 ? Math.abs(value / right - 1) < (5 + 2 * exponent) * Number.EPSILON : value < 1e-299;
        return near ? [] : [[s[i], value, right]];
      });
      expect(wrong).toEqual([]);
    }
  });

  it('is_1_at_0_and_0_or_small_far_away', () => {
    for (const size of [1e-300, 1, 1e154]) {
      const radial = signed(form, size);
      const far = [1e300, Number.MAX_VALUE];
      const [atZero, ...others] = of(radial, [0, ...far]);
      expect(atZero).toBe(1);
      for (const value of others) expect(value).toBeGreaterThanOrEqual(0);
      if (size >= 1) for (const value of others) expect(value).toBeLessThan(1e-100);
    }
  });

  it('has_the_same_bits_wherever_a_number_stands_and_in_blocks_of_distances', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 3, 7, 8, 9, 33, 1025),
        fc.constantFrom(1, 2, 5, 40),
        fc.integer({ min: 1, max: 4 }),
        fc.integer(),
        (m, n, d, seed) => {
          const radial = signed(form, 1.3);
          const points = randomMatrix(d, m + n, seed).data as Float64Array;
          const rows = Int32Array.from({ length: m }, (_, i) => i);
          const cols = Int32Array.from({ length: n }, (_, j) => m + j - (j === 0 ? m : 0));
          const distances = new Float64Array(m * n);
          squaredDistances(points, d, rows, cols, view(distances, 0, m, n));
          const block = new Float64Array((m + 3) * n + 2);
          squaredDistances(points, d, rows, cols, view(block, 2, m, n, m + 3), radial);
          const alone = distances.slice();
          radialInPlace(radial, alone, 0, alone.length);
          const differing: number[][] = [];
          for (let j = 0; j < n; j++)
            for (let i = 0; i < m; i++) {
              const value = block[2 + i + j * (m + 3)];
              const [one] = of(radial, [distances[i + j * m]]);
              if (!Object.is(value, alone[i + j * m]) || !Object.is(value, one)) differing.push([i, j]);
            }
          expect(differing).toEqual([]);
          // What lies between columns stays.
          expect(block[1]).toBe(0);
          if (n > 1) expect(block[2 + m]).toBe(0);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('leaves_what_is_outside_the_range', () => {
    const x = new Float64Array(4099).fill(2);
    radialInPlace(signed(form, 1), x, 1, 4097);
    expect([x[0], x[4098]]).toEqual([2, 2]);
    expect(new Set(x.subarray(1, 4098)).size).toBe(1);
    expect(x[1]).not.toBe(2);
  });
});
