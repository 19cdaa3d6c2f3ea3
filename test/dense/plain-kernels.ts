/** The kernels of training as plain loops. */
import type { Precision } from '#hmatrix/core/floats.js';
import { ShapeError } from '#hmatrix/core/errors.js';
import { describe } from '#hmatrix/core/kind.js';
import type { FloatArray } from '#hmatrix/dense/matrix.js';
import type {
  ActivationKind,
  AdamDirectionNumbers,
  AdamNumbers,
  LossKind,
  MeanKind,
  VectorKernels,
} from '#hmatrix/dense/vector-memory.js';

/** Φ(−t), t ≥ 0: its continued fraction where that converges, else the series of Φ. */
export function normalTail(t: number): number {
  const density = Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
  if (t > 3) {
    let fraction = t;
    for (let k = 120; k > 0; k--) fraction = t + k / fraction;
    return density / fraction;
  }
  let term = t;
  let sum = t;
  for (let k = 3; Math.abs(term) > 1e-19 * sum; k += 2) {
    term *= (t * t) / k;
    sum += term;
  }
  return 0.5 - density * sum;
}

/** φ, φ′, φ″ at z. */
export const SCALAR_ACTIVATIONS: Readonly<Record<ActivationKind, (z: number) => readonly [number, number, number]>> = {
  linear: (z) => [z, 1, 0],
  relu: (z) => [z <= 0 ? 0 : z, z > 0 ? 1 : 0, 0],
  tanh: (z) => {
    const value = Math.tanh(z);
    const e = Math.exp(-2 * Math.abs(z));
    const slope = (4 * e) / (1 + e) ** 2;
    return [value, slope, -2 * value * slope];
  },
  sigmoid: (z) => {
    const e = Math.exp(-Math.abs(z));
    const s = 1 / (1 + e);
    const slope = e * s * s;
    return [z < 0 ? e * s : s, slope, slope * Math.sign(z) * Math.expm1(-Math.abs(z)) * s];
  },
  softplus: (z) => {
    const e = Math.exp(-Math.abs(z));
    const s = 1 / (1 + e);
    return [(z < 0 ? 0 : z) + Math.log1p(e), z < 0 ? e * s : s, e * s * s];
  },
  gelu: (z) => {
    const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
    const tail = normalTail(Math.abs(z));
    const Φ = z < 0 ? tail : 1 - tail;
    return [
      tail === 0 && z < 0 ? -0 : z * Φ,
      Φ + (density === 0 ? 0 : z * density),
      density === 0 ? 0 : density * (2 - z * z),
    ];
  },
};

/** Loops that round where a number is stored. */
export class PlainKernels implements VectorKernels {
  readonly #buffer: SharedArrayBuffer;
  readonly #precision: Precision;

  constructor(buffer: SharedArrayBuffer, precision: Precision) {
    this.#buffer = buffer;
    this.#precision = precision;
  }

  #check(n: number, ...arrays: FloatArray[]): void {
    for (const array of arrays) {
      const fits = this.#precision === 'f64' ? array instanceof Float64Array : array instanceof Float32Array;
      if (!fits || (array.buffer as unknown) !== this.#buffer || !(array.length >= n))
        throw new ShapeError(`A kernel takes arrays of ${n} numbers over its memory, not ${describe(array)}.`, { n });
    }
  }

  combine(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void {
    this.#check(n, x, y);
    for (let i = 0; i < n; i++) y[i] = (alpha === 0 ? 0 : alpha * x[i]) + (beta === 0 ? 0 : beta * y[i]);
  }

  dot(n: number, x: FloatArray, y: FloatArray): number {
    this.#check(n, x, y);
    let sum = 0;
    for (let i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
  }

  multiply(n: number, x: FloatArray, y: FloatArray): void {
    this.#check(n, x, y);
    for (let i = 0; i < n; i++) y[i] *= x[i];
  }

  multiplyAdd(n: number, alpha: number, x: FloatArray, s: FloatArray, y: FloatArray): void {
    this.#check(n, x, s, y);
    for (let i = 0; i < n; i++) y[i] += alpha * x[i] * s[i];
  }

  squares(n: number, alpha: number, x: FloatArray, beta: number, y: FloatArray): void {
    this.#check(n, x, y);
    for (let i = 0; i < n; i++) y[i] = alpha * x[i] * x[i] + (beta === 0 ? 0 : beta * y[i]);
  }

  finite(n: number, x: FloatArray): boolean {
    this.#check(n, x);
    for (let i = 0; i < n; i++) if (!Number.isFinite(x[i])) return false;
    return true;
  }

  activate(
    name: ActivationKind,
    rows: number,
    cols: number,
    z: FloatArray,
    ldz: number,
    slope: FloatArray | null,
    curvature: FloatArray | null,
  ): void {
    this.#check(rows * cols === 0 ? 0 : (cols - 1) * ldz + rows, z);
    if (slope !== null) this.#check(rows * cols, slope);
    if (curvature !== null) this.#check(rows * cols, curvature);
    for (let j = 0; j < cols; j++) {
      for (let i = 0; i < rows; i++) {
        const values = SCALAR_ACTIVATIONS[name](z[i + j * ldz]);
        z[i + j * ldz] = values[0];
        if (slope !== null) slope[i + j * rows] = values[1];
        if (curvature !== null) curvature[i + j * rows] = values[2];
      }
    }
  }

  lossGradient(
    kind: LossKind,
    scale: number,
    rows: number,
    cols: number,
    f: FloatArray,
    y: FloatArray,
    out: FloatArray,
  ): number {
    const n = rows * cols;
    this.#check(n, f, y, out);
    let sum = 0;
    for (let at = 0; at < n; at += rows) {
      let largest = -Infinity;
      let total = 0;
      if (kind === 'softmax') {
        for (let i = at; i < at + rows; i++) largest = Math.max(largest, f[i]);
        for (let i = at; i < at + rows; i++) total += Math.exp(f[i] - largest);
      }
      for (let i = at; i < at + rows; i++) {
        const z = f[i];
        if (kind === 'squared') {
          out[i] = scale * (z - y[i]);
          sum += 0.5 * (z - y[i]) ** 2;
        } else if (kind === 'bce') {
          sum += (z > 0 ? 1 - y[i] : -y[i]) * z + Math.log1p(Math.exp(-Math.abs(z)));
          out[i] = scale * (SCALAR_ACTIVATIONS.sigmoid(z)[0] - y[i]);
        } else {
          if (y[i] !== 0) sum += y[i] * (Math.log(total) - (z - largest));
          out[i] = scale * (Math.exp(z - largest) / total - y[i]);
        }
      }
    }
    return scale * sum;
  }

  mean(kind: MeanKind, rows: number, cols: number, f: FloatArray, out: FloatArray): void {
    const n = rows * cols;
    this.#check(n, f, out);
    for (let at = 0; at < n; at += rows) {
      let largest = -Infinity;
      let total = 0;
      for (let i = at; i < at + rows; i++) largest = Math.max(largest, f[i]);
      for (let i = at; i < at + rows; i++) total += Math.exp(f[i] - largest);
      for (let i = at; i < at + rows; i++)
        out[i] = kind === 'bce' ? SCALAR_ACTIVATIONS.sigmoid(f[i])[0] : Math.exp(f[i] - largest) / total;
    }
  }

  softmaxHessian(rows: number, cols: number, p: FloatArray, pcols: number, v: FloatArray): void {
    this.#check(rows * pcols, p);
    this.#check(rows * cols, v);
    if (cols % pcols !== 0) throw new ShapeError(`${cols} columns do not belong to ${pcols}.`, { cols, pcols });
    for (let j = 0; j < cols; j++) {
      const from = Math.floor(j / (cols / pcols)) * rows;
      const to = j * rows;
      let m = 0;
      for (let k = 1; k < rows; k++) if (p[from + k] > p[from + m]) m = k;
      const base = v[to + m];
      let mean = 0;
      for (let k = 0; k < rows; k++) mean += p[from + k] * (v[to + k] - base);
      for (let k = 0; k < rows; k++) v[to + k] = p[from + k] * (v[to + k] - base - mean);
    }
  }

  bceHessian(n: number, p: FloatArray, v: FloatArray): void {
    this.#check(n, p, v);
    for (let i = 0; i < n; i++) v[i] *= p[i] * (1 - p[i]);
  }

  sgd(n: number, rate: number, g: FloatArray, θ: FloatArray): void {
    this.#check(n, g, θ);
    for (let i = 0; i < n; i++) θ[i] -= rate * g[i];
  }

  momentum(
    n: number,
    rate: number,
    beta: number,
    nesterov: boolean,
    g: FloatArray,
    v: FloatArray,
    θ: FloatArray,
  ): void {
    this.#check(n, g, v, θ);
    for (let i = 0; i < n; i++) {
      v[i] = beta * v[i] + g[i];
      θ[i] -= rate * (nesterov ? g[i] + beta * v[i] : v[i]);
    }
  }

  adagrad(n: number, rate: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void {
    this.#check(n, g, s, θ);
    for (let i = 0; i < n; i++) {
      s[i] += g[i] * g[i];
      θ[i] -= (rate * g[i]) / (Math.sqrt(s[i]) + epsilon);
    }
  }

  rmsprop(n: number, rate: number, rho: number, epsilon: number, g: FloatArray, s: FloatArray, θ: FloatArray): void {
    this.#check(n, g, s, θ);
    for (let i = 0; i < n; i++) {
      s[i] = rho * s[i] + (1 - rho) * g[i] * g[i];
      θ[i] -= (rate * g[i]) / (Math.sqrt(s[i]) + epsilon);
    }
  }

  adam(n: number, numbers: AdamNumbers, g: FloatArray, m: FloatArray, v: FloatArray, θ: FloatArray): void {
    this.#check(n, g, m, v, θ);
    const { beta1, beta2, step, epsilon, decay } = numbers;
    for (let i = 0; i < n; i++) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      θ[i] = θ[i] - decay * θ[i] - (step * m[i]) / (Math.sqrt(v[i]) + epsilon);
    }
  }

  adamDirection(
    n: number,
    numbers: AdamDirectionNumbers,
    g: FloatArray,
    m: FloatArray,
    v: FloatArray,
    out: FloatArray,
  ): void {
    this.#check(n, g, m, v, out);
    const { beta1, beta2, correction1, correction2, epsilon } = numbers;
    for (let i = 0; i < n; i++) {
      m[i] = beta1 * m[i] + (1 - beta1) * g[i];
      v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
      out[i] = m[i] / correction1 / (Math.sqrt(v[i] / correction2) + epsilon);
    }
  }
}
