/**
 * The exponential of a block of numbers, the hot spot of most kernels. Layer 3.
 */

/** x[offset … offset + length) ← exp(x[…]). */
export function exponential(x: Float64Array, offset: number, length: number): void {
  for (let i = offset; i < offset + length; i++) x[i] = Math.exp(x[i]);
}
