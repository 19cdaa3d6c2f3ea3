import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { normalPoints, uniformPoints } from '#datasets/points.js';

const n = 20_000;

describe.each([
  ['normalPoints', normalPoints, 0, 1, Math.sqrt(2)],
  ['uniformPoints', uniformPoints, 0.5, 1 / 12, Math.sqrt(1 / 80 - 1 / 144)],
] as const)('%s', (_, make, mean, variance, spreadOfSquares) => {
  it("has the distribution's mean and variance within six standard errors", () => {
    const { coordinates, dimension, count } = make(n / 4, 4, 7);
    expect([dimension, count, coordinates.length]).toEqual([4, n / 4, n]);
    expect(coordinates.buffer).toBeInstanceOf(SharedArrayBuffer);
    const m = coordinates.reduce((a, b) => a + b) / n;
    const v = coordinates.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.abs(m - mean)).toBeLessThan(6 * Math.sqrt(variance / n));
    expect(Math.abs(v - variance)).toBeLessThan((6 * spreadOfSquares) / Math.sqrt(n));
  });

  it('depends on the seed alone; fewer are the first of more', () => {
    expect(make(10, 3, 1).coordinates).toEqual(make(50, 3, 1).coordinates.slice(0, 30));
    expect(make(10, 3, 2).coordinates).not.toEqual(make(10, 3, 1).coordinates);
  });

  it('sizes that are none are refused', () => {
    expect(() => make(0, 3, 1)).toThrow(ShapeError);
    expect(() => make(3, 1.5, 1)).toThrow(ShapeError);
  });
});
