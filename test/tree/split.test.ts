import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NonFiniteError, ShapeError } from '#hmatrix/core/errors.js';
import { firstOfLevel, leftChild, rightChild } from '#hmatrix/core/indices.js';
import { halvedRanges, splitAtMedian } from '#hmatrix/tree/split.js';

describe('splitAtMedian', () => {
  it('puts the ceil(n/2) smallest by (value, index) first and loses nobody', () => {
    const values = fc.array(
      fc.oneof(fc.double({ noNaN: true, min: -1e300, max: 1e300 }), fc.integer({ min: 0, max: 3 })),
      { minLength: 1, maxLength: 200 },
    );
    fc.assert(
      fc.property(values, fc.integer(), (given, shift) => {
        const n = given.length;
        const order = Int32Array.from({ length: n }, (_, p) => (p * 7919 + Math.abs(shift % n)) % n);
        if (new Set(order).size !== n)
          order.forEach((_, p) => {
            order[p] = p;
          });
        const pairs = new Map(Array.from(order, (index, p) => [index, given[p]]));
        const moved = Float64Array.from(given);
        splitAtMedian(order, moved, 0, n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, p) => p));
        order.forEach((index, p) => expect(moved[p]).toBe(pairs.get(index)));
        const sorted = [...pairs].sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(([index]) => index);
        const half = Math.ceil(n / 2);
        expect([...order.subarray(0, half)].sort((a, b) => a - b)).toEqual(sorted.slice(0, half).sort((a, b) => a - b));
      }),
    );
  });

  it('leaves everything outside its range alone', () => {
    const order = Int32Array.from([9, 5, 4, 3, 2, 1, 8]);
    const values = Float64Array.from([0, 5, 4, 3, 2, 1, 0]);
    splitAtMedian(order, values, 1, 6);
    expect([order[0], order[6]]).toEqual([9, 8]);
    expect([...order.subarray(1, 4)].sort()).toEqual([1, 2, 3]);
  });

  it('survives arrangements on which careless pivots take n²/4 steps: equal, sorted, reversed, organ pipe', () => {
    const n = 1 << 19;
    for (const value of [
      (): number => 1,
      (p: number): number => p,
      (p: number): number => -p,
      (p: number): number => Math.min(p, n - p),
    ]) {
      const order = Int32Array.from({ length: n }, (_, p) => p);
      const values = Float64Array.from({ length: n }, (_, p) => value(p));
      splitAtMedian(order, values, 0, n);
      const largestLower = order
        .subarray(0, n / 2)
        .reduce((m, index) => Math.max(m, value(index)), Number.NEGATIVE_INFINITY);
      const smallestUpper = order
        .subarray(n / 2)
        .reduce((m, index) => Math.min(m, value(index)), Number.POSITIVE_INFINITY);
      expect(largestLower).toBeLessThanOrEqual(smallestUpper);
    }
  });

  it('refuses a value that is not finite, naming the index', () => {
    const values = Float64Array.from([1, Number.NaN, 2]);
    expect(() => splitAtMedian(Int32Array.from([4, 7, 6]), values, 0, 3)).toThrow(NonFiniteError);
    expect(() => splitAtMedian(Int32Array.from([4, 7, 6]), values, 0, 3)).toThrow(/index 7/);
  });
});

describe('halvedRanges', () => {
  it('nests, covers, and keeps the sizes of a level within one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 0, max: 9 }), (size, asked) => {
        const depth = Math.min(asked, Math.floor(Math.log2(size)));
        const { begin, end } = halvedRanges(size, depth);
        expect([begin[0], end[0]]).toEqual([0, size]);
        for (let ν = 0; ν < firstOfLevel(depth); ν++) {
          expect(begin[leftChild(ν)]).toBe(begin[ν]);
          expect(end[leftChild(ν)]).toBe(begin[rightChild(ν)]);
          expect(end[rightChild(ν)]).toBe(end[ν]);
          expect(end[leftChild(ν)] - begin[ν]).toBe(Math.ceil((end[ν] - begin[ν]) / 2));
        }
        for (let level = 0; level <= depth; level++) {
          const sizes = Array.from(
            { length: 2 ** level },
            (_, n) => end[firstOfLevel(level) + n] - begin[firstOfLevel(level) + n],
          );
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          expect(Math.min(...sizes)).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('refuses more leaves than indices', () => {
    expect(() => halvedRanges(7, 3)).toThrow(ShapeError);
  });
});
