/**
 * Losses per sample with gradient, Hessian Q and its factor S (Q = S·Sᵀ) with respect to the network's outputs f. Layer 3.
 *   mse            ½‖f − y‖²,            gradient f − y,      Q = I,               S = I
 *   squared-error  ‖f − y‖²,             gradient 2(f − y),   Q = 2I,              S = √2·I
 *   cross-entropy  −Σ_k y_k log p_k,     gradient p − y,      Q = diag(p) − ppᵀ,   S = diag(√p) − p√pᵀ,   p = softmax(f), Σ y = 1
 *   bce            Σ_k log(1 + e^{f_k}) − y_k f_k,  σ(f) − y, Q = diag(σ(1 − σ)),  S = diag(√(σ(1 − σ))), y ∈ [0, 1]
 * The last two take logits and go through log-sum-exp with the largest logit subtracted (or e^{−|f|}), so that no logit overflows.
 * S of the cross-entropy: C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184; it is square, and Sᵀ annihilates nothing but √p's direction.
 */
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import type { FloatArray, Matrix } from '../dense/matrix.js';

export type LossName = 'mse' | 'squared-error' | 'cross-entropy' | 'bce';
export const LOSSES: readonly LossName[] = ['mse', 'squared-error', 'cross-entropy', 'bce'];

/** How far the targets of the cross-entropy may be from summing to one: single-precision targets of a few thousand classes pass. */
const SUM_TOLERANCE = 1e-4;

function checkSameShape(a: Matrix, b: Matrix, what: string): void {
  if (a.rows !== b.rows || a.cols !== b.cols) {
    throw new ShapeError(`${what}: the network's outputs are ${a.rows} × ${a.cols}, the other matrix is ${b.rows} × ${b.cols}.`, { outputs: [a.rows, a.cols], other: [b.rows, b.cols] });
  }
}

/** p[0 … r) ← softmax of the r entries from `at`; returns log Σ e^f. */
function softmax(f: FloatArray, at: number, r: number, p: Float64Array): number {
  let largest = -Infinity;
  for (let k = 0; k < r; k++) if (f[at + k] > largest) largest = f[at + k];
  let sum = 0;
  for (let k = 0; k < r; k++) {
    const e = Math.exp(f[at + k] - largest);
    p[k] = e;
    sum += e;
  }
  const scale = 1 / sum;
  for (let k = 0; k < r; k++) p[k] *= scale;
  return largest + Math.log(sum);
}

/** The loss summed over the columns of `output` (r × count), in double precision. Throws ShapeError. */
export function lossSum(loss: LossName, output: Matrix, targets: Matrix): number {
  checkSameShape(output, targets, 'Targets');
  const { data: f, rows: r, cols } = output;
  const y = targets.data;
  let total = 0;
  for (let i = 0; i < cols; i++) {
    const at = output.offset + i * output.ld;
    const to = targets.offset + i * targets.ld;
    let sum = 0;
    if (loss === 'cross-entropy') {
      let largest = -Infinity;
      for (let k = 0; k < r; k++) if (f[at + k] > largest) largest = f[at + k];
      let exponentials = 0;
      for (let k = 0; k < r; k++) exponentials += Math.exp(f[at + k] - largest);
      const log = Math.log(exponentials);
      // (largest − f_k) + log: the small logarithm is not swallowed by a large logit.
      for (let k = 0; k < r; k++) if (y[to + k] !== 0) sum += y[to + k] * (largest - f[at + k] + log);
    } else if (loss === 'bce') {
      for (let k = 0; k < r; k++) {
        const z = f[at + k];
        // log(1 + e^z) − yz, written so that nothing cancels: (1 − y)z for z > 0, −yz below, both plus log(1 + e^{−|z|}).
        sum += (z > 0 ? (1 - y[to + k]) * z : -y[to + k] * z) + Math.log1p(Math.exp(z > 0 ? -z : z));
      }
    } else {
      for (let k = 0; k < r; k++) {
        const d = f[at + k] - y[to + k];
        sum += d * d;
      }
      if (loss === 'mse') sum *= 0.5;
    }
    total += sum;
  }
  return total;
}

/** out ← the gradient of each sample's loss with respect to its outputs, r × count, not divided by n; out may be `output`. Throws ShapeError. */
export function lossGradient(loss: LossName, output: Matrix, targets: Matrix, out: Matrix): void {
  checkSameShape(output, targets, 'Targets');
  checkSameShape(output, out, 'Gradient of the loss');
  const { data: f, rows: r, cols } = output;
  const y = targets.data;
  const g = out.data;
  const p = loss === 'cross-entropy' ? new Float64Array(r) : null;
  const scale = loss === 'squared-error' ? 2 : 1;
  for (let i = 0; i < cols; i++) {
    const at = output.offset + i * output.ld;
    const to = targets.offset + i * targets.ld;
    const into = out.offset + i * out.ld;
    if (p !== null) {
      softmax(f, at, r, p);
      for (let k = 0; k < r; k++) g[into + k] = p[k] - y[to + k];
    } else if (loss === 'bce') {
      for (let k = 0; k < r; k++) {
        const z = f[at + k];
        const e = Math.exp(z < 0 ? z : -z);
        g[into + k] = (z < 0 ? e : 1) / (1 + e) - y[to + k];
      }
    } else {
      for (let k = 0; k < r; k++) g[into + k] = scale * (f[at + k] - y[to + k]);
    }
  }
}

/** Number of blocks k of x and out (r × count·k). Throws ShapeError. */
function checkBlocks(output: Matrix, x: Matrix, out: Matrix): number {
  const blocks = output.cols === 0 ? 0 : x.cols / output.cols;
  if (x.rows !== output.rows || !Number.isInteger(blocks)) {
    throw new ShapeError(`The Hessian of the loss acts on blocks of ${output.rows} × ${output.cols}; the argument is ${x.rows} × ${x.cols}.`, { outputs: [output.rows, output.cols], argument: [x.rows, x.cols] });
  }
  checkSameShape(x, out, 'Hessian of the loss times a matrix');
  return blocks;
}

function scaleInto(scale: number, x: Matrix, out: Matrix): void {
  if (scale === 1 && x.data === out.data && x.offset === out.offset && x.ld === out.ld) return;
  for (let j = 0; j < x.cols; j++) {
    const from = x.offset + j * x.ld;
    const to = out.offset + j * out.ld;
    for (let k = 0; k < x.rows; k++) out.data[to + k] = scale * x.data[from + k];
  }
}

/** d ← σ(f)(1 − σ(f)), or its square root. */
function bernoulliVariance(f: FloatArray, at: number, r: number, root: boolean, d: Float64Array): void {
  for (let k = 0; k < r; k++) {
    const z = f[at + k];
    const e = Math.exp(z < 0 ? z : -z);
    d[k] = root ? Math.sqrt(e) / (1 + e) : e / ((1 + e) * (1 + e));
  }
}

/** out ← left∘x − right·(inner·x) for the k columns of one sample; `right` null for a diagonal. */
function diagonalMinusOuter(left: Float64Array, right: Float64Array | null, inner: Float64Array, x: Matrix, out: Matrix, sample: number, count: number, blocks: number): void {
  const r = x.rows;
  const v = x.data;
  const w = out.data;
  for (let b = 0; b < blocks; b++) {
    const from = x.offset + (b * count + sample) * x.ld;
    const to = out.offset + (b * count + sample) * out.ld;
    let dot = 0;
    if (right === null) {
      for (let k = 0; k < r; k++) w[to + k] = left[k] * v[from + k];
      continue;
    }
    for (let k = 0; k < r; k++) dot += inner[k] * v[from + k];
    for (let k = 0; k < r; k++) w[to + k] = left[k] * v[from + k] - right[k] * dot;
  }
}

/**
 * out_i ← Q_i·x_i for each sample: x and out are r × (count·k), k blocks of count columns, column i of a block belonging to sample i.
 * out may be x. Throws ShapeError.
 */
export function applyLossHessian(loss: LossName, output: Matrix, x: Matrix, out: Matrix): void {
  const blocks = checkBlocks(output, x, out);
  if (loss === 'mse' || loss === 'squared-error') {
    scaleInto(loss === 'mse' ? 1 : 2, x, out);
    return;
  }
  const d = new Float64Array(output.rows);
  for (let i = 0; i < output.cols; i++) {
    const at = output.offset + i * output.ld;
    if (loss === 'bce') bernoulliVariance(output.data, at, output.rows, false, d);
    else softmax(output.data, at, output.rows, d);
    diagonalMinusOuter(d, loss === 'bce' ? null : d, d, x, out, i, output.cols, blocks);
  }
}

/** out_i ← S_i·x_i (trans N) or S_iᵀ·x_i (trans T), Q_i = S_i·S_iᵀ; shapes as in `applyLossHessian`. Throws ShapeError. */
export function applyLossFactor(loss: LossName, output: Matrix, trans: 'N' | 'T', x: Matrix, out: Matrix): void {
  const blocks = checkBlocks(output, x, out);
  if (loss === 'mse' || loss === 'squared-error') {
    scaleInto(loss === 'mse' ? 1 : Math.SQRT2, x, out);
    return;
  }
  const r = output.rows;
  const root = new Float64Array(r);
  const p = new Float64Array(r);
  for (let i = 0; i < output.cols; i++) {
    const at = output.offset + i * output.ld;
    if (loss === 'bce') {
      bernoulliVariance(output.data, at, r, true, root);
      diagonalMinusOuter(root, null, p, x, out, i, output.cols, blocks);
      continue;
    }
    softmax(output.data, at, r, p);
    for (let k = 0; k < r; k++) root[k] = Math.sqrt(p[k]);
    if (trans === 'N') diagonalMinusOuter(root, p, root, x, out, i, output.cols, blocks);
    else diagonalMinusOuter(root, root, p, x, out, i, output.cols, blocks);
  }
}

/**
 * Throws NonFiniteError for a target that is NaN or infinite, and OptionError for one that the loss cannot take: negative or not summing to
 * one within 1e-4 for the cross-entropy, outside [0, 1] for bce. `first` is the number of the first column's sample, for the message.
 */
export function checkTargets(loss: LossName, targets: Matrix, first: number): void {
  const { data: y, rows, cols } = targets;
  for (let i = 0; i < cols; i++) {
    const at = targets.offset + i * targets.ld;
    let sum = 0;
    let smallest = Infinity;
    let largest = -Infinity;
    for (let k = 0; k < rows; k++) {
      const value = y[at + k];
      sum += value;
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
    }
    const sample = first + i;
    if (!Number.isFinite(sum)) {
      for (let k = 0; k < rows; k++) {
        if (!Number.isFinite(y[at + k])) throw new NonFiniteError(`Target ${k} of sample ${sample} is ${y[at + k]}: targets are finite numbers.`, { sample, output: k, value: y[at + k] });
      }
    }
    if (loss === 'cross-entropy') {
      if (smallest < 0) throw new OptionError(`Sample ${sample} has a negative target (${smallest}): the cross-entropy takes probabilities, or labels by labelTargets.`, { sample, value: smallest });
      if (Math.abs(sum - 1) > SUM_TOLERANCE) throw new OptionError(`The targets of sample ${sample} sum to ${sum}: the cross-entropy takes probabilities that sum to one, or labels by labelTargets.`, { sample, sum });
    } else if (loss === 'bce' && (smallest < 0 || largest > 1)) {
      const value = smallest < 0 ? smallest : largest;
      throw new OptionError(`Sample ${sample} has a target of ${value}: bce takes targets from 0 to 1.`, { sample, value });
    }
  }
}
