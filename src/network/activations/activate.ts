/**
 * Activations φ with their first and second derivatives, elementwise, each from one exponential.
 * Entries go in double precision through small arrays that stay in cache, where the exponential is vectorised; results
 * are rounded to the arrays' precision, and an entry's bits do not depend on where it stands. Slopes keep their
 * relative accuracy where a unit saturates: they come from e^{−|z|}, never as 1 − (almost 1). GELU is the exact one,
 * z·Φ(z) (D. Hendrycks, K. Gimpel, arXiv 1606.08415), not its tanh approximation; Φ by ./erf.ts. Errors measured
 * against 60 digits, in units of 2⁻⁵²: at most 4 relative for tanh, sigmoid, softplus and their derivatives (sigmoid″
 * near its zero at 0: 1 absolute); GELU at most 1 + |z| absolute, its derivatives 1, all of them 1 + z²/2 relative in
 * the tail z < −3 where Φ vanishes.
 */
import { expInPlace } from '../../dense/elementwise.js';
import { view, type FloatArray, type Matrix } from '../../dense/matrix.js';
import { erfOverArgument, scaledErfc } from './erf.js';

export type ActivationName = 'tanh' | 'sigmoid' | 'relu' | 'softplus' | 'gelu' | 'linear';
export const ACTIVATIONS: readonly ActivationName[] = ['tanh', 'sigmoid', 'relu', 'softplus', 'gelu', 'linear'];

/** Entries that go through the scratch arrays at a time: three of 16 KiB. */
const CHUNK = 2048;
const abscissae = new Float64Array(CHUNK);
const exponentials = new Float64Array(CHUNK);
const values = new Float64Array(CHUNK);

/**
 * One activation on x[0 … n): `exponent` writes the arguments of the exponential, `evaluate` reads x and the
 * exponentials e, writes φ(x) to y and, where asked, φ′ and φ″ from position `at` on.
 */
interface Kernel {
  readonly exponent: ((n: number, x: Float64Array, e: Float64Array) => void) | null;
  readonly evaluate: (
    n: number,
    x: Float64Array,
    e: Float64Array,
    y: Float64Array,
    slope: FloatArray | null,
    curvature: FloatArray | null,
    at: number,
  ) => void;
}

const minusMagnitude = (n: number, x: Float64Array, e: Float64Array): void => {
  for (let i = 0; i < n; i++) e[i] = -Math.abs(x[i]);
};

/**
 * tanh = (1 − e)/(1 + e), tanh′ = 4e/(1 + e)² with e = e^{−2|z|}; for |z| < 1/2, where 1 − e cancels, the rational
 * approximation of W. Cody, W. Waite, "Software Manual for the Elementary Functions", 1980, ch. 13. tanh″ =
 * −2·tanh·tanh′.
 */
const tanh: Kernel = {
  exponent: (n, x, e) => {
    for (let i = 0; i < n; i++) e[i] = -2 * Math.abs(x[i]);
  },
  evaluate: (n, x, e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) {
      const z = x[i];
      let value: number;
      let derivative: number;
      if (z < 0.5 && z > -0.5) {
        const g = z * z;
        const numerator = ((-0.96437492777225469787 * g - 99.225929672236083313) * g - 1613.4119023996228053) * g;
        const denominator = ((g + 112.74474380534949335) * g + 2233.7720718962312926) * g + 4840.2357071988688686;
        value = z + (z * numerator) / denominator;
        derivative = 1 - value * value;
      } else {
        const d = 1 / (1 + e[i]);
        value = (1 - e[i]) * d;
        derivative = 4 * e[i] * d * d;
        if (z < 0) value = -value;
      }
      y[i] = value;
      if (slope !== null) slope[at + i] = derivative;
      if (curvature !== null) curvature[at + i] = -2 * value * derivative;
    }
  },
};

const sigmoid: Kernel = {
  exponent: minusMagnitude,
  evaluate: (n, x, e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) {
      const s = 1 / (1 + e[i]);
      const t = e[i] * s;
      y[i] = x[i] < 0 ? t : s;
      const derivative = t * s;
      if (slope !== null) slope[at + i] = derivative;
      if (curvature !== null) curvature[at + i] = x[i] < 0 ? derivative * (s - t) : derivative * (t - s);
    }
  },
};

const relu: Kernel = {
  exponent: null,
  evaluate: (n, x, _e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) y[i] = x[i] <= 0 ? 0 : x[i];
    if (slope !== null) for (let i = 0; i < n; i++) slope[at + i] = x[i] > 0 ? 1 : 0;
    curvature?.fill(0, at, at + n);
  },
};

const softplus: Kernel = {
  exponent: minusMagnitude,
  evaluate: (n, x, e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) {
      const s = 1 / (1 + e[i]);
      const t = e[i] * s;
      y[i] = (x[i] < 0 ? 0 : x[i]) + Math.log1p(e[i]);
      if (slope !== null) slope[at + i] = x[i] < 0 ? t : s;
      if (curvature !== null) curvature[at + i] = t * s;
    }
  },
};

/** 1/√(2π). */
const INV_SQRT_TWO_PI = 0.39894228040143267794;

/** φ = zΦ(z), φ′ = Φ + zϕ, φ″ = ϕ·(2 − z²) with the normal density ϕ and its integral Φ. */
const gelu: Kernel = {
  exponent: (n, x, e) => {
    for (let i = 0; i < n; i++) e[i] = -0.5 * x[i] * x[i];
  },
  evaluate: (n, x, e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) {
      const z = x[i];
      const square = z * z;
      const u = Math.abs(z) * Math.SQRT1_2;
      let Φ: number;
      if (u <= 0.46875) {
        Φ = 0.5 + 0.5 * Math.SQRT1_2 * z * erfOverArgument(0.5 * square);
      } else {
        const tail = 0.5 * e[i] * scaledErfc(u);
        Φ = z < 0 ? tail : 1 - tail;
      }
      const density = INV_SQRT_TWO_PI * e[i];
      y[i] = z * Φ;
      if (slope !== null) slope[at + i] = Φ + z * density;
      // Beyond |z| = 39 the density is 0 in double precision, and z² may be infinite there.
      if (curvature !== null) curvature[at + i] = density === 0 ? 0 : density * (2 - square);
    }
  },
};

const linear: Kernel = {
  exponent: null,
  evaluate: (n, x, _e, y, slope, curvature, at) => {
    for (let i = 0; i < n; i++) y[i] = x[i];
    slope?.fill(1, at, at + n);
    curvature?.fill(0, at, at + n);
  },
};

const KERNELS: Readonly<Record<ActivationName, Kernel>> = { tanh, sigmoid, relu, softplus, gelu, linear };

/** Whether φ′ ≡ 1, so that no slopes need be stored. */
export const hasUnitSlope = (name: ActivationName): boolean => name === 'linear';
/** Whether φ″ vanishes (for the ReLU: almost everywhere; its slope at 0 is 0). */
export const hasZeroCurvature = (name: ActivationName): boolean => name === 'linear' || name === 'relu';

function copyRun(x: FloatArray, from: number, y: FloatArray, to: number, count: number): void {
  if (count >= 32) y.set(x.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) y[to + i] = x[from + i];
}

/**
 * a ← φ(z) on views of equal shape; φ′ and φ″ into contiguous arrays from position 0. Runs of whole columns, or parts
 * of long ones, at a time.
 */
function activateView(
  name: ActivationName,
  z: Matrix,
  a: Matrix,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  const { exponent, evaluate } = KERNELS[name];
  const contiguous = z.ld === z.rows && a.ld === a.rows;
  const rows = contiguous ? z.rows * z.cols : z.rows;
  const cols = contiguous ? 1 : z.cols;
  const span = Math.min(rows, CHUNK);
  const columns = Math.max(1, Math.floor(CHUNK / Math.max(1, rows)));
  for (let j = 0; j < cols; j += columns) {
    const together = Math.min(columns, cols - j);
    for (let i = 0; i < rows; i += span) {
      const height = Math.min(span, rows - i);
      const n = height * together;
      for (let c = 0; c < together; c++) copyRun(z.data, z.offset + i + (j + c) * z.ld, abscissae, c * height, height);
      if (exponent !== null) {
        exponent(n, abscissae, exponentials);
        expInPlace(exponentials, 0, n);
      }
      evaluate(n, abscissae, exponentials, values, slope, curvature, i + j * rows);
      for (let c = 0; c < together; c++) copyRun(values, c * height, a.data, a.offset + i + (j + c) * a.ld, height);
    }
  }
}

/** a ← φ(z), slope ← φ′(z), curvature ← φ″(z), elementwise on arrays of equal length; a may be z itself. */
export function activate(
  name: ActivationName,
  z: FloatArray,
  a: FloatArray,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  activateView(name, view(z, 0, z.length, 1), view(a, 0, a.length, 1), slope, curvature);
}

/** In place on a view: Z ← φ(Z), with φ′(Z) and φ″(Z), where asked, into contiguous arrays of rows·cols entries. */
export function activateInPlace(
  name: ActivationName,
  z: Matrix,
  slope: FloatArray | null,
  curvature: FloatArray | null,
): void {
  if (name === 'linear' && slope === null && curvature === null) return;
  activateView(name, z, z, slope, curvature);
}
