/**
 * Losses with their gradients, means, Hessians. Compiled to WebAssembly. Sums of losses are in double precision.
 */
import { constant, exp, expMinusMagnitude, log1p, ONE } from './exponential';
import { largest, placeOf } from './extremes';
import { doubled, first, horner, lanesOf, lower, read, sumOf, upper, write } from './lanes';
import { columnsAtOnce, exponentials, total } from './softmax';

/** One logarithm for many sums of exponentials: of their product, while that is below this. */
const MOST: f64 = 1e200;

/** ½Σ(f − y)²; out ← scale·(f − y) */
export function squaredLoss<T>(n: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const lanes = lanesOf<T>();
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let i = n;
  for (; i >= lanes; i -= lanes) {
    const d = difference<T>(a, f, y, out, lanesOf<T>());
    if (sizeof<T>() == 8) {
      s0 = horner<f64>(d, d, s0);
    } else {
      const low = lower(d);
      const high = upper(d);
      s0 = horner<f64>(low, low, s0);
      s1 = horner<f64>(high, high, s1);
    }
    f += 16;
    y += 16;
    out += 16;
  }
  if (i > 0) {
    const d = difference<T>(a, f, y, out, i);
    if (sizeof<T>() == 8) {
      s0 = horner<f64>(d, d, s0);
    } else {
      const low = lower(d);
      const high = upper(d);
      s0 = horner<f64>(low, low, s0);
      s1 = horner<f64>(high, high, s1);
    }
  }
  return 0.5 * sumOf(f64x2.add(s0, s1));
}

/** f − y; out ← a(f − y) */
@inline
function difference<T>(a: v128, f: usize, y: usize, out: usize, count: i32): v128 {
  const d = v128.sub<T>(read<T>(f, count), read<T>(y, count));
  write<T>(out, v128.mul<T>(a, d), count);
  return d;
}

/** Σ log(1 + e^f) − yf as (1 − y)f or −yf, plus log(1 + e^{−|f|}): nothing cancels. out ← scale·(σ(f) − y) */
export function bceLoss<T>(n: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const lanes = lanesOf<T>();
  let sum = f64x2.splat(0);
  let i = n;
  for (; i >= lanes; i -= lanes) {
    sum = f64x2.add(sum, doubled<T>(bernoulli<T>(a, f, y, out, lanesOf<T>())));
    f += 16;
    y += 16;
    out += 16;
  }
  if (i > 0) sum = f64x2.add(sum, doubled<T>(first<T>(bernoulli<T>(a, f, y, out, i), i)));
  return sumOf(sum);
}

@inline
function bernoulli<T>(a: v128, f: usize, y: usize, out: usize, count: i32): v128 {
  const one = constant<T>(ONE);
  const zero = v128.splat<T>(<T>0);
  const x = read<T>(f, count);
  const target = read<T>(y, count);
  const e = expMinusMagnitude<T>(x);
  const s = v128.div<T>(one, v128.add<T>(one, e));
  const sigma = v128.bitselect(v128.mul<T>(e, s), s, v128.lt<T>(x, zero));
  write<T>(out, v128.mul<T>(a, v128.sub<T>(sigma, target)), count);
  const part = v128.sub<T>(v128.and(v128.gt<T>(x, zero), one), target);
  return horner<T>(part, x, log1p<T>(e));
}

/** out ← σ(f) */
export function logistic<T>(n: i32, f: usize, out: usize): void {
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    sigmoid<T>(f, out, lanesOf<T>());
    f += 16;
    out += 16;
  }
  if (i > 0) sigmoid<T>(f, out, i);
}

@inline
function sigmoid<T>(f: usize, out: usize, count: i32): void {
  const one = constant<T>(ONE);
  const x = read<T>(f, count);
  const e = expMinusMagnitude<T>(x);
  const s = v128.div<T>(one, v128.add<T>(one, e));
  write<T>(out, v128.bitselect(v128.mul<T>(e, s), s, v128.lt<T>(x, v128.splat<T>(<T>0))), count);
}

/** f − most to out; returns y∘(f − most) in double precision, two by two. */
@inline
function shifted<T>(most: v128, f: usize, y: usize, out: usize, count: i32): v128 {
  const x = v128.sub<T>(read<T>(f, count), most);
  write<T>(out, x, count);
  const target = read<T>(y, count);
  // A class that cannot occur, and has not, costs nothing: 0·(−∞) does not count. In lanes beyond, y = 0.
  return doubled<T>(v128.and(v128.mul<T>(target, x), v128.ne<T>(target, v128.splat<T>(<T>0))));
}

@inline
function residual<T>(a: v128, inverse: v128, y: usize, out: usize, count: i32): void {
  const p = v128.mul<T>(read<T>(out, count), inverse);
  write<T>(out, v128.mul<T>(a, v128.sub<T>(p, read<T>(y, count))), count);
}

/** Σ_j log Σ_k e^{f_k} − yᵀf as Σ_k y_k(log Σe^x − x_k), x = f − max f; out ← scale·(softmax f − y), by columns. */
export function softmaxLoss<T>(rows: i32, cols: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const lanes = lanesOf<T>();
  const together = columnsAtOnce(rows);
  let inner: f64 = 0;
  let outer: f64 = 0;
  let product: f64 = 1;
  for (let j = 0; j < cols; j += together) {
    const columns = min(together, cols - j);
    let to = out;
    let target = y;
    let sum = f64x2.splat(0);
    for (let c = 0; c < columns; ++c) {
      const most = largest<T>(rows, f);
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        sum = f64x2.add(sum, shifted<T>(most, f, target, to, lanesOf<T>()));
        f += 16;
        target += 16;
        to += 16;
      }
      if (i > 0) {
        sum = f64x2.add(sum, shifted<T>(most, f, target, to, i));
        f += <usize>i * sizeof<T>();
        target += <usize>i * sizeof<T>();
        to += <usize>i * sizeof<T>();
      }
    }
    inner += sumOf(sum);
    exponentials<T>(columns * rows, out);
    for (let c = 0; c < columns; ++c) {
      const s = total<T>(rows, out);
      const weight = total<T>(rows, y);
      if (weight == 1) {
        product *= s;
        if (!(product < MOST)) {
          outer += Math.log(product);
          product = 1;
        }
      } else {
        outer += weight * Math.log(s);
      }
      const inverse = v128.splat<T>(<T>(1 / s));
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        residual<T>(a, inverse, y, out, lanesOf<T>());
        y += 16;
        out += 16;
      }
      if (i > 0) {
        residual<T>(a, inverse, y, out, i);
        y += <usize>i * sizeof<T>();
        out += <usize>i * sizeof<T>();
      }
    }
  }
  return outer + Math.log(product) - inner;
}

/** p∘(v − base) in double precision, two by two. */
@inline
function weighted<T>(base: v128, p: usize, v: usize, count: i32): v128 {
  const u = first<T>(v128.sub<T>(read<T>(v, count), base), count);
  return doubled<T>(v128.mul<T>(read<T>(p, count), u));
}

@inline
function centred<T>(base: v128, mean: v128, p: usize, v: usize, count: i32): void {
  const u = v128.sub<T>(v128.sub<T>(read<T>(v, count), base), mean);
  write<T>(v, v128.mul<T>(read<T>(p, count), u), count);
}

/**
 * v_j ← p∘(u − pᵀu), u = v_j − v_mj with m the likeliest class: the same as p∘v − p(pᵀv), for p sums to one, and where
 * m is all but certain nothing is left of rounding of p_m. `each` columns of v for one of p.
 */
export function softmaxHessian<T>(rows: i32, pcols: i32, each: i32, p: usize, v: usize): void {
  const lanes = lanesOf<T>();
  for (let c = 0; c < pcols; ++c) {
    const m = placeOf<T>(largest<T>(rows, p), rows, p);
    for (let j = 0; j < each; ++j) {
      const base = v128.load_splat<T>(v + m);
      let sum = f64x2.splat(0);
      let at: usize = 0;
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        sum = f64x2.add(sum, weighted<T>(base, p + at, v + at, lanesOf<T>()));
        at += 16;
      }
      if (i > 0) sum = f64x2.add(sum, weighted<T>(base, p + at, v + at, i));
      const mean = v128.splat<T>(<T>sumOf(sum));
      at = 0;
      i = rows;
      for (; i >= lanes; i -= lanes) {
        centred<T>(base, mean, p + at, v + at, lanesOf<T>());
        at += 16;
      }
      if (i > 0) centred<T>(base, mean, p + at, v + at, i);
      v += <usize>rows * sizeof<T>();
    }
    p += <usize>rows * sizeof<T>();
  }
}
