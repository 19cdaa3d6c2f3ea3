/**
 * Loss and gradient of a model, a perceptron's or one of layers, over all its data.
 */
import { floats, precisionOf, type FloatArray } from '../core/floats.js';
import { withBlas } from '../dense/default-blas.js';
import {
  lossAndGradient as ofPerceptron,
  LOSS_KEYS,
  meanLoss as meanOfPerceptron,
  type LossOptions,
} from '../network/gradient.js';
import type { GivenModel } from '../network/model.js';
import { asGraphModel, isGivenGraph, type GivenGraphModel, type GraphModel } from './graph-model.js';
import { overSamples, Passes } from './passes.js';
import { lossWeight } from './targets.js';

/**
 * The mean loss f(θ) = (1/n) Σ_i loss_i; of tokens the mean over those that are no padding. Of a perceptron 2nN flops.
 * Networks of layers are those of evaluation: statistics are those in θ, nothing is dropped. Throws ShapeError,
 * OptionError, NonFiniteError, AbortedError.
 */
export function meanLoss(model: GivenModel | GivenGraphModel, options: LossOptions = {}): number {
  return isGivenGraph(model)
    ? summed(asGraphModel(model, 'meanLoss'), options, 'meanLoss', false).loss
    : meanOfPerceptron(model, options);
}

/**
 * f(θ) and ∇f(θ) = (1/n) Σ_i J_iᵀ ∇loss_i of θ's precision, laid out like θ; of a network of layers like what is
 * trained of it, its first `network.trained` numbers. Three times the flops of `meanLoss`. Throws as that.
 */
export function lossAndGradient(
  model: GivenModel | GivenGraphModel,
  options: LossOptions = {},
): { loss: number; gradient: FloatArray } {
  return isGivenGraph(model)
    ? summed(asGraphModel(model, 'lossAndGradient'), options, 'lossAndGradient', true)
    : ofPerceptron(model, options);
}

function summed(
  model: GraphModel,
  options: LossOptions,
  of: string,
  gradient: boolean,
): { loss: number; gradient: FloatArray } {
  const { blas } = withBlas(options, LOSS_KEYS, of);
  const { network, parameters, loss, data } = model;
  const passes = new Passes({ network, parameters, samples: data.samples, gradient, blas });
  const sum = new Float64Array(gradient ? network.trained : 0);
  let weight = 0;
  let counted = -1;
  const total = overSamples(passes, model, options, ({ batch }, first) => {
    if (first !== counted) weight += lossWeight(loss, batch.targets);
    counted = first;
    const own = passes.gradient;
    for (let k = 0; k < sum.length; k++) sum[k] += own[k];
  });
  const mean = 1 / Math.max(1, weight);
  const out = floats(sum.length, precisionOf(parameters));
  for (let k = 0; k < sum.length; k++) out[k] = mean * sum[k];
  return { loss: mean * total, gradient: out };
}
