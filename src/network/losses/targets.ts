/**
 * The check of targets against what a loss takes.
 */
import { NonFiniteError, OptionError } from '../../core/errors.js';
import type { Matrix } from '../../dense/matrix.js';
import { lossOf, type LossName } from './table.js';

/**
 * How far the targets of the cross-entropy may be from summing to one: single-precision targets of a few thousand
 * classes pass.
 */
const SUM_TOLERANCE = 1e-4;

/**
 * Throws NonFiniteError for a target that is NaN or infinite, and OptionError for one that the loss cannot take:
 * negative or above its most, or not summing to one within 1e-4 where they must. `first` is the number of
 * the first column's sample, for the message.
 */
export function checkTargets(loss: LossName, targets: Matrix, first: number): void {
  const { data: y, rows, cols } = targets;
  const rule = lossOf(loss).targets;
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
    if (rule === null) continue;
    let sum = 0;
    let outside = 0;
    for (let k = at; k < at + rows; k++) {
      const value = y[k];
      sum += value;
      if (value < 0 || value > rule.most) outside++;
    }
    if (outside > 0) {
      let k = 0;
      while (y[at + k] >= 0 && y[at + k] <= rule.most) k++;
      throw new OptionError(`Target ${k} of sample ${sample} is ${y[at + k]}: ${rule.takes}.`, {
        sample,
        output: k,
        value: y[at + k],
      });
    }
    if (rule.sumToOne !== undefined && Math.abs(sum - 1) > SUM_TOLERANCE)
      throw new OptionError(`The targets of sample ${sample} sum to ${sum}: ${rule.sumToOne}.`, { sample, sum });
  }
}
