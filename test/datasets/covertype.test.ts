/** Points like those of the covertype table: their columns, and what depends on the seed. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { covertypeColumns, covertypePoints } from '#datasets/covertype.js';

const count = 20_000;

describe('covertypePoints', () => {
  const { coordinates, dimension } = covertypePoints(count, 0);
  const column = (k: number): Float64Array =>
    Float64Array.from({ length: count }, (_, i) => coordinates[i * dimension + k]);

  it('has_ten_standardised_columns', () => {
    expect(dimension).toBe(covertypeColumns);
    expect(coordinates.buffer).toBeInstanceOf(SharedArrayBuffer);
    for (let k = 0; k < 10; k++) {
      const values = column(k);
      const mean = values.reduce((a, b) => a + b) / count;
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / count;
      // Standardised over 100,000 points: six standard errors, for tails up to those of an exponential distribution.
      expect(Math.abs(mean)).toBeLessThan(6 / Math.sqrt(count));
      expect(Math.abs(variance - 1)).toBeLessThan((6 * Math.sqrt(20)) / Math.sqrt(count));
    }
  });

  it('has_one_area_and_one_soil_in_each_row_and_most_of_them_occur', () => {
    for (let i = 0; i < count; i++) {
      const row = coordinates.subarray(i * dimension, (i + 1) * dimension);
      for (const [from, to] of [
        [10, 14],
        [14, 54],
      ]) {
        const marks = row.subarray(from, to);
        expect(marks.every((mark) => mark === 0 || mark === 1) && marks.reduce((a, b) => a + b) === 1).toBe(true);
      }
    }
    const occurring = Array.from({ length: 44 }, (_, k) => column(10 + k).some((mark) => mark === 1)).filter(
      Boolean,
    ).length;
    expect(occurring).toBeGreaterThan(36);
  });

  it('depends_on_the_seed_alone_and_fewer_are_the_first_of_more', () => {
    expect(covertypePoints(10, 0).coordinates).toEqual(coordinates.slice(0, 10 * dimension));
    expect(covertypePoints(10, 1).coordinates).not.toEqual(coordinates.slice(0, 10 * dimension));
  });

  it('refuses_sizes_that_are_none', () => {
    expect(() => covertypePoints(0, 0)).toThrow(ShapeError);
    expect(() => covertypePoints(1.5, 0)).toThrow(ShapeError);
  });
});
