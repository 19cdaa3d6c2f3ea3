/**
 * The public functions about networks: loss, training, curvature through products, entries, factors and trees.
 */
import type { RunControl } from '../core/context.js';
import type { KeysOf } from '../core/known-options.js';
import { requireRole } from '../core/kind.js';
import {
  COMPRESS_HESSIAN_KEYS,
  compressHessian as compressHessianOn,
  type CompressedHessian,
  type CompressHessianOptions,
} from '../curvature/trees/compress-hessian.js';
import {
  curvatureDiagonal as curvatureDiagonalOn,
  DIAGONAL_KEYS,
  type CurvatureDiagonal,
  type DiagonalOptions,
} from '../curvature/kronecker/curvature-diagonal.js';
import { DUAL_KEYS, dualForm as dualFormOn, type DualForm, type DualOptions } from '../curvature/entries/dual-form.js';
import { ekfac as ekfacOn, type EigenvalueCorrected } from '../curvature/kronecker/ekfac.js';
import {
  empiricalFisher as empiricalFisherOn,
  MONTE_CARLO_KEYS,
  monteCarloFisher as monteCarloFisherOn,
  type MonteCarloOptions,
} from '../curvature/products/fisher.js';
import { gaussNewton as gaussNewtonOn } from '../curvature/products/gauss-newton.js';
import {
  GAUSS_NEWTON_SOURCE_KEYS,
  gaussNewtonSource as gaussNewtonSourceOn,
  SAMPLING_KEYS,
  type GaussNewtonSource,
  type GaussNewtonSourceOptions,
} from '../curvature/entries/gauss-newton-source.js';
import { hessian as hessianOn } from '../curvature/products/hessian.js';
import {
  HESSIAN_TREE_KEYS,
  hessianTree as hessianTreeOn,
  type HessianTree,
  type HessianTreeOptions,
} from '../curvature/trees/hessian-tree.js';
import {
  kfac as kfacOn,
  KRONECKER_KEYS,
  type KroneckerFactored,
  type KroneckerOptions,
} from '../curvature/kronecker/kfac.js';
import {
  factorKronecker as factorKroneckerOn,
  KRONECKER_FACTOR_KEYS,
  type KroneckerFactorization,
  type KroneckerFactorOptions,
} from '../curvature/eigenbasis/factorization.js';
import {
  KRONECKER_HIERARCHICAL_KEYS,
  kroneckerHierarchical as kroneckerHierarchicalOn,
  type KroneckerHierarchicalOptions,
} from '../curvature/eigenbasis/compress.js';
import type { KroneckerHierarchicalMatrix } from '../curvature/eigenbasis/matrix.js';
import { CURVATURE_KEYS, type CurvatureOptions, type SampleOperator } from '../curvature/products/sample-operator.js';
import {
  SAMPLED_SOURCE_KEYS,
  sampledGaussNewtonSource as sampledSourceOn,
  type SampledGaussNewtonSource,
  type SampledSourceOptions,
} from '../curvature/entries/sampled-source.js';
import {
  EMBEDDING_KEYS,
  sketchEmbedding as sketchEmbeddingOn,
  type EmbeddingOptions as EmbeddingOptions,
} from '../curvature/trees/sketch-embedding.js';
import {
  STRUCTURAL_TREE_KEYS,
  structuralTree as structuralTreeOn,
  type StructuralTreeOptions,
} from '../curvature/trees/structural-tree.js';
import type { Blas } from '../dense/blas.js';
import type { FloatArray } from '../dense/matrix.js';
import { warnIfMissed } from '../hierarchical/matrix/tolerance-advice.js';
import {
  BATCH_KEYS,
  lossAndGradient as lossAndGradientOn,
  meanLoss as meanLossOn,
  type BatchOptions,
} from '../network/gradient.js';
import { asModel, type GivenModel } from '../network/model.js';
import { ADAM_KEYS, trainAdam as trainAdamOn, type AdamOptions, type Training } from '../network/train.js';
import { defaultBlas } from '../runtime.js';
import { requireSource, type EntrySource, type Points } from '../source/entry-source.js';
import type { ClusterTree } from '../tree/cluster-tree.js';
import {
  described,
  known,
  onTeam,
  onThread,
  withBlas,
  type BlasOptional,
  type Control,
  type Given,
} from './arguments.js';

/**
 * G = (1/n) Σ J_iᵀQ_iJ_i of a model through products, ≈ 8nN flops a vector; positive semidefinite of rank at most n·r.
 * With a `team` its workers share each product. Throws ShapeError, OptionError, MemoryError, NonFiniteError.
 *
 * ```js
 * const network = defineNetwork({ widths: [784, 10, 784], activation: 'tanh' });
 * const model = { network, parameters: initialParameters(network, 0), loss: 'mse', data: memoryDataSet(images, images)
 * }; const y = applyOperator(gaussNewton(model), x);
 * ```
 */
export const gaussNewton = (model: GivenModel, options: BlasOptional<CurvatureOptions> = {}): SampleOperator =>
  gaussNewtonOn(asModel(model, 'gaussNewton'), withBlas(options, CURVATURE_KEYS, 'gaussNewton'));

/**
 * H = ∇²f(θ) of the mean loss through products (Pearlmutter), ≈ 12nN flops a vector; in general indefinite. Throws as
 * `gaussNewton`.
 */
export const hessian = (model: GivenModel, options: BlasOptional<CurvatureOptions> = {}): SampleOperator =>
  hessianOn(asModel(model, 'hessian'), withBlas(options, CURVATURE_KEYS, 'hessian'));

/** (1/n) Σ g_i g_iᵀ with the gradients at the targets, through products. Throws as `gaussNewton`. */
export const empiricalFisher = (model: GivenModel, options: BlasOptional<CurvatureOptions> = {}): SampleOperator =>
  empiricalFisherOn(asModel(model, 'empiricalFisher'), withBlas(options, CURVATURE_KEYS, 'empiricalFisher'));

/**
 * The Fisher matrix from gradients at labels drawn from the model: an unbiased estimate of G. Throws as `gaussNewton`.
 */
export const monteCarloFisher = (model: GivenModel, options: BlasOptional<MonteCarloOptions>): SampleOperator =>
  monteCarloFisherOn(asModel(model, 'monteCarloFisher'), withBlas(options, MONTE_CARLO_KEYS, 'monteCarloFisher'));

/**
 * K-FAC: blockdiag(A ⊗ Γ), with `solver({ damping })`. Source: J. Martens, R. Grosse, arXiv 1503.05671. Throws
 * ShapeError, OptionError, NonFiniteError.
 */
export const kfac = (model: GivenModel, options: BlasOptional<KroneckerOptions> = {}): KroneckerFactored =>
  kfacOn(asModel(model, 'kfac'), withBlas(options, KRONECKER_KEYS, 'kfac'));

/**
 * EKFAC: K-FAC's eigenbasis with the eigenvalues that fit G best. Source: T. George et al., arXiv 1806.03884. Throws as
 * `kfac`, and FactorizationError.
 */
export const ekfac = (model: GivenModel, options: BlasOptional<KroneckerOptions> = {}): EigenvalueCorrected =>
  ekfacOn(asModel(model, 'ekfac'), withBlas(options, KRONECKER_KEYS, 'ekfac'));

/** diag(G) as an operator, exact, with the data read once. Throws ShapeError, OptionError, NonFiniteError. */
export const curvatureDiagonal = (model: GivenModel, options: BlasOptional<DiagonalOptions> = {}): CurvatureDiagonal =>
  curvatureDiagonalOn(asModel(model, 'curvatureDiagonal'), withBlas(options, DIAGONAL_KEYS, 'curvatureDiagonal'));

/**
 * G as a source of entries, for `compress` and for reading single blocks: 2n flops an entry. Source: C. Chen et al.,
 * arXiv 1910.12184. Throws ShapeError, OptionError, NonFiniteError, MemoryError.
 */
export const gaussNewtonSource = (
  model: GivenModel,
  options: BlasOptional<GaussNewtonSourceOptions> = {},
): GaussNewtonSource => {
  const given = withBlas<GaussNewtonSourceOptions>(options, GAUSS_NEWTON_SOURCE_KEYS, 'gaussNewtonSource');
  if (given.sampling !== undefined) known(given.sampling, SAMPLING_KEYS, 'gaussNewtonSource (sampling)');
  return gaussNewtonSourceOn(asModel(model, 'gaussNewtonSource'), given);
};

/**
 * Estimates of G's entries from a few data points each, with a bound on their error: √(G_aa G_bb)·ε. Throws ShapeError,
 * OptionError, NonFiniteError, MemoryError.
 */
export const sampledGaussNewtonSource = (
  model: GivenModel,
  options: BlasOptional<SampledSourceOptions> = {},
): SampledGaussNewtonSource =>
  sampledSourceOn(
    asModel(model, 'sampledGaussNewtonSource'),
    withBlas(options, SAMPLED_SOURCE_KEYS, 'sampledGaussNewtonSource'),
  );

/**
 * The dual (neural tangent kernel) form, for n·r up to some thousands: spectrum, ‖G‖_F and solves that are exact.
 * Throws OptionError, MemoryError, NonFiniteError, ShapeError.
 */
export const dualForm = (model: GivenModel, options: BlasOptional<DualOptions> = {}): DualForm =>
  dualFormOn(asModel(model, 'dualForm'), withBlas(options, DUAL_KEYS, 'dualForm'));

/**
 * Points in ℝᵏ, one for each parameter, whose inner products estimate G. Throws OptionError, ShapeError,
 * NonFiniteError, AbortedError.
 */
export const sketchEmbedding = (model: GivenModel, options: BlasOptional<EmbeddingOptions> = {}): Points =>
  sketchEmbeddingOn(asModel(model, 'sketchEmbedding'), withBlas(options, EMBEDDING_KEYS, 'sketchEmbedding'));

/**
 * G as a hierarchical matrix in the Kronecker eigenbasis, at a share of the dense memory or to a relative error, which
 * is known. Throws OptionError, ShapeError, NonFiniteError, MemoryError, AbortedError.
 */
export async function kroneckerHierarchical(
  model: GivenModel,
  options: KroneckerHierarchicalOptions,
  control: Control = {},
): Promise<KroneckerHierarchicalMatrix> {
  return kroneckerHierarchicalOn(
    asModel(model, 'kroneckerHierarchical'),
    known(options, KRONECKER_HIERARCHICAL_KEYS, 'kroneckerHierarchical'),
    await onTeam(control, 'kroneckerHierarchical'),
  );
}

/**
 * Factors G̃ + λI, λ > 0, of a matrix that `kroneckerHierarchical` made with { preserve: 'positive-definite' }: solves,
 * log-determinant, `refactor` for another λ; an operator that preconditions. Throws OptionError (λ ≤ 0; a matrix made
 * otherwise), NotPositiveDefiniteError where λ is lost in rounding, MemoryError, AbortedError.
 */
export async function factorKronecker(
  matrix: KroneckerHierarchicalMatrix,
  options: KroneckerFactorOptions,
  control: Control = {},
): Promise<KroneckerFactorization> {
  requireRole(matrix, 'Kronecker matrix', 'factorKronecker');
  return factorKroneckerOn(
    matrix,
    known(options, KRONECKER_FACTOR_KEYS, 'factorKronecker'),
    await onTeam(control, 'factorKronecker'),
  );
}

/**
 * G as an HSS, HODLR or FMM matrix in the weights' own coordinates: tree and way (entries or products) are chosen where
 * they are not given. Throws OptionError, ShapeError, NonFiniteError, MemoryError, AbortedError.
 *
 * ```js
 * const { matrix, reason } = await compressHessian(model, { tolerance: 1e-3 });
 * ```
 */
export async function compressHessian(
  model: GivenModel,
  options: Given<CompressHessianOptions> = {},
  control: Control = {},
): Promise<CompressedHessian> {
  const given = described(known(options, COMPRESS_HESSIAN_KEYS, 'compressHessian'), 'compressHessian');
  const compressed = await compressHessianOn(
    asModel(model, 'compressHessian'),
    given,
    await onTeam(control, 'compressHessian'),
  );
  warnIfMissed(compressed.matrix, control);
  return compressed;
}

/**
 * A cluster tree for a network's Hessian: the one asked for, or the best of several by error measured on samples.
 * Throws OptionError, ShapeError, NonFiniteError, AbortedError.
 */
export async function hessianTree(
  model: GivenModel,
  source: EntrySource,
  options: HessianTreeOptions,
  control: Control = {},
): Promise<HessianTree> {
  requireSource(source, 'hessianTree');
  return hessianTreeOn(
    asModel(model, 'hessianTree'),
    source,
    known(options, HESSIAN_TREE_KEYS, 'hessianTree'),
    await onTeam(control, 'hessianTree'),
  );
}

/**
 * The cluster tree of a network's weights by its structure: layer, output unit, inputs. Throws OptionError,
 * NonFiniteError, AbortedError.
 */
export async function structuralTree(
  model: GivenModel,
  source: Pick<EntrySource, 'size' | 'diagonal'>,
  options: StructuralTreeOptions,
  control: Control = {},
): Promise<ClusterTree> {
  if (typeof source?.diagonal !== 'function') requireRole(source, 'source', 'structuralTree');
  return structuralTreeOn(
    asModel(model, 'structuralTree'),
    source,
    known(options, STRUCTURAL_TREE_KEYS, 'structuralTree'),
    await onTeam(control, 'structuralTree'),
  );
}

/**
 * Minimises the mean loss by Adam from `model.parameters`, which stay as they are. Throws OptionError, ShapeError,
 * AbortedError, NonFiniteError.
 */
export async function trainAdam(
  model: GivenModel,
  options: AdamOptions,
  control: RunControl & { readonly blas?: Blas | undefined } = {},
): Promise<Training> {
  const run = onThread(control, 'trainAdam', { blas: true });
  return trainAdamOn(asModel(model, 'trainAdam'), known(options, ADAM_KEYS, 'trainAdam'), {
    ...run,
    blas: control.blas ?? defaultBlas(),
  });
}

const BATCHES_KEYS: KeysOf<BatchOptions & { readonly blas?: Blas | undefined }> = { ...BATCH_KEYS, blas: true };

/** f(θ) and ∇f(θ) over all data. Throws ShapeError, OptionError, NonFiniteError, AbortedError. */
export function lossAndGradient(
  model: GivenModel,
  options: BatchOptions & { readonly blas?: Blas | undefined } = {},
): { loss: number; gradient: FloatArray } {
  const { blas = defaultBlas(), ...batches } = known(options, BATCHES_KEYS, 'lossAndGradient');
  return lossAndGradientOn(asModel(model, 'lossAndGradient'), blas, batches);
}

/** The mean loss f(θ). Throws as `lossAndGradient`. */
export function meanLoss(model: GivenModel, options: BatchOptions & { readonly blas?: Blas | undefined } = {}): number {
  const { blas = defaultBlas(), ...batches } = known(options, BATCHES_KEYS, 'meanLoss');
  return meanLossOn(asModel(model, 'meanLoss'), blas, batches);
}
