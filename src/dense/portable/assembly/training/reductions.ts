/**
 * Sums and scalar products of vectors, of rows and of columns of a matrix without gaps. Compiled to WebAssembly. In
 * double precision, in eight partial sums whose order depends on the shape alone; along rows by runs of columns.
 */
import { horner, lanesOf, lower, read, sumOf, upper } from './lanes';

/** Σ xy in double precision, in eight partial sums. */
export function dot<T>(n: i32, x: usize, y: usize): f64 {
  return accumulated<T>(true, n, x, y);
}

/** Σ x in double precision, in eight partial sums. */
function sum<T>(n: i32, x: usize): f64 {
  return accumulated<T>(false, n, x, 0);
}

@inline
function accumulated<T>(products: bool, n: i32, x: usize, y: usize): f64 {
  const lanes = lanesOf<T>();
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let i = n;
  for (; i >= 8; i -= 8) {
    s0 = accumulate<T>(products, x, y, 0, s0);
    s1 = accumulate<T>(products, x, y, pairs<T>(1), s1);
    s2 = accumulate<T>(products, x, y, pairs<T>(2), s2);
    s3 = accumulate<T>(products, x, y, pairs<T>(3), s3);
    x += pairs<T>(4);
    if (products) y += pairs<T>(4);
  }
  for (; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const a = read<T>(x, count);
    const b = products ? read<T>(y, count) : a;
    if (sizeof<T>() == 8) {
      s0 = term(products, a, b, s0);
    } else {
      s0 = term(products, lower(a), lower(b), s0);
      s1 = term(products, upper(a), upper(b), s1);
    }
    x += 16;
    if (products) y += 16;
  }
  return sumOf(f64x2.add(f64x2.add(s0, s1), f64x2.add(s2, s3)));
}

/** Bytes of `count` pairs of numbers. */
@inline
function pairs<T>(count: i32): usize {
  return <usize>(2 * count) * sizeof<T>();
}

/** Two numbers in double precision. */
@inline
function two<T>(at: usize): v128 {
  return sizeof<T>() == 8 ? v128.load(at) : f64x2.promote_low_f32x4(v128.load64_zero(at));
}

@inline
function term(products: bool, a: v128, b: v128, sum: v128): v128 {
  return products ? horner<f64>(a, b, sum) : f64x2.add(sum, a);
}

/** The sum and the pair `offset` bytes from x, or its product with that from y. */
@inline
function accumulate<T>(products: bool, x: usize, y: usize, offset: usize, sum: v128): v128 {
  const a = two<T>(x + offset);
  return products ? horner<f64>(a, two<T>(y + offset), sum) : f64x2.add(sum, a);
}

/** out ← α·sum + β·out, rounded once from double precision. */
@inline
function finish<T>(alpha: T, sum: f64, beta: T, out: usize): void {
  const value = <f64>alpha * sum;
  store<T>(out, beta == <T>0 ? <T>value : <T>(value + <f64>beta * <f64>load<T>(out)));
}

/** out_j ← α·Σ_i x_ij + β·out_j */
export function columnSums<T>(rows: i32, cols: i32, alpha: T, x: usize, beta: T, out: usize): void {
  const height = <usize>rows * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    finish<T>(alpha, sum<T>(rows, x), beta, out);
    x += height;
    out += sizeof<T>();
  }
}

/** out_j ← α·Σ_i x_ij y_ij + β·out_j */
export function columnDots<T>(rows: i32, cols: i32, alpha: T, x: usize, y: usize, beta: T, out: usize): void {
  const height = <usize>rows * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    finish<T>(alpha, dot<T>(rows, x, y), beta, out);
    x += height;
    y += height;
    out += sizeof<T>();
  }
}

/** out_i ← α·Σ_j x_ij + β·out_i */
export function rowSums<T>(rows: i32, cols: i32, alpha: T, x: usize, beta: T, out: usize): void {
  if (rows == 1) finish<T>(alpha, sum<T>(cols, x), beta, out);
  else alongRows<T>(false, rows, cols, alpha, x, 0, beta, out);
}

/** out_i ← α·Σ_j x_ij y_ij + β·out_i */
export function rowDots<T>(rows: i32, cols: i32, alpha: T, x: usize, y: usize, beta: T, out: usize): void {
  if (rows == 1) finish<T>(alpha, dot<T>(cols, x, y), beta, out);
  else alongRows<T>(true, rows, cols, alpha, x, y, beta, out);
}

/**
 * Bytes of a run of columns. Sixteen rows at a time skip from column to column, which no processor foresees: a run is
 * read in its order first, and then lies in the cache.
 */
const RUN: usize = 262144;
const FEWEST_COLUMNS: usize = 32;
const CACHE_LINE: usize = 64;
/** Where what was read for the cache alone goes: a read without use might be left out. */
let seen: u32 = 0;

/** Brings the bytes from x on into the cache. */
function foresee(x: usize, bytes: usize): void {
  let all: u32 = 0;
  for (let at: usize = 0; at < bytes; at += CACHE_LINE) all |= load<u8>(x + at);
  seen = all;
}

/** By runs of columns; sixteen rows or fewer are one. */
@inline
function alongRows<T>(
  products: bool, rows: i32, cols: i32, alpha: T, x: usize, y: usize, beta: T, out: usize,
): void {
  const height = <usize>rows * sizeof<T>();
  const most = rows > 16 ? <i32>max<usize>(FEWEST_COLUMNS, RUN / (products ? 2 * height : height)) : cols;
  let kept = beta;
  let left = cols;
  do {
    const columns = min(most, left);
    const bytes = <usize>columns * height;
    if (cols > most) {
      foresee(x, bytes);
      if (products) foresee(y, bytes);
    }
    ofRun<T>(products, rows, columns, alpha, x, y, kept, out);
    x += bytes;
    if (products) y += bytes;
    kept = <T>1;
    left -= columns;
  } while (left > 0);
}

/** Sixteen rows at a time, then eight, four, two and one. */
@inline
function ofRun<T>(
  products: bool, rows: i32, cols: i32, alpha: T, x: usize, y: usize, beta: T, out: usize,
): void {
  const height = <usize>rows * sizeof<T>();
  let i = rows;
  for (; i >= 16; i -= 16) {
    ofRows<T>(products, 8, 16, height, cols, alpha, x, y, beta, out);
    x += pairs<T>(8);
    if (products) y += pairs<T>(8);
    out += pairs<T>(8);
  }
  if (i & 8) {
    ofRows<T>(products, 4, 8, height, cols, alpha, x, y, beta, out);
    x += pairs<T>(4);
    if (products) y += pairs<T>(4);
    out += pairs<T>(4);
  }
  if (i & 4) {
    ofRows<T>(products, 2, 4, height, cols, alpha, x, y, beta, out);
    x += pairs<T>(2);
    if (products) y += pairs<T>(2);
    out += pairs<T>(2);
  }
  if (i & 2) {
    ofRows<T>(products, 1, 2, height, cols, alpha, x, y, beta, out);
    x += pairs<T>(1);
    if (products) y += pairs<T>(1);
    out += pairs<T>(1);
  }
  if (i & 1) ofRows<T>(products, 1, 1, height, cols, alpha, x, y, beta, out);
}

/** Where the k-th pair of a group of columns begins, `across` pairs of each column. */
@inline
function place<T>(k: i32, across: i32, height: usize): usize {
  return <usize>(k / across) * height + pairs<T>(k % across);
}

/**
 * `count` rows, `across` pairs of them, in eight sums: 8/across columns at a time. One row is a pair with the row above
 * it in the next column, which is not written, and of the last column alone.
 */
@inline
function ofRows<T>(
  products: bool, across: i32, count: i32, height: usize, cols: i32, alpha: T, x: usize, y: usize, beta: T,
  out: usize,
): void {
  const together = 8 / across;
  const whole = count == 1 ? cols - 1 : cols;
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let s4 = s0;
  let s5 = s0;
  let s6 = s0;
  let s7 = s0;
  let j = whole;
  for (; j >= together; j -= together) {
    s0 = accumulate<T>(products, x, y, 0, s0);
    s1 = accumulate<T>(products, x, y, place<T>(1, across, height), s1);
    s2 = accumulate<T>(products, x, y, place<T>(2, across, height), s2);
    s3 = accumulate<T>(products, x, y, place<T>(3, across, height), s3);
    s4 = accumulate<T>(products, x, y, place<T>(4, across, height), s4);
    s5 = accumulate<T>(products, x, y, place<T>(5, across, height), s5);
    s6 = accumulate<T>(products, x, y, place<T>(6, across, height), s6);
    s7 = accumulate<T>(products, x, y, place<T>(7, across, height), s7);
    x += <usize>together * height;
    if (products) y += <usize>together * height;
  }
  if (across <= 4) {
    for (; j > 0; --j) {
      s0 = accumulate<T>(products, x, y, 0, s0);
      if (across > 1) s1 = accumulate<T>(products, x, y, pairs<T>(1), s1);
      if (across > 2) {
        s2 = accumulate<T>(products, x, y, pairs<T>(2), s2);
        s3 = accumulate<T>(products, x, y, pairs<T>(3), s3);
      }
      x += height;
      if (products) y += height;
    }
    s0 = f64x2.add(s0, s4);
    s1 = f64x2.add(s1, s5);
    s2 = f64x2.add(s2, s6);
    s3 = f64x2.add(s3, s7);
  }
  if (across <= 2) {
    s0 = f64x2.add(s0, s2);
    s1 = f64x2.add(s1, s3);
  }
  if (across == 1) s0 = f64x2.add(s0, s1);
  if (count == 1) {
    let last = f64x2.extract_lane(s0, 0);
    if (cols > 0) last += products ? <f64>load<T>(x) * <f64>load<T>(y) : <f64>load<T>(x);
    finish<T>(alpha, last, beta, out);
  } else {
    finishPair<T>(alpha, s0, beta, out);
    if (across > 1) finishPair<T>(alpha, s1, beta, out + pairs<T>(1));
    if (across > 2) {
      finishPair<T>(alpha, s2, beta, out + pairs<T>(2));
      finishPair<T>(alpha, s3, beta, out + pairs<T>(3));
    }
    if (across > 4) {
      finishPair<T>(alpha, s4, beta, out + pairs<T>(4));
      finishPair<T>(alpha, s5, beta, out + pairs<T>(5));
      finishPair<T>(alpha, s6, beta, out + pairs<T>(6));
      finishPair<T>(alpha, s7, beta, out + pairs<T>(7));
    }
  }
}

@inline
function finishPair<T>(alpha: T, sums: v128, beta: T, out: usize): void {
  finish<T>(alpha, f64x2.extract_lane(sums, 0), beta, out);
  finish<T>(alpha, f64x2.extract_lane(sums, 1), beta, out + sizeof<T>());
}
