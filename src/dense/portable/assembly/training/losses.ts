/**
 * Losses with their gradients, means, Hessians. Compiled to WebAssembly. Sums of losses are in double precision.
 */
import { constant, exp, expMinusMagnitude, log1p, ONE } from './exponential';
import { doubled, first, horner, lanesOf, lower, read, sumOf, upper, write } from './lanes';

/** Numbers of a run of columns that goes through the cache at once. */
const CHUNK: i32 = 2048;
/** One logarithm for many sums of exponentials: of their product, while that is below this. */
const MOST: f64 = 1e200;

/** ½Σ(f − y)²; out ← scale·(f − y) */
export function squaredLoss<T>(n: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const lanes = lanesOf<T>();
  let s0 = f64x2.splat(0);
  let s1 = s0;
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const d = v128.sub<T>(read<T>(f, count), read<T>(y, count));
    write<T>(out, v128.mul<T>(a, d), count);
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
  return 0.5 * sumOf(f64x2.add(s0, s1));
}

/** Σ log(1 + e^f) − yf as (1 − y)f or −yf, plus log(1 + e^{−|f|}): nothing cancels. out ← scale·(σ(f) − y) */
export function bceLoss<T>(n: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const zero = v128.splat<T>(<T>0);
  const lanes = lanesOf<T>();
  let sum = f64x2.splat(0);
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const one = constant<T>(ONE);
    const x = read<T>(f, count);
    const target = read<T>(y, count);
    const e = expMinusMagnitude<T>(x);
    const s = v128.div<T>(one, v128.add<T>(one, e));
    const sigma = v128.bitselect(v128.mul<T>(e, s), s, v128.lt<T>(x, zero));
    const part = v128.sub<T>(v128.and(v128.gt<T>(x, zero), one), target);
    const loss = v128.add<T>(v128.mul<T>(part, x), log1p<T>(e));
    sum = f64x2.add(sum, doubled<T>(first<T>(loss, count)));
    write<T>(out, v128.mul<T>(a, v128.sub<T>(sigma, target)), count);
    f += 16;
    y += 16;
    out += 16;
  }
  return sumOf(sum);
}

/** out ← σ(f) */
export function logistic<T>(n: i32, f: usize, out: usize): void {
  const zero = v128.splat<T>(<T>0);
  const lanes = lanesOf<T>();
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const one = constant<T>(ONE);
    const x = read<T>(f, count);
    const e = expMinusMagnitude<T>(x);
    const s = v128.div<T>(one, v128.add<T>(one, e));
    write<T>(out, v128.bitselect(v128.mul<T>(e, s), s, v128.lt<T>(x, zero)), count);
    f += 16;
    out += 16;
  }
}

/** The largest of n numbers, n > 0: NaN where there is one. */
function largest<T>(n: i32, x: usize): T {
  const lanes = lanesOf<T>();
  let i = n - lanes;
  if (i < 0) {
    let most = load<T>(x);
    for (let k = 1; k < n; ++k) most = max<T>(most, load<T>(x + <usize>k * sizeof<T>()));
    return most;
  }
  let most = v128.load(x);
  const last = x + <usize>i * sizeof<T>();
  for (; i >= lanes; i -= lanes) {
    x += 16;
    most = v128.max<T>(most, v128.load(x));
  }
  // The last vector of the column: what it shares with the one before counts twice.
  most = v128.max<T>(most, v128.load(last));
  if (sizeof<T>() == 8) return max<T>(v128.extract_lane<T>(most, 0), v128.extract_lane<T>(most, 1));
  most = v128.max<T>(most, v128.shuffle<f64>(most, most, 1, 0));
  return max<T>(v128.extract_lane<T>(most, 0), v128.extract_lane<T>(most, 1));
}

/** x ← exp(x), x ≤ 0 */
function exponentials<T>(n: i32, x: usize): void {
  const lanes = lanesOf<T>();
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    write<T>(x, exp<T>(read<T>(x, count)), count);
    x += 16;
  }
}

@inline
function columnsAtOnce(rows: i32): i32 {
  return max(1, CHUNK / max(1, rows));
}

/** Σ_j log Σ_k e^{f_k} − yᵀf over the columns, as Σ_k y_k(log Σe^x − x_k), x = f − max f; out ← scale·(softmax f − y) */
export function softmaxLoss<T>(rows: i32, cols: i32, scale: T, f: usize, y: usize, out: usize): f64 {
  const a = v128.splat<T>(scale);
  const lanes = lanesOf<T>();
  const zero = v128.splat<T>(<T>0);
  const one = v128.splat<T>(<T>1);
  const height = <usize>rows * sizeof<T>();
  const together = columnsAtOnce(rows);
  let inner: f64 = 0;
  let total: f64 = 0;
  let product: f64 = 1;
  for (let j = 0; j < cols; j += together) {
    const columns = min(together, cols - j);
    let to = out;
    let target = y;
    let sum = f64x2.splat(0);
    for (let c = 0; c < columns; ++c) {
      const most = v128.splat<T>(largest<T>(rows, f));
      let pf = f;
      let pt = to;
      let py = target;
      for (let i = rows; i > 0; i -= lanes) {
        const count = min(i, lanes);
        const x = v128.sub<T>(read<T>(pf, count), most);
        const t = read<T>(py, count);
        write<T>(pt, x, count);
        // A class that cannot occur, and has not, costs nothing: 0·(−∞) does not count. In lanes beyond t = 0.
        const cost = v128.and(v128.mul<T>(t, x), v128.ne<T>(t, zero));
        sum = f64x2.add(sum, doubled<T>(cost));
        pf += 16;
        pt += 16;
        py += 16;
      }
      f += height;
      to += height;
      target += height;
    }
    inner += sumOf(sum);
    exponentials<T>(columns * rows, out);
    for (let c = 0; c < columns; ++c) {
      let po = out;
      let py = y;
      let exponentialSum = f64x2.splat(0);
      let targetSum = exponentialSum;
      for (let i = rows; i > 0; i -= lanes) {
        const count = min(i, lanes);
        exponentialSum = f64x2.add(exponentialSum, doubled<T>(read<T>(po, count)));
        targetSum = f64x2.add(targetSum, doubled<T>(read<T>(py, count)));
        po += 16;
        py += 16;
      }
      const s = sumOf(exponentialSum);
      const weight = sumOf(targetSum);
      if (weight == 1) {
        product *= s;
        if (!(product < MOST)) {
          total += Math.log(product);
          product = 1;
        }
      } else {
        total += weight * Math.log(s);
      }
      const inverse = v128.splat<T>(<T>(1 / s));
      for (let i = rows; i > 0; i -= lanes) {
        const count = min(i, lanes);
        const p = v128.mul<T>(read<T>(out, count), inverse);
        write<T>(out, v128.mul<T>(a, v128.sub<T>(p, read<T>(y, count))), count);
        const advance = <usize>count * sizeof<T>();
        out += advance;
        y += advance;
      }
    }
  }
  return total + Math.log(product) - inner;
}

/** out ← softmax of each column of f */
export function softmax<T>(rows: i32, cols: i32, f: usize, out: usize): void {
  const lanes = lanesOf<T>();
  const height = <usize>rows * sizeof<T>();
  const together = columnsAtOnce(rows);
  for (let j = 0; j < cols; j += together) {
    const columns = min(together, cols - j);
    let to = out;
    for (let c = 0; c < columns; ++c) {
      const most = v128.splat<T>(largest<T>(rows, f));
      let pf = f;
      let pt = to;
      for (let i = rows; i > 0; i -= lanes) {
        const count = min(i, lanes);
        write<T>(pt, v128.sub<T>(read<T>(pf, count), most), count);
        pf += 16;
        pt += 16;
      }
      f += height;
      to += height;
    }
    exponentials<T>(columns * rows, out);
    for (let c = 0; c < columns; ++c) {
      let po = out;
      let sum = f64x2.splat(0);
      for (let i = rows; i > 0; i -= lanes) {
        sum = f64x2.add(sum, doubled<T>(read<T>(po, min(i, lanes))));
        po += 16;
      }
      const inverse = v128.splat<T>(<T>(1 / sumOf(sum)));
      for (let i = rows; i > 0; i -= lanes) {
        const count = min(i, lanes);
        write<T>(out, v128.mul<T>(read<T>(out, count), inverse), count);
        out += <usize>count * sizeof<T>();
      }
    }
  }
}

/**
 * v_j ← p∘(u − pᵀu), u = v_j − v_mj with m the likeliest class: the same as p∘v − p(pᵀv), for p sums to one, and where
 * m is all but certain nothing is left of rounding of p_m. `each` columns of v for one of p.
 */
export function softmaxHessian<T>(rows: i32, pcols: i32, each: i32, p: usize, v: usize): void {
  const lanes = lanesOf<T>();
  const height = <usize>rows * sizeof<T>();
  for (let i = 0; i < pcols; ++i) {
    const most = largest<T>(rows, p);
    let m: usize = 0;
    while (load<T>(p + m) != most && m < height - sizeof<T>()) m += sizeof<T>();
    for (let j = 0; j < each; ++j) {
      const base = v128.splat<T>(load<T>(v + m));
      let pp = p;
      let pv = v;
      let sum = f64x2.splat(0);
      for (let k = rows; k > 0; k -= lanes) {
        const count = min(k, lanes);
        // In lanes beyond p = 0, and finite numbers of v add nothing there.
        const u = first<T>(v128.sub<T>(read<T>(pv, count), base), count);
        sum = f64x2.add(sum, doubled<T>(v128.mul<T>(read<T>(pp, count), u)));
        pp += 16;
        pv += 16;
      }
      const mean = v128.splat<T>(<T>sumOf(sum));
      pp = p;
      for (let k = rows; k > 0; k -= lanes) {
        const count = min(k, lanes);
        const u = v128.sub<T>(v128.sub<T>(read<T>(v, count), base), mean);
        write<T>(v, v128.mul<T>(read<T>(pp, count), u), count);
        pp += 16;
        v += <usize>count * sizeof<T>();
      }
    }
    p += height;
  }
}
