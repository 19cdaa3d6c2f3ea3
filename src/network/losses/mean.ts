/**
 * The mean E[y | f] of the model of a loss whose gradient is E[y | f] − y.
 */
import { zeros, type Matrix } from '../../dense/matrix.js';
import type { Loss } from './loss.js';

/** E[y | f] for the columns of `output`, r × count, contiguous: softmax(f) of the cross-entropy, σ(f) of bce. */
export function meanOf({ evaluate }: Pick<Loss, 'evaluate'>, output: Matrix): Matrix {
  const mean = zeros(output.rows, output.cols);
  evaluate(output, zeros(output.rows, output.cols), mean);
  return mean;
}
