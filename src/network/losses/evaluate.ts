/**
 * Losses over a batch by their names: values, gradients with respect to the outputs, products with the Hessian and its
 * factor.
 */
import { ShapeError } from '../../core/errors.js';
import type { Matrix } from '../../dense/matrix.js';
import { applyCurvature, applyCurvatureFactor } from './curvature.js';
import { lossOf, type LossName } from './table.js';

function checkSameShape(output: Matrix, other: Matrix, what: string): void {
  if (output.rows !== other.rows || output.cols !== other.cols) {
    throw new ShapeError(
      `${what} is ${other.rows} × ${other.cols}; the network's outputs are ${output.rows} × ${output.cols}.`,
      { outputs: [output.rows, output.cols], other: [other.rows, other.cols] },
    );
  }
}

function evaluate(loss: LossName, output: Matrix, targets: Matrix, out: Matrix | null): number {
  checkSameShape(output, targets, 'The matrix of targets');
  if (out !== null) checkSameShape(output, out, 'The gradient of the loss');
  return lossOf(loss).evaluate(output, targets, out);
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
 * `applyCurvature` at these outputs, for one product; for several, take the loss's `curvature` once. Throws ShapeError.
 */
export function applyLossHessian(loss: LossName, output: Matrix, x: Matrix, out: Matrix): void {
  applyCurvature(lossOf(loss).curvature(output), x, out);
}

/** `applyCurvatureFactor` at these outputs, for one product. Throws ShapeError. */
export function applyLossFactor(loss: LossName, output: Matrix, trans: 'N' | 'T', x: Matrix, out: Matrix): void {
  applyCurvatureFactor(lossOf(loss).curvature(output), trans, x, out);
}
