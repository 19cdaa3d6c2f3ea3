/**
 * Steps of the optimizers, one pass over their arrays each. Compiled to WebAssembly.
 */
import { horner, lanesOf, read, write } from './lanes';

/** θ ← θ − rate·g */
export function sgd<T>(n: i32, rate: T, g: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const lanes = lanesOf<T>();
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    write<T>(θ, v128.sub<T>(read<T>(θ, count), v128.mul<T>(a, read<T>(g, count))), count);
    g += 16;
    θ += 16;
  }
}

/** v ← βv + g, θ ← θ − rate·v, by Nesterov θ ← θ − rate·(g + βv) */
export function momentum<T>(n: i32, rate: T, beta: T, nesterov: bool, g: usize, v: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const b = v128.splat<T>(beta);
  const lanes = lanesOf<T>();
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const d = read<T>(g, count);
    const velocity = horner<T>(b, read<T>(v, count), d);
    write<T>(v, velocity, count);
    const direction = nesterov ? horner<T>(b, velocity, d) : velocity;
    write<T>(θ, v128.sub<T>(read<T>(θ, count), v128.mul<T>(a, direction)), count);
    g += 16;
    v += 16;
    θ += 16;
  }
}

/** s ← ρs + σ·g∘g, θ ← θ − rate·g/(√s + ε) */
export function rootOfSquares<T>(n: i32, rate: T, rho: T, sigma: T, epsilon: T, g: usize, s: usize, θ: usize): void {
  const a = v128.splat<T>(rate);
  const r = v128.splat<T>(rho);
  const c = v128.splat<T>(sigma);
  const e = v128.splat<T>(epsilon);
  const lanes = lanesOf<T>();
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const d = read<T>(g, count);
    const sum = horner<T>(r, read<T>(s, count), v128.mul<T>(v128.mul<T>(c, d), d));
    write<T>(s, sum, count);
    const ratio = v128.div<T>(v128.mul<T>(a, d), v128.add<T>(v128.sqrt<T>(sum), e));
    write<T>(θ, v128.sub<T>(read<T>(θ, count), ratio), count);
    g += 16;
    s += 16;
    θ += 16;
  }
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
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const d = read<T>(g, count);
    const first = horner<T>(b1, read<T>(m, count), v128.mul<T>(c1, d));
    const second = horner<T>(b2, read<T>(v, count), v128.mul<T>(v128.mul<T>(c2, d), d));
    write<T>(m, first, count);
    write<T>(v, second, count);
    const ratio = v128.div<T>(v128.mul<T>(a, first), v128.add<T>(v128.sqrt<T>(second), e));
    const before = read<T>(θ, count);
    write<T>(θ, v128.sub<T>(v128.sub<T>(before, v128.mul<T>(l, before)), ratio), count);
    g += 16;
    m += 16;
    v += 16;
    θ += 16;
  }
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
  for (let i = n; i > 0; i -= lanes) {
    const count = min(i, lanes);
    const d = read<T>(g, count);
    const first = horner<T>(b1, read<T>(m, count), v128.mul<T>(c1, d));
    const second = horner<T>(b2, read<T>(v, count), v128.mul<T>(v128.mul<T>(c2, d), d));
    write<T>(m, first, count);
    write<T>(v, second, count);
    write<T>(out, v128.div<T>(v128.mul<T>(a, first), v128.add<T>(v128.sqrt<T>(v128.mul<T>(f, second)), e)), count);
    g += 16;
    m += 16;
    v += 16;
    out += 16;
  }
}
