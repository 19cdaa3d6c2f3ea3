/**
 * The cross-entropy of classes by logits, −Σ_k y_k log p_k with p = softmax(f) and Σ_k y_k = 1: gradient p − y, Q =
 * diag(p) − ppᵀ = S·Sᵀ, S = diag(√p) − p√pᵀ (C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184). Its
 * model is a categorical distribution. κ = 1/min_c p_c − 1: a variable of mean 0 takes a value of probability p whose
 * square is at most its variance times (1 − p)/p.
 */
import { view, type Matrix } from '../../dense/matrix.js';
import { softmaxColumns } from './logits.js';
import type { Loss } from './loss.js';
import { meanOf } from './mean.js';

/** Σ_k y_k (log Σe − x_k) over the batch: the logarithm is not swallowed by a large logit. */
function evaluate(output: Matrix, targets: Matrix, out: Matrix | null): number {
  const r = output.rows;
  const y = targets.data;
  let total = 0;
  softmaxColumns(output, (first, count, x, e) => {
    for (let c = 0; c < count; c++) {
      const at = c * r;
      const to = targets.offset + (first + c) * targets.ld;
      let exponentials = 0;
      for (let k = at; k < at + r; k++) exponentials += e[k];
      const log = Math.log(exponentials);
      let sum = 0;
      for (let k = 0; k < r; k++) if (y[to + k] !== 0) sum += y[to + k] * (log - x[at + k]);
      total += sum;
      if (out === null) continue;
      const into = out.offset + (first + c) * out.ld;
      const scale = 1 / exponentials;
      for (let k = 0; k < r; k++) out.data[into + k] = e[at + k] * scale - y[to + k];
    }
  });
  return total;
}

/** The first class whose cumulative probability exceeds u; rounding never draws a class of probability zero. */
function drawClass(p: Matrix['data'], at: number, r: number, u: number): number {
  let cumulative = 0;
  let last = 0;
  for (let k = 0; k < r; k++) {
    if (p[at + k] === 0) continue;
    last = k;
    cumulative += p[at + k];
    if (u < cumulative) return k;
  }
  return last;
}

/** Cross-entropy of logits: log Σ e^f − yᵀf. */
export const crossEntropy: Loss = {
  formula: '−Σ_k y_k log softmax(f)_k',
  squared: null,
  softmax: true,
  classes: true,
  decision: 'largest',
  targets: {
    most: Infinity,
    takes: 'the cross-entropy takes probabilities, or labels by labelTargets',
    sumToOne: 'the cross-entropy takes probabilities that sum to one, or labels by labelTargets',
  },
  evaluate,
  curvature(output) {
    const { rows, cols: count } = output;
    const w = new Float64Array(rows * count);
    softmaxColumns(output, (first, columns, _x, e) => {
      for (let c = 0; c < columns; c++) {
        let sum = 0;
        for (let k = c * rows; k < (c + 1) * rows; k++) sum += e[k];
        const scale = 1 / sum;
        for (let k = 0; k < rows; k++) w[(first + c) * rows + k] = e[c * rows + k] * scale;
      }
    });
    return { kind: 'softmax', rows, count, weights: view(w, 0, rows, count) };
  },
  sampler(output) {
    const { rows: r } = output;
    const p = meanOf(crossEntropy, output).data;
    return (sample, random, out, to) => {
      for (let k = 0; k < r; k++) out[to + k] = p[sample * r + k];
      out[to + drawClass(p, sample * r, r, random.uniform())] -= 1;
    };
  },
  varianceFactors(output) {
    const { rows: r, cols: n } = output;
    const p = meanOf(crossEntropy, output).data;
    return Float64Array.from({ length: n }, (_, i) => {
      let least = Infinity;
      for (let k = i * r; k < (i + 1) * r; k++) least = Math.min(least, p[k]);
      return 1 / least - 1;
    });
  },
};
