/**
 * Activations, with their first and second derivatives where pointers for them are not 0. Compiled to WebAssembly. Each
 * from one exponential of a number that is not positive, so that slopes keep their relative accuracy where a unit
 * saturates.
 */
import {
  assemble, clamp, constant, exponentOf, expMinusMagnitude, FAR, fraction, gaussian, INV_SQRT_TWO_PI, LEAK, log1p, ONE,
  power, remainder, scaledTail, SMALLEST, TWO, withSign,
} from './exponential';
import { lanesOf, read, write } from './lanes';

const RELU: i32 = 1;
const TANH: i32 = 2;
const SIGMOID: i32 = 3;
const SOFTPLUS: i32 = 4;
const GELU: i32 = 5;
const SILU: i32 = 6;
const LEAKY_RELU: i32 = 7;

/**
 * y ← φ(x) on columns ld apart in both; slope and curvature without gaps. y may be x; where it is slope or curvature,
 * what is asked for last stands there: they are written in this order.
 */
export function activate<T>(
  kind: i32, rows: i32, cols: i32, x: usize, y: usize, ld: i32, slope: usize, curvature: usize,
): void {
  if (rows == ld || cols == 1) {
    run<T>(kind, rows * cols, x, y, slope, curvature);
    return;
  }
  const height = <usize>rows * sizeof<T>();
  const distance = <usize>ld * sizeof<T>();
  for (let j = 0; j < cols; ++j) {
    run<T>(kind, rows, x, y, slope, curvature);
    x += distance;
    y += distance;
    if (slope) slope += height;
    if (curvature) curvature += height;
  }
}

function run<T>(kind: i32, n: i32, x: usize, y: usize, slope: usize, curvature: usize): void {
  if (kind == RELU) loop<T>(RELU, n, x, y, slope, curvature);
  else if (kind == TANH) loop<T>(TANH, n, x, y, slope, curvature);
  else if (kind == SIGMOID) loop<T>(SIGMOID, n, x, y, slope, curvature);
  else if (kind == SOFTPLUS) loop<T>(SOFTPLUS, n, x, y, slope, curvature);
  else if (kind == GELU) loop<T>(GELU, n, x, y, slope, curvature);
  else if (kind == SILU) loop<T>(SILU, n, x, y, slope, curvature);
  else if (kind == LEAKY_RELU) loop<T>(LEAKY_RELU, n, x, y, slope, curvature);
  else loop<T>(0, n, x, y, slope, curvature);
}

@inline
function loop<T>(kind: i32, n: i32, x: usize, y: usize, slope: usize, curvature: usize): void {
  const lanes = lanesOf<T>();
  let i = n;
  for (; i >= lanes; i -= lanes) {
    step<T>(kind, x, y, slope, curvature, lanesOf<T>());
    x += 16;
    y += 16;
    if (slope) slope += 16;
    if (curvature) curvature += 16;
  }
  if (i > 0) step<T>(kind, x, y, slope, curvature, i);
}

@inline
function step<T>(kind: i32, from: usize, y: usize, slope: usize, curvature: usize, count: i32): void {
  const x = read<T>(from, count);
  const zero = v128.splat<T>(<T>0);
  const one = constant<T>(ONE);
  if (kind == RELU) {
    write<T>(y, v128.andnot(x, v128.le<T>(x, zero)), count);
    if (slope) write<T>(slope, v128.and(v128.gt<T>(x, zero), one), count);
    if (curvature) write<T>(curvature, zero, count);
  } else if (kind == TANH) {
    const clamped = clamp<T>(v128.mul<T>(v128.abs<T>(x), v128.neg<T>(constant<T>(TWO))));
    const k = exponentOf<T>(clamped);
    const p = fraction<T>(remainder<T>(clamped, k));
    const scale = power<T>(k);
    // 1 − e, not negative; tanh |x| = (1 − e)/(1 + e)
    const complement = v128.sub<T>(v128.sub<T>(one, scale), v128.mul<T>(p, scale));
    const inverse = v128.div<T>(one, v128.sub<T>(constant<T>(TWO), complement));
    const value = withSign<T>(v128.mul<T>(complement, inverse), x);
    write<T>(y, value, count);
    if (slope || curvature) {
      const twice = v128.add<T>(inverse, inverse);
      const derivative = v128.mul<T>(assemble<T>(p, scale), v128.mul<T>(twice, twice));
      if (slope) write<T>(slope, derivative, count);
      if (curvature) write<T>(curvature, v128.mul<T>(v128.neg<T>(v128.add<T>(value, value)), derivative), count);
    }
  } else if (kind == SIGMOID) {
    const e = expMinusMagnitude<T>(x);
    const s = v128.div<T>(one, v128.add<T>(one, e));
    const t = v128.mul<T>(e, s);
    const negative = v128.lt<T>(x, zero);
    write<T>(y, v128.bitselect(t, s, negative), count);
    if (slope || curvature) {
      const derivative = v128.mul<T>(t, s);
      if (slope) write<T>(slope, derivative, count);
      if (curvature) {
        const difference = v128.sub<T>(s, t);
        const signed = v128.bitselect(difference, v128.neg<T>(difference), negative);
        write<T>(curvature, v128.mul<T>(derivative, signed), count);
      }
    }
  } else if (kind == SOFTPLUS) {
    const e = expMinusMagnitude<T>(x);
    const negative = v128.lt<T>(x, zero);
    write<T>(y, v128.add<T>(v128.andnot(x, negative), log1p<T>(e)), count);
    if (slope || curvature) {
      const s = v128.div<T>(one, v128.add<T>(one, e));
      const t = v128.mul<T>(e, s);
      if (slope) write<T>(slope, v128.bitselect(t, s, negative), count);
      if (curvature) write<T>(curvature, v128.mul<T>(t, s), count);
    }
  } else if (kind == GELU) {
    // Beyond FAR nothing changes but the value itself, and z² and z·0 must not overflow there.
    const far = constant<T>(FAR);
    const t = v128.pmin<T>(v128.abs<T>(x), far);
    const near = withSign<T>(t, x);
    const e = gaussian<T>(t);
    const tail = v128.mul<T>(e, scaledTail<T>(t));
    const Φ = v128.bitselect(tail, v128.sub<T>(one, tail), v128.lt<T>(x, zero));
    write<T>(y, v128.mul<T>(v128.pmax<T>(x, v128.neg<T>(far)), Φ), count);
    if (slope || curvature) {
      const density = v128.mul<T>(e, constant<T>(INV_SQRT_TWO_PI));
      if (slope) write<T>(slope, v128.add<T>(Φ, v128.mul<T>(near, density)), count);
      if (curvature)
        write<T>(curvature, v128.mul<T>(density, v128.sub<T>(constant<T>(TWO), v128.mul<T>(t, t))), count);
    }
  } else if (kind == SILU) {
    // Beyond −SMALLEST e is 0; z·0 must not be NaN there.
    const least = constant<T>(SMALLEST);
    const e = expMinusMagnitude<T>(x);
    const s = v128.div<T>(one, v128.add<T>(one, e));
    const t = v128.mul<T>(e, s);
    const sigma = v128.bitselect(t, s, v128.lt<T>(x, zero));
    write<T>(y, v128.mul<T>(v128.pmax<T>(x, least), sigma), count);
    if (slope || curvature) {
      const near = v128.pmin<T>(v128.abs<T>(x), v128.neg<T>(least));
      const derivative = v128.mul<T>(t, s);
      if (slope) write<T>(slope, v128.add<T>(sigma, v128.mul<T>(withSign<T>(near, x), derivative)), count);
      if (curvature) {
        const product = v128.mul<T>(near, v128.sub<T>(s, t));
        write<T>(curvature, v128.mul<T>(derivative, v128.sub<T>(constant<T>(TWO), product)), count);
      }
    }
  } else if (kind == LEAKY_RELU) {
    const leak = constant<T>(LEAK);
    const positive = v128.gt<T>(x, zero);
    write<T>(y, v128.bitselect(x, v128.mul<T>(leak, x), positive), count);
    if (slope) write<T>(slope, v128.bitselect(one, leak, positive), count);
    if (curvature) write<T>(curvature, zero, count);
  } else {
    write<T>(y, x, count);
    if (slope) write<T>(slope, one, count);
    if (curvature) write<T>(curvature, zero, count);
  }
}
