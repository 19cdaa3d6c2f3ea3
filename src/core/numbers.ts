/**
 * Numbers as callers hand them over: typed arrays, or what JSON.parse gives. Layer 0.
 */
import { ShapeError } from './errors.js';

const shown = (value: unknown): string => {
  if (typeof value === 'string') return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (Array.isArray(value)) return 'an array: nested arrays are not taken, give one flat array';
  return value === null ? 'null' : typeof value === 'object' || typeof value === 'function' ? `a${/^[aeo]/.test(typeof value) ? 'n' : ''} ${typeof value}` : typeof value === 'bigint' ? `the bigint ${value}` : String(value);
};

/**
 * `values` as floating-point numbers: a Float64Array or Float32Array is returned as it is, any other array-like of numbers (a plain array, an Int32Array, …)
 * becomes a new Float64Array. NaN and infinities pass: who needs finite numbers checks that. Throws ShapeError, which names `name` and the first entry
 * that is no number.
 */
export function asFloats(values: ArrayLike<number>, name: string): Float64Array | Float32Array {
  if (values instanceof Float64Array || values instanceof Float32Array) return values;
  const given: unknown = values;
  const arrayLike = typeof given === 'object' && given !== null && Number.isSafeInteger((given as { length?: unknown }).length) && values.length >= 0;
  if (!arrayLike) throw new ShapeError(`${name} must be an array of numbers (a Float64Array or any array-like), not ${shown(given)}.`, { name });
  const out = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i];
    if (typeof value !== 'number') throw new ShapeError(`${name}[${i}] must be a number, not ${shown(value)}.`, { name, index: i });
    out[i] = value;
  }
  return out;
}
