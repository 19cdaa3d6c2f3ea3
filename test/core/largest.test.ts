/**
 * Where the largest numbers stand.
 */
import { expect, it } from 'vitest';
import { placesOfLargest } from '#hmatrix/core/largest.js';
import { RandomStream } from '#hmatrix/core/random.js';

it('gives the places of a stable sort, whatever the numbers are', () => {
  const random = new RandomStream(3);
  for (let n = 0; n < 60; n++) {
    // Many are equal.
    const numbers = Float64Array.from({ length: n }, () => random.integer(9) - 2);
    const others = new Set([1, 4, 5]);
    for (const most of [1, 4, 100]) {
      const expected = (least: number, without: ReadonlySet<number>): number[] =>
        Array.from(numbers.keys())
          .filter((i) => numbers[i] > least && !without.has(i))
          .sort((a, b) => numbers[b] - numbers[a] || a - b)
          .slice(0, most);
      expect(placesOfLargest(numbers, most)).toEqual(expected(0, new Set()));
      expect(placesOfLargest(numbers, most, { least: 3, others })).toEqual(expected(3, others));
    }
  }
});

it('passes numbers by that are none', () => {
  expect(placesOfLargest(Float64Array.of(Number.NaN, 2, Number.NaN, 5), 3)).toEqual([3, 1]);
});
