/**
 * Fisher matrices from gradients, through products.
 * The exact Fisher matrix of these losses is the Gauss–Newton matrix (gauss-newton.ts): there is no operator of its own
 * for it.
 */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import { withBlas } from '../../dense/default-blas.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { CURVATURE_KEYS, SampleOperator, type CurvatureOptions } from './sample-operator.js';

/**
 * (1/n) Σ_i g_i g_iᵀ with g_i = ∇loss_i at the targets, N × N, positive semi-definite of rank at most n: not an
 * estimate of the Fisher matrix unless the targets are distributed as the model says (F. Kunstner, L. Balles, P.
 * Hennig, NeurIPS 2019, arXiv 1905.12558). ≈ 4nN flops a vector; the gradients are never formed. Memory, precisions and
 * errors as `gaussNewton`; targets are checked.
 */
export function empiricalFisher(model: GivenModel, options: CurvatureOptions = {}): SampleOperator {
  const backed = withBlas(options, CURVATURE_KEYS, 'empiricalFisher');
  return new SampleOperator(asModel(model, 'empiricalFisher'), { kind: 'gradients', draws: 1, seed: null }, backed);
}

/** Options of {@link monteCarloFisher}. */
export interface MonteCarloOptions extends CurvatureOptions {
  /** Labels drawn for each data point; 1 unless given. */
  readonly draws?: number | undefined;
  /** Default 0. Seeds the draws. */
  readonly seed?: number | undefined;
}
/** The keys of {@link MonteCarloOptions}. */
const MONTE_CARLO_KEYS: KeysOf<MonteCarloOptions> = {
  batchSize: 'number',
  memoryLimit: 'number',
  blas: true,
  team: true,
  draws: 'number',
  seed: 'number',
};

/**
 * F = (1/(n·s)) Σ_i Σ_t g_it g_itᵀ with gradients at s labels a sample drawn from the model's own distribution
 * (network/losses/sampled-errors.ts): an unbiased estimate of G, the exact Fisher matrix, of rank at most n·s. Entries
 * have Var(F_ab) ≤ (1/(n²s)) Σ_i κ_i (G_i)_aa (G_i)_bb, κ_i from `varianceFactors` of the loss
 * (network/losses/loss.ts). ≈ 4nN flops a vector. The draws of a sample depend on the seed and on its number alone, so
 * one operator stands for one fixed matrix however data is batched. Memory, precisions and errors as `gaussNewton`.
 */
export function monteCarloFisher(model: GivenModel, options: MonteCarloOptions = {}): SampleOperator {
  const backed = withBlas(options, MONTE_CARLO_KEYS, 'monteCarloFisher');
  const { draws = 1, seed = 0 } = options;
  if (!Number.isSafeInteger(draws) || draws < 1)
    throw new OptionError(
      `draws, the labels drawn for each data point, must be a whole number of at least 1, not ${describe(draws)}.`,
      { draws },
    );
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`seed must be a whole number, not ${describe(seed)}.`, { seed });
  return new SampleOperator(asModel(model, 'monteCarloFisher'), { kind: 'gradients', draws, seed }, backed);
}
