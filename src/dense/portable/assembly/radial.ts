/**
 * Functions of a squared distance, in one pass, eight numbers at a time. Compiled to WebAssembly. The exponential is
 * that of exp.ts: its four chains are interleaved, so that none waits for another.
 */
import { assemble, clamp, constant, horner, LAST, POLYNOMIAL, quotient, remainder } from './exp';

/** The functions, as `../../radial.ts` numbers them. */
const GAUSSIAN: i32 = 0;
const LAPLACE: i32 = 1;
const MATERN32: i32 = 2;
const MATERN52: i32 = 3;

/** exp(−t) is 0 from about 745 on; what it is multiplied with must stay finite. */
const MOST: f64 = 1000;

/** What the exponential is taken of, s the squared distance. */
@inline
function exponent(kind: i32, s: v128, factor: v128): v128 {
  if (kind == GAUSSIAN) return f64x2.mul(s, factor);
  const t = f64x2.mul(f64x2.sqrt(s), factor);
  if (kind == LAPLACE) return t;
  return f64x2.pmax(t, f64x2.splat(-MOST));
}

/** The function, from that exponent and its exponential. */
@inline
function value(kind: i32, x: v128, e: v128): v128 {
  const one = f64x2.splat(1);
  if (kind == MATERN32) return f64x2.mul(f64x2.sub(one, x), e);
  if (kind == MATERN52)
    return f64x2.mul(f64x2.sub(one, f64x2.mul(x, f64x2.sub(one, f64x2.mul(x, f64x2.splat(1.0 / 3.0))))), e);
  return e;
}

@inline
function exponentialKind(kind: i32, n: i32, at: usize, scale: f64): void {
  const factor = f64x2.splat(scale);
  for (let i = 0; i < n; i += 8) {
    const x0 = exponent(kind, v128.load(at), factor);
    const x1 = exponent(kind, v128.load(at, 16), factor);
    const x2 = exponent(kind, v128.load(at, 32), factor);
    const x3 = exponent(kind, v128.load(at, 48), factor);
    const c0 = clamp(x0);
    const c1 = clamp(x1);
    const c2 = clamp(x2);
    const c3 = clamp(x3);
    const k0 = quotient(c0);
    const k1 = quotient(c1);
    const k2 = quotient(c2);
    const k3 = quotient(c3);
    const r0 = remainder(c0, k0);
    const r1 = remainder(c1, k1);
    const r2 = remainder(c2, k2);
    const r3 = remainder(c3, k3);
    let q0 = constant(POLYNOMIAL);
    let q1 = q0;
    let q2 = q0;
    let q3 = q0;
    for (let p: usize = POLYNOMIAL + 8; p <= LAST; p += 8) {
      const c = constant(p);
      q0 = horner(q0, r0, c);
      q1 = horner(q1, r1, c);
      q2 = horner(q2, r2, c);
      q3 = horner(q3, r3, c);
    }
    v128.store(at, value(kind, x0, assemble(k0, r0, q0)));
    v128.store(at, value(kind, x1, assemble(k1, r1, q1)), 16);
    v128.store(at, value(kind, x2, assemble(k2, r2, q2)), 32);
    v128.store(at, value(kind, x3, assemble(k3, r3, q3)), 48);
    at += 64;
  }
}

function inverseRoot(n: i32, at: usize, scale: f64): void {
  const factor = f64x2.splat(scale);
  const one = f64x2.splat(1);
  for (let i = 0; i < n; i += 2) {
    v128.store(at, f64x2.div(one, f64x2.sqrt(f64x2.add(one, f64x2.mul(v128.load(at), factor)))));
    at += 16;
  }
}

/**
 * x(i) ← φ(x(i)), i < n, of squared distances: exp(f·s); exp(f·√s); with t = −f·√s: (1 + t)·exp(−t) and
 * (1 + t + t²/3)·exp(−t); 1/√(1 + f·s). The memory up to the next multiple of 8 numbers is overwritten as well.
 */
export function radialValues(kind: i32, n: i32, x: usize, f: f64): void {
  if (kind == GAUSSIAN) exponentialKind(GAUSSIAN, n, x, f);
  else if (kind == LAPLACE) exponentialKind(LAPLACE, n, x, f);
  else if (kind == MATERN32) exponentialKind(MATERN32, n, x, f);
  else if (kind == MATERN52) exponentialKind(MATERN52, n, x, f);
  else inverseRoot(n, x, f);
}
