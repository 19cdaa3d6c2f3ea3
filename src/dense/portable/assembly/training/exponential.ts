/**
 * exp, log(1 + e) and the normal distribution's tail, one vector at a time. Compiled to WebAssembly.
 *
 * exp(x) = 2ᵏ(1 + p), p = r + r²·q(r), x = k·ln 2 + r with ln 2 in two parts (W. Cody, W. Waite, "Software Manual for
 * the Elementary Functions", 1980), for x ≤ 0 alone, the only arguments there are: nothing overflows, and results
 * underflow gradually. exp(x) − 1 = 2ᵏ·p + (2ᵏ − 1) loses nothing near 0, where k = 0.
 * log(1 + e) = 2 artanh(s), s = e/(2 + e). Φ(−t) = e^{−t²/2}·P((t − a)/(t + a))/(t + a).
 * The polynomials are near-minimax, from Chebyshev interpolation to 40 digits. Relative errors in float32: exp 8e-9,
 * log1p 2e-8, Φ 4e-8; in float64 1.6e-17, 5e-18, 4e-17.
 */
import { horner } from './lanes';

/**
 * The constants, a load each: log₂e; ln 2, the first bits (k times them is exact) and the rest; below what exp is 0; ½;
 * 1; what leaves an integer's biased exponent in the low bits of the sum; 2; −0; a, 2a; beyond what ϕ and Φ are 0;
 * 1/√2π; the slope of the leaky ReLU below 0.
 */
const single: usize = memory.data<f32>([
  1.4426950408889634, 0.693359375, -2.12194440054690583e-4, -104, 0.5, 1, 8388735, 2, -0.0, 3.25, 6.5, 15,
  0.39894228040143267794, 0.01,
]);
const double: usize = memory.data<f64>([
  1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10, -746, 0.5, 1, 4503599627371519, 2, -0.0, 5, 10, 39,
  0.39894228040143267794, 0.01,
]);
const LOG2_E: usize = 0;
const LN2_HIGH: usize = 1;
const LN2_LOW: usize = 2;
export const SMALLEST: usize = 3;
export const HALF: usize = 4;
export const ONE: usize = 5;
const EXPONENT_BIAS: usize = 6;
export const TWO: usize = 7;
const MINUS_ZERO: usize = 8;
const POLE: usize = 9;
const TWICE_POLE: usize = 10;
export const FAR: usize = 11;
export const INV_SQRT_TWO_PI: usize = 12;
export const LEAK: usize = 13;

@inline
export function constant<T>(index: usize): v128 {
  return v128.load_splat<T>((sizeof<T>() == 8 ? double : single) + index * sizeof<T>());
}

/** Polynomials, from the highest power down. */
const exp32: usize = memory.data<f32>([
  0.00139263256181334621, 0.0083632927530306023112, 0.041666553762567638397, 0.16666576305560638271, 0.5,
]);
const exp64: usize = memory.data<f64>([
  2.5100395159429243e-8, 2.7620101012098e-7, 2.7557268439678e-6, 2.4801521269532122e-5, 1.9841269863066696e-4,
  1.3888888917230724e-3, 8.33333333333006e-3, 4.1666666666624094e-2, 0.16666666666666669, 0.5000000000000001,
]);
const log32: usize = memory.data<f32>([
  0.13425749011418575903, 0.14118309902655240719, 0.20003780322455602882, 0.33333320168349619894,
]);
const log64: usize = memory.data<f64>([
  0.080820228059717661105, 0.044003692430723369411, 0.060005364047953562676, 0.066570721048274680752,
  0.076927850324793115517, 0.090908947180664290846, 0.11111111358713931495, 0.14285714283554378581,
  0.20000000000007291337, 0.33333333333333329281,
]);
const tail32: usize = memory.data<f32>([
  1.2694419095371267135e-4, 1.4371035806730812436e-4, -1.0496381777617724391e-3, -1.163616132810097337e-3,
  8.3031905705718350393e-3, 1.0970959976258882358e-3, -0.080924254418431882333, 0.27445390998114804191,
  -0.53948673226593461024, 0.73743839970595551079,
]);
const tail64: usize = memory.data<f64>([
  -1.5877468827473365378e-10, 1.7530484014082319805e-9, 7.6630718007600410458e-9, -9.3135609943260591435e-9,
  -6.5942216624772230429e-8, 4.2274993740065348384e-8, 4.3314103568625849535e-7, -3.3661536810124711722e-7,
  -2.7692670959974302454e-6, 3.9809021578680411194e-6, 1.6681213742042061453e-5, -4.976281427058580517e-5,
  -5.9375728009915863678e-5, 5.4489906477312989385e-4, -7.9786939846607010544e-4, -2.9933767705085424387e-3,
  0.020795066799883179639, -0.069118638706310163575, 0.16502036617038471792, -0.3135331566713045447,
  0.49530561596997641327, -0.66538250289005670039, 0.76919304975006295856,
]);

@inline
function coefficient<T>(table: usize, index: usize): v128 {
  return v128.load_splat<T>(table + index * sizeof<T>());
}

/** c₀r + c₁, with two coefficients from `index` on. */
@inline
function pair<T>(table: usize, index: usize, r: v128): v128 {
  return horner<T>(coefficient<T>(table, index), r, coefficient<T>(table, index + 1));
}

/** The polynomial of degree 9, two coefficients at a time: the chain of operations is half as long. */
@inline
function ofDegreeNine<T>(table: usize, r: v128, r2: v128): v128 {
  let q = horner<T>(pair<T>(table, 0, r), r2, pair<T>(table, 2, r));
  q = horner<T>(q, r2, pair<T>(table, 4, r));
  q = horner<T>(q, r2, pair<T>(table, 6, r));
  return horner<T>(q, r2, pair<T>(table, 8, r));
}

/** |value| with the sign of z. */
@inline
export function withSign<T>(value: v128, z: v128): v128 {
  return v128.bitselect(z, value, constant<T>(MINUS_ZERO));
}

/** k of x ≤ 0; `clamped` keeps NaN, for pmax returns its first argument then. */
@inline
export function exponentOf<T>(clamped: v128): v128 {
  return v128.nearest<T>(v128.mul<T>(clamped, constant<T>(LOG2_E)));
}

@inline
export function clamp<T>(x: v128): v128 {
  return v128.pmax<T>(x, constant<T>(SMALLEST));
}

@inline
export function remainder<T>(clamped: v128, k: v128): v128 {
  return v128.sub<T>(
    v128.sub<T>(clamped, v128.mul<T>(k, constant<T>(LN2_HIGH))),
    v128.mul<T>(k, constant<T>(LN2_LOW)),
  );
}

/** p = exp(r) − 1 */
@inline
export function fraction<T>(r: v128): v128 {
  let q: v128;
  const r2 = v128.mul<T>(r, r);
  if (sizeof<T>() == 8) {
    q = ofDegreeNine<T>(exp64, r, r2);
  } else {
    q = horner<T>(coefficient<T>(exp32, 0), r2, pair<T>(exp32, 1, r));
    q = horner<T>(q, r2, pair<T>(exp32, 3, r));
  }
  return horner<T>(r2, q, r);
}

/** 2ᵏ, exact, in two factors, of which one alone may lie below the range. */
@inline
export function power<T>(k: v128): v128 {
  const k1 = v128.nearest<T>(v128.mul<T>(k, constant<T>(HALF)));
  return v128.mul<T>(half<T>(k1), half<T>(v128.sub<T>(k, k1)));
}

@inline
function half<T>(k: v128): v128 {
  const sum = v128.add<T>(k, constant<T>(EXPONENT_BIAS));
  return sizeof<T>() == 8 ? i64x2.shl(sum, 52) : i32x4.shl(sum, 23);
}

/** (1 + p)·2ᵏ */
@inline
export function assemble<T>(p: v128, scale: v128): v128 {
  return v128.mul<T>(v128.add<T>(constant<T>(ONE), p), scale);
}

/** exp(x), x ≤ 0 */
@inline
export function exp<T>(x: v128): v128 {
  const clamped = clamp<T>(x);
  const k = exponentOf<T>(clamped);
  return assemble<T>(fraction<T>(remainder<T>(clamped, k)), power<T>(k));
}

/** exp(−|x|) */
@inline
export function expMinusMagnitude<T>(x: v128): v128 {
  return exp<T>(v128.or(x, constant<T>(MINUS_ZERO)));
}

/** log(1 + e), 0 ≤ e ≤ 1 */
@inline
export function log1p<T>(e: v128): v128 {
  const s = v128.div<T>(e, v128.add<T>(constant<T>(TWO), e));
  const w = v128.mul<T>(s, s);
  let q: v128;
  if (sizeof<T>() == 8) {
    q = ofDegreeNine<T>(log64, w, v128.mul<T>(w, w));
  } else {
    q = horner<T>(coefficient<T>(log32, 0), w, coefficient<T>(log32, 1));
    q = horner<T>(q, w, coefficient<T>(log32, 2));
    q = horner<T>(q, w, coefficient<T>(log32, 3));
  }
  const t = v128.add<T>(s, s);
  return v128.add<T>(t, v128.mul<T>(t, v128.mul<T>(w, q)));
}

/**
 * exp(−t²/2), 0 ≤ t: of t = h + l with half the bits each, h²/2 is exact, and (t² − h²)/2 = (t − h)(t + h)/2 joins the
 * remainder. Rounding of t²/2 would lose t²/2 units.
 */
@inline
export function gaussian<T>(t: v128): v128 {
  const high = v128.and(t, sizeof<T>() == 8 ? i64x2.splat(0xfffffffff8000000) : i32x4.splat(0xfffff000));
  const minusHalf = v128.or(constant<T>(HALF), constant<T>(MINUS_ZERO));
  const x = clamp<T>(v128.mul<T>(minusHalf, v128.mul<T>(high, high)));
  const rest = v128.mul<T>(minusHalf, v128.mul<T>(v128.sub<T>(t, high), v128.add<T>(t, high)));
  const k = exponentOf<T>(x);
  return assemble<T>(fraction<T>(v128.add<T>(remainder<T>(x, k), rest)), power<T>(k));
}

/** e^{t²/2}·Φ(−t), t ≥ 0 */
@inline
export function scaledTail<T>(t: v128): v128 {
  const inverse = v128.div<T>(constant<T>(ONE), v128.add<T>(t, constant<T>(POLE)));
  const s = v128.sub<T>(constant<T>(ONE), v128.mul<T>(constant<T>(TWICE_POLE), inverse));
  const s2 = v128.mul<T>(s, s);
  let q: v128;
  if (sizeof<T>() == 8) {
    q = ofDegreeNine<T>(tail64, s, s2);
    q = horner<T>(q, s2, pair<T>(tail64, 10, s));
    q = horner<T>(q, s2, pair<T>(tail64, 12, s));
    q = horner<T>(q, s2, pair<T>(tail64, 14, s));
    q = horner<T>(q, s2, pair<T>(tail64, 16, s));
    q = horner<T>(q, s2, pair<T>(tail64, 18, s));
    q = horner<T>(q, s2, pair<T>(tail64, 20, s));
    q = horner<T>(q, s, coefficient<T>(tail64, 22));
  } else {
    const s4 = v128.mul<T>(s2, s2);
    const high = horner<T>(pair<T>(tail32, 0, s), s2, pair<T>(tail32, 2, s));
    const middle = horner<T>(pair<T>(tail32, 4, s), s2, pair<T>(tail32, 6, s));
    q = horner<T>(horner<T>(high, s4, middle), s2, pair<T>(tail32, 8, s));
  }
  return v128.mul<T>(q, inverse);
}
