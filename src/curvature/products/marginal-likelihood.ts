/**
 * The evidence of a network by Laplace's approximation, from which λ can be chosen without validation data.
 * D. J. C. MacKay, "The evidence framework applied to classification networks", Neural Computation 4(5), 1992; for deep
 * networks A. Immer, M. Bauer, V. Fortuin, G. Rätsch, M. E. Khan, ICML 2021, arXiv 2104.04975.
 */
import { OptionError } from '../../core/errors.js';
import { describe } from '../../core/kind.js';
import type { KeysOf } from '../../core/known-options.js';
import { withBlas, type BlasOption } from '../../dense/default-blas.js';
import { BATCH_KEYS, meanLoss, type BatchOptions } from '../../network/gradient.js';
import { squaredScale } from '../../network/losses/table.js';
import { asModel, checkModel, type GivenModel } from '../../network/model.js';

/** Options of {@link logMarginalLikelihood}. */
export interface EvidenceOptions extends BatchOptions, BlasOption {}
const EVIDENCE_KEYS: KeysOf<EvidenceOptions> = { ...BATCH_KEYS, blas: true };

/** What knows λ and log det(G + λI), or an approximation of it. */
export type KnownDeterminant = { readonly logdet: number } & (
  { readonly shift: number } | { readonly damping: number }
);

/** A logarithm of the evidence and its parts, in nats. */
export interface Evidence {
  /** log p(y) ≈ logLikelihood + logPrior + occam. */
  readonly value: number;
  /** log p(y | θ̂) of all n samples: −n·loss, for a squared loss (q/2)‖·‖² plus (nr/2) log(q/2π). */
  readonly logLikelihood: number;
  /** −½nλ‖θ̂‖²: log p(θ̂) but for its constant. */
  readonly logPrior: number;
  /** ½[N log λ − log det(G + λI)]: what of the prior's volume the data leaves, at most 0. */
  readonly occam: number;
}

/**
 * log p(y) ≈ log p(y | θ̂) − ½nλ‖θ̂‖² + ½[N log λ − log det(G + λI)] at the model's parameters θ̂, for the
 * prior N(0, I/(nλ)) over all of them: θ ~ N(θ̂, (G + λI)⁻¹/n) is the posterior then. Exact for linear networks with a
 * squared loss at the θ̂ that minimises loss + (λ/2)‖θ‖². A squared loss (q/2)‖f − y‖² is that of noise of variance
 * 1/q (with 'mse' one: give targets in units of the noise).
 *
 * `inverse` is what solves with G + λI, or approximates it, and knows its log det: `dualForm(model).inverse(λ)`,
 * `factor(compressed, { shift: λ })`, `factorKronecker(matrix, { shift: λ })`, `kfac(model).solver({ damping: λ })`,
 * `ekfac(model).solver({ damping: λ })`; or plain { logdet, shift }. Besides it 2nN flops. Of several λ, and of several
 * networks, the one with the largest value is the most probable. Throws OptionError, ShapeError, NonFiniteError,
 * AbortedError.
 */
export function logMarginalLikelihood(
  given: GivenModel,
  inverse: KnownDeterminant,
  options: EvidenceOptions = {},
): Evidence {
  const model = asModel(given, 'logMarginalLikelihood');
  const backed = withBlas(options, EVIDENCE_KEYS, 'logMarginalLikelihood');
  checkModel(model);
  const { λ, logdet } = determinantOf(inverse);
  const { network, parameters, data, loss } = model;
  const n = data.samples;
  const q = squaredScale(loss, network.outputs);
  const constant = q === null ? 0 : ((n * network.outputs) / 2) * Math.log(q / (2 * Math.PI));
  let square = 0;
  for (const θ of parameters) square += θ * θ;
  const logLikelihood = constant - n * meanLoss(model, backed);
  const logPrior = (-n * λ * square) / 2;
  const occam = (network.parameters * Math.log(λ) - logdet) / 2;
  return { value: logLikelihood + logPrior + occam, logLikelihood, logPrior, occam };
}

function determinantOf(inverse: KnownDeterminant): { λ: number; logdet: number } {
  const { logdet, shift, damping } = (inverse ?? {}) as { logdet?: unknown; shift?: unknown; damping?: unknown };
  const λ = shift ?? damping;
  if (typeof logdet !== 'number' || typeof λ !== 'number')
    throw new OptionError(
      'logMarginalLikelihood takes an inverse of G + λI that knows its log det, such as ' +
        `dualForm(model).inverse(λ) or kfac(model).solver({ damping: λ }), not ${describe(inverse)}.`,
      {},
    );
  if (!(λ > 0 && λ < Infinity) || !Number.isFinite(logdet))
    throw new OptionError(`λ is ${λ}, log det(G + λI) is ${logdet}: the first must be above 0, both must be finite.`, {
      shift: λ,
      logdet,
    });
  return { λ, logdet };
}
