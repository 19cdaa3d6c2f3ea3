/**
 * Fisher matrices from gradients, through products.
 * The exact Fisher matrix of these losses is the Gauss–Newton matrix (gauss-newton.ts): there is no operator of its own
 * for it.
 */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import { withBlas } from '../../dense/default-blas.js';
import { asGraphModel, isGivenGraph, requireRoots, type GivenGraphModel } from '../../layers/graph-model.js';
import { asModel, type GivenModel } from '../../network/model.js';
import { GraphOperator } from '../graphs/operator.js';
import { CURVATURE_KEYS, SampleOperator, type CurvatureOptions } from './sample-operator.js';

/**
 * (1/n) Σ_i g_i g_iᵀ with g_i = ∇loss_i at the targets, N × N, positive semi-definite of rank at most n: not an
 * estimate of the Fisher matrix unless the targets are distributed as the model says (F. Kunstner, L. Balles, P.
 * Hennig, NeurIPS 2019, arXiv 1905.12558). ≈ 4nN flops a vector; the gradients are never formed. Memory, precisions and
 * errors as `gaussNewton`; targets are checked.
 *
 * Of a network of layers as `gaussNewton` has it, g_i the gradient of all terms of sample i's loss: a pass forward
 * along v gives g_iᵀv, and one back Σ_i (g_iᵀv)g_i. Of tokens g_i is that of a whole sentence, Σ over its tokens, and n
 * the number of all tokens that are no padding.
 */
export function empiricalFisher(model: GivenModel, options?: CurvatureOptions): SampleOperator;
/** As before, of a network of layers. */
export function empiricalFisher(model: GivenGraphModel, options?: CurvatureOptions): GraphOperator;
export function empiricalFisher(
  model: GivenModel | GivenGraphModel,
  options: CurvatureOptions = {},
): SampleOperator | GraphOperator {
  const backed = withBlas(options, CURVATURE_KEYS, 'empiricalFisher');
  if (isGivenGraph(model))
    return new GraphOperator(asGraphModel(model, 'empiricalFisher'), { kind: 'empirical-fisher' }, backed);
  return new SampleOperator(asModel(model, 'empiricalFisher'), { kind: 'gradients', draws: 1, seed: null }, backed);
}

/** Most draws of a network of layers, each with nodes of its own. */
const MOST_DRAWS = 10_000;

/** Options of {@link monteCarloFisher}. */
export interface MonteCarloOptions extends CurvatureOptions {
  /** Labels drawn for each data point; 1 unless given. Of a network of layers at most 10,000. */
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
 *
 * Of a network of layers as `gaussNewton` has it: labels of all tokens of a sentence are drawn independently, and of
 * terms of the loss that are no likelihood (the divergence of a Gaussian code) gradients r∘ξ with signs ξ, diag(r²) the
 * Hessian in their output. All draws share one pass forward and one back for each vector. OptionError for a term of a
 * layer of one's own that does not tell its `root`.
 */
export function monteCarloFisher(model: GivenModel, options?: MonteCarloOptions): SampleOperator;
/** As before, of a network of layers. */
export function monteCarloFisher(model: GivenGraphModel, options?: MonteCarloOptions): GraphOperator;
export function monteCarloFisher(
  model: GivenModel | GivenGraphModel,
  options: MonteCarloOptions = {},
): SampleOperator | GraphOperator {
  const backed = withBlas(options, MONTE_CARLO_KEYS, 'monteCarloFisher');
  const { draws = 1, seed = 0 } = options;
  if (!Number.isSafeInteger(draws) || draws < 1)
    throw new OptionError(
      `draws, the labels drawn for each data point, must be a whole number of at least 1, not ${describe(draws)}.`,
      { draws },
    );
  if (!Number.isSafeInteger(seed))
    throw new OptionError(`seed must be a whole number, not ${describe(seed)}.`, { seed });
  if (isGivenGraph(model)) {
    const given = asGraphModel(model, 'monteCarloFisher');
    if (draws > MOST_DRAWS)
      throw new OptionError(
        `monteCarloFisher of a network of layers takes at most ${MOST_DRAWS} draws, not ${draws}, as its graph has a ` +
          'part for each: take the mean of operators of several seeds, or gaussNewton, which they tend to.',
        { draws, most: MOST_DRAWS },
      );
    requireRoots(given.network, 'monteCarloFisher');
    return new GraphOperator(given, { kind: 'monte-carlo-fisher', draws, seed }, backed);
  }
  return new SampleOperator(asModel(model, 'monteCarloFisher'), { kind: 'gradients', draws, seed }, backed);
}
