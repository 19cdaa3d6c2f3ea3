/**
 * Vectors in the linear memory: dot products, updates, norms, matrix–vector products. Compiled to WebAssembly.
 * Lanes and unrolling are fixed, so a sum's order depends on its length alone.
 */

export function dot<T>(n: i32, x: usize, y: usize): T {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  let s0 = v128.splat<T>(<T>0);
  let s1 = s0;
  let i = n;
  for (; i >= 2 * lanes; i -= 2 * lanes) {
    s0 = v128.add<T>(s0, v128.mul<T>(v128.load(x), v128.load(y)));
    s1 = v128.add<T>(s1, v128.mul<T>(v128.load(x, 16), v128.load(y, 16)));
    x += 32;
    y += 32;
  }
  let sum = lanesSum<T>(v128.add<T>(s0, s1));
  for (; i > 0; --i) {
    sum += load<T>(x) * load<T>(y);
    x += width;
    y += width;
  }
  return sum;
}

@inline
export function lanesSum<T>(s: v128): T {
  if (sizeof<T>() == 8) return <T>(v128.extract_lane<f64>(s, 0) + v128.extract_lane<f64>(s, 1));
  const first = v128.extract_lane<f32>(s, 0) + v128.extract_lane<f32>(s, 1);
  return <T>(first + (v128.extract_lane<f32>(s, 2) + v128.extract_lane<f32>(s, 3)));
}

/** y ← y + α·x */
export function axpy<T>(n: i32, alpha: T, x: usize, y: usize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  const a = v128.splat<T>(alpha);
  let i = n;
  for (; i >= lanes; i -= lanes) {
    v128.store(y, v128.add<T>(v128.load(y), v128.mul<T>(a, v128.load(x))));
    x += 16;
    y += 16;
  }
  for (; i > 0; --i) {
    store<T>(y, load<T>(y) + alpha * load<T>(x));
    x += width;
    y += width;
  }
}

/** x ← α·x */
export function scal<T>(n: i32, alpha: T, x: usize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  const a = v128.splat<T>(alpha);
  let i = n;
  for (; i >= lanes; i -= lanes) {
    v128.store(x, v128.mul<T>(a, v128.load(x)));
    x += 16;
  }
  for (; i > 0; --i) {
    store<T>(x, alpha * load<T>(x));
    x += width;
  }
}

/** Swaps n entries; strides in bytes. */
export function swap<T>(n: i32, x: usize, strideX: usize, y: usize, strideY: usize): void {
  for (let i = 0; i < n; ++i) {
    const t = load<T>(x);
    store<T>(x, load<T>(y));
    store<T>(y, t);
    x += strideX;
    y += strideY;
  }
}

/** ‖x‖₂ in float64, whatever the scale of x: the plain sum where it is safe, else a scaled one. */
export function norm<T>(n: i32, x: usize): f64 {
  const width: usize = sizeof<T>();
  if (sizeof<T>() == 8) {
    const squared = <f64>dot<T>(n, x, x);
    if (squared > 1e-280 && squared < 1e300) return Math.sqrt(squared);
    let largest: f64 = 0;
    for (let i = 0; i < n; ++i) {
      const value = Math.abs(<f64>load<T>(x + <usize>i * width));
      if (value != value) return value;
      largest = Math.max(largest, value);
    }
    if (largest == 0 || largest == Infinity) return largest;
    let sum: f64 = 0;
    for (let i = 0; i < n; ++i) {
      const value = <f64>load<T>(x + <usize>i * width) / largest;
      sum += value * value;
    }
    return largest * Math.sqrt(sum);
  }
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let i = n;
  for (; i >= 4; i -= 4) {
    const v = v128.load(x);
    const low = f64x2.promote_low_f32x4(v);
    const high = f64x2.promote_low_f32x4(v128.shuffle<f64>(v, v, 1, 1));
    s0 = f64x2.add(s0, f64x2.mul(low, low));
    s1 = f64x2.add(s1, f64x2.mul(high, high));
    x += 16;
  }
  let sum = lanesSum<f64>(f64x2.add(s0, s1));
  for (; i > 0; --i) {
    const value = <f64>load<T>(x);
    sum += value * value;
    x += width;
  }
  return Math.sqrt(sum);
}

/** y_j ← α·a(:, j)·x, j = 0 … n − 1: four columns at a time share the loads of x. */
export function gemvT<T>(m: i32, n: i32, alpha: T, a: usize, lda: i32, x: usize, y: usize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  const stride = <usize>lda * width;
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    let p0 = a + <usize>j * stride;
    let p1 = p0 + stride;
    let p2 = p1 + stride;
    let p3 = p2 + stride;
    let px = x;
    let s0 = v128.splat<T>(<T>0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let u0 = s0;
    let u1 = s0;
    let u2 = s0;
    let u3 = s0;
    let i = m;
    for (; i >= 2 * lanes; i -= 2 * lanes) {
      const x0 = v128.load(px);
      const x1 = v128.load(px, 16);
      s0 = v128.add<T>(s0, v128.mul<T>(v128.load(p0), x0));
      s1 = v128.add<T>(s1, v128.mul<T>(v128.load(p1), x0));
      s2 = v128.add<T>(s2, v128.mul<T>(v128.load(p2), x0));
      s3 = v128.add<T>(s3, v128.mul<T>(v128.load(p3), x0));
      u0 = v128.add<T>(u0, v128.mul<T>(v128.load(p0, 16), x1));
      u1 = v128.add<T>(u1, v128.mul<T>(v128.load(p1, 16), x1));
      u2 = v128.add<T>(u2, v128.mul<T>(v128.load(p2, 16), x1));
      u3 = v128.add<T>(u3, v128.mul<T>(v128.load(p3, 16), x1));
      p0 += 32;
      p1 += 32;
      p2 += 32;
      p3 += 32;
      px += 32;
    }
    let t0 = lanesSum<T>(v128.add<T>(s0, u0));
    let t1 = lanesSum<T>(v128.add<T>(s1, u1));
    let t2 = lanesSum<T>(v128.add<T>(s2, u2));
    let t3 = lanesSum<T>(v128.add<T>(s3, u3));
    for (; i > 0; --i) {
      const v = load<T>(px);
      t0 += load<T>(p0) * v;
      t1 += load<T>(p1) * v;
      t2 += load<T>(p2) * v;
      t3 += load<T>(p3) * v;
      p0 += width;
      p1 += width;
      p2 += width;
      p3 += width;
      px += width;
    }
    const to = y + <usize>j * width;
    store<T>(to, alpha * t0);
    store<T>(to + width, alpha * t1);
    store<T>(to + 2 * width, alpha * t2);
    store<T>(to + 3 * width, alpha * t3);
  }
  for (; j < n; ++j) store<T>(y + <usize>j * width, alpha * dot<T>(m, a + <usize>j * stride, x));
}

/** y ← y + α·A·x, A m × n; the entries of x are strideX bytes apart. Four columns at a time share the pass over y. */
export function gemvN<T>(m: i32, n: i32, alpha: T, a: usize, lda: i32, x: usize, strideX: usize, y: usize): void {
  const width: usize = sizeof<T>();
  const lanes = 16 / <i32>width;
  const stride = <usize>lda * width;
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    let p0 = a + <usize>j * stride;
    let p1 = p0 + stride;
    let p2 = p1 + stride;
    let p3 = p2 + stride;
    let py = y;
    const x0 = alpha * load<T>(x);
    const x1 = alpha * load<T>(x + strideX);
    const x2 = alpha * load<T>(x + 2 * strideX);
    const x3 = alpha * load<T>(x + 3 * strideX);
    x += 4 * strideX;
    const v0 = v128.splat<T>(x0);
    const v1 = v128.splat<T>(x1);
    const v2 = v128.splat<T>(x2);
    const v3 = v128.splat<T>(x3);
    let i = m;
    for (; i >= lanes; i -= lanes) {
      const s = v128.add<T>(v128.mul<T>(v128.load(p0), v0), v128.mul<T>(v128.load(p1), v1));
      const t = v128.add<T>(v128.mul<T>(v128.load(p2), v2), v128.mul<T>(v128.load(p3), v3));
      v128.store(py, v128.add<T>(v128.load(py), v128.add<T>(s, t)));
      p0 += 16;
      p1 += 16;
      p2 += 16;
      p3 += 16;
      py += 16;
    }
    for (; i > 0; --i) {
      store<T>(py, load<T>(py) + (load<T>(p0) * x0 + load<T>(p1) * x1 + (load<T>(p2) * x2 + load<T>(p3) * x3)));
      p0 += width;
      p1 += width;
      p2 += width;
      p3 += width;
      py += width;
    }
  }
  for (; j < n; ++j) {
    axpy<T>(m, alpha * load<T>(x), a + <usize>j * stride, y);
    x += strideX;
  }
}

/** A ← A + α·x·yᵀ */
export function ger<T>(m: i32, n: i32, alpha: T, x: usize, y: usize, a: usize, lda: i32): void {
  const width: usize = sizeof<T>();
  for (let j = 0; j < n; ++j) axpy<T>(m, alpha * load<T>(y + <usize>j * width), x, a + <usize>j * <usize>lda * width);
}
