/**
 * Typed arrays over SharedArrayBuffer: the only memory that workers see.
 * Shared buffers are committed lazily by the operating system, so a generous one costs only what is touched.
 */
import { MemoryError, ShapeError } from './errors.js';
import { describe } from './kind.js';
import { inUnits } from './memory.js';

/** What is used of WebAssembly; TypeScript declares it only together with the DOM. */
interface WithMemory {
  readonly WebAssembly: {
    readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => { readonly buffer: object };
  };
}

// A browser names the class only to pages that are isolated. The others may have arrays over such memory, but may not
// share it between threads.
if (typeof SharedArrayBuffer === 'undefined') {
  const { WebAssembly } = globalThis as unknown as WithMemory;
  const { buffer } = new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true });
  Object.assign(globalThis, { SharedArrayBuffer: buffer.constructor });
}

/** Throws MemoryError where `what` needs more bytes than the `available` ones. */
export function requireBytes(bytes: number, available: number, what: string): void {
  if (bytes > available)
    throw new MemoryError(`${what} needs ${inUnits(bytes)} of memory, and ${inUnits(available)} are available.`, {
      bytes,
      available,
    });
}

/**
 * Shared memory of `bytes`, all zero. Throws MemoryError, saying that `what` wanted it, where the process cannot have
 * it in one piece.
 */
export function allocateShared(bytes: number, what = 'An array'): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch {
    throw new MemoryError(`${what} needs ${inUnits(bytes)} of memory in one piece, more than this process can have.`, {
      bytes,
    });
  }
}

/**
 * What V8 throws where it cannot have the memory of an array (RangeErrors that only their texts tell from others) as a
 * MemoryError; anything else as it is.
 */
export function asMemoryError(error: unknown): unknown {
  if (
    !(error instanceof RangeError) ||
    !/^(Array buffer allocation failed|Invalid (typed )?array (buffer )?length: \d+$)|out of memory/i.test(
      error.message,
    )
  )
    return error;
  return new MemoryError(
    `The process cannot have the memory that an array needs (${error.message}): make the problem smaller, or ` +
      'give it more memory.',
  );
}

/** `length` float64 zeros over a SharedArrayBuffer. Throws MemoryError. */
export const sharedFloat64 = (length: number): Float64Array => new Float64Array(allocateShared(8 * length));
/** `length` float32 zeros over a SharedArrayBuffer. Throws MemoryError. */
export const sharedFloat32 = (length: number): Float32Array => new Float32Array(allocateShared(4 * length));
/** `length` int32 zeros over a SharedArrayBuffer. Throws MemoryError. */
export const sharedInt32 = (length: number): Int32Array => new Int32Array(allocateShared(4 * length));

/**
 * The array itself if it is shared already, else a shared copy. Throws ShapeError for an array of another type: numbers
 * of a plain one would be cut.
 */
export function toShared<A extends Float64Array | Float32Array | Int32Array>(array: A): A {
  if (array.buffer instanceof SharedArrayBuffer) return array;
  if (!(array instanceof Float64Array || array instanceof Float32Array || array instanceof Int32Array)) {
    throw new ShapeError(`A Float64Array, Float32Array or Int32Array is shared with workers, not ${describe(array)}.`);
  }
  const copy =
    array instanceof Float64Array
      ? sharedFloat64(array.length)
      : array instanceof Float32Array
        ? sharedFloat32(array.length)
        : sharedInt32(array.length);
  copy.set(array);
  return copy as A;
}
