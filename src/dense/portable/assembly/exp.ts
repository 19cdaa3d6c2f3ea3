/**
 * The exponential, two lanes at a time. Layer 1, compiled to WebAssembly.
 * exp(x) = 2ᵏ·exp(r), r = x − k·ln 2 with ln 2 in two parts (W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980),
 * exp(r) = 1 + r + r²·q(r) on |r| ≤ ln 2/2, q the near-minimax polynomial of degree 9 from Chebyshev interpolation (relative error 1.6e-17).
 * 2ᵏ is applied in two halves, so that results underflow gradually and overflow only beyond the largest number.
 */

const LOG2_E: f64 = 1.4426950408889634;
/** The first 32 bits of ln 2, so that k·LN2_HIGH is exact, and the rest. */
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
/** Beyond these, exp is +∞ and 0. */
const LARGEST: f64 = 710;
const SMALLEST: f64 = -746;
/** 2⁵² + 1023: adding it leaves an integer's biased exponent in the low bits. */
const EXPONENT_BIAS: f64 = 4503599627371519;

/** x(i) ← exp(x(i)), i < n; the memory up to the next multiple of 2 is overwritten as well, so that every entry goes through the same lanes. */
export function exponentials(n: i32, x: usize): void {
  const log2e = f64x2.splat(LOG2_E);
  const high = f64x2.splat(LN2_HIGH);
  const low = f64x2.splat(LN2_LOW);
  const largest = f64x2.splat(LARGEST);
  const smallest = f64x2.splat(SMALLEST);
  const half = f64x2.splat(0.5);
  const one = f64x2.splat(1);
  const bias = f64x2.splat(EXPONENT_BIAS);
  for (let i = 0; i < n; i += 2) {
    // pmin and pmax keep their first argument when it is not a number.
    const v = f64x2.pmax(f64x2.pmin(v128.load(x), largest), smallest);
    const k = f64x2.nearest(f64x2.mul(v, log2e));
    const r = f64x2.sub(f64x2.sub(v, f64x2.mul(k, high)), f64x2.mul(k, low));
    let q = f64x2.splat(2.5100395159429243e-8);
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(2.7620101012098e-7));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(2.7557268439678e-6));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(2.4801521269532122e-5));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(1.9841269863066696e-4));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(1.3888888917230724e-3));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(8.33333333333006e-3));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(4.1666666666624094e-2));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(0.16666666666666669));
    q = f64x2.add(f64x2.mul(q, r), f64x2.splat(0.5000000000000001));
    const e = f64x2.add(one, f64x2.add(r, f64x2.mul(f64x2.mul(r, r), q)));
    const k1 = f64x2.nearest(f64x2.mul(k, half));
    const k2 = f64x2.sub(k, k1);
    const s1 = i64x2.shl(f64x2.add(k1, bias), 52);
    const s2 = i64x2.shl(f64x2.add(k2, bias), 52);
    v128.store(x, f64x2.mul(f64x2.mul(e, s1), s2));
    x += 16;
  }
}
