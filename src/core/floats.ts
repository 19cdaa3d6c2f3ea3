/**
 * Floating-point arrays of either precision.
 */
import { sharedFloat32, sharedFloat64 } from './shared-array.js';

/** Memory of a matrix: float64 or float32. */
export type FloatArray = Float64Array | Float32Array;
/** The precision of a {@link FloatArray}. */
export type Precision = 'f64' | 'f32';

/** All values of {@link Precision}. */
export const PRECISIONS: readonly Precision[] = ['f64', 'f32'];

/** Relative rounding of each precision. */
export const ROUNDOFF: Readonly<Record<Precision, number>> = { f64: 2 ** -52, f32: 2 ** -23 };

/** Bytes of a number. */
export const NUMBER_BYTES: Readonly<Record<Precision, number>> = { f64: 8, f32: 4 };

/** The precision of an array's numbers. */
export const precisionOf = (data: FloatArray): Precision => (data instanceof Float64Array ? 'f64' : 'f32');

/** `length` zeros. */
export const floats = (length: number, precision: Precision): FloatArray =>
  precision === 'f64' ? new Float64Array(length) : new Float32Array(length);

/** `length` zeros over a SharedArrayBuffer. Throws MemoryError. */
export const sharedFloats = (length: number, precision: Precision): FloatArray =>
  precision === 'f64' ? sharedFloat64(length) : sharedFloat32(length);

/** out[k] ← values[indices[k]]. */
export function copyAt(values: FloatArray, indices: ArrayLike<number>, out: FloatArray): void {
  for (let k = 0; k < indices.length; k++) out[k] = values[indices[k]];
}

/** The place of the first number that is NaN or infinite; −1 where there is none. */
export function firstNonFinite(values: FloatArray): number {
  // x·0 is 0 of a finite x and NaN of any other; four sums, for additions of one would wait for each other.
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += values[i] * 0;
    b += values[i + 1] * 0;
    c += values[i + 2] * 0;
    d += values[i + 3] * 0;
  }
  for (let i = whole; i < values.length; i++) a += values[i] * 0;
  return a + b + c + d === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}
