/**
 * Squared distances by direct differences, eight points at a time. Compiled to WebAssembly. Every distance is summed
 * over the coordinates in their order, whatever lane it falls into: its bits depend on its two points alone.
 */

/**
 * c(i, j) ← Σ_k (x(i, k) − y(k, j))², i < m, j < n, k < d; m a multiple of 4. x holds coordinate after coordinate (m
 * × d), y point after point (d × n), c is m × n; all without gaps.
 */
export function squaredDistances(m: i32, n: i32, d: i32, x: usize, y: usize, c: usize): void {
  const stride = <usize>m << 3;
  for (let j = 0; j < n; j++) {
    let i = 0;
    for (; i <= m - 8; i += 8) {
      let s0 = f64x2.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let p = x + (<usize>i << 3);
      let q = y;
      for (let k = 0; k < d; k++) {
        const t = v128.load_splat<u64>(q);
        const v0 = f64x2.sub(v128.load(p), t);
        const v1 = f64x2.sub(v128.load(p, 16), t);
        const v2 = f64x2.sub(v128.load(p, 32), t);
        const v3 = f64x2.sub(v128.load(p, 48), t);
        s0 = f64x2.add(s0, f64x2.mul(v0, v0));
        s1 = f64x2.add(s1, f64x2.mul(v1, v1));
        s2 = f64x2.add(s2, f64x2.mul(v2, v2));
        s3 = f64x2.add(s3, f64x2.mul(v3, v3));
        p += stride;
        q += 8;
      }
      v128.store(c, s0);
      v128.store(c, s1, 16);
      v128.store(c, s2, 32);
      v128.store(c, s3, 48);
      c += 64;
    }
    if (i < m) {
      let s0 = f64x2.splat(0);
      let s1 = s0;
      let p = x + (<usize>i << 3);
      let q = y;
      for (let k = 0; k < d; k++) {
        const t = v128.load_splat<u64>(q);
        const v0 = f64x2.sub(v128.load(p), t);
        const v1 = f64x2.sub(v128.load(p, 16), t);
        s0 = f64x2.add(s0, f64x2.mul(v0, v0));
        s1 = f64x2.add(s1, f64x2.mul(v1, v1));
        p += stride;
        q += 8;
      }
      v128.store(c, s0);
      v128.store(c, s1, 16);
      c += 32;
    }
    y += <usize>d << 3;
  }
}
