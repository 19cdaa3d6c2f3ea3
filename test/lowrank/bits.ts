/** Equality of arrays bit by bit, fast for large ones. */
import type { FloatArray } from '#hmatrix/dense/matrix.js';

export const sameBits = (a: FloatArray, b: FloatArray): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
