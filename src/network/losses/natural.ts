/**
 * Losses that are sums over the outputs, with f_k the natural parameter of y_k (P. McCullagh, J. A. Nelder, Generalized
 * Linear Models, Chapman & Hall, 1989, §2.2): Σ_k b(f_k) − y_k f_k, gradient b′(f) − y, Q = diag(b″(f)). κ = 2 + max_k
 * (excess kurtosis of y_k)₊: to the κ = 2 of normal variables comes Σ_k u_k²v_k²(E g_k⁴ − 3b″²).
 */
import type { RandomStream } from '../../core/random.js';
import { view } from '../../dense/matrix.js';
import type { Loss } from './loss.js';

/** One output's distribution; each is a function of f. */
interface NaturalForm extends Pick<Loss, 'formula' | 'note' | 'targets'> {
  /** b. */
  potential(f: number): number;
  /** b′ = E y. */
  mean(f: number): number;
  /** b″ = Var y. */
  variance(f: number): number;
  /** E(y − E y)⁴/(Var y)² − 3. */
  excessKurtosis(f: number): number;
  /** A y for the mean b′(f). */
  draw(mean: number, random: RandomStream): number;
}

/** What losses of exponential families in their natural parameters have in common. */
export const naturalLoss = (form: NaturalForm): Loss => ({
  formula: form.formula,
  note: form.note,
  targets: form.targets,
  squared: null,
  softmax: false,
  classes: false,
  decision: null,
  evaluate({ data: f, offset, rows, cols, ld }, targets, out) {
    let total = 0;
    for (let i = 0; i < cols; i++) {
      for (let k = 0; k < rows; k++) {
        const z = f[offset + i * ld + k];
        const y = targets.data[targets.offset + i * targets.ld + k];
        total += form.potential(z) - y * z;
        if (out !== null) out.data[out.offset + i * out.ld + k] = form.mean(z) - y;
      }
    }
    return total;
  },
  curvature({ data: f, offset, rows, cols: count, ld }) {
    const w = new Float64Array(rows * count);
    for (let p = 0; p < w.length; p++) w[p] = form.variance(f[offset + Math.floor(p / rows) * ld + (p % rows)]);
    return { kind: 'diagonal', rows, count, weights: view(w, 0, rows, count) };
  },
  sampler:
    ({ data: f, offset, rows, ld }) =>
    (sample, random, out, to) => {
      for (let k = 0; k < rows; k++) {
        const mean = form.mean(f[offset + sample * ld + k]);
        out[to + k] = mean - form.draw(mean, random);
      }
    },
  varianceFactors: ({ data: f, offset, rows, cols, ld }) =>
    Float64Array.from({ length: cols }, (_, i) => {
      let most = 0;
      for (let k = 0; k < rows; k++) most = Math.max(most, form.excessKurtosis(f[offset + i * ld + k]));
      return 2 + most;
    }),
});
