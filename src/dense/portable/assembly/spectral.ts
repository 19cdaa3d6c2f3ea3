/**
 * Singular values and eigenvalues in the linear memory, float64. Compiled to WebAssembly. Singular values: one-sided
 * Jacobi on the triangle of a pivoted QR (Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm I, II",
 * SIAM J. Matrix Anal. Appl. 29(4), 2008). Eigenvalues: Householder tridiagonalization and implicit QL with Wilkinson's
 * shift (B. Parlett, "The Symmetric Eigenvalue Problem", SIAM 1998, ch. 7–8); the rotations of a sweep are applied to
 * the vectors together.
 */
import { axpy, dot } from './vector';
import { hypotenuse, reflector } from './qr';

const EPSILON: f64 = 2.220446049250313e-16;
const SWEEPS: i32 = 40;

/** (x, y) ← (c·x − s·y, s·x + c·y) */
function rotate(n: i32, x: usize, y: usize, c: f64, s: f64): void {
  const cc = f64x2.splat(c);
  const ss = f64x2.splat(s);
  let i = n;
  for (; i >= 2; i -= 2) {
    const u = v128.load(x);
    const v = v128.load(y);
    v128.store(x, f64x2.sub(f64x2.mul(cc, u), f64x2.mul(ss, v)));
    v128.store(y, f64x2.add(f64x2.mul(ss, u), f64x2.mul(cc, v)));
    x += 16;
    y += 16;
  }
  if (i > 0) {
    const u = load<f64>(x);
    const v = load<f64>(y);
    store<f64>(x, c * u - s * v);
    store<f64>(y, s * u + c * v);
  }
}

/**
 * Rotates the columns of x (m × n) until they are orthogonal to working accuracy, and the columns of j (rowsJ × n,
 * none if 0) alike; squares (n numbers) ends with the squared norms. Returns 0, or 1 if SWEEPS sweeps did not suffice.
 */
export function jacobi(m: i32, n: i32, x: usize, ldx: i32, rowsJ: i32, j: usize, ldj: i32, squares: usize): i32 {
  const strideX = <usize>ldx << 3;
  const strideJ = <usize>ldj << 3;
  const tolerance = EPSILON * Math.sqrt(<f64>m);
  for (let sweep = 0; sweep < SWEEPS; ++sweep) {
    for (let p = 0; p < n; ++p) {
      const column = x + <usize>p * strideX;
      store<f64>(squares + (<usize>p << 3), dot<f64>(m, column, column));
    }
    let rotated = false;
    for (let p = 0; p < n - 1; ++p) {
      const xp = x + <usize>p * strideX;
      for (let q = p + 1; q < n; ++q) {
        const xq = x + <usize>q * strideX;
        const a = load<f64>(squares + (<usize>p << 3));
        const b = load<f64>(squares + (<usize>q << 3));
        if (a == 0 && b == 0) continue;
        const g = dot<f64>(m, xp, xq);
        const scale = Math.sqrt(a) * Math.sqrt(b);
        const swapped = a < b;
        const near = Math.abs(g) <= tolerance * scale;
        if (near && !swapped) continue;
        let c: f64 = 1;
        let s: f64 = 0;
        if (!near) {
          rotated = true;
          const zeta = (b - a) / (2 * g);
          const t = (zeta >= 0 ? 1.0 : -1.0) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
          c = 1 / Math.sqrt(1 + t * t);
          s = c * t;
          const na = a - t * g;
          const nb = b + t * g;
          store<f64>(squares + (<usize>p << 3), Math.max(na, 0));
          store<f64>(squares + (<usize>q << 3), Math.max(nb, 0));
        }
        // The larger column goes to the front: sweeps converge faster, and the values end in order.
        if (load<f64>(squares + (<usize>p << 3)) < load<f64>(squares + (<usize>q << 3))) {
          const t = load<f64>(squares + (<usize>p << 3));
          store<f64>(squares + (<usize>p << 3), load<f64>(squares + (<usize>q << 3)));
          store<f64>(squares + (<usize>q << 3), t);
          const u = c;
          c = s;
          s = -u;
        }
        rotate(m, xp, xq, c, s);
        if (rowsJ > 0) rotate(rowsJ, j + <usize>p * strideJ, j + <usize>q * strideJ, c, s);
      }
    }
    if (!rotated) return 0;
  }
  return 1;
}

/**
 * y ← α·A·x; A symmetric, its lower triangle read. Two columns at a time, both halves of the product in one pass over
 * them.
 */
function symvLower(n: i32, alpha: f64, a: usize, lda: i32, x: usize, y: usize): void {
  const stride = <usize>lda << 3;
  memory.fill(y, 0, <usize>n << 3);
  let j = 0;
  for (; j + 2 <= n; j += 2) {
    const x0 = alpha * load<f64>(x + (<usize>j << 3));
    const x1 = alpha * load<f64>(x + (<usize>j << 3), 8);
    let p0 = a + <usize>j * (stride + 8);
    let p1 = p0 + stride + 8;
    const cross = load<f64>(p0, 8);
    let sum0 = load<f64>(p0) * x0 + cross * x1;
    let sum1 = cross * x0 + load<f64>(p1) * x1;
    p0 += 16;
    p1 += 8;
    let px = x + (<usize>(j + 2) << 3);
    let py = y + (<usize>(j + 2) << 3);
    const v0 = f64x2.splat(x0);
    const v1 = f64x2.splat(x1);
    let s0 = f64x2.splat(0);
    let s1 = s0;
    let i = n - j - 2;
    for (; i >= 2; i -= 2) {
      const c0 = v128.load(p0);
      const c1 = v128.load(p1);
      const xi = v128.load(px);
      v128.store(py, f64x2.add(v128.load(py), f64x2.add(f64x2.mul(c0, v0), f64x2.mul(c1, v1))));
      s0 = f64x2.add(s0, f64x2.mul(c0, xi));
      s1 = f64x2.add(s1, f64x2.mul(c1, xi));
      p0 += 16;
      p1 += 16;
      px += 16;
      py += 16;
    }
    let t0 = f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
    let t1 = f64x2.extract_lane(s1, 0) + f64x2.extract_lane(s1, 1);
    if (i > 0) {
      const c0 = load<f64>(p0);
      const c1 = load<f64>(p1);
      store<f64>(py, load<f64>(py) + (c0 * x0 + c1 * x1));
      t0 += c0 * load<f64>(px);
      t1 += c1 * load<f64>(px);
    }
    const to = y + (<usize>j << 3);
    store<f64>(to, load<f64>(to) + sum0 + alpha * t0);
    store<f64>(to, load<f64>(to, 8) + sum1 + alpha * t1, 8);
  }
  if (j < n) {
    const to = y + (<usize>j << 3);
    store<f64>(to, load<f64>(to) + alpha * load<f64>(a + <usize>j * (stride + 8)) * load<f64>(x + (<usize>j << 3)));
  }
}

/**
 * QᵀAQ = T: the lower triangle of A in, diagonal d (n), off-diagonal e (n − 1), reflectors below the subdiagonal and
 * tau (n − 1) out. work holds n numbers.
 */
export function tridiagonalize(n: i32, a: usize, lda: i32, d: usize, e: usize, tau: usize, work: usize): void {
  const stride = <usize>lda << 3;
  for (let j = 0; j < n; ++j) {
    const at = a + <usize>j * (stride + 8);
    store<f64>(d + (<usize>j << 3), load<f64>(at));
    const rest = n - j - 1;
    if (rest == 0) break;
    const v = at + 8;
    const t = reflector<f64>(rest, v);
    const off = load<f64>(v);
    store<f64>(e + (<usize>j << 3), off);
    store<f64>(tau + (<usize>j << 3), t);
    if (t != 0) {
      const trailing = at + stride + 8;
      store<f64>(v, 1);
      symvLower(rest, t, trailing, lda, v, work);
      axpy<f64>(rest, -0.5 * t * dot<f64>(rest, work, v), v, work);
      for (let k = 0; k < rest; ++k) {
        const column = trailing + <usize>k * (stride + 8);
        const from = <usize>k << 3;
        axpy<f64>(rest - k, -load<f64>(work + from), v + from, column);
        axpy<f64>(rest - k, -load<f64>(v + from), work + from, column);
      }
      store<f64>(v, off);
    }
  }
}

/**
 * Eigenvalues of the tridiagonal matrix (d, e), in no order, into d; z (rows × n, none if rows = 0) is multiplied by
 * the rotations from the right. e has n numbers, the last of them scratch; work holds 2·n. Returns 0, or 1 + the index
 * of an eigenvalue that did not converge.
 */
export function implicitQL(n: i32, d: usize, e: usize, rows: i32, z: usize, ldz: i32, work: usize): i32 {
  if (n > 0) store<f64>(e + (<usize>(n - 1) << 3), 0);
  const cosines = work;
  const sines = work + (<usize>n << 3);
  // Where both neighbors are at rounding level of the whole, so is the coupling that may be dropped (EISPACK's tql2).
  let negligible: f64 = 0;
  for (let i = 0; i < n; ++i)
    negligible = max(negligible, Math.abs(load<f64>(d + (<usize>i << 3))) + Math.abs(load<f64>(e + (<usize>i << 3))));
  negligible *= 0.5 * EPSILON;
  for (let l = 0; l < n; ++l) {
    for (let iteration = 0; ; ++iteration) {
      let m = l;
      for (; m < n - 1; ++m) {
        const size = Math.abs(load<f64>(d + (<usize>m << 3))) + Math.abs(load<f64>(d + (<usize>m << 3), 8));
        if (Math.abs(load<f64>(e + (<usize>m << 3))) <= max(EPSILON * size, negligible)) break;
      }
      if (m == l) break;
      if (iteration == SWEEPS) return l + 1;
      const dl = load<f64>(d + (<usize>l << 3));
      const el = load<f64>(e + (<usize>l << 3));
      // Wilkinson's shift from the leading 2 × 2 block.
      let g = (load<f64>(d + (<usize>l << 3), 8) - dl) / (2 * el);
      const root = hypotenuse(g, 1);
      g = load<f64>(d + (<usize>m << 3)) - dl + el / (g + (g >= 0 ? root : -root));
      let s: f64 = 1;
      let c: f64 = 1;
      let p: f64 = 0;
      let i = m - 1;
      let broken = false;
      for (; i >= l; --i) {
        const slot = <usize>i << 3;
        const f = s * load<f64>(e + slot);
        const b = c * load<f64>(e + slot);
        const r = hypotenuse(f, g);
        store<f64>(e + slot, r, 8);
        if (r == 0) {
          store<f64>(d + slot, load<f64>(d + slot, 8) - p, 8);
          store<f64>(e + (<usize>m << 3), 0);
          broken = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = load<f64>(d + slot, 8) - p;
        const q = (load<f64>(d + slot) - g) * s + 2 * c * b;
        p = s * q;
        store<f64>(d + slot, g + p, 8);
        g = c * q - b;
        store<f64>(cosines + slot, c);
        store<f64>(sines + slot, s);
      }
      if (rows > 0) rotations(rows, i + 1, m, cosines, sines, z, ldz);
      if (broken) continue;
      store<f64>(d + (<usize>l << 3), load<f64>(d + (<usize>l << 3)) - p);
      store<f64>(e + (<usize>l << 3), g);
      store<f64>(e + (<usize>m << 3), 0);
    }
  }
  return 0;
}

/**
 * Columns i, i + 1 of z ← (c_i·z_i − s_i·z_{i+1}, s_i·z_i + c_i·z_{i+1}), i = last − 1 down to first; column i + 1
 * stays in registers on its way.
 */
function rotations(rows: i32, first: i32, last: i32, cosines: usize, sines: usize, z: usize, ldz: i32): void {
  const stride = <usize>ldz << 3;
  let k = rows;
  for (; k >= 8; k -= 8) {
    let column = z + <usize>last * stride;
    let f0 = v128.load(column);
    let f1 = v128.load(column, 16);
    let f2 = v128.load(column, 32);
    let f3 = v128.load(column, 48);
    for (let i = last - 1; i >= first; --i) {
      const c = v128.load64_splat(cosines + (<usize>i << 3));
      const s = v128.load64_splat(sines + (<usize>i << 3));
      const left = column - stride;
      const z0 = v128.load(left);
      const z1 = v128.load(left, 16);
      const z2 = v128.load(left, 32);
      const z3 = v128.load(left, 48);
      v128.store(column, f64x2.add(f64x2.mul(s, z0), f64x2.mul(c, f0)));
      v128.store(column, f64x2.add(f64x2.mul(s, z1), f64x2.mul(c, f1)), 16);
      v128.store(column, f64x2.add(f64x2.mul(s, z2), f64x2.mul(c, f2)), 32);
      v128.store(column, f64x2.add(f64x2.mul(s, z3), f64x2.mul(c, f3)), 48);
      f0 = f64x2.sub(f64x2.mul(c, z0), f64x2.mul(s, f0));
      f1 = f64x2.sub(f64x2.mul(c, z1), f64x2.mul(s, f1));
      f2 = f64x2.sub(f64x2.mul(c, z2), f64x2.mul(s, f2));
      f3 = f64x2.sub(f64x2.mul(c, z3), f64x2.mul(s, f3));
      column = left;
    }
    v128.store(column, f0);
    v128.store(column, f1, 16);
    v128.store(column, f2, 32);
    v128.store(column, f3, 48);
    z += 64;
  }
  for (; k > 0; --k) {
    let column = z + <usize>last * stride;
    let f = load<f64>(column);
    for (let i = last - 1; i >= first; --i) {
      const c = load<f64>(cosines + (<usize>i << 3));
      const s = load<f64>(sines + (<usize>i << 3));
      const left = column - stride;
      const value = load<f64>(left);
      store<f64>(column, s * value + c * f);
      f = c * value - s * f;
      column = left;
    }
    store<f64>(column, f);
    z += 8;
  }
}
