/**
 * Elementwise loops and inner products of the Krylov solvers, over whole contiguous arrays of equal length.
 * Sums run in four interleaved parts, always in the same order: the same bits on every machine, for every backend and
 * team, and no chain of additions to wait for.
 */

/** aᵀb, or of the entries begin … end − 1. */
export function dot(a: Float64Array, b: Float64Array, begin = 0, end = a.length): number {
  const whole = end - ((end - begin) & 3);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = begin;
  for (; i < whole; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  for (; i < end; i++) s0 += a[i] * b[i];
  return s0 + s1 + (s2 + s3);
}

/** y ← y + α·x. */
export function addMultiple(y: Float64Array, alpha: number, x: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] += alpha * x[i];
}

/** y ← x + β·y; with β = 0, y is not read. */
export function multiplyAdd(y: Float64Array, beta: number, x: Float64Array): void {
  if (beta === 0) y.set(x);
  else for (let i = 0; i < y.length; i++) y[i] = x[i] + beta * y[i];
}

/** y ← α·y. */
export function scaleBy(y: Float64Array, alpha: number): void {
  for (let i = 0; i < y.length; i++) y[i] *= alpha;
}

/** x ← x + α·p and r ← r − α·q in one pass; returns rᵀr of the new r. */
export function advance(x: Float64Array, r: Float64Array, alpha: number, p: Float64Array, q: Float64Array): number {
  const n = x.length;
  const whole = n - (n & 3);
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i < whole; i += 4) {
    x[i] += alpha * p[i];
    x[i + 1] += alpha * p[i + 1];
    x[i + 2] += alpha * p[i + 2];
    x[i + 3] += alpha * p[i + 3];
    const r0 = r[i] - alpha * q[i];
    const r1 = r[i + 1] - alpha * q[i + 1];
    const r2 = r[i + 2] - alpha * q[i + 2];
    const r3 = r[i + 3] - alpha * q[i + 3];
    r[i] = r0;
    r[i + 1] = r1;
    r[i + 2] = r2;
    r[i + 3] = r3;
    s0 += r0 * r0;
    s1 += r1 * r1;
    s2 += r2 * r2;
    s3 += r3 * r3;
  }
  for (; i < n; i++) {
    x[i] += alpha * p[i];
    const rest = r[i] - alpha * q[i];
    r[i] = rest;
    s0 += rest * rest;
  }
  return s0 + s1 + (s2 + s3);
}
