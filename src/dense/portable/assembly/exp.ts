/**
 * The exponential, eight numbers at a time. Compiled to WebAssembly. exp(x) = 2ᵏ·exp(r), r = x − k·ln 2 with ln 2 in
 * two parts (W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980), exp(r) = 1 + r + r²·q(r) on |r|
 * ≤ ln 2/2, q the near-minimax polynomial of degree 9 from Chebyshev interpolation (relative error 1.6e-17). 2ᵏ is
 * applied in two halves, so that results underflow gradually and overflow only beyond the largest number.
 */

/**
 * The constants, in memory: a load each is cheaper than building them in every turn of the loop.
 * log₂e; ln 2, its first 32 bits (k times them is exact) and the rest; the arguments beyond which exp is +∞ and 0;
 * 2⁵² + 1023, which leaves an integer's biased exponent in the low bits of the sum; then q from the highest power down.
 */
const table: usize = memory.data<f64>([
  1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10, 710, -746, 0.5, 1, 4503599627371519,
  2.5100395159429243e-8, 2.7620101012098e-7, 2.7557268439678e-6, 2.4801521269532122e-5, 1.9841269863066696e-4,
  1.3888888917230724e-3, 8.33333333333006e-3, 4.1666666666624094e-2, 0.16666666666666669, 0.5000000000000001,
]);
const LOG2_E: usize = 0;
const LN2_HIGH: usize = 8;
const LN2_LOW: usize = 16;
const LARGEST: usize = 24;
const SMALLEST: usize = 32;
const HALF: usize = 40;
const ONE: usize = 48;
const EXPONENT_BIAS: usize = 56;
export const POLYNOMIAL: usize = 64;
export const LAST: usize = 136;

/** The constant that stands there, in both lanes. */
@inline
export function constant(offset: usize): v128 {
  return v128.load64_splat(table + offset);
}

/** q·r + c */
@inline
export function horner(q: v128, r: v128, c: v128): v128 {
  return f64x2.add(f64x2.mul(q, r), c);
}

/** (1 + r + r²·q)·2ᵏ */
@inline
export function assemble(k: v128, r: v128, q: v128): v128 {
  const e = f64x2.add(constant(ONE), f64x2.add(r, f64x2.mul(f64x2.mul(r, r), q)));
  const k1 = f64x2.nearest(f64x2.mul(k, constant(HALF)));
  const k2 = f64x2.sub(k, k1);
  const bias = constant(EXPONENT_BIAS);
  return f64x2.mul(f64x2.mul(e, i64x2.shl(f64x2.add(k1, bias), 52)), i64x2.shl(f64x2.add(k2, bias), 52));
}

/**
 * x into the range where the result is neither 0 nor ∞, or just beyond; pmin and pmax keep their first argument when it
 * is not a number.
 */
@inline
export function clamp(x: v128): v128 {
  return f64x2.pmax(f64x2.pmin(x, constant(LARGEST)), constant(SMALLEST));
}

/** k, the multiple of ln 2 next to x. */
@inline
export function quotient(x: v128): v128 {
  return f64x2.nearest(f64x2.mul(x, constant(LOG2_E)));
}

/** r = x − k·ln 2 */
@inline
export function remainder(x: v128, k: v128): v128 {
  return f64x2.sub(f64x2.sub(x, f64x2.mul(k, constant(LN2_HIGH))), f64x2.mul(k, constant(LN2_LOW)));
}

/**
 * x(i) ← exp(x(i)), i < n; the memory up to the next multiple of 8 numbers is overwritten as well, so that every number
 * goes through the same lanes.
 */
export function exponentials(n: i32, x: usize): void {
  for (let i = 0; i < n; i += 8) {
    const x0 = clamp(v128.load(x));
    const x1 = clamp(v128.load(x, 16));
    const x2 = clamp(v128.load(x, 32));
    const x3 = clamp(v128.load(x, 48));
    const k0 = quotient(x0);
    const k1 = quotient(x1);
    const k2 = quotient(x2);
    const k3 = quotient(x3);
    const r0 = remainder(x0, k0);
    const r1 = remainder(x1, k1);
    const r2 = remainder(x2, k2);
    const r3 = remainder(x3, k3);
    let q0 = constant(POLYNOMIAL);
    let q1 = q0;
    let q2 = q0;
    let q3 = q0;
    for (let at: usize = POLYNOMIAL + 8; at <= LAST; at += 8) {
      const c = v128.load64_splat(table + at);
      q0 = horner(q0, r0, c);
      q1 = horner(q1, r1, c);
      q2 = horner(q2, r2, c);
      q3 = horner(q3, r3, c);
    }
    v128.store(x, assemble(k0, r0, q0));
    v128.store(x, assemble(k1, r1, q1), 16);
    v128.store(x, assemble(k2, r2, q2), 32);
    v128.store(x, assemble(k3, r3, q3), 48);
    x += 64;
  }
}
