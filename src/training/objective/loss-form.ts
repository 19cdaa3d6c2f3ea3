/**
 * The quadratic form of the losses' Hessians at the outputs.
 */
import type { FloatArray } from '../../core/floats.js';
import { lossOf, squaredScale, type LossName } from '../../network/losses/table.js';

/** Whether Γ of the last layer is diagonal: the loss is a sum over the outputs (activations are elementwise). */
export const hasDiagonalOutputs = (loss: LossName, outputs: number): boolean =>
  loss === 'bce' || squaredScale(loss, outputs) !== null;

/** Σ_i uᵢᵀ Q_i wᵢ over samples of r outputs each; p: the outputs' means, which squared losses do without. */
export function lossForm(loss: LossName, r: number, p: FloatArray | null, u: Float64Array, w: Float64Array): number {
  const scale = squaredScale(loss, r);
  let total = 0;
  if (scale !== null || p === null) {
    for (let at = 0; at < u.length; at++) total += u[at] * w[at];
    return (scale ?? 1) * total;
  }
  if (!lossOf(loss).softmax) {
    for (let at = 0; at < u.length; at++) total += p[at] * (1 - p[at]) * u[at] * w[at];
    return total;
  }
  for (let begin = 0; begin < u.length; begin += r) {
    let both = 0;
    let first = 0;
    let second = 0;
    for (let at = begin; at < begin + r; at++) {
      both += p[at] * u[at] * w[at];
      first += p[at] * u[at];
      second += p[at] * w[at];
    }
    total += both - first * second;
  }
  return total;
}

/** The k × k matrix of a symmetric form of k vectors, by its values for i ≥ j. */
export function symmetricForm(k: number, value: (i: number, j: number) => number): Float64Array {
  const form = new Float64Array(k * k);
  for (let i = 0; i < k; i++) for (let j = 0; j <= i; j++) form[i * k + j] = form[j * k + i] = value(i, j);
  return form;
}
