/**
 * Typed arrays over SharedArrayBuffer: the only memory that workers see. Layer 0.
 * Shared buffers are committed lazily by the operating system, so a generous one costs only what is touched.
 */
import { ShapeError } from './errors.js';
import { describe } from './kind.js';

export const sharedFloat64 = (length: number): Float64Array => new Float64Array(new SharedArrayBuffer(8 * length));
export const sharedFloat32 = (length: number): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
export const sharedInt32 = (length: number): Int32Array => new Int32Array(new SharedArrayBuffer(4 * length));

/**
 * The array itself if it is shared already, else a shared copy. Throws ShapeError for an array of another type: numbers of a
 * plain one would be cut.
 */
export function toShared<A extends Float64Array | Float32Array | Int32Array>(array: A): A {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  if (!(array instanceof Float64Array || array instanceof Float32Array || array instanceof Int32Array)) {
    throw new ShapeError(`A Float64Array, Float32Array or Int32Array is shared with workers, not ${describe(array)}.`);
  }
  const copy = array instanceof Float64Array ? sharedFloat64(array.length)
    : array instanceof Float32Array ? sharedFloat32(array.length) : sharedInt32(array.length);
  copy.set(array);
  return copy as A;
}
