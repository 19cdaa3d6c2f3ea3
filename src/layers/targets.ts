/**
 * What targets tell of a batch: how much it weighs, and how often outputs are right.
 */
import type { Matrix } from '../dense/matrix.js';
import type { GraphLoss } from './losses.js';
import { countRight } from '../network/losses/decision.js';
import { lossOf } from '../network/losses/table.js';

/** What a batch counts in a mean over batches: its samples, or its tokens that are no padding. */
export function lossWeight(loss: GraphLoss, { data, offset, rows, cols, ld }: Matrix): number {
  if (typeof loss === 'string') return cols;
  let tokens = 0;
  for (let j = 0; j < cols; j++)
    for (let i = 0; i < rows; i++) if (data[offset + i + j * ld] !== loss.padding) tokens++;
  return tokens;
}

/** What a sum over so much is divided by for a mean: sums over padding alone are zero, and so is their mean. */
export const divisorOf = (weight: number): number => Math.max(1, weight);

/** How many samples, or tokens that are no padding, have their largest output at the target; NaN: no classes. */
export function rightCount(loss: GraphLoss, f: Matrix, y: Matrix): number {
  if (typeof loss === 'string') {
    const { decision } = lossOf(loss);
    return decision === null ? Number.NaN : countRight(decision, f, y);
  }
  const classes = f.rows / y.rows;
  let right = 0;
  for (let j = 0; j < y.cols; j++)
    for (let i = 0; i < y.rows; i++) {
      const target = y.data[y.offset + i + j * y.ld];
      if (target === loss.padding) continue;
      const at = f.offset + j * f.ld + i * classes;
      let largest = 0;
      for (let k = 1; k < classes; k++) if (f.data[at + k] > f.data[at + largest]) largest = k;
      if (largest === target) right++;
    }
  return right;
}

/** The share of samples, or of tokens that are no padding, that are right, by their number; null: no classes. */
export function rightShare(loss: GraphLoss, right: number, y: Matrix): number | null {
  if (Number.isNaN(right)) return null;
  return right / (typeof loss === 'string' ? y.cols : divisorOf(lossWeight(loss, y)));
}
