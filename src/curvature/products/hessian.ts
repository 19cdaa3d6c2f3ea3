/**
 * The Hessian of a model's mean loss through products.
 */
import { withBlas } from '../../dense/default-blas.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { GraphOperator } from '../graphs/operator.js';
import { CURVATURE_KEYS, SampleOperator, type CurvatureOptions } from './sample-operator.js';

/**
 * H = ∇²f(θ), f(θ) = (1/n) Σ_i loss(a_L(x_i; θ), y_i), N × N, symmetric, in general indefinite. Products are exact, by
 * Pearlmutter's R-operator (1994): Gauss–Newton's recurrence with the terms in φ″ and in the errors (r-operator.ts), ≈
 * 12nN flops a vector. relu has φ″ = 0 wherever it exists, and at its kink φ′ = φ″ = 0 are taken: H is then the Hessian
 * of the piecewise smooth f away from the kinks. Memory, precisions and errors as `gaussNewton`, and targets are
 * checked: NonFiniteError, OptionError where the loss cannot take them. Of a network of layers as `gaussNewton` has it,
 * a vector for about three times the flops of a forward pass.
 */
export function hessian(model: GivenModel, options?: CurvatureOptions): SampleOperator;
/** As before, of a network of layers. */
export function hessian(model: GivenGraphModel, options?: CurvatureOptions): GraphOperator;
export function hessian(
  model: GivenModel | GivenGraphModel,
  options: CurvatureOptions = {},
): SampleOperator | GraphOperator {
  const backed = withBlas(options, CURVATURE_KEYS, 'hessian');
  if (isGivenGraph(model)) return new GraphOperator(asGraphModel(model, 'hessian'), { kind: 'hessian' }, backed);
  return new SampleOperator(asModel(model, 'hessian'), { kind: 'hessian' }, backed);
}
