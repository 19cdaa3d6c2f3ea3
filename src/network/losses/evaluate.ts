/**
 * Losses over a batch: values, gradients with respect to the outputs, and what targets they take. Formulas:
 * ./loss-name.ts.
 */
import { NonFiniteError, OptionError, ShapeError } from '../../core/errors.js';
import type { Matrix } from '../../dense/matrix.js';
import { logisticColumns, softmaxColumns } from './logits.js';
import { LOSSES, squaredScale, type LossName } from './table.js';

export { LOSSES, squaredScale, type LossName } from './table.js';
export { applyLossFactor, applyLossHessian } from './curvature.js';

/**
 * How far the targets of the cross-entropy may be from summing to one: single-precision targets of a few thousand
 * classes pass.
 */
const SUM_TOLERANCE = 1e-4;

function checkSameShape(output: Matrix, other: Matrix, what: string): void {
  if (output.rows !== other.rows || output.cols !== other.cols) {
    throw new ShapeError(
      `${what} is ${other.rows} × ${other.cols}; the network's outputs are ${output.rows} × ${output.cols}.`,
      { outputs: [output.rows, output.cols], other: [other.rows, other.cols] },
    );
  }
}

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

/** Σ_k y_k (log Σe − x_k) over the batch: the logarithm is not swallowed by a large logit. */
function crossEntropy(output: Matrix, targets: Matrix, out: Matrix | null): number {
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
function binaryCrossEntropy(output: Matrix, targets: Matrix, out: Matrix | null): number {
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

function evaluate(loss: LossName, output: Matrix, targets: Matrix, out: Matrix | null): number {
  checkSameShape(output, targets, 'The matrix of targets');
  if (out !== null) checkSameShape(output, out, 'The gradient of the loss');
  switch (loss) {
    case 'mse':
    case 'squared-error':
    case 'mean-squared':
      return squares(output, targets, squaredScale(loss, output.rows)!, out);
    case 'cross-entropy':
      return crossEntropy(output, targets, out);
    case 'bce':
      return binaryCrossEntropy(output, targets, out);
    default:
      throw new OptionError(`Unknown loss "${String(loss)}": choose ${LOSSES.join(', ')}.`, { loss });
  }
}

/** The loss summed over the columns of `output` (r × count), in double precision. Throws ShapeError. */
export function lossSum(loss: LossName, output: Matrix, targets: Matrix): number {
  return evaluate(loss, output, targets, null);
}

/**
 * out ← the gradient of each sample's loss with respect to its outputs, r × count, not divided by n; out may be
 * `output` itself. Returns the sum of the losses, which comes with it. Throws ShapeError.
 */
export function lossGradient(loss: LossName, output: Matrix, targets: Matrix, out: Matrix): number {
  return evaluate(loss, output, targets, out);
}

/**
 * Throws NonFiniteError for a target that is NaN or infinite, and OptionError for one that the loss cannot take:
 * negative or not summing to one within 1e-4 for the cross-entropy, outside [0, 1] for bce. `first` is the number of
 * the first column's sample, for the message.
 */
export function checkTargets(loss: LossName, targets: Matrix, first: number): void {
  const { data: y, rows, cols } = targets;
  const restricted = loss === 'cross-entropy' || loss === 'bce';
  const largest = loss === 'bce' ? 1 : Infinity;
  for (let i = 0; i < cols; i++) {
    const at = targets.offset + i * targets.ld;
    const sample = first + i;
    let zero = 0;
    for (let k = at; k < at + rows; k++) zero += y[k] * 0;
    if (zero !== 0) {
      let k = 0;
      while (Number.isFinite(y[at + k])) k++;
      throw new NonFiniteError(`Target ${k} of sample ${sample} is ${y[at + k]}: targets are finite numbers.`, {
        sample,
        output: k,
        value: y[at + k],
      });
    }
    if (!restricted) continue;
    let sum = 0;
    let outside = 0;
    for (let k = at; k < at + rows; k++) {
      const value = y[k];
      sum += value;
      if (value < 0 || value > largest) outside++;
    }
    if (outside > 0) {
      let k = 0;
      while (y[at + k] >= 0 && y[at + k] <= largest) k++;
      const takes =
        loss === 'bce'
          ? 'bce takes targets from 0 to 1'
          : 'the cross-entropy takes probabilities, or labels by labelTargets';
      throw new OptionError(`Target ${k} of sample ${sample} is ${y[at + k]}: ${takes}.`, {
        sample,
        output: k,
        value: y[at + k],
      });
    }
    if (loss === 'cross-entropy' && Math.abs(sum - 1) > SUM_TOLERANCE) {
      throw new OptionError(
        `The targets of sample ${sample} sum to ${sum}: the cross-entropy takes probabilities that sum to one, ` +
          'or labels by labelTargets.',
        { sample, sum },
      );
    }
  }
}
