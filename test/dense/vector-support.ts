/** What the tests of the linear memory and its kernels share. */
import { expect } from 'vitest';
import type { FloatArray, Precision } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { VectorMemory } from '#hmatrix/dense/vector-memory.js';

export const PRECISIONS: readonly Precision[] = ['f32', 'f64'];
export const epsilonOf = (precision: Precision): number => (precision === 'f32' ? 2 ** -23 : 2 ** -52);
const smallestOf = (precision: Precision): number => (precision === 'f32' ? 2 ** -126 : 2 ** -1022);
export const memory = VectorMemory.open(256 * 2 ** 20);

export function normal(n: number, precision: Precision, seed: number, scale = 1): FloatArray {
  const x = memory.take(n, precision);
  const values = new Float64Array(n);
  new RandomStream(seed).fillNormal(values);
  for (let i = 0; i < n; i++) x[i] = scale * values[i];
  return x;
}

/** The values as an array over the memory. */
export function place(values: FloatArray, precision: Precision): FloatArray {
  const array = memory.take(values.length, precision);
  array.set(values);
  return array;
}

export const positive = (n: number, precision: Precision, seed: number): FloatArray =>
  place(normal(n, precision, seed).map(Math.abs) as FloatArray, precision);

/** Its bits, for comparison. */
export const bits = (x: FloatArray): Uint8Array => new Uint8Array(x.slice().buffer);

/** Fails unless |value − expected| ≤ units·ε·scale; a scale below the normal range counts as its end. */
export function close(
  precision: Precision,
  value: number,
  expected: number,
  scale: number,
  units: number,
  what: string,
) {
  const error = Math.abs(value - expected) / (epsilonOf(precision) * Math.max(Math.abs(scale), smallestOf(precision)));
  if (!(error <= units)) expect.fail(`${what}: ${value}, not ${expected}: ${error} units`);
}
