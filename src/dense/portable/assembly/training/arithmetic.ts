/**
 * Updates and products of vectors. Compiled to WebAssembly.
 */
import { horner, lanesOf, read, write } from './lanes';

/** y ← αx + βy; what has a factor 0 is not read. */
export function combine<T>(n: i32, alpha: T, x: usize, beta: T, y: usize): void {
  if (beta == <T>0) {
    if (alpha == <T>0) memory.fill(y, 0, <usize>n * sizeof<T>());
    else scaled<T>(n, alpha, x, y);
  } else if (alpha == <T>0) {
    scaled<T>(n, beta, y, y);
  } else {
    combined<T>(n, alpha, x, beta, y);
  }
}

function scaled<T>(n: i32, alpha: T, x: usize, y: usize): void {
  const a = v128.splat<T>(alpha);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= 2 * lanes; i -= 2 * lanes) {
    v128.store(y, v128.mul<T>(a, v128.load(x)));
    v128.store(y, v128.mul<T>(a, v128.load(x, 16)), 16);
    x += 32;
    y += 32;
  }
  for (; i > 0; i -= lanes) {
    const count = min(i, lanes);
    write<T>(y, v128.mul<T>(a, read<T>(x, count)), count);
    x += 16;
    y += 16;
  }
}

function combined<T>(n: i32, alpha: T, x: usize, beta: T, y: usize): void {
  const a = v128.splat<T>(alpha);
  const b = v128.splat<T>(beta);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= 2 * lanes; i -= 2 * lanes) {
    v128.store(y, horner<T>(a, v128.load(x), v128.mul<T>(b, v128.load(y))));
    v128.store(y, horner<T>(a, v128.load(x, 16), v128.mul<T>(b, v128.load(y, 16))), 16);
    x += 32;
    y += 32;
  }
  for (; i > 0; i -= lanes) {
    const count = min(i, lanes);
    write<T>(y, horner<T>(a, read<T>(x, count), v128.mul<T>(b, read<T>(y, count))), count);
    x += 16;
    y += 16;
  }
}

/** y ← αx∘s + βy; with β = 0 y is not read. */
export function multiplyTo<T>(n: i32, alpha: T, x: usize, s: usize, beta: T, y: usize): void {
  if (beta == <T>0) multiplied<T>(false, n, alpha, x, s, beta, y);
  else multiplied<T>(true, n, alpha, x, s, beta, y);
}

@inline
function multiplied<T>(reads: bool, n: i32, alpha: T, x: usize, s: usize, beta: T, y: usize): void {
  const a = v128.splat<T>(alpha);
  const b = v128.splat<T>(beta);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= 4 * lanes; i -= 4 * lanes) {
    product<T>(reads, a, x, s, b, y, lanesOf<T>());
    product<T>(reads, a, x + 16, s + 16, b, y + 16, lanesOf<T>());
    product<T>(reads, a, x + 32, s + 32, b, y + 32, lanesOf<T>());
    product<T>(reads, a, x + 48, s + 48, b, y + 48, lanesOf<T>());
    x += 64;
    s += 64;
    y += 64;
  }
  for (; i > 0; i -= lanes) {
    product<T>(reads, a, x, s, b, y, min(i, lanes));
    x += 16;
    s += 16;
    y += 16;
  }
}

@inline
function product<T>(reads: bool, a: v128, x: usize, s: usize, b: v128, y: usize, count: i32): void {
  const scaled = v128.mul<T>(a, read<T>(x, count));
  if (reads) write<T>(y, horner<T>(scaled, read<T>(s, count), v128.mul<T>(b, read<T>(y, count))), count);
  else write<T>(y, v128.mul<T>(scaled, read<T>(s, count)), count);
}

/** Whether x − x = 0 everywhere. */
export function finite<T>(n: i32, x: usize): bool {
  const lanes = lanesOf<T>();
  let s0 = v128.splat<T>(<T>0);
  let s1 = s0;
  let i = n;
  for (; i >= 2 * lanes; i -= 2 * lanes) {
    const a = v128.load(x);
    const b = v128.load(x, 16);
    s0 = v128.or(s0, v128.sub<T>(a, a));
    s1 = v128.or(s1, v128.sub<T>(b, b));
    x += 32;
  }
  for (; i > 0; i -= lanes) {
    const a = read<T>(x, min(i, lanes));
    s0 = v128.or(s0, v128.sub<T>(a, a));
    x += 16;
  }
  return !v128.any_true(v128.or(s0, s1));
}

/** v ← p(1 − p)∘v */
export function bceHessian<T>(n: i32, p: usize, v: usize): void {
  const one = v128.splat<T>(<T>1);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    variance<T>(one, p, v, lanesOf<T>());
    p += 16;
    v += 16;
  }
  if (i > 0) variance<T>(one, p, v, i);
}

@inline
function variance<T>(one: v128, p: usize, v: usize, count: i32): void {
  const a = read<T>(p, count);
  write<T>(v, v128.mul<T>(v128.mul<T>(a, v128.sub<T>(one, a)), read<T>(v, count)), count);
}
