/**
 * Elements of files turned into floats, whatever their type.
 */
import type { FloatArray } from '../core/floats.js';
import { widenBfloat16, widenBinary16 } from './half-precision.js';
import type { NumberType } from './npy-type.js';

/** out[start …] ← the elements in `raw`, aligned and in this machine's byte order, rounded to out's precision. */
export function convertElements(
  raw: Uint8Array,
  { kind, itemBytes }: NumberType,
  out: FloatArray,
  start: number,
): void {
  const { buffer, byteOffset, length } = raw;
  const n = length / itemBytes;
  if (itemBytes === 2 && (kind === 'f' || kind === 'bf')) {
    const single = out instanceof Float32Array ? out.subarray(start, start + n) : new Float32Array(n);
    (kind === 'f' ? widenBinary16 : widenBfloat16)(new Uint16Array(buffer, byteOffset, n), single);
    if (out instanceof Float64Array) out.set(single, start);
  } else if (kind === 'f')
    out.set(itemBytes === 8 ? new Float64Array(buffer, byteOffset, n) : new Float32Array(buffer, byteOffset, n), start);
  else if (kind === 'b') for (let i = 0; i < n; i++) out[start + i] = raw[i] === 0 ? 0 : 1;
  else if (itemBytes === 1) out.set(kind === 'i' ? new Int8Array(buffer, byteOffset, n) : raw, start);
  else if (itemBytes === 2)
    out.set(kind === 'i' ? new Int16Array(buffer, byteOffset, n) : new Uint16Array(buffer, byteOffset, n), start);
  else if (itemBytes === 4)
    out.set(kind === 'i' ? new Int32Array(buffer, byteOffset, n) : new Uint32Array(buffer, byteOffset, n), start);
  else {
    // Two exact terms and one rounding: the float64 nearest to the 64-bit integer.
    const words = new DataView(buffer, byteOffset, length);
    const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
    const highAt = little ? 4 : 0;
    for (let i = 0; i < n; i++) {
      const high = kind === 'i' ? words.getInt32(8 * i + highAt, little) : words.getUint32(8 * i + highAt, little);
      out[start + i] = high * 4294967296 + words.getUint32(8 * i + 4 - highAt, little);
    }
  }
}
