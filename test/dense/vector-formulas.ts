/** The kernels of training as formulas in double precision, for the tests. */
import type { ActivationKind } from '#hmatrix/dense/vector-memory.js';

/** ϕ(t), |t| < 2⁶; the first bits of t, whose square is exact, apart from the others: rounding of t² would show. */
function density(t: number): number {
  const high = Math.round(t * 2 ** 17) / 2 ** 17;
  return (Math.exp(-0.5 * high * high) * Math.exp(-0.5 * (t - high) * (t + high))) / Math.sqrt(2 * Math.PI);
}

/** Φ(−t), t ≥ 0: the continued fraction of Mills' ratio, or for small t the series of Φ. */
function normalTail(t: number): number {
  if (t > 1) {
    let fraction = t;
    for (let k = 1500; k > 0; k--) fraction = t + k / fraction;
    return density(t) / fraction;
  }
  let term = t;
  let sum = t;
  for (let k = 3; term > 1e-19 * sum; k += 2) {
    term *= (t * t) / k;
    sum += term;
  }
  return 0.5 - density(t) * sum;
}

/** φ, φ′, φ″ at a finite z, and what their errors are measured against: φ′ of GELU and φ″ have zeros. */
export interface Values {
  readonly values: readonly [number, number, number];
  readonly scales: readonly [number, number, number];
}

const plain = (...values: [number, number, number]): Values => ({ values, scales: values });

/** By name. */
export const FORMULAS: Readonly<Record<ActivationKind, (z: number) => Values>> = {
  linear: (z) => plain(z, 1, 0),
  relu: (z) => plain(Math.max(z, 0), z > 0 ? 1 : 0, 0),
  tanh: (z) => {
    const e = Math.exp(-2 * Math.abs(z));
    const slope = (4 * e) / (1 + e) ** 2;
    return plain(Math.tanh(z), slope, -2 * Math.tanh(z) * slope);
  },
  sigmoid: (z) => {
    const e = Math.exp(-Math.abs(z));
    const s = 1 / (1 + e);
    const slope = e * s * s;
    const curvature = slope * Math.sign(z) * Math.expm1(-Math.abs(z)) * s;
    return { values: [z < 0 ? e * s : s, slope, curvature], scales: [z < 0 ? e * s : s, slope, slope] };
  },
  softplus: (z) => {
    const e = Math.exp(-Math.abs(z));
    const s = 1 / (1 + e);
    return plain(Math.max(z, 0) + Math.log1p(e), z < 0 ? e * s : s, e * s * s);
  },
  gelu: (z) => {
    const tail = normalTail(Math.abs(z));
    const Φ = z < 0 ? tail : 1 - tail;
    const d = density(z);
    return {
      values: [z * Φ, Φ + z * d, d * (2 - z * z)],
      scales: [z * Φ, Φ + Math.abs(z) * d, d * (2 + z * z)],
    };
  },
  silu: (z) => {
    const [sigma, slope] = FORMULAS.sigmoid(z).values;
    const tanh = -Math.expm1(-Math.abs(z)) / (1 + Math.exp(-Math.abs(z)));
    return {
      values: [z * sigma, sigma + z * slope, slope * (2 - Math.abs(z) * tanh)],
      scales: [z * sigma, sigma + Math.abs(z) * slope, slope * (2 + Math.abs(z))],
    };
  },
  leakyRelu: (z) => plain(z > 0 ? z : 0.01 * z, z > 0 ? 1 : 0.01, 0),
};

/** σ(z) */
export const logistic = (z: number): number => FORMULAS.sigmoid(z).values[0];

/** max f and Σ e^{f − max f} of n numbers from `at` on. */
export function exponentialSum(f: ArrayLike<number>, at: number, n: number): { largest: number; sum: number } {
  let largest = -Infinity;
  for (let k = at; k < at + n; k++) largest = Math.max(largest, f[k]);
  let sum = 0;
  for (let k = at; k < at + n; k++) sum += Math.exp(f[k] - largest);
  return { largest, sum };
}
