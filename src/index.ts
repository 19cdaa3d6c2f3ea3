/**
 * The public names of hmatrix.
 * Functions that need workers take a team in their last argument, and share one (`closeDefaultTeam`) where none is
 * given. Numbers may be handed over in arrays of any type, options hold known keys alone, and an operator of the
 * caller's is looked at once (operator/self-check.ts).
 */
import { approximate as approximateOn } from './approximation/approximate.js';
import {
  APPROXIMATION_KEYS,
  BUDGET_KEYS,
  type Approximation,
  type ApproximationMethod,
  type ApproximationOptions,
  type Budget,
} from './approximation/approximation.js';
import {
  OPERATOR_ERROR_KEYS,
  operatorError as operatorErrorOn,
  type ExactMatrix,
  type OperatorErrorOptions,
} from './approximation/operator-error.js';
import { subjectOf } from './approximation/subject.js';
import { kindOf, requireRole } from './core/kind.js';
import type { KeysOf } from './core/known-options.js';
import {
  BLOCK_DIAGONAL_KEYS,
  blockDiagonal as blockDiagonalOn,
  type BlockDiagonalOperator,
  type BlockDiagonalOptions,
} from './source/block-diagonal.js';
import type { Blas } from './dense/blas.js';
import { asVectors, type Matrix, type Vectors } from './dense/matrix.js';
import { compress as compressOn } from './hierarchical/from-entries/compress.js';
import { compressOperator as compressOperatorOn } from './hierarchical/from-products/compress.js';
import { PRODUCTS_KEYS, type ProductsOptions } from './hierarchical/from-products/cost.js';
import {
  certifyDefiniteness as certifyDefinitenessOn,
  DEFINITENESS_KEYS,
  type DefinitenessCertificate,
  type DefinitenessOptions,
} from './hierarchical/factor/definiteness.js';
import type { ErrorEstimate } from './hierarchical/measure/error-interval.js';
import { factor as factorOn, FACTOR_KEYS, type FactorOptions } from './hierarchical/factor/factor.js';
import type { Factorization } from './hierarchical/factor/factorization.js';
import { warnIfMissed } from './hierarchical/matrix/tolerance-advice.js';
import { loadMatrix as loadOn } from './hierarchical/matrix/file.js';
import type { HierarchicalMatrix } from './hierarchical/matrix/hierarchical-matrix.js';
import { COMPRESS_KEYS, type CompressOptions } from './hierarchical/from-entries/options.js';
import type { Model } from './network/model.js';
import { denseOperator as denseOperatorOn } from './operator/dense-operator.js';
import type { LinearOperator } from './operator/linear-operator.js';
import { requireOperator } from './operator/self-check.js';
import { described, known, onTeam, withBlas, type BlasOptional, type Control, type Given } from './public/arguments.js';
import { makePreconditioner as makePreconditionerOn } from './solve/preconditioners/make.js';
import {
  PRECONDITIONER_KEYS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
} from './solve/preconditioners/preconditioner.js';
import { MAKING_KEYS, solve as solveOn, SOLVE_KEYS, type SolveOptions, type SolveResult } from './solve/solve.js';
import {
  ENTRY_OPERATOR_KEYS,
  entryOperator as entryOperatorOn,
  type EntryOperator,
  type EntryOperatorOptions,
} from './source/entry-operator.js';
import { requireSource, type EntrySource, type GivenPoints } from './source/entry-source.js';
import {
  KERNEL_SOURCE_KEYS,
  kernelSource as kernelSourceOn,
  type KernelSourceOptions,
} from './source/kernel-source.js';
import type { Kernel } from './source/kernels/kernel.js';
import { buildClusterTree as buildClusterTreeOn, CLUSTER_TREE_KEYS, type ClusterTreeOptions } from './tree/build.js';
import { asTree, type ClusterTree, type GivenTree } from './tree/cluster-tree.js';
import type { DistanceName } from './tree/distances/table.js';
import {
  findNeighbors as findNeighborsOn,
  NEIGHBOR_KEYS,
  type NeighborOptions,
  type Neighbors,
} from './tree/neighbors.js';

/**
 * Compresses a symmetric positive semidefinite N × N matrix K, seen through its entries, to a hierarchical matrix K̃
 * with ‖K − K̃‖_F ≤ tolerance·‖K‖_F as far as `maxRank` allows; `HierarchicalMatrix.estimateError` measures it.
 * Cost O(N log N) entries and flops at fixed rank. The same seed gives the same bits on a team of any size.
 * Throws OptionError; NonFiniteError, AsymmetryError, NotPositiveDefiniteError for what a sample of the source shows;
 * MemoryError before anything large is allocated; AbortedError; WorkerError. Method: C. Yu, J. Levitt, S. Reiz, G.
 * Biros, SC17, arXiv 1707.00164.
 *
 * ```js
 * const source = kernelSource({ dimension: 2, count: 1000, coordinates }, gaussian(0.5));
 * const matrix = await compress(source, { tolerance: 1e-6 });
 * const y = matrix.apply(matrixOver(x, 1000, 1));
 * ```
 */
export async function compress(
  source: EntrySource,
  options: Given<CompressOptions> = {},
  control: Control = {},
): Promise<HierarchicalMatrix> {
  requireSource(source, 'compress');
  const compressed = await compressOn(
    source,
    described(known(options, COMPRESS_KEYS, 'compress'), 'compress'),
    await onTeam(control, 'compress'),
  );
  return warnIfMissed(compressed, control);
}

/**
 * Reads a matrix that `saveMatrix` wrote; its products have the same bits as the saved one's (on the same dense
 * backend). Throws FileFormatError naming what is wrong, FileAccessError, MemoryError, AbortedError.
 */
export async function loadMatrix(path: string, control: Control = {}): Promise<HierarchicalMatrix> {
  requireRole(path, 'path', 'loadMatrix');
  return loadOn(path, await onTeam(control, 'loadMatrix'));
}

/**
 * The matrix K_ij = k(x_i, x_j) + ridge·δ_ij of a kernel over N points in ℝᵈ (point i is coordinates[i·d … i·d + d)),
 * evaluated by blocks on demand. The coordinates are copied only if they do not lie over a SharedArrayBuffer. Throws
 * ShapeError, NonFiniteError, OptionError.
 */
export function kernelSource(
  points: GivenPoints,
  kernel: Kernel,
  options: BlasOptional<KernelSourceOptions> = {},
): EntrySource {
  return kernelSourceOn(points, kernel, withBlas(options, KERNEL_SOURCE_KEYS, 'kernelSource'));
}

/**
 * The κ nearest neighbours of every index by a distance that needs no more than entries, approximately, with a measured
 * recall. Throws OptionError, NonFiniteError, AbortedError, WorkerError.
 */
export async function findNeighbors(
  source: EntrySource,
  distance: DistanceName,
  options: NeighborOptions,
  control: Control = {},
): Promise<Neighbors> {
  requireSource(source, 'findNeighbors');
  return findNeighborsOn(
    source,
    distance,
    known(options, NEIGHBOR_KEYS, 'findNeighbors'),
    await onTeam(control, 'findNeighbors'),
  );
}

/**
 * The cluster tree of a source: two-centroid splits at the exact median. Throws OptionError, NonFiniteError,
 * AbortedError, WorkerError.
 */
export async function buildClusterTree(
  source: EntrySource,
  distance: DistanceName,
  options: ClusterTreeOptions,
  control: Control = {},
): Promise<ClusterTree> {
  requireSource(source, 'buildClusterTree');
  return buildClusterTreeOn(
    source,
    distance,
    known(options, CLUSTER_TREE_KEYS, 'buildClusterTree'),
    await onTeam(control, 'buildClusterTree'),
  );
}

/**
 * Approximates a symmetric N × N operator within a budget: at most `budget.share` of the 8N² bytes of the dense matrix,
 * everything stored counted. Methods: hm (the hierarchical matrix that suits: of curvature, in the Kronecker
 * eigenbasis), rsvd, nystrom, kfac, kfac-mc, ekfac, diagonal, block-diagonal, hss, hodlr, fmm. `error()` measures ‖A −
 * Ã‖_F/‖A‖_F: on all columns up to N = 20,000, else on a sample with a 95 % interval. Throws OptionError (a share too
 * small names the least one; a network or entries that a method needs and are not there), ShapeError, MemoryError,
 * AbortedError.
 *
 * ```js
 * const hessian = gaussNewton(model);
 * const { operator, bytes, error } = await approximate(hessian, 'hm', { share: 0.01 });
 * const { relative } = await error();
 * ```
 */
export async function approximate(
  operator: LinearOperator,
  method: ApproximationMethod,
  budget: Budget,
  options: Given<ApproximationOptions> = {},
  control: Control = {},
): Promise<Approximation> {
  requireOperator(operator, 'approximate');
  const given = described(known(options, APPROXIMATION_KEYS, 'approximate'), 'approximate');
  return approximateOn(
    operator,
    method,
    known(budget, BUDGET_KEYS, 'a budget'),
    given,
    await onTeam(control, 'approximate'),
  );
}

/**
 * ε_F = ‖A − Ã‖_F/‖A‖_F of any approximation of a matrix that is seen through entries or products. Throws ShapeError,
 * OptionError, AbortedError.
 */
export async function operatorError(
  exact: ExactMatrix,
  approximation: LinearOperator,
  options: OperatorErrorOptions = {},
  control: Control = {},
): Promise<ErrorEstimate> {
  if (kindOf(exact) === 'source') requireSource(exact as EntrySource, 'operatorError');
  else requireOperator(exact as LinearOperator, 'operatorError');
  requireOperator(approximation, 'operatorError');
  return operatorErrorOn(
    exact,
    approximation,
    known(options, OPERATOR_ERROR_KEYS, 'operatorError'),
    await onTeam(control, 'operatorError'),
  );
}

/**
 * Compresses a symmetric operator on a given cluster tree from products alone. Throws ShapeError, OptionError,
 * AsymmetryError, NonFiniteError, MemoryError, AbortedError. Sources: J. Levitt, P.-G. Martinsson, arXiv 2205.02990
 * (hss); L. Lin, J. Lu, L. Ying, J. Comput. Phys. 230(10), 2011 (hodlr).
 */
export async function compressOperator(
  operator: LinearOperator,
  tree: GivenTree,
  options: ProductsOptions,
  control: Control = {},
): Promise<HierarchicalMatrix> {
  known(options, PRODUCTS_KEYS, 'compressOperator');
  requireOperator(operator, 'compressOperator', options.productPrecision === 'f32' ? 'f32' : 'f64');
  const compressed = await compressOperatorOn(
    operator,
    asTree(tree, 'compressOperator'),
    options,
    await onTeam(control, 'compressOperator'),
  );
  return warnIfMissed(compressed, control);
}

/**
 * Whether a compressed matrix K̃ is positive definite: λ_min by Lanczos with its bound, a proof by factorization where
 * the format has one, and the smallest shift that works. Throws OptionError, MemoryError, AbortedError.
 */
export async function certifyDefiniteness(
  matrix: HierarchicalMatrix,
  options: DefinitenessOptions = {},
  control: Control = {},
): Promise<DefinitenessCertificate> {
  requireRole(matrix, 'hierarchical matrix', 'certifyDefiniteness');
  return certifyDefinitenessOn(
    matrix,
    known(options, DEFINITENESS_KEYS, 'certifyDefiniteness'),
    await onTeam(control, 'certifyDefiniteness'),
  );
}

/**
 * The blocks of a matrix on its diagonal, stored as they are (`layerRanges`, `unitRanges` of a network, or ranges of
 * yours). Throws ShapeError, MemoryError, AbortedError.
 */
export async function blockDiagonal(
  source: EntrySource,
  ranges: ArrayLike<number>,
  options: BlockDiagonalOptions = {},
  control: Control = {},
): Promise<BlockDiagonalOperator> {
  requireSource(source, 'blockDiagonal');
  return blockDiagonalOn(
    source,
    ranges,
    await onTeam(control, 'blockDiagonal'),
    known(options, BLOCK_DIAGONAL_KEYS, 'blockDiagonal'),
  );
}

/**
 * Factors K̃ + shift·I of a matrix of format 'hss' or 'hodlr': solves, the determinant, samples, the exact diagonal of
 * the inverse; `refactor` takes another shift. O(N) at fixed rank for 'hss'. Throws NotPositiveDefiniteError with a
 * shift that works, OptionError (other formats), MemoryError, AbortedError.
 */
export async function factor(
  matrix: HierarchicalMatrix,
  options: FactorOptions = {},
  control: Control = {},
): Promise<Factorization> {
  requireRole(matrix, 'hierarchical matrix', 'factor');
  return factorOn(matrix, known(options, FACTOR_KEYS, 'factor'), await onTeam(control, 'factor'));
}

/** The options of `solve` as callers hand them over. */
export interface GivenSolveOptions extends Given<Omit<SolveOptions, 'making' | 'guess'>> {
  readonly making?: Given<NonNullable<SolveOptions['making']>> | undefined;
  readonly guess?: Vectors | undefined;
}

/**
 * Solves (A + λI) X = B for a symmetric positive semidefinite N × N operator and one or many right-hand sides (N × p,
 * or an array of N numbers), to ‖b − (A + λI)x‖/‖b‖ ≤ tolerance (default 1e-8) of every column: by conjugate gradients
 * with the preconditioner named (none, jacobi, block-jacobi, kfac, ekfac, nystrom, dual, hodlr, hss), a given one, or,
 * by default, the one whose predicted cost is least; `reason` says why. λ is `shift`, or `shiftRelative`·‖A‖₂. Matrices
 * of format 'hss' and 'hodlr' are factored themselves, 'fmm' is solved with an HSS as preconditioner. `outcome`,
 * `residual` (true ones) and `history` are data: whether it converged is for the caller to read. Throws ShapeError,
 * OptionError, NonFiniteError, NotPositiveDefiniteError, MemoryError, AbortedError. Sources: Y. Saad, *Iterative
 * Methods for Sparse Linear Systems*, SIAM 2003; of the preconditioners in their files (src/solve).
 *
 * ```js
 * const { x, outcome, residual, reason } = await solve(gaussNewton(model), gradient, { shiftRelative: 1e-3, tolerance:
 * 1e-6 });
 * ```
 */
export async function solve(
  operator: LinearOperator,
  b: Vectors,
  options: GivenSolveOptions = {},
  control: Control = {},
): Promise<SolveResult> {
  requireOperator(operator, 'solve');
  const { making, guess, ...rest } = known(options, SOLVE_KEYS as KeysOf<GivenSolveOptions>, 'solve');
  const { preconditioner } = rest;
  if (preconditioner !== undefined && typeof preconditioner !== 'string' && !('reshift' in Object(preconditioner)))
    requireRole(preconditioner, 'operator', 'preconditioner of solve');
  const given: SolveOptions = {
    ...described<SolveOptions>(rest, 'solve'),
    ...(making === undefined ? {} : { making: described(known(making, MAKING_KEYS, 'solve (making)'), 'solve') }),
    ...(guess === undefined ? {} : { guess: asVectors(guess, 'guess') }),
  };
  return solveOn(operator, asVectors(b, 'b'), given, await onTeam(control, 'solve'));
}

/** The options of `makePreconditioner`. */
interface MakeOptions extends PreconditionerOptions {
  readonly shift?: number | undefined;
  readonly source?: EntrySource | undefined;
  readonly model?: Model | undefined;
}
const MAKE_KEYS: KeysOf<MakeOptions> = { ...PRECONDITIONER_KEYS, shift: true, source: true, model: true };

/**
 * M ≈ (A + λI)⁻¹ by its name, symmetric positive definite as an operator, for the solvers here or of yours;
 * `reshift(λ)` makes it for another λ without compressing again. `source` and `model` give entries and network of the
 * same matrix, where the operator does not bring them. Throws OptionError (λ < 0; entries or a network that it needs),
 * NotPositiveDefiniteError where λ is too small for it, ShapeError, MemoryError, AbortedError.
 */
export async function makePreconditioner(
  operator: LinearOperator,
  name: PreconditionerName,
  options: Given<MakeOptions> = {},
  control: Control = {},
): Promise<Preconditioner> {
  requireOperator(operator, 'makePreconditioner');
  const {
    shift = 0,
    source,
    model,
    ...making
  } = described<MakeOptions>(
    known(options, MAKE_KEYS as KeysOf<Given<MakeOptions>>, 'makePreconditioner'),
    'makePreconditioner',
  );
  const on = await onTeam(control, 'makePreconditioner');
  return makePreconditionerOn(subjectOf(operator, { source, model }, on), name, shift, making, on);
}

/**
 * Products with a matrix that is seen through its entries: N² of them a product of up to 256 vectors, or once where 8N²
 * bytes may be kept. Throws OptionError, AbortedError.
 */
export async function entryOperator(
  source: EntrySource,
  options: EntryOperatorOptions = {},
  control: Control = {},
): Promise<EntryOperator> {
  requireSource(source, 'entryOperator');
  return entryOperatorOn(
    source,
    known(options, ENTRY_OPERATOR_KEYS, 'entryOperator'),
    await onTeam(control, 'entryOperator'),
  );
}

/** A stored matrix as an operator. */
export const denseOperator = (
  matrix: Matrix,
  symmetric: boolean,
  options: { readonly blas?: Blas | undefined } = {},
): LinearOperator =>
  denseOperatorOn(matrix, symmetric, withBlas<{ readonly blas: Blas }>(options, { blas: true }, 'denseOperator').blas);

export {
  compressHessian,
  curvatureDiagonal,
  dualForm,
  ekfac,
  empiricalFisher,
  factorKronecker,
  gaussNewton,
  gaussNewtonSource,
  hessian,
  hessianTree,
  kfac,
  kroneckerHierarchical,
  lossAndGradient,
  meanLoss,
  monteCarloFisher,
  sampledGaussNewtonSource,
  sketchEmbedding,
  structuralTree,
  trainAdam,
} from './public/networks.js';
export {
  blockConjugateGradientSolver,
  conjugateGradients,
  conjugateGradientSolver,
  extremeEigenvalues,
  flexibleConjugateGradientSolver,
  logDeterminant,
  minres,
  minresSolver,
  nystrom,
  randomizedSvd,
  spectralDensity,
  stochasticLanczosQuadrature,
} from './public/products.js';
export type { Control } from './public/arguments.js';

export { ACTIVATIONS, type ActivationName } from './network/activations/table.js';
export { LOSSES, type LossName } from './network/losses/table.js';
export { defineNetwork, layerWeights, type Layer, type Network, type NetworkOptions } from './network/network.js';
export {
  labelTargets,
  memoryDataSet,
  type Batch,
  type DataSet,
  type MemoryDataSetOptions,
} from './network/data-set.js';
export { checkModel, type GivenModel, type Model } from './network/model.js';
export { initialParameters, type InitialOptions, type InitialScheme } from './network/initialize.js';
export type { AdamOptions, Training } from './network/train.js';
export {
  readWeights,
  writeWeights,
  type LoadedWeights,
  type ReadWeightsOptions,
  type WriteWeightsOptions,
} from './network/weights-file.js';
export { readLabels, type ReadLabelsOptions } from './io/labels.js';

export {
  APPROXIMATION_METHODS,
  type Approximation,
  type ApproximationMethod,
  type ApproximationOptions,
  type Budget,
} from './approximation/approximation.js';
export type { ExactMatrix, OperatorErrorOptions } from './approximation/operator-error.js';
export { type BlockDiagonalOperator } from './source/block-diagonal.js';
export { HESSIAN_DISTANCES, type HessianDistance } from './curvature/trees/hessian-tree.js';
export type { CompressedHessian, CompressHessianOptions } from './curvature/trees/compress-hessian.js';
export type { CurvatureDiagonal } from './curvature/kronecker/curvature-diagonal.js';
export type { DualForm } from './curvature/entries/dual-form.js';
export type { EigenvalueCorrected } from './curvature/kronecker/ekfac.js';
export type { GaussNewtonSource } from './curvature/entries/gauss-newton-source.js';
export type { HessianTree, HessianTreeOptions, TreeCandidate } from './curvature/trees/hessian-tree.js';
export type { DampedInverse, DampingOptions, KroneckerFactored } from './curvature/kronecker/kfac.js';
export type { KroneckerFactorization } from './curvature/eigenbasis/factorization.js';
export type { DefinitenessCertificate } from './hierarchical/factor/definiteness.js';
export type { KroneckerHierarchicalMatrix } from './curvature/eigenbasis/matrix.js';
export { SampleOperator } from './curvature/products/sample-operator.js';
export { LowRankOperator } from './lowrank/low-rank-operator.js';
export { projectionError, type RandomizedSvd } from './lowrank/randomized-svd.js';
export type { Nystrom } from './lowrank/nystrom.js';
export type { BlockOptions, BlockSolution, BlockSolver } from './krylov/block-conjugate-gradients.js';
export type { FlexibleOptions } from './krylov/flexible-conjugate-gradients.js';
export type { LinearSolver, Solution, SolveControl, SolverOptions } from './krylov/solution.js';
export type { SpectralDensity } from './krylov/spectral-density.js';
export type { LogDeterminant, TraceEstimate } from './krylov/stochastic-lanczos-quadrature.js';
export type { ConditionEstimate, Factorization, SampleOptions } from './hierarchical/factor/factorization.js';
export type { FactorOptions } from './hierarchical/factor/factor.js';
export type { ExtremeEigenvalues, RitzValue } from './krylov/lanczos.js';

export {
  PRECONDITIONERS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
} from './solve/preconditioners/preconditioner.js';
export type { SolveOptions, SolveResult } from './solve/solve.js';
export type { EntryOperator, EntryOperatorOptions } from './source/entry-operator.js';

export { apply as applyOperator } from './operator/apply.js';
export { converted as convertedOperator } from './operator/converted.js';
export { diagonalOperator } from './operator/diagonal-operator.js';
export { identityOperator } from './operator/identity-operator.js';
export { permuted as permutedOperator } from './operator/permuted.js';
export { product as productOperator } from './operator/product.js';
export { scaled as scaledOperator } from './operator/scaled.js';
export { shifted as shiftedOperator } from './operator/shifted.js';
export { sum as sumOperator } from './operator/sum.js';
export { compressionCost, type CompressionCost, type ProductsOptions } from './hierarchical/from-products/cost.js';

export { saveMatrix, describeMatrixFile, type MatrixFileSummary } from './hierarchical/matrix/file.js';
export { HierarchicalMatrix, type CompressionReport } from './hierarchical/matrix/hierarchical-matrix.js';
export { toleranceAdvice } from './hierarchical/matrix/tolerance-advice.js';
export type { ToleranceLimit, ToleranceLimitKind } from './hierarchical/matrix/tolerance-limits.js';
export type { CompressOptions } from './hierarchical/from-entries/options.js';
export type { ErrorOptions } from './hierarchical/measure/error-estimate.js';
export { decide, type Decision, type ErrorEstimate } from './hierarchical/measure/error-interval.js';
export type { MemoryUse, LevelRanks } from './hierarchical/matrix/memory.js';
export type { LinearOperator } from './operator/linear-operator.js';

export type { EntrySource, GivenPoints, Points, SourceContext, SourceDescriptor } from './source/entry-source.js';
export { denseSource, type DenseSourceOptions, type MatrixLike } from './source/dense-source.js';
export type { Kernel } from './source/kernels/kernel.js';
export {
  cosine,
  gaussian,
  inverseMultiquadric,
  laplace,
  matern32,
  matern52,
  polynomial,
} from './source/kernels/named.js';
export { kernelFamilies, kernelOfFamily, type KernelFamily } from './source/kernels/table.js';
export { expressionKernel } from './source/kernels/expression.js';
export { medianBandwidth } from './source/points.js';
export { validateSource } from './source/validate.js';

export { DISTANCES, type DistanceName } from './tree/distances/table.js';
export type { NeighborOptions, Neighbors } from './tree/neighbors.js';
export type { ClusterTreeOptions } from './tree/build.js';
export type { ClusterTree, GivenTree } from './tree/cluster-tree.js';

export { Team, type TeamOptions } from './parallel/team.js';
export { closeDefaultTeam, openTeam } from './runtime.js';
export type { Blas } from './dense/blas.js';
export { openBlas } from './dense/backend.js';
export { matrixOver, zeros, type FloatArray, type Matrix, type Precision, type Vectors } from './dense/matrix.js';

export type { CsvFormat, CsvReading } from './io/csv-format.js';
export { readPoints, type PointTable, type ReadPointsOptions } from './io/points.js';
export { readNpyMatrix, writeNpyMatrix } from './io/npy.js';
export { RandomStream } from './core/random.js';
export type { AbortSignalLike, Progress, RunControl } from './core/context.js';
export { version } from './core/version.js';
export * from './core/errors.js';
export type { HierarchicalFormat } from './hierarchical/matrix/format.js';
export { layerRanges, unitRanges } from './network/ranges.js';
