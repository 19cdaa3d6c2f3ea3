/**
 * Numbers as callers hand them over: typed arrays, or what JSON.parse gives.
 */
import { ShapeError } from './errors.js';
import { describe } from './kind.js';

const NESTED = 'an array: nested arrays are not taken, give one flat array';
const shown = (value: unknown): string => (Array.isArray(value) ? NESTED : describe(value));

function requireArray(values: unknown, name: string, of: string): void {
  const length: unknown =
    typeof values === 'object' ? (values as { length?: unknown | undefined } | null)?.length : undefined;
  if (Number.isSafeInteger(length) && (length as number) >= 0) return;
  throw new ShapeError(`${name} must be an array of ${of}, not ${shown(values)}.`, { name });
}

/** Every entry that is a number, into `out`. */
function copyNumbers<A extends Float64Array | Int32Array>(
  values: ArrayLike<number>,
  out: A,
  name: string,
  whole: boolean,
): A {
  for (let i = 0; i < out.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== 'number') {
      throw new ShapeError(`${name}[${i}] must be a number, not ${shown(value)}.`, { name, index: i });
    }
    if (whole && (value | 0) !== value) {
      throw new ShapeError(`${name}[${i}] must be a whole number below 2³¹, not ${value}.`, { name, index: i, value });
    }
    out[i] = value;
  }
  return out;
}

/**
 * `values` as floating-point numbers: a Float64Array or Float32Array is returned as it is, any other array-like of
 * numbers (a plain array, an Int32Array, …) becomes a new Float64Array. NaN and infinities pass: who needs finite
 * numbers checks that. Throws ShapeError, which names `name` and the first entry that is no number.
 */
export function asFloats(values: ArrayLike<number>, name: string): Float64Array | Float32Array {
  return values instanceof Float32Array ? values : asFloat64(values, name);
}

/** As `asFloats`, in double precision: a Float32Array is widened. */
export function asFloat64(values: ArrayLike<number>, name: string): Float64Array {
  if (values instanceof Float64Array) return values;
  requireArray(values, name, 'numbers (a Float64Array or any array-like)');
  return copyNumbers(values, new Float64Array(values.length), name, false);
}

/**
 * `values` as indices: an Int32Array as it is, any other array-like of whole numbers as a new one. Throws ShapeError,
 * which names the first entry that is none.
 */
export function asIndices(values: ArrayLike<number>, name: string): Int32Array {
  if (values instanceof Int32Array) return values;
  requireArray(values, name, 'whole numbers (an Int32Array or any array-like)');
  return copyNumbers(values, new Int32Array(values.length), name, true);
}
