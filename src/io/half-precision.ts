/**
 * Sixteen-bit floats widened to float32: every one of them is a float32, so nothing is rounded.
 * Source: IEEE 754-2008 binary16 (1 sign, 5 exponent, 10 fraction bits); bfloat16 is the upper half of a binary32.
 */

/** out ← the binary16 numbers whose bits are in `halves`; NaNs keep their sign and fraction. Lengths agree. */
export function widenBinary16(halves: Uint16Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) {
    const h = halves[i];
    const sign = (h & 0x8000) << 16;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    if (exponent === 0) {
      // Zero or subnormal: fraction · 2⁻²⁴, exact in float32.
      out[i] = (sign < 0 ? -1 : 1) * fraction * 2 ** -24;
    } else {
      // Exponents 1 … 30 are biased by 15 here, by 127 there; 31, infinity and NaN, becomes 255.
      bits[i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
    }
  }
}

/** out ← the bfloat16 numbers whose bits are in `halves`. Lengths agree. */
export function widenBfloat16(halves: Uint16Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
}
