/**
 * Errors at the outputs for labels drawn from the model itself (loss.ts): their mean outer product is the Hessian Q_i.
 */
import { RandomStream } from '../../core/random.js';
import type { Matrix } from '../../dense/matrix.js';
import { lossOf, type LossName } from './table.js';

/** Keeps these streams apart from others of the same seed. */
const PURPOSE = 0x6c61626c;

/** Which labels are drawn: how many a sample, from which seed, `first` the number of the first column's sample. */
export interface ErrorDraws {
  readonly draws: number;
  readonly seed: number;
  readonly first: number;
}

/** Where the labels of a sample are drawn from. */
export const labelStream = (seed: number, sample: number): RandomStream => new RandomStream(seed, PURPOSE, sample);

/**
 * out (r × count·draws, the draws of a sample side by side) ← ∂loss/∂f at labels y ~ p(y | f_i): the draws of a sample
 * depend on the seed and on that number alone, not on the batch it comes in.
 */
export function sampleOutputErrors(
  loss: LossName,
  output: Matrix,
  { draws, seed, first }: ErrorDraws,
  out: Matrix,
): void {
  const draw = lossOf(loss).sampler(output);
  for (let i = 0; i < output.cols; i++) {
    const random = labelStream(seed, first + i);
    for (let k = 0; k < draws; k++) draw(i, random, out.data, out.offset + (i * draws + k) * out.ld);
  }
}
