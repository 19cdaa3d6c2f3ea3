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
