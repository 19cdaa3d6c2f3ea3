/**
 * Sums of matrices with a factor for each row or each column. Compiled to WebAssembly. Pointers of what is left out
 * are 0; b is not there without a, and without both there is c.
 */
import { horner, lanesOf, read, write } from './lanes';

/** y_ij ← a_i x_ij + b_i z_ij + c_i + βy_ij on columns without gaps; y may be x or z. */
export function combineRows<T>(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: T, y: usize,
): void {
  // A row alone has one factor, as a column has.
  if (rows == 1) dispatch<T>(false, cols, 1, a, x, b, z, c, beta, y);
  else dispatch<T>(true, rows, cols, a, x, b, z, c, beta, y);
}

/** y_ij ← a_j x_ij + b_j z_ij + c_j + βy_ij */
export function combineColumns<T>(
  rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: T, y: usize,
): void {
  if (rows == 1) dispatch<T>(true, cols, 1, a, x, b, z, c, beta, y);
  else dispatch<T>(false, rows, cols, a, x, b, z, c, beta, y);
}

/** One loop for each set of terms. */
function dispatch<T>(
  byRows: bool, rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: T, y: usize,
): void {
  if (beta != <T>0) {
    if (byRows) withTerms<T>(true, true, rows, cols, a, x, b, z, c, beta, y);
    else withTerms<T>(true, false, rows, cols, a, x, b, z, c, beta, y);
  } else {
    if (byRows) withTerms<T>(false, true, rows, cols, a, x, b, z, c, beta, y);
    else withTerms<T>(false, false, rows, cols, a, x, b, z, c, beta, y);
  }
}

@inline
function withTerms<T>(
  reads: bool, byRows: bool, rows: i32, cols: i32, a: usize, x: usize, b: usize, z: usize, c: usize, beta: T, y: usize,
): void {
  if (!a) loop<T>(reads, byRows, false, false, true, rows, cols, a, x, b, z, c, beta, y);
  else if (b && c) loop<T>(reads, byRows, true, true, true, rows, cols, a, x, b, z, c, beta, y);
  else if (b) loop<T>(reads, byRows, true, true, false, rows, cols, a, x, b, z, c, beta, y);
  else if (c) loop<T>(reads, byRows, true, false, true, rows, cols, a, x, b, z, c, beta, y);
  else loop<T>(reads, byRows, true, false, false, rows, cols, a, x, b, z, c, beta, y);
}

@inline
function loop<T>(
  reads: bool, byRows: bool, hasA: bool, hasB: bool, hasC: bool, rows: i32, cols: i32, a: usize, x: usize, b: usize,
  z: usize, c: usize, beta: T, y: usize,
): void {
  const lanes = lanesOf<T>();
  const factor = v128.splat<T>(beta);
  let s = v128.splat<T>(<T>0);
  let t = s;
  let u = s;
  for (let j = 0; j < cols; ++j) {
    if (!byRows) {
      const place = <usize>j * sizeof<T>();
      if (hasA) s = v128.load_splat<T>(a + place);
      if (hasB) t = v128.load_splat<T>(b + place);
      if (hasC) u = v128.load_splat<T>(c + place);
    }
    let at: usize = 0;
    let i = rows;
    for (; i >= 2 * lanes; i -= 2 * lanes) {
      if (byRows) {
        if (hasA) s = v128.load(a + at);
        if (hasB) t = v128.load(b + at);
        if (hasC) u = v128.load(c + at);
      }
      blend<T>(hasA, hasB, hasC, s, x, t, z, u, reads, factor, y, lanesOf<T>());
      if (byRows) {
        if (hasA) s = v128.load(a + at, 16);
        if (hasB) t = v128.load(b + at, 16);
        if (hasC) u = v128.load(c + at, 16);
        at += 32;
      }
      blend<T>(hasA, hasB, hasC, s, x + 16, t, z + 16, u, reads, factor, y + 16, lanesOf<T>());
      if (hasA) x += 32;
      if (hasB) z += 32;
      y += 32;
    }
    for (; i > 0; i -= lanes) {
      const count = min(i, lanes);
      const bytes = <usize>count * sizeof<T>();
      if (byRows) {
        if (hasA) s = read<T>(a + at, count);
        if (hasB) t = read<T>(b + at, count);
        if (hasC) u = read<T>(c + at, count);
        at += bytes;
      }
      blend<T>(hasA, hasB, hasC, s, x, t, z, u, reads, factor, y, count);
      if (hasA) x += bytes;
      if (hasB) z += bytes;
      y += bytes;
    }
  }
}

/** y ← sx + tz + u + βy */
@inline
function blend<T>(
  hasA: bool, hasB: bool, hasC: bool, s: v128, x: usize, t: v128, z: usize, u: v128, reads: bool, beta: v128,
  y: usize, count: i32,
): void {
  let value = u;
  if (hasA) {
    value = v128.mul<T>(s, read<T>(x, count));
    if (hasB) value = horner<T>(t, read<T>(z, count), value);
    if (hasC) value = v128.add<T>(value, u);
  }
  if (reads) value = horner<T>(beta, read<T>(y, count), value);
  write<T>(y, value, count);
}
