/**
 * The binary cross-entropy by logits, Σ_k log(1 + e^{f_k}) − y_k f_k: gradient σ(f) − y with the logistic function σ, Q
 * = diag(σ(1 − σ)). Its model is independent Bernoulli variables. κ = 2 + max_k (1/q_k − 6)₊ with q = p(1 − p): to the
 * κ = 2 of normal variables comes Σ_k u_k²v_k²(E g_k⁴ − 3q_k²), and E g_k⁴ = q_k(1 − 3q_k).
 */
import { view, type Matrix } from '../../dense/matrix.js';
import { logisticColumns } from './logits.js';
import type { Loss } from './loss.js';
import { meanOf } from './mean.js';

/**
 * Below it log(1 + e) is summed by its series, whose seventh term is below ε/7 of the first; from it on by products of
 * 1 + e, one logarithm for many.
 */
const SERIES = 2 ** -8;
const MOST = 2 ** 1000;

/**
 * Σ_k log(1 + e^f) − yf over the batch, as (1 − y)f for f > 0 and −yf below, both plus log(1 + e^{−|f|}): nothing
 * cancels.
 */
function evaluate(output: Matrix, targets: Matrix, out: Matrix | null): number {
  const r = output.rows;
  const f = output.data;
  const y = targets.data;
  let total = 0;
  logisticColumns(output, (first, count, _x, e) => {
    for (let c = 0; c < count; c++) {
      const at = output.offset + (first + c) * output.ld;
      const to = targets.offset + (first + c) * targets.ld;
      let sum = 0;
      let product = 1;
      for (let k = 0; k < r; k++) {
        const z = f[at + k];
        const t = e[c * r + k];
        sum += (z > 0 ? 1 - y[to + k] : -y[to + k]) * z;
        if (t < SERIES) {
          sum += t * (1 - t * (1 / 2 - t * (1 / 3 - t * (1 / 4 - t * (1 / 5 - t / 6)))));
        } else {
          product *= 1 + t;
          if (product > MOST) {
            sum += Math.log(product);
            product = 1;
          }
        }
      }
      total += sum + Math.log(product);
      if (out === null) continue;
      const g = out.data;
      const into = out.offset + (first + c) * out.ld;
      for (let k = 0; k < r; k++) {
        const t = e[c * r + k];
        g[into + k] = (f[at + k] < 0 ? t : 1) / (1 + t) - y[to + k];
      }
    }
  });
  return total;
}

/** Binary cross-entropy of logits: Σ log(1 + e^f) − y·f. */
export const bce: Loss = {
  formula: 'Σ_k log(1 + e^{f_k}) − y_k f_k',
  squared: null,
  softmax: false,
  classes: false,
  decision: 'sign',
  targets: { most: 1, takes: 'bce takes targets from 0 to 1' },
  evaluate,
  curvature(output) {
    const { rows, cols: count } = output;
    const w = new Float64Array(rows * count);
    logisticColumns(output, (first, columns, _x, e) => {
      for (let k = 0, to = first * rows; k < columns * rows; k++, to++) {
        const s = 1 / (1 + e[k]);
        w[to] = e[k] * s * s;
      }
    });
    return { kind: 'diagonal', rows, count, weights: view(w, 0, rows, count) };
  },
  sampler(output) {
    const { rows: r } = output;
    const p = meanOf(bce, output).data;
    return (sample, random, out, to) => {
      for (let k = 0; k < r; k++) out[to + k] = p[sample * r + k] - (random.uniform() < p[sample * r + k] ? 1 : 0);
    };
  },
  varianceFactors(output) {
    const { rows: r, cols: n } = output;
    const p = meanOf(bce, output).data;
    return Float64Array.from({ length: n }, (_, i) => {
      let least = Infinity;
      for (let k = i * r; k < (i + 1) * r; k++) least = Math.min(least, p[k] * (1 - p[k]));
      return 2 + Math.max(0, 1 / least - 6);
    });
  },
};
