/**
 * Errors at the outputs for labels drawn from the model itself: their mean outer product is the loss's Hessian Q_i.
 * The model of a loss is p(y | f) ∝ exp(−loss(f, y)): N(f, I/q) for a squared loss (q/2)‖f − y‖², a categorical
 * distribution for the cross-entropy, independent Bernoulli variables for bce. Then E[gᵢgᵢᵀ] = Q_i for the gradient g
 * at f (J. Martens, "New insights and perspectives on the natural gradient method", JMLR 21, 2020, §5).
 */
import { RandomStream } from '../../core/random.js';
import type { Matrix } from '../../dense/matrix.js';
import { squaredScale, type LossName } from './evaluate.js';
import { modelProbabilities } from './output-hessian.js';

/** Keeps these streams apart from others of the same seed. */
const PURPOSE = 0x6c61626c;

/**
 * out (r × count·draws, the draws of a sample side by side) ← ∂loss/∂f at labels y ~ p(y | f_i). `first` is the number
 * of the first column's sample: the draws of a sample depend on the seed and on that number alone, not on the batch it
 * comes in.
 */
export function sampleOutputErrors(
  loss: LossName,
  output: Matrix,
  draws: number,
  seed: number,
  first: number,
  out: Matrix,
): void {
  const { rows: r, cols: count } = output;
  const g = out.data;
  const mean = loss === 'cross-entropy' || loss === 'bce' ? modelProbabilities(loss, output).data : null;
  const deviation = Math.sqrt(squaredScale(loss, r) ?? 1);
  for (let i = 0; i < count; i++) {
    const random = new RandomStream(seed, PURPOSE, first + i);
    for (let draw = 0; draw < draws; draw++) {
      const to = out.offset + (i * draws + draw) * out.ld;
      if (mean === null) {
        for (let k = 0; k < r; k++) g[to + k] = deviation * random.normal();
      } else if (loss === 'bce') {
        for (let k = 0; k < r; k++) g[to + k] = mean[i * r + k] - (random.uniform() < mean[i * r + k] ? 1 : 0);
      } else {
        for (let k = 0; k < r; k++) g[to + k] = mean[i * r + k];
        g[to + drawClass(mean, i * r, r, random.uniform())] -= 1;
      }
    }
  }
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
