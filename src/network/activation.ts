/**
 * Activations φ with their first and second derivatives, elementwise, each from one exponential. Layer 3.
 * Values are computed in double precision and rounded to that of the arrays. Slopes keep their relative accuracy where a unit saturates
 * (1 − tanh² would lose it): they are formed from e^{−|z|}, never as a difference from 1.
 * GELU is the exact one, z·Φ(z) (D. Hendrycks, K. Gimpel, arXiv 1606.08415), not its tanh approximation; Φ by ./erf.ts.
 */
import type { FloatArray, Matrix } from '../dense/matrix.js';
import { erfOverArgument, scaledErfc } from './erf.js';

export type ActivationName = 'tanh' | 'sigmoid' | 'relu' | 'softplus' | 'gelu' | 'linear';
export const ACTIVATIONS: readonly ActivationName[] = ['tanh', 'sigmoid', 'relu', 'softplus', 'gelu', 'linear'];

/** n entries: z from zAt, a from aAt; slope and curvature, where asked, from `at`. */
type Kernel = (n: number, z: FloatArray, zAt: number, a: FloatArray, aAt: number, slope: FloatArray | null, curvature: FloatArray | null, at: number) => void;

const tanh: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) {
    const x = z[zAt + i];
    const y = x < 0 ? -x : x;
    let value: number;
    let derivative: number;
    if (y < 0.5) {
      const t = Math.expm1(-2 * y);
      const d = 2 + t;
      value = -t / d;
      derivative = (4 * (1 + t)) / (d * d);
    } else {
      const e = Math.exp(-2 * y);
      const d = 1 + e;
      value = (1 - e) / d;
      derivative = (4 * e) / (d * d);
    }
    if (x < 0) value = -value;
    a[aAt + i] = value;
    if (slope !== null) slope[at + i] = derivative;
    if (curvature !== null) curvature[at + i] = -2 * value * derivative;
  }
};

const sigmoid: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) {
    const x = z[zAt + i];
    const e = Math.exp(x < 0 ? x : -x);
    const s = 1 / (1 + e);
    a[aAt + i] = x < 0 ? e * s : s;
    const derivative = e * s * s;
    if (slope !== null) slope[at + i] = derivative;
    if (curvature !== null) curvature[at + i] = (x < 0 ? derivative : -derivative) * (1 - e) * s;
  }
};

const relu: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) {
    const x = z[zAt + i];
    a[aAt + i] = x <= 0 ? 0 : x;
    if (slope !== null) slope[at + i] = x > 0 ? 1 : 0;
    if (curvature !== null) curvature[at + i] = 0;
  }
};

const softplus: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) {
    const x = z[zAt + i];
    const e = Math.exp(x < 0 ? x : -x);
    const s = 1 / (1 + e);
    a[aAt + i] = (x < 0 ? 0 : x) + Math.log1p(e);
    if (slope !== null) slope[at + i] = x < 0 ? e * s : s;
    if (curvature !== null) curvature[at + i] = e * s * s;
  }
};

/** 1/√(2π). */
const INV_SQRT_TWO_PI = 0.39894228040143267794;

/** φ = zΦ(z), φ′ = Φ + zϕ, φ″ = ϕ·(2 − z²) with the normal density ϕ and its integral Φ. */
const gelu: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) {
    const x = z[zAt + i];
    const h = 0.5 * x * x;
    const e = Math.exp(-h);
    const y = (x < 0 ? -x : x) * Math.SQRT1_2;
    let Φ: number;
    if (y <= 0.46875) {
      Φ = 0.5 + 0.5 * Math.SQRT1_2 * x * erfOverArgument(h);
    } else {
      const tail = 0.5 * e * scaledErfc(y);
      Φ = x < 0 ? tail : 1 - tail;
    }
    const density = INV_SQRT_TWO_PI * e;
    a[aAt + i] = x * Φ;
    if (slope !== null) slope[at + i] = Φ + x * density;
    // Beyond |z| = 38 the density is 0 in double precision, and z² may be infinite there.
    if (curvature !== null) curvature[at + i] = e === 0 ? 0 : density * (2 - 2 * h);
  }
};

const linear: Kernel = (n, z, zAt, a, aAt, slope, curvature, at) => {
  for (let i = 0; i < n; i++) a[aAt + i] = z[zAt + i];
  slope?.fill(1, at, at + n);
  curvature?.fill(0, at, at + n);
};

const KERNELS: Readonly<Record<ActivationName, Kernel>> = { tanh, sigmoid, relu, softplus, gelu, linear };

/** Whether φ′ ≡ 1, so that no slopes need be stored. */
export const hasUnitSlope = (name: ActivationName): boolean => name === 'linear';
/** Whether φ″ vanishes (for the ReLU: almost everywhere; its slope at 0 is 0). */
export const hasZeroCurvature = (name: ActivationName): boolean => name === 'linear' || name === 'relu';

/** a ← φ(z), slope ← φ′(z), curvature ← φ″(z), elementwise on arrays of equal length; a may be z itself. */
export function activate(name: ActivationName, z: FloatArray, a: FloatArray, slope: FloatArray | null, curvature: FloatArray | null): void {
  KERNELS[name](z.length, z, 0, a, 0, slope, curvature, 0);
}

/** In place on a view: Z ← φ(Z), with φ′(Z) and φ″(Z), where asked, into contiguous arrays of rows·cols entries. */
export function activateInPlace(name: ActivationName, z: Matrix, slope: FloatArray | null, curvature: FloatArray | null): void {
  if (name === 'linear' && slope === null && curvature === null) return;
  const kernel = KERNELS[name];
  if (z.ld === z.rows) {
    kernel(z.rows * z.cols, z.data, z.offset, z.data, z.offset, slope, curvature, 0);
    return;
  }
  for (let j = 0; j < z.cols; j++) {
    const at = z.offset + j * z.ld;
    kernel(z.rows, z.data, at, z.data, at, slope, curvature, j * z.rows);
  }
}
