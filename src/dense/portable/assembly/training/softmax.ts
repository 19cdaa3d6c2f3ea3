/**
 * Softmax and log-sum-exp of columns. Compiled to WebAssembly. Sums are in double precision.
 */
import { exp } from './exponential';
import { largest } from './extremes';
import { doubled, first, lanesOf, read, sumOf, write } from './lanes';

/** Numbers of a run of columns that goes through the cache at once. */
const CHUNK: i32 = 2048;

/** x ← exp(x), x ≤ 0 */
export function exponentials<T>(n: i32, x: usize): void {
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    v128.store(x, exp<T>(v128.load(x)));
    x += 16;
  }
  if (i > 0) write<T>(x, exp<T>(read<T>(x, i)), i);
}

/** Σ_k x_k in double precision. */
@inline
export function total<T>(n: i32, x: usize): f64 {
  const lanes = lanesOf<T>();
  let sum = f64x2.splat(0);
  let i = n;
  for (; i >= lanes; i -= lanes) {
    sum = f64x2.add(sum, doubled<T>(v128.load(x)));
    x += 16;
  }
  if (i > 0) sum = f64x2.add(sum, doubled<T>(read<T>(x, i)));
  return sumOf(sum);
}

@inline
export function columnsAtOnce(rows: i32): i32 {
  return max(1, CHUNK / rows);
}

/** out ← softmax of each column of f */
export function softmax<T>(rows: i32, cols: i32, f: usize, out: usize): void {
  const lanes = lanesOf<T>();
  const together = columnsAtOnce(rows);
  for (let j = 0; j < cols; j += together) {
    const columns = min(together, cols - j);
    let to = out;
    for (let c = 0; c < columns; ++c) {
      const most = largest<T>(rows, f);
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        v128.store(to, v128.sub<T>(v128.load(f), most));
        f += 16;
        to += 16;
      }
      if (i > 0) {
        write<T>(to, v128.sub<T>(read<T>(f, i), most), i);
        f += <usize>i * sizeof<T>();
        to += <usize>i * sizeof<T>();
      }
    }
    exponentials<T>(columns * rows, out);
    for (let c = 0; c < columns; ++c) {
      const inverse = v128.splat<T>(<T>(1 / total<T>(rows, out)));
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        v128.store(out, v128.mul<T>(v128.load(out), inverse));
        out += 16;
      }
      if (i > 0) {
        write<T>(out, v128.mul<T>(read<T>(out, i), inverse), i);
        out += <usize>i * sizeof<T>();
      }
    }
  }
}

/** out_j ← log Σ_k e^{x_kj} */
export function logSumExp<T>(rows: i32, cols: i32, x: usize, out: usize): void {
  const lanes = lanesOf<T>();
  const bytes = <usize>rows * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    const most = rows > 0 ? largest<T>(rows, x) : v128.splat<T>(<T>-Infinity);
    const offset = <f64>v128.extract_lane<T>(most, 0);
    if (Math.abs(offset) == Infinity) {
      // ∞ − ∞ is no number: only NaN changes what the largest says.
      store<T>(out, anyNaN<T>(rows, x) ? <T>NaN : <T>offset);
    } else {
      let sum = f64x2.splat(0);
      let at: usize = 0;
      let i = rows;
      for (; i >= lanes; i -= lanes) {
        sum = f64x2.add(sum, doubled<T>(exp<T>(v128.sub<T>(v128.load(x + at), most))));
        at += 16;
      }
      if (i > 0) sum = f64x2.add(sum, doubled<T>(first<T>(exp<T>(v128.sub<T>(read<T>(x + at, i), most)), i)));
      store<T>(out, <T>(offset + Math.log(sumOf(sum))));
    }
    x += bytes;
    out += sizeof<T>();
  }
}

function anyNaN<T>(n: i32, x: usize): bool {
  for (let i = 0; i < n; ++i) {
    const value = load<T>(x + <usize>i * sizeof<T>());
    if (value != value) return true;
  }
  return false;
}
