/**
 * What the module exports: every kernel in float64 (…64) and float32 (…32), pointers in bytes, n in numbers.
 * `../../training-kernels.ts` holds the same list as a TypeScript interface. Compiled to WebAssembly, over a memory
 * that is imported, by scripts/build-wasm.mjs.
 */
import {
  bceHessian as bceHessianOf,
  combine as combineOf,
  finite as finiteOf,
  multiplyTo as multiplyToOf,
} from './arithmetic';
import { activate as activateOf } from './activations';
import {
  bceLoss as bceLossOf,
  logistic as logisticOf,
  softmaxHessian as softmaxHessianOf,
  softmaxLoss as softmaxLossOf,
  squaredLoss as squaredLossOf,
} from './losses';
import {
  adam as adamOf,
  adamDirection as adamDirectionOf,
  momentum as momentumOf,
  rootOfSquares as rootOfSquaresOf,
  sgd as sgdOf,
} from './optimizers';
import { dot as dotOf } from './reductions';
import { softmax as softmaxOf } from './softmax';

export * from './tensors';

/** Byte address of the first byte that is not the module's own. */
export function dataEnd(): usize {
  return __heap_base;
}

export function combine64(n: i32, alpha: f64, x: usize, beta: f64, y: usize): void {
  combineOf<f64>(n, alpha, x, beta, y);
}

export function combine32(n: i32, alpha: f32, x: usize, beta: f32, y: usize): void {
  combineOf<f32>(n, alpha, x, beta, y);
}

export function dot64(n: i32, x: usize, y: usize): f64 {
  return dotOf<f64>(n, x, y);
}

export function dot32(n: i32, x: usize, y: usize): f64 {
  return dotOf<f32>(n, x, y);
}

export function multiplyTo64(n: i32, alpha: f64, x: usize, s: usize, beta: f64, y: usize): void {
  multiplyToOf<f64>(n, alpha, x, s, beta, y);
}

export function multiplyTo32(n: i32, alpha: f32, x: usize, s: usize, beta: f32, y: usize): void {
  multiplyToOf<f32>(n, alpha, x, s, beta, y);
}

export function finite64(n: i32, x: usize): bool {
  return finiteOf<f64>(n, x);
}

export function finite32(n: i32, x: usize): bool {
  return finiteOf<f32>(n, x);
}

export function bceHessian64(n: i32, p: usize, v: usize): void {
  bceHessianOf<f64>(n, p, v);
}

export function bceHessian32(n: i32, p: usize, v: usize): void {
  bceHessianOf<f32>(n, p, v);
}

export function activate64(
  kind: i32, rows: i32, cols: i32, x: usize, y: usize, ld: i32, slope: usize, curvature: usize,
): void {
  activateOf<f64>(kind, rows, cols, x, y, ld, slope, curvature);
}

export function activate32(
  kind: i32, rows: i32, cols: i32, x: usize, y: usize, ld: i32, slope: usize, curvature: usize,
): void {
  activateOf<f32>(kind, rows, cols, x, y, ld, slope, curvature);
}

export function squaredLoss64(n: i32, scale: f64, f: usize, y: usize, out: usize): f64 {
  return squaredLossOf<f64>(n, scale, f, y, out);
}

export function squaredLoss32(n: i32, scale: f32, f: usize, y: usize, out: usize): f64 {
  return squaredLossOf<f32>(n, scale, f, y, out);
}

export function bceLoss64(n: i32, scale: f64, f: usize, y: usize, out: usize): f64 {
  return bceLossOf<f64>(n, scale, f, y, out);
}

export function bceLoss32(n: i32, scale: f32, f: usize, y: usize, out: usize): f64 {
  return bceLossOf<f32>(n, scale, f, y, out);
}

export function softmaxLoss64(rows: i32, cols: i32, scale: f64, f: usize, y: usize, out: usize): f64 {
  return softmaxLossOf<f64>(rows, cols, scale, f, y, out);
}

export function softmaxLoss32(rows: i32, cols: i32, scale: f32, f: usize, y: usize, out: usize): f64 {
  return softmaxLossOf<f32>(rows, cols, scale, f, y, out);
}

export function logistic64(n: i32, f: usize, out: usize): void {
  logisticOf<f64>(n, f, out);
}

export function logistic32(n: i32, f: usize, out: usize): void {
  logisticOf<f32>(n, f, out);
}

export function softmax64(rows: i32, cols: i32, f: usize, out: usize): void {
  softmaxOf<f64>(rows, cols, f, out);
}

export function softmax32(rows: i32, cols: i32, f: usize, out: usize): void {
  softmaxOf<f32>(rows, cols, f, out);
}

export function softmaxHessian64(rows: i32, pcols: i32, each: i32, p: usize, v: usize): void {
  softmaxHessianOf<f64>(rows, pcols, each, p, v);
}

export function softmaxHessian32(rows: i32, pcols: i32, each: i32, p: usize, v: usize): void {
  softmaxHessianOf<f32>(rows, pcols, each, p, v);
}

export function sgd64(n: i32, rate: f64, g: usize, θ: usize): void {
  sgdOf<f64>(n, rate, g, θ);
}

export function sgd32(n: i32, rate: f32, g: usize, θ: usize): void {
  sgdOf<f32>(n, rate, g, θ);
}

export function momentum64(n: i32, rate: f64, beta: f64, nesterov: bool, g: usize, v: usize, θ: usize): void {
  momentumOf<f64>(n, rate, beta, nesterov, g, v, θ);
}

export function momentum32(n: i32, rate: f32, beta: f32, nesterov: bool, g: usize, v: usize, θ: usize): void {
  momentumOf<f32>(n, rate, beta, nesterov, g, v, θ);
}

export function rootOfSquares64(
  n: i32, rate: f64, rho: f64, sigma: f64, epsilon: f64, g: usize, s: usize, θ: usize,
): void {
  rootOfSquaresOf<f64>(n, rate, rho, sigma, epsilon, g, s, θ);
}

export function rootOfSquares32(
  n: i32, rate: f32, rho: f32, sigma: f32, epsilon: f32, g: usize, s: usize, θ: usize,
): void {
  rootOfSquaresOf<f32>(n, rate, rho, sigma, epsilon, g, s, θ);
}

export function adam64(
  n: i32, beta1: f64, gamma1: f64, beta2: f64, gamma2: f64, step: f64, epsilon: f64, g: usize, m: usize,
  v: usize, θ: usize,
): void {
  adamOf<f64>(n, beta1, gamma1, beta2, gamma2, step, epsilon, g, m, v, θ);
}

export function adam32(
  n: i32, beta1: f32, gamma1: f32, beta2: f32, gamma2: f32, step: f32, epsilon: f32, g: usize, m: usize,
  v: usize, θ: usize,
): void {
  adamOf<f32>(n, beta1, gamma1, beta2, gamma2, step, epsilon, g, m, v, θ);
}

export function adamDirection64(
  n: i32, beta1: f64, gamma1: f64, beta2: f64, gamma2: f64, step: f64, scale: f64, epsilon: f64, g: usize, m: usize,
  v: usize, out: usize,
): void {
  adamDirectionOf<f64>(n, beta1, gamma1, beta2, gamma2, step, scale, epsilon, g, m, v, out);
}

export function adamDirection32(
  n: i32, beta1: f32, gamma1: f32, beta2: f32, gamma2: f32, step: f32, scale: f32, epsilon: f32, g: usize, m: usize,
  v: usize, out: usize,
): void {
  adamDirectionOf<f32>(n, beta1, gamma1, beta2, gamma2, step, scale, epsilon, g, m, v, out);
}
