/**
 * What the module exports: every routine in float64 (…64) and float32 (…32), pointers in bytes, leading dimensions in
 * elements. `../wasm.ts` holds the same list as a TypeScript interface. Compiled to WebAssembly by
 * scripts/build-wasm.mjs.
 */
export { arenaStart } from './layout';
export { squaredDistances } from './distances';
export { exponentials } from './exp';
export { radialValues } from './radial';
export { implicitQL, jacobi, tridiagonalize } from './spectral';
import { gemm as gemmOf, mirror as mirrorOf, scale as scaleOf } from './gemm';
import { gemvN as gemvNOf, gemvT as gemvTOf } from './vector';
import { potrf as potrfOf, triangular as triangularOf } from './triangular';
import { getrf as getrfOf } from './lu';
import { geqp3 as geqp3Of, geqrf as geqrfOf, ormqr as ormqrOf } from './qr';

export function gemm64(
  transA: bool, transB: bool, m: i32, n: i32, k: i32, alpha: f64, a: usize, lda: i32, b: usize, ldb: i32, beta: f64,
  c: usize, ldc: i32, mask: i32,
): void {
  gemmOf<f64>(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, mask);
}

export function gemm32(
  transA: bool, transB: bool, m: i32, n: i32, k: i32, alpha: f64, a: usize, lda: i32, b: usize, ldb: i32, beta: f64,
  c: usize, ldc: i32, mask: i32,
): void {
  gemmOf<f32>(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, mask);
}

export function scale64(m: i32, n: i32, beta: f64, c: usize, ldc: i32, mask: i32): void {
  scaleOf<f64>(m, n, beta, c, ldc, mask);
}

export function scale32(m: i32, n: i32, beta: f64, c: usize, ldc: i32, mask: i32): void {
  scaleOf<f32>(m, n, beta, c, ldc, mask);
}

export function gemvN64(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, y: usize): void {
  gemvNOf<f64>(m, n, <f64>alpha, a, lda, x, sizeof<f64>(), y);
}

export function gemvN32(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, y: usize): void {
  gemvNOf<f32>(m, n, <f32>alpha, a, lda, x, sizeof<f32>(), y);
}

export function gemvT64(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, y: usize): void {
  gemvTOf<f64>(m, n, <f64>alpha, a, lda, x, y);
}

export function gemvT32(m: i32, n: i32, alpha: f64, a: usize, lda: i32, x: usize, y: usize): void {
  gemvTOf<f32>(m, n, <f32>alpha, a, lda, x, y);
}

export function triangular64(
  multiply: bool, left: bool, upper: bool, trans: bool, unit: bool, m: i32, n: i32, a: usize, lda: i32, b: usize,
  ldb: i32,
): void {
  triangularOf<f64>(multiply, left, upper, trans, unit, m, n, a, lda, b, ldb);
}

export function triangular32(
  multiply: bool, left: bool, upper: bool, trans: bool, unit: bool, m: i32, n: i32, a: usize, lda: i32, b: usize,
  ldb: i32,
): void {
  triangularOf<f32>(multiply, left, upper, trans, unit, m, n, a, lda, b, ldb);
}

export function potrf64(upper: bool, n: i32, a: usize, lda: i32): i32 {
  return potrfOf<f64>(upper, n, a, lda);
}

export function potrf32(upper: bool, n: i32, a: usize, lda: i32): i32 {
  return potrfOf<f32>(upper, n, a, lda);
}

export function getrf64(m: i32, n: i32, a: usize, lda: i32, pivots: usize): i32 {
  return getrfOf<f64>(m, n, a, lda, pivots);
}

export function getrf32(m: i32, n: i32, a: usize, lda: i32, pivots: usize): i32 {
  return getrfOf<f32>(m, n, a, lda, pivots);
}

export function geqrf64(m: i32, n: i32, a: usize, lda: i32, tau: usize, work: usize): void {
  geqrfOf<f64>(m, n, a, lda, tau, work);
}

export function geqrf32(m: i32, n: i32, a: usize, lda: i32, tau: usize, work: usize): void {
  geqrfOf<f32>(m, n, a, lda, tau, work);
}

export function ormqr64(
  left: bool, trans: bool, m: i32, n: i32, k: i32, a: usize, lda: i32, tau: usize, c: usize, ldc: i32, work: usize,
): void {
  ormqrOf<f64>(left, trans, m, n, k, a, lda, tau, c, ldc, work);
}

export function ormqr32(
  left: bool, trans: bool, m: i32, n: i32, k: i32, a: usize, lda: i32, tau: usize, c: usize, ldc: i32, work: usize,
): void {
  ormqrOf<f32>(left, trans, m, n, k, a, lda, tau, c, ldc, work);
}

export function geqp364(m: i32, n: i32, a: usize, lda: i32, pivots: usize, tau: usize, work: usize): void {
  geqp3Of<f64>(m, n, a, lda, pivots, tau, work);
}

export function geqp332(m: i32, n: i32, a: usize, lda: i32, pivots: usize, tau: usize, work: usize): void {
  geqp3Of<f32>(m, n, a, lda, pivots, tau, work);
}

export function mirror64(upper: bool, n: i32, a: usize, lda: i32): void {
  mirrorOf<f64>(upper, n, a, lda);
}

export function mirror32(upper: bool, n: i32, a: usize, lda: i32): void {
  mirrorOf<f32>(upper, n, a, lda);
}
