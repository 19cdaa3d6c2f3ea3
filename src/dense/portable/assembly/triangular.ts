/**
 * Triangles in the linear memory: solve, multiply, Cholesky. Compiled to WebAssembly. Recursion down to small
 * triangles, all else by gemm (E. Elmroth, F. Gustavson, I. Jonsson, B. Kågström, "Recursive blocked algorithms and
 * hybrid data structures for dense matrix library software", SIAM Review 46(1), 2004). Every small triangle is brought
 * to one form, B·U with U upper and applied from the right, whose loops run down the columns of B; a triangle on the
 * left works on Bᵀ, strip by strip.
 */
import { STRIP, TRIANGLE, strip, triangle } from './layout';
import { ALL, LOWER, UPPER, gemm } from './gemm';
import { axpy, scal } from './vector';

/** B ← B·U⁻¹: U(k, j) at a + k·rs + j·cs, column j of B at b + j·stride, all in bytes and of either sign. */
function solveBase<T>(m: i32, n: i32, unit: bool, a: usize, rs: isize, cs: isize, b: usize, stride: isize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  let i = 0;
  for (; i + 4 * lanes <= m; i += 4 * lanes) {
    for (let j = 0; j < n; ++j) {
      const column = b + j * stride;
      let s0 = v128.load(column);
      let s1 = v128.load(column, 16);
      let s2 = v128.load(column, 32);
      let s3 = v128.load(column, 48);
      let from = b;
      let u = a + j * cs;
      for (let k = 0; k < j; ++k) {
        const f = v128.splat<T>(load<T>(u));
        s0 = v128.sub<T>(s0, v128.mul<T>(v128.load(from), f));
        s1 = v128.sub<T>(s1, v128.mul<T>(v128.load(from, 16), f));
        s2 = v128.sub<T>(s2, v128.mul<T>(v128.load(from, 32), f));
        s3 = v128.sub<T>(s3, v128.mul<T>(v128.load(from, 48), f));
        from += stride;
        u += rs;
      }
      if (!unit) {
        const d = v128.splat<T>(load<T>(u));
        s0 = v128.div<T>(s0, d);
        s1 = v128.div<T>(s1, d);
        s2 = v128.div<T>(s2, d);
        s3 = v128.div<T>(s3, d);
      }
      v128.store(column, s0);
      v128.store(column, s1, 16);
      v128.store(column, s2, 32);
      v128.store(column, s3, 48);
    }
    b += 64;
  }
  for (; i < m; ++i) {
    for (let j = 0; j < n; ++j) {
      const column = b + j * stride;
      let s = load<T>(column);
      let from = b;
      let u = a + j * cs;
      for (let k = 0; k < j; ++k) {
        s -= load<T>(from) * load<T>(u);
        from += stride;
        u += rs;
      }
      store<T>(column, unit ? s : s / load<T>(u));
    }
    b += width;
  }
}

/** B ← B·U, as solveBase. */
function multiplyBase<T>(m: i32, n: i32, unit: bool, a: usize, rs: isize, cs: isize, b: usize, stride: isize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  let i = 0;
  for (; i + 4 * lanes <= m; i += 4 * lanes) {
    for (let j = n - 1; j >= 0; --j) {
      const column = b + j * stride;
      let u = a + j * (cs + rs);
      const d = v128.splat<T>(unit ? <T>1 : load<T>(u));
      let s0 = v128.mul<T>(v128.load(column), d);
      let s1 = v128.mul<T>(v128.load(column, 16), d);
      let s2 = v128.mul<T>(v128.load(column, 32), d);
      let s3 = v128.mul<T>(v128.load(column, 48), d);
      let from = b;
      u = a + j * cs;
      for (let k = 0; k < j; ++k) {
        const f = v128.splat<T>(load<T>(u));
        s0 = v128.add<T>(s0, v128.mul<T>(v128.load(from), f));
        s1 = v128.add<T>(s1, v128.mul<T>(v128.load(from, 16), f));
        s2 = v128.add<T>(s2, v128.mul<T>(v128.load(from, 32), f));
        s3 = v128.add<T>(s3, v128.mul<T>(v128.load(from, 48), f));
        from += stride;
        u += rs;
      }
      v128.store(column, s0);
      v128.store(column, s1, 16);
      v128.store(column, s2, 32);
      v128.store(column, s3, 48);
    }
    b += 64;
  }
  for (; i < m; ++i) {
    for (let j = n - 1; j >= 0; --j) {
      const column = b + j * stride;
      let s = unit ? load<T>(column) : load<T>(column) * load<T>(a + j * (cs + rs));
      let from = b;
      let u = a + j * cs;
      for (let k = 0; k < j; ++k) {
        s += load<T>(from) * load<T>(u);
        from += stride;
        u += rs;
      }
      store<T>(column, s);
    }
    b += width;
  }
}

/**
 * A triangle of order n ≤ TRIANGLE from the right, op(A)(k, j) at a + k·rs + j·cs; a lower one is an upper one read
 * backwards.
 */
function baseRight<T>(
  multiply: bool, upper: bool, unit: bool, m: i32, n: i32, a: usize, rs: isize, cs: isize, b: usize, stride: isize,
): void {
  if (!upper) {
    a += (n - 1) * (rs + cs);
    b += (n - 1) * stride;
    rs = -rs;
    cs = -cs;
    stride = -stride;
  }
  if (multiply) multiplyBase<T>(m, n, unit, a, rs, cs, b, stride);
  else solveBase<T>(m, n, unit, a, rs, cs, b, stride);
}

/** A triangle of order m ≤ TRIANGLE from the left: op(A)·B = (Bᵀ·op(A)ᵀ)ᵀ. */
function baseLeft<T>(
  multiply: bool, upper: bool, unit: bool, m: i32, n: i32, a: usize, rs: isize, cs: isize, b: usize, stride: usize,
): void {
  const width: usize = sizeof<T>();
  const pitch = <usize>STRIP * width;
  for (let j = 0; j < n; j += STRIP) {
    const cols = min(STRIP, n - j);
    const first = b + <usize>j * stride;
    for (let c = 0; c < cols; ++c) {
      const from = first + <usize>c * stride;
      const to = strip + <usize>c * width;
      for (let i = 0; i < m; ++i) store<T>(to + <usize>i * pitch, load<T>(from + <usize>i * width));
    }
    baseRight<T>(multiply, !upper, unit, cols, m, a, cs, rs, strip, pitch);
    for (let c = 0; c < cols; ++c) {
      const to = first + <usize>c * stride;
      const from = strip + <usize>c * width;
      for (let i = 0; i < m; ++i) store<T>(to + <usize>i * width, load<T>(from + <usize>i * pitch));
    }
  }
}

/**
 * B ← op(A)·B or op(A)⁻¹·B (left), B·op(A) or B·op(A)⁻¹ (right); B is m × n, leading dimensions in elements.
 * `upper` says which triangle of A holds the entries.
 */
export function triangular<T>(
  multiply: bool, left: bool, upper: bool, trans: bool, unit: bool, m: i32, n: i32, a: usize, lda: i32, b: usize,
  ldb: i32,
): void {
  if (m <= 0 || n <= 0) return;
  const width: usize = sizeof<T>();
  const order = left ? m : n;
  const strideA = <usize>lda * width;
  const strideB = <usize>ldb * width;
  const upward = upper != trans;
  if (order <= TRIANGLE) {
    const rs: isize = trans ? strideA : width;
    const cs: isize = trans ? width : strideA;
    if (left) baseLeft<T>(multiply, upward, unit, m, n, a, rs, cs, b, strideB);
    else baseRight<T>(multiply, upward, unit, m, n, a, rs, cs, b, strideB);
    return;
  }
  const k1 = ((order >> 1) + TRIANGLE - 1) & ~(TRIANGLE - 1);
  const k2 = order - k1;
  const a22 = a + <usize>k1 * (width + strideA);
  const off = a + <usize>k1 * (upper ? strideA : width);
  const b2 = b + <usize>k1 * (left ? width : strideB);
  const m1 = left ? k1 : m;
  const n1 = left ? n : k1;
  const m2 = left ? k2 : m;
  const n2 = left ? n : k2;
  // The part that the other one's result needs comes last in a product and first in a solve.
  const firstLeads = (left != upward) != multiply;
  if (multiply) {
    if (firstLeads) {
      triangular<T>(true, left, upper, trans, unit, m1, n1, a, lda, b, ldb);
      update<T>(1, left, trans, m1, n1, k2, off, lda, b2, b, ldb);
      triangular<T>(true, left, upper, trans, unit, m2, n2, a22, lda, b2, ldb);
    } else {
      triangular<T>(true, left, upper, trans, unit, m2, n2, a22, lda, b2, ldb);
      update<T>(1, left, trans, m2, n2, k1, off, lda, b, b2, ldb);
      triangular<T>(true, left, upper, trans, unit, m1, n1, a, lda, b, ldb);
    }
  } else if (firstLeads) {
    triangular<T>(false, left, upper, trans, unit, m1, n1, a, lda, b, ldb);
    update<T>(-1, left, trans, m2, n2, k1, off, lda, b, b2, ldb);
    triangular<T>(false, left, upper, trans, unit, m2, n2, a22, lda, b2, ldb);
  } else {
    triangular<T>(false, left, upper, trans, unit, m2, n2, a22, lda, b2, ldb);
    update<T>(-1, left, trans, m1, n1, k2, off, lda, b2, b, ldb);
    triangular<T>(false, left, upper, trans, unit, m1, n1, a, lda, b, ldb);
  }
}

/** to ← to ± op(A_off)·from (left) or ± from·op(A_off) (right); `to` is m × n, k the inner dimension. */
function update<T>(
  sign: f64, left: bool, trans: bool, m: i32, n: i32, k: i32, off: usize, lda: i32, from: usize, to: usize, ldb: i32,
): void {
  if (left) gemm<T>(trans, false, m, n, k, sign, off, lda, from, ldb, 1, to, ldb, ALL);
  else gemm<T>(false, trans, m, n, k, sign, from, ldb, off, lda, 1, to, ldb, ALL);
}

/** Cholesky of the triangle in place. Returns 0 or the order of the minor that is not positive definite. */
export function potrf<T>(upper: bool, n: i32, a: usize, lda: i32): i32 {
  const width: usize = sizeof<T>();
  const stride = <usize>lda * width;
  if (n <= TRIANGLE) return potrfBase<T>(upper, n, a, stride);
  const n1 = ((n >> 1) + TRIANGLE - 1) & ~(TRIANGLE - 1);
  const n2 = n - n1;
  const a22 = a + <usize>n1 * (width + stride);
  let info = potrf<T>(upper, n1, a, lda);
  if (info != 0) return info;
  if (upper) {
    const a12 = a + <usize>n1 * stride;
    triangular<T>(false, true, true, true, false, n1, n2, a, lda, a12, lda);
    gemm<T>(true, false, n2, n2, n1, -1, a12, lda, a12, lda, 1, a22, lda, UPPER);
  } else {
    const a21 = a + <usize>n1 * width;
    triangular<T>(false, false, false, true, false, n2, n1, a, lda, a21, lda);
    gemm<T>(false, true, n2, n2, n1, -1, a21, lda, a21, lda, 1, a22, lda, LOWER);
  }
  info = potrf<T>(upper, n2, a22, lda);
  return info == 0 ? 0 : info + n1;
}

/**
 * The small case, on a copy that is lower triangular whichever triangle was given. On failure the columns done so far
 * are kept.
 */
function potrfBase<T>(upper: bool, n: i32, a: usize, stride: usize): i32 {
  const width: usize = sizeof<T>();
  const pitch = <usize>TRIANGLE * width;
  const rs: usize = upper ? stride : width;
  const cs: usize = upper ? width : stride;
  for (let j = 0; j < n; ++j) {
    for (let i = j; i < n; ++i)
      store<T>(triangle + <usize>i * width + <usize>j * pitch, load<T>(a + <usize>i * rs + <usize>j * cs));
  }
  let info = 0;
  for (let j = 0; j < n; ++j) {
    const column = triangle + <usize>j * (width + pitch);
    for (let k = 0; k < j; ++k) {
      const left = triangle + <usize>j * width + <usize>k * pitch;
      axpy<T>(n - j, -load<T>(left), left, column);
    }
    const pivot = load<T>(column);
    if (!(pivot > <T>0) || pivot == <T>Infinity) {
      info = j + 1;
      break;
    }
    const root = sizeof<T>() == 8 ? <T>Math.sqrt(<f64>pivot) : <T>Mathf.sqrt(<f32>pivot);
    store<T>(column, root);
    scal<T>(n - j - 1, <T>1 / root, column + width);
  }
  for (let j = 0; j < n; ++j) {
    for (let i = j; i < n; ++i)
      store<T>(a + <usize>i * rs + <usize>j * cs, load<T>(triangle + <usize>i * width + <usize>j * pitch));
  }
  return info;
}
