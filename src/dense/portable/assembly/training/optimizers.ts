/**
 * Steps of the optimizers, one pass over their arrays each. Compiled to WebAssembly.
 */
import { horner, lanesOf, read, write } from './lanes';

/** θ ← θ − rate·g */
export function sgd<T>(n: i32, rate: T, g: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    sgdStep<T>(a, g, θ, lanesOf<T>());
    g += 16;
    θ += 16;
  }
  if (i > 0) sgdStep<T>(a, g, θ, i);
}

@inline
function sgdStep<T>(a: v128, g: usize, θ: usize, count: i32): void {
  write<T>(θ, v128.sub<T>(read<T>(θ, count), v128.mul<T>(a, read<T>(g, count))), count);
}

/** v ← βv + g, θ ← θ − rate·v, by Nesterov θ ← θ − rate·(g + βv) */
export function momentum<T>(n: i32, rate: T, beta: T, nesterov: bool, g: usize, v: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const b = v128.splat<T>(beta);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    momentumStep<T>(a, b, nesterov, g, v, θ, lanesOf<T>());
    g += 16;
    v += 16;
    θ += 16;
  }
  if (i > 0) momentumStep<T>(a, b, nesterov, g, v, θ, i);
}

@inline
function momentumStep<T>(a: v128, b: v128, nesterov: bool, g: usize, v: usize, θ: usize, count: i32): void {
  const d = read<T>(g, count);
  const velocity = horner<T>(b, read<T>(v, count), d);
  write<T>(v, velocity, count);
  const direction = nesterov ? horner<T>(b, velocity, d) : velocity;
  write<T>(θ, v128.sub<T>(read<T>(θ, count), v128.mul<T>(a, direction)), count);
}

/** s ← ρs + σ·g∘g, θ ← θ − rate·g/(√s + ε) */
export function rootOfSquares<T>(n: i32, rate: T, rho: T, sigma: T, epsilon: T, g: usize, s: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const r = v128.splat<T>(rho);
  const c = v128.splat<T>(sigma);
  const e = v128.splat<T>(epsilon);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    rootStep<T>(a, r, c, e, g, s, θ, lanesOf<T>());
    g += 16;
    s += 16;
    θ += 16;
  }
  if (i > 0) rootStep<T>(a, r, c, e, g, s, θ, i);
}

@inline
function rootStep<T>(a: v128, r: v128, c: v128, e: v128, g: usize, s: usize, θ: usize, count: i32): void {
  const d = read<T>(g, count);
  const sum = horner<T>(r, read<T>(s, count), v128.mul<T>(v128.mul<T>(c, d), d));
  write<T>(s, sum, count);
  const ratio = v128.div<T>(v128.mul<T>(a, d), v128.add<T>(v128.sqrt<T>(sum), e));
  write<T>(θ, v128.sub<T>(read<T>(θ, count), ratio), count);
}

/** m ← β₁m + γ₁g, v ← β₂v + γ₂g∘g, θ ← θ − decay·θ − step·m/(√v + ε) */
export function adam<T>(
  n: i32, beta1: T, gamma1: T, beta2: T, gamma2: T, step: T, epsilon: T, decay: T, g: usize, m: usize, v: usize,
  θ: usize,
): void {
  const b1 = v128.splat<T>(beta1);
  const c1 = v128.splat<T>(gamma1);
  const b2 = v128.splat<T>(beta2);
  const c2 = v128.splat<T>(gamma2);
  const a = v128.splat<T>(step);
  const e = v128.splat<T>(epsilon);
  const l = v128.splat<T>(decay);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    adamStep<T>(b1, c1, b2, c2, a, e, l, g, m, v, θ, lanesOf<T>());
    g += 16;
    m += 16;
    v += 16;
    θ += 16;
  }
  if (i > 0) adamStep<T>(b1, c1, b2, c2, a, e, l, g, m, v, θ, i);
}

@inline
function adamStep<T>(
  b1: v128, c1: v128, b2: v128, c2: v128, a: v128, e: v128, l: v128, g: usize, m: usize,
  v: usize, θ: usize, count: i32,
): void {
  const d = read<T>(g, count);
  const first = horner<T>(b1, read<T>(m, count), v128.mul<T>(c1, d));
  const second = horner<T>(b2, read<T>(v, count), v128.mul<T>(v128.mul<T>(c2, d), d));
  write<T>(m, first, count);
  write<T>(v, second, count);
  const ratio = v128.div<T>(v128.mul<T>(a, first), v128.add<T>(v128.sqrt<T>(second), e));
  const before = read<T>(θ, count);
  write<T>(θ, v128.sub<T>(v128.sub<T>(before, v128.mul<T>(l, before)), ratio), count);
}

/** m and v as `adam`, out ← step·m/(√(v·scale) + ε) */
export function adamDirection<T>(
  n: i32, beta1: T, gamma1: T, beta2: T, gamma2: T, step: T, scale: T, epsilon: T, g: usize, m: usize, v: usize,
  out: usize,
): void {
  const b1 = v128.splat<T>(beta1);
  const c1 = v128.splat<T>(gamma1);
  const b2 = v128.splat<T>(beta2);
  const c2 = v128.splat<T>(gamma2);
  const a = v128.splat<T>(step);
  const f = v128.splat<T>(scale);
  const e = v128.splat<T>(epsilon);
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    directionStep<T>(b1, c1, b2, c2, a, f, e, g, m, v, out, lanesOf<T>());
    g += 16;
    m += 16;
    v += 16;
    out += 16;
  }
  if (i > 0) directionStep<T>(b1, c1, b2, c2, a, f, e, g, m, v, out, i);
}

@inline
function directionStep<T>(
  b1: v128, c1: v128, b2: v128, c2: v128, a: v128, f: v128, e: v128, g: usize, m: usize,
  v: usize, out: usize, count: i32,
): void {
  const d = read<T>(g, count);
  const first = horner<T>(b1, read<T>(m, count), v128.mul<T>(c1, d));
  const second = horner<T>(b2, read<T>(v, count), v128.mul<T>(v128.mul<T>(c2, d), d));
  write<T>(m, first, count);
  write<T>(v, second, count);
  write<T>(out, v128.div<T>(v128.mul<T>(a, first), v128.add<T>(v128.sqrt<T>(v128.mul<T>(f, second)), e)), count);
}
