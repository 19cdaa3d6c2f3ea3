/**
 * Squared losses (q/2)‖f − y‖²: gradient q(f − y), Q = q·I. Their model is N(f, I/q): g is normal, and by Isserlis'
 * theorem its variance is (G_i)_aa (G_i)_bb + (G_i)_ab², so that κ = 2.
 */
import type { Matrix } from '../../dense/matrix.js';
import type { Loss } from './loss.js';

/** (scale/2)·Σ(f − y)² over the batch; out, if any, ← scale·(f − y). */
function squares(output: Matrix, targets: Matrix, scale: number, out: Matrix | null): number {
  const { data: f, rows: r, cols } = output;
  const y = targets.data;
  let total = 0;
  for (let i = 0; i < cols; i++) {
    const at = output.offset + i * output.ld;
    const to = targets.offset + i * targets.ld;
    let sum = 0;
    if (out === null) {
      for (let k = 0; k < r; k++) {
        const d = f[at + k] - y[to + k];
        sum += d * d;
      }
    } else {
      const g = out.data;
      const into = out.offset + i * out.ld;
      for (let k = 0; k < r; k++) {
        const d = f[at + k] - y[to + k];
        g[into + k] = scale * d;
        sum += d * d;
      }
    }
    total += sum;
  }
  return 0.5 * scale * total;
}

/** The loss with q = scale(r) for r outputs. */
export const squaredLoss = (scale: (outputs: number) => number, formula: string, note?: string): Loss => ({
  formula,
  note,
  squared: scale,
  softmax: false,
  classes: false,
  decision: null,
  targets: null,
  evaluate: (output, targets, out) => squares(output, targets, scale(output.rows), out),
  curvature: ({ rows, cols: count }) => ({ kind: 'scaled-identity', rows, count, scale: scale(rows) }),
  sampler({ rows }) {
    const deviation = Math.sqrt(scale(rows));
    return (_sample, random, out, to) => {
      for (let k = to; k < to + rows; k++) out[k] = deviation * random.normal();
    };
  },
  varianceFactors: ({ cols }) => new Float64Array(cols).fill(2),
});
