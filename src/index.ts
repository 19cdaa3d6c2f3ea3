/**
 * The public names of hmatrix. Layer 8.
 * Functions that need workers take a team in their last argument, and share one (`closeDefaultTeam`) where none is given.
 */
import type { RunControl } from './core/context.js';
import { approximate as approximateOn } from './approximation/approximate.js';
import type { Approximation, ApproximationMethod, ApproximationOptions, Budget } from './approximation/approximation.js';
import { operatorError as operatorErrorOn, type ExactMatrix, type OperatorErrorOptions } from './approximation/operator-error.js';
import { blockDiagonal as blockDiagonalOn, type BlockDiagonalOperator, type Ranges } from './curvature/block-diagonal.js';
import { curvatureDiagonal as curvatureDiagonalOn, type CurvatureDiagonal, type DiagonalOptions } from './curvature/diagonal.js';
import { dualForm as dualFormOn, type DualForm, type DualOptions } from './curvature/dual.js';
import { ekfac as ekfacOn, type EigenvalueCorrected } from './curvature/ekfac.js';
import { empiricalFisher as empiricalFisherOn, monteCarloFisher as monteCarloFisherOn, type MonteCarloOptions } from './curvature/fisher.js';
import { gaussNewton as gaussNewtonOn } from './curvature/gauss-newton.js';
import { gaussNewtonSource as gaussNewtonSourceOn, type GaussNewtonSource, type GaussNewtonSourceOptions } from './curvature/gauss-newton-source.js';
import { compressHessian as compressHessianOn, type CompressedHessian, type CompressHessianOptions } from './curvature/compress-hessian.js';
import { hessian as hessianOn } from './curvature/hessian.js';
import { hessianTree as hessianTreeOn, type HessianTree, type HessianTreeOptions } from './curvature/hessian-tree.js';
import { kfac as kfacOn, type KroneckerFactored, type KroneckerOptions } from './curvature/kfac.js';
import { factorKronecker as factorKroneckerOn, type KroneckerFactorization, type KroneckerFactorOptions } from './curvature/kronecker-factorization.js';
import { kroneckerHierarchical as kroneckerHierarchicalOn, type KroneckerHierarchicalOptions } from './curvature/kronecker-hierarchical.js';
import type { KroneckerHierarchicalMatrix } from './curvature/kronecker-hierarchical-matrix.js';
import type { CurvatureOptions, SampleOperator } from './curvature/sample-operator.js';
import { sampledGaussNewtonSource as sampledSourceOn, type SampledGaussNewtonSource, type SampledSourceOptions } from './curvature/sampled-entries.js';
import { sketchEmbedding as sketchEmbeddingOn, type SketchOptions as EmbeddingOptions } from './curvature/sketch.js';
import { structuralTree as structuralTreeOn, type StructuralTreeOptions } from './curvature/structural-tree.js';
import { compress as compressOn } from './hierarchical/compress.js';
import { compressOperator as compressOperatorOn } from './hierarchical/compress-operator.js';
import type { ProductsOptions } from './hierarchical/compression-cost.js';
import { loadMatrix as loadOn } from './hierarchical/file.js';
import type { HierarchicalMatrix } from './hierarchical/matrix.js';
import type { CompressOptions } from './hierarchical/options.js';
import { certifyDefiniteness as certifyDefinitenessOn, type DefinitenessCertificate, type DefinitenessOptions } from './hierarchical/definiteness.js';
import { factor as factorOn, type FactorOptions } from './hierarchical/factor.js';
import type { Factorization } from './hierarchical/factorization.js';
import { blockConjugateGradientSolver as blockSolverOn, type BlockOptions, type BlockSolver } from './krylov/block-conjugate-gradients.js';
import { flexibleConjugateGradientSolver as flexibleSolverOn, type FlexibleOptions } from './krylov/flexible-conjugate-gradients.js';
import type { ProbeOptions } from './krylov/lanczos-quadrature.js';
import type { LinearSolver } from './krylov/solution.js';
import { spectralDensity as spectralDensityOn, type DensityOptions, type SpectralDensity } from './krylov/spectral-density.js';
import { logDeterminant as logDeterminantOn, stochasticLanczosQuadrature as quadratureOn, type LogDeterminant, type LogDeterminantOptions, type TraceEstimate } from './krylov/stochastic-lanczos-quadrature.js';
import { extremeEigenvalues as extremeEigenvaluesOn, type ExtremeEigenvalues, type LanczosOptions } from './krylov/lanczos.js';
import { nystrom as nystromOn, type Nystrom } from './lowrank/nystrom.js';
import { randomizedSvd as randomizedSvdOn, type RandomizedSvd, type RandomizedSvdOptions } from './lowrank/randomized-svd.js';
import type { SketchOptions } from './lowrank/sketch.js';
import { lossAndGradient as lossAndGradientOn, meanLoss as meanLossOn, type BatchOptions } from './network/gradient.js';
import type { Model } from './network/model.js';
import { trainAdam as trainAdamOn, type AdamOptions, type Training } from './network/train.js';
import { denseOperator as denseOperatorOn } from './operator/dense-operator.js';
import type { LinearOperator } from './operator/linear-operator.js';
import type { TeamControl } from './parallel/team-control.js';
import type { Team } from './parallel/team.js';
import type { Blas } from './dense/blas.js';
import type { FloatArray, Matrix } from './dense/matrix.js';
import type { ErrorEstimate } from './hierarchical/error-interval.js';
import { defaultBlas, defaultTeam } from './runtime.js';
import type { EntrySource, Points } from './source/entry-source.js';
import { kernelSource as kernelSourceOn } from './source/kernel-source.js';
import type { Kernel } from './source/kernels.js';
import { entryOperator as entryOperatorOn, type EntryOperator, type EntryOperatorOptions } from './source/entry-operator.js';
import { subjectOf } from './approximation/subject.js';
import { makePreconditioner as makePreconditionerOn } from './solve/make-preconditioner.js';
import type { Preconditioner, PreconditionerName, PreconditionerOptions } from './solve/preconditioner.js';
import { solve as solveOn, type SolveOptions, type SolveResult } from './solve/solve.js';
import { buildClusterTree as buildClusterTreeOn, type ClusterTreeOptions } from './tree/build.js';
import type { ClusterTree } from './tree/cluster-tree.js';
import type { DistanceName } from './tree/distance.js';
import { findNeighbors as findNeighborsOn, type NeighborOptions, type Neighbors } from './tree/neighbors.js';

/** What long-running functions take last: the team that works, an AbortSignal, a progress callback. All may be left out. */
export interface Control extends RunControl { readonly team?: Team | undefined }

async function onTeam({ team, signal, onProgress }: Control): Promise<TeamControl> {
  return { team: team ?? (await defaultTeam()), signal, onProgress };
}

/**
 * Compresses a symmetric positive semidefinite N × N matrix K, seen through its entries, to a hierarchical matrix K̃ with
 * ‖K − K̃‖_F ≤ tolerance·‖K‖_F as far as `maxRank` allows; `HierarchicalMatrix.estimateError` measures it.
 * Cost O(N log N) entries and flops at fixed rank. The same seed gives the same bits on a team of any size.
 * Throws OptionError; NonFiniteError, AsymmetryError, NotPositiveDefiniteError for what a sample of the source shows; MemoryError before anything large
 * is allocated; AbortedError; WorkerError. Method: C. Yu, J. Levitt, S. Reiz, G. Biros, SC17, arXiv 1707.00164.
 *
 * ```js
 * const source = kernelSource({ dimension: 2, count: 1000, coordinates }, gaussian(0.5));
 * const matrix = await compress(source, { tolerance: 1e-6 });
 * const y = matrix.apply(matrixOver(x, 1000, 1));
 * ```
 */
export async function compress(source: EntrySource, options: CompressOptions = {}, control: Control = {}): Promise<HierarchicalMatrix> {
  return compressOn(source, options, await onTeam(control));
}

/**
 * Reads a matrix that `saveMatrix` wrote; its products have the same bits as the saved one's (on the same dense backend).
 * Throws FileFormatError naming what is wrong, FileAccessError, MemoryError, AbortedError.
 */
export async function loadMatrix(path: string, control: Control = {}): Promise<HierarchicalMatrix> {
  return loadOn(path, await onTeam(control));
}

/**
 * The matrix K_ij = k(x_i, x_j) + ridge·δ_ij of a kernel over N points in ℝᵈ (point i is coordinates[i·d … i·d + d)), evaluated by blocks on demand.
 * The coordinates are copied only if they do not lie over a SharedArrayBuffer. Throws ShapeError, NonFiniteError, OptionError.
 */
export function kernelSource(points: Points, kernel: Kernel, options: { readonly ridge?: number; readonly blas?: Blas } = {}): EntrySource {
  const { ridge = 0, blas = defaultBlas() } = options;
  return kernelSourceOn(points, kernel, { ridge, blas });
}

/**
 * The κ nearest neighbours of every index by a distance that needs no more than entries, approximately, with a measured recall.
 * Throws OptionError, NonFiniteError, AbortedError, WorkerError.
 */
export async function findNeighbors(source: EntrySource, distance: DistanceName, options: NeighborOptions, control: Control = {}): Promise<Neighbors> {
  return findNeighborsOn(source, distance, options, await onTeam(control));
}

/** The cluster tree of a source: two-centroid splits at the exact median. Throws OptionError, NonFiniteError, AbortedError, WorkerError. */
export async function buildClusterTree(source: EntrySource, distance: DistanceName, options: ClusterTreeOptions, control: Control = {}): Promise<ClusterTree> {
  return buildClusterTreeOn(source, distance, options, await onTeam(control));
}

/** Options with a dense backend, which may be left out. */
type BlasOptional<T> = Omit<T, 'blas'> & { readonly blas?: Blas };
const withBlas = <T extends object>(options: T): T & { readonly blas: Blas } => ({ blas: defaultBlas(), ...options });

/**
 * Approximates a symmetric N × N operator within a budget: at most `budget.share` of the 8N² bytes of the dense matrix, everything stored counted. Methods: hm (the hierarchical matrix that
 * suits: of curvature, in the Kronecker eigenbasis), rsvd, nystrom, kfac, kfac-mc, ekfac, diagonal, block-diagonal, hss, hodlr, fmm. `error()` measures ‖A − Ã‖_F/‖A‖_F: on all columns
 * up to N = 20,000, else on a sample with a 95 % interval. Throws OptionError (a share too small names the least one; a network or entries that a method needs and are not there),
 * ShapeError, MemoryError, AbortedError.
 *
 * ```js
 * const hessian = gaussNewton(model);
 * const { operator, bytes, error } = await approximate(hessian, 'hm', { share: 0.01 });
 * const { relative } = await error();
 * ```
 */
export async function approximate(operator: LinearOperator, method: ApproximationMethod, budget: Budget, options: ApproximationOptions = {}, control: Control = {}): Promise<Approximation> {
  return approximateOn(operator, method, budget, options, await onTeam(control));
}

/** ε_F = ‖A − Ã‖_F/‖A‖_F of any approximation of a matrix that is seen through entries or products. Throws ShapeError, OptionError, AbortedError. */
export async function operatorError(exact: ExactMatrix, approximation: LinearOperator, options: OperatorErrorOptions = {}, control: Control = {}): Promise<ErrorEstimate> {
  return operatorErrorOn(exact, approximation, options, await onTeam(control));
}

/**
 * Compresses a symmetric operator on a given cluster tree from products alone. Throws ShapeError, OptionError, AsymmetryError, NonFiniteError, MemoryError, AbortedError.
 * Sources: J. Levitt, P.-G. Martinsson, arXiv 2205.02990 (hss); L. Lin, J. Lu, L. Ying, J. Comput. Phys. 230(10), 2011 (hodlr).
 */
export async function compressOperator(operator: LinearOperator, tree: ClusterTree, options: ProductsOptions, control: Control = {}): Promise<HierarchicalMatrix> {
  return compressOperatorOn(operator, tree, options, await onTeam(control));
}

/**
 * G = (1/n) Σ J_iᵀQ_iJ_i of a model through products, ≈ 8nN flops a vector; positive semidefinite of rank at most n·r. With a `team` its workers share each product.
 * Throws ShapeError, OptionError, MemoryError, NonFiniteError.
 *
 * ```js
 * const network = defineNetwork({ widths: [784, 10, 784], activation: 'tanh' });
 * const model = { network, parameters: initialParameters(network, 0), loss: 'mse', data: memoryDataSet(images, images) };
 * const y = applyOperator(gaussNewton(model), x);
 * ```
 */
export const gaussNewton = (model: Model, options: BlasOptional<CurvatureOptions> = {}): SampleOperator => gaussNewtonOn(model, withBlas(options));

/** H = ∇²f(θ) of the mean loss through products (Pearlmutter), ≈ 12nN flops a vector; in general indefinite. Throws as `gaussNewton`. */
export const hessian = (model: Model, options: BlasOptional<CurvatureOptions> = {}): SampleOperator => hessianOn(model, withBlas(options));

/** (1/n) Σ g_i g_iᵀ with the gradients at the targets, through products. Throws as `gaussNewton`. */
export const empiricalFisher = (model: Model, options: BlasOptional<CurvatureOptions> = {}): SampleOperator => empiricalFisherOn(model, withBlas(options));

/** The Fisher matrix from gradients at labels drawn from the model: an unbiased estimate of G. Throws as `gaussNewton`. */
export const monteCarloFisher = (model: Model, options: BlasOptional<MonteCarloOptions>): SampleOperator => monteCarloFisherOn(model, withBlas(options));

/** K-FAC: blockdiag(A ⊗ Γ), with `solver({ damping })`. Source: J. Martens, R. Grosse, arXiv 1503.05671. Throws ShapeError, OptionError, NonFiniteError. */
export const kfac = (model: Model, options: BlasOptional<KroneckerOptions> = {}): KroneckerFactored => kfacOn(model, withBlas(options));

/** EKFAC: K-FAC's eigenbasis with the eigenvalues that fit G best. Source: T. George et al., arXiv 1806.03884. Throws as `kfac`, and FactorizationError. */
export const ekfac = (model: Model, options: BlasOptional<KroneckerOptions> = {}): EigenvalueCorrected => ekfacOn(model, withBlas(options));

/** diag(G) as an operator, exact, with the data read once. Throws ShapeError, OptionError, NonFiniteError. */
export const curvatureDiagonal = (model: Model, options: BlasOptional<DiagonalOptions> = {}): CurvatureDiagonal => curvatureDiagonalOn(model, withBlas(options));

/** G as a source of entries, for `compress` and for reading single blocks: 2n flops an entry. Source: C. Chen et al., arXiv 1910.12184. Throws ShapeError, OptionError, NonFiniteError, MemoryError. */
export const gaussNewtonSource = (model: Model, options: BlasOptional<GaussNewtonSourceOptions> = {}): GaussNewtonSource => gaussNewtonSourceOn(model, withBlas(options));

/** Estimates of G's entries from a few data points each, with a bound on their error: √(G_aa G_bb)·ε. Throws ShapeError, OptionError, NonFiniteError, MemoryError. */
export const sampledGaussNewtonSource = (model: Model, options: BlasOptional<SampledSourceOptions> = {}): SampledGaussNewtonSource => sampledSourceOn(model, withBlas(options));

/** The dual (neural tangent kernel) form, for n·r up to some thousands: spectrum, ‖G‖_F and solves that are exact. Throws OptionError, MemoryError, NonFiniteError, ShapeError. */
export const dualForm = (model: Model, options: BlasOptional<DualOptions> = {}): DualForm => dualFormOn(model, withBlas(options));

/** Points in ℝᵏ, one for each parameter, whose inner products estimate G. Throws OptionError, ShapeError, NonFiniteError, AbortedError. */
export const sketchEmbedding = (model: Model, options: BlasOptional<EmbeddingOptions> = {}): Points => sketchEmbeddingOn(model, withBlas(options));

/** G as a hierarchical matrix in the Kronecker eigenbasis, at a share of the dense memory or to a relative error, which is known. Throws OptionError, ShapeError, NonFiniteError, MemoryError, AbortedError. */
export async function kroneckerHierarchical(model: Model, options: KroneckerHierarchicalOptions, control: Control = {}): Promise<KroneckerHierarchicalMatrix> {
  return kroneckerHierarchicalOn(model, options, await onTeam(control));
}

/**
 * Factors G̃ + λI, λ > 0, of a matrix that `kroneckerHierarchical` made with { preserve: 'positive-definite' }: solves, log-determinant, `refactor` for another λ; an operator that preconditions.
 * Throws OptionError (λ ≤ 0; a matrix made otherwise), NotPositiveDefiniteError where λ is lost in rounding, MemoryError, AbortedError.
 */
export async function factorKronecker(matrix: KroneckerHierarchicalMatrix, options: KroneckerFactorOptions, control: Control = {}): Promise<KroneckerFactorization> {
  return factorKroneckerOn(matrix, options, await onTeam(control));
}

/**
 * Whether a compressed matrix K̃ is positive definite: λ_min by Lanczos with its bound, a proof by factorization where the format has one, and the smallest shift that works.
 * Throws OptionError, MemoryError, AbortedError.
 */
export async function certifyDefiniteness(matrix: HierarchicalMatrix, options: DefinitenessOptions = {}, control: Control = {}): Promise<DefinitenessCertificate> {
  return certifyDefinitenessOn(matrix, options, await onTeam(control));
}

/**
 * G as an HSS, HODLR or FMM matrix in the weights' own coordinates: tree and way (entries or products) are chosen where they are not given. Throws OptionError, ShapeError, NonFiniteError,
 * MemoryError, AbortedError.
 *
 * ```js
 * const { matrix, reason } = await compressHessian(model, { tolerance: 1e-3 });
 * ```
 */
export async function compressHessian(model: Model, options: CompressHessianOptions = {}, control: Control = {}): Promise<CompressedHessian> {
  return compressHessianOn(model, options, await onTeam(control));
}

/** A cluster tree for a network's Hessian: the one asked for, or the best of several by error measured on samples. Throws OptionError, ShapeError, NonFiniteError, AbortedError. */
export async function hessianTree(model: Model, source: EntrySource, options: HessianTreeOptions, control: Control = {}): Promise<HessianTree> {
  return hessianTreeOn(model, source, options, await onTeam(control));
}

/** The cluster tree of a network's weights by its structure: layer, output unit, inputs. Throws OptionError, NonFiniteError, AbortedError. */
export async function structuralTree(model: Model, source: Pick<EntrySource, 'size' | 'diagonal'>, options: StructuralTreeOptions, control: Control = {}): Promise<ClusterTree> {
  return structuralTreeOn(model, source, options, await onTeam(control));
}

/** The blocks of a matrix on its diagonal, stored as they are (`layerRanges`, `unitRanges` of a network, or ranges of yours). Throws ShapeError, MemoryError, AbortedError. */
export async function blockDiagonal(source: EntrySource, ranges: Ranges, options: { readonly memoryLimit?: number } = {}, control: Control = {}): Promise<BlockDiagonalOperator> {
  return blockDiagonalOn(source, ranges, await onTeam(control), options);
}

/** U diag(λ) Uᵀ of rank r by random sketches and power passes, nearly the best of its rank. Source: N. Halko, P.-G. Martinsson, J. Tropp, arXiv 0909.4061. Throws ShapeError, OptionError, MemoryError, NonFiniteError, AbortedError. */
export async function randomizedSvd(operator: LinearOperator, options: BlasOptional<RandomizedSvdOptions>, control: Control = {}): Promise<RandomizedSvd> {
  const on = await onTeam(control);
  return randomizedSvdOn(operator, { blas: on.team.blas, ...options }, on);
}

/** A positive semidefinite approximation of rank r from one pass of r + 10 products. Source: Z. Frangella, J. Tropp, M. Udell, SIMAX 44(2), 2023. Throws as `randomizedSvd`, and NotPositiveDefiniteError. */
export async function nystrom(operator: LinearOperator, options: BlasOptional<SketchOptions>, control: Control = {}): Promise<Nystrom> {
  const on = await onTeam(control);
  return nystromOn(operator, { blas: on.team.blas, ...options }, on);
}

/** The smallest and the largest eigenvalue of a symmetric operator by the Lanczos method, with verified bounds. Throws ShapeError, OptionError, MemoryError, AbortedError. */
export const extremeEigenvalues = (operator: LinearOperator, options: BlasOptional<LanczosOptions> = {}, control: RunControl = {}): Promise<ExtremeEigenvalues> => extremeEigenvaluesOn(operator, withBlas(options), control);

/**
 * Factors K̃ + shift·I of a matrix of format 'hss' or 'hodlr': solves, the determinant, samples, the exact diagonal of the inverse; `refactor` takes another shift. O(N) at fixed rank
 * for 'hss'. Throws NotPositiveDefiniteError with a shift that works, OptionError (other formats), MemoryError, AbortedError.
 */
export async function factor(matrix: HierarchicalMatrix, options: FactorOptions = {}, control: Control = {}): Promise<Factorization> {
  return factorOn(matrix, options, await onTeam(control));
}

/**
 * Solves (A + λI) X = B for a symmetric positive semidefinite N × N operator and one or many right-hand sides (N × p), to ‖b − (A + λI)x‖/‖b‖ ≤ tolerance (default 1e-8) of every column: by
 * conjugate gradients with the preconditioner named (none, jacobi, block-jacobi, kfac, ekfac, nystrom, dual, hodlr, hss), a given one, or, by default, the one whose predicted cost is least; `reason` says
 * why. λ is `shift`, or `shiftRelative`·‖A‖₂. Matrices of format 'hss' and 'hodlr' are factored themselves, 'fmm' is solved with an HSS as preconditioner. `outcome`, `residual` (true ones) and
 * `history` are data: whether it converged is for the caller to read. Throws ShapeError, OptionError, NonFiniteError, NotPositiveDefiniteError, MemoryError, AbortedError.
 * Sources: Y. Saad, *Iterative Methods for Sparse Linear Systems*, SIAM 2003; of the preconditioners in their files (src/solve).
 *
 * ```js
 * const { x, outcome, residual, reason } = await solve(gaussNewton(model), gradient, { shiftRelative: 1e-3, tolerance: 1e-6 });
 * ```
 */
export async function solve(operator: LinearOperator, b: Matrix, options: SolveOptions = {}, control: Control = {}): Promise<SolveResult> {
  return solveOn(operator, b, options, await onTeam(control));
}

/**
 * M ≈ (A + λI)⁻¹ by its name, symmetric positive definite as an operator, for the solvers here or of yours; `reshift(λ)` makes it for another λ without compressing again. `source` and `model`
 * give entries and network of the same matrix, where the operator does not bring them. Throws OptionError (λ < 0; entries or a network that it needs), NotPositiveDefiniteError where λ is too small for it,
 * ShapeError, MemoryError, AbortedError.
 */
export async function makePreconditioner(
  operator: LinearOperator, name: PreconditionerName, options: PreconditionerOptions & { readonly shift?: number; readonly source?: EntrySource; readonly model?: Model } = {}, control: Control = {},
): Promise<Preconditioner> {
  const { shift = 0, source, model, ...making } = options;
  const on = await onTeam(control);
  return makePreconditionerOn(subjectOf(operator, { source, model }, on), name, shift, making, on);
}

/** Products with a matrix that is seen through its entries: N² of them a product of up to 256 vectors, or once where 8N² bytes may be kept. Throws OptionError, AbortedError. */
export async function entryOperator(source: EntrySource, options: EntryOperatorOptions = {}, control: Control = {}): Promise<EntryOperator> {
  return entryOperatorOn(source, options, await onTeam(control));
}

/** A solver by flexible conjugate gradients, for preconditioners that change; its workspace is kept. Throws ShapeError, OptionError. */
export const flexibleConjugateGradientSolver = (operator: LinearOperator, options: BlasOptional<FlexibleOptions> = {}): LinearSolver => flexibleSolverOn(operator, withBlas(options));

/** A solver for many right-hand sides by block conjugate gradients, which lets go of columns that are done; its workspace is kept. Throws ShapeError, OptionError. */
export const blockConjugateGradientSolver = (operator: LinearOperator, options: BlasOptional<BlockOptions> = {}): BlockSolver => blockSolverOn(operator, withBlas(options));

/** tr f(A) by stochastic Lanczos quadrature, with an interval. Throws ShapeError, OptionError, AbortedError. */
export const stochasticLanczosQuadrature = (operator: LinearOperator, f: (eigenvalue: number) => number, options: BlasOptional<ProbeOptions> = {}, control: RunControl = {}): Promise<TraceEstimate> => quadratureOn(operator, f, withBlas(options), control);

/** log det A of a positive definite operator by stochastic Lanczos quadrature, with an interval. Throws ShapeError, OptionError, AbortedError. */
export const logDeterminant = (operator: LinearOperator, options: BlasOptional<LogDeterminantOptions> = {}, control: RunControl = {}): Promise<LogDeterminant> => logDeterminantOn(operator, withBlas(options), control);

/** The density of A's eigenvalues, smoothed, with pointwise intervals. Throws ShapeError, OptionError, AbortedError. */
export const spectralDensity = (operator: LinearOperator, options: BlasOptional<DensityOptions>, control: RunControl = {}): Promise<SpectralDensity> => spectralDensityOn(operator, withBlas(options), control);

/** Minimises the mean loss by Adam from `model.parameters`, which stay as they are. Throws OptionError, ShapeError, AbortedError, NonFiniteError. */
export const trainAdam = (model: Model, options: AdamOptions, control: RunControl & { readonly blas?: Blas } = {}): Promise<Training> => trainAdamOn(model, options, withBlas(control));

/** f(θ) and ∇f(θ) over all data. Throws ShapeError, OptionError, NonFiniteError, AbortedError. */
export const lossAndGradient = (model: Model, options: BatchOptions & { readonly blas?: Blas } = {}): { loss: number; gradient: FloatArray } => lossAndGradientOn(model, options.blas ?? defaultBlas(), options);

/** The mean loss f(θ). Throws as `lossAndGradient`. */
export const meanLoss = (model: Model, options: BatchOptions & { readonly blas?: Blas } = {}): number => meanLossOn(model, options.blas ?? defaultBlas(), options);

/** A stored matrix as an operator. */
export const denseOperator = (matrix: Matrix, symmetric: boolean, options: { readonly blas?: Blas } = {}): LinearOperator => denseOperatorOn(matrix, symmetric, options.blas ?? defaultBlas());

export { ACTIVATIONS, type ActivationName } from './network/activation.js';
export { LOSSES, type LossName } from './network/loss-name.js';
export { defineNetwork, layerWeights, type Layer, type Network, type NetworkOptions } from './network/network.js';
export { labelTargets, memoryDataSet, type Batch, type DataSet } from './network/data-set.js';
export { checkModel, type Model } from './network/model.js';
export { initialParameters, type InitialScheme } from './network/initialize.js';
export type { AdamOptions, Training } from './network/train.js';
export { readWeights, writeWeights, type LoadedWeights, type ReadWeightsOptions, type WriteWeightsOptions } from './network/weights-file.js';
export { readLabels, type ReadLabelsOptions } from './io/labels.js';

export { APPROXIMATION_METHODS, type Approximation, type ApproximationMethod, type ApproximationOptions, type Budget } from './approximation/approximation.js';
export type { ExactMatrix, OperatorErrorOptions } from './approximation/operator-error.js';
export { layerRanges, unitRanges, type BlockDiagonalOperator } from './curvature/block-diagonal.js';
export { HESSIAN_DISTANCES, type HessianDistance } from './curvature/hessian-tree.js';
export type { CompressedHessian, CompressHessianOptions } from './curvature/compress-hessian.js';
export type { CurvatureDiagonal } from './curvature/diagonal.js';
export type { DualForm } from './curvature/dual.js';
export type { EigenvalueCorrected } from './curvature/ekfac.js';
export type { GaussNewtonSource } from './curvature/gauss-newton-source.js';
export type { HessianTree, HessianTreeOptions, TreeCandidate } from './curvature/hessian-tree.js';
export type { DampedInverse, DampingOptions, KroneckerFactored } from './curvature/kfac.js';
export type { KroneckerFactorization } from './curvature/kronecker-factorization.js';
export type { DefinitenessCertificate } from './hierarchical/definiteness.js';
export type { KroneckerHierarchicalMatrix } from './curvature/kronecker-hierarchical-matrix.js';
export { SampleOperator } from './curvature/sample-operator.js';
export { LowRankOperator } from './lowrank/low-rank-operator.js';
export { projectionError, type RandomizedSvd } from './lowrank/randomized-svd.js';
export type { Nystrom } from './lowrank/nystrom.js';
export { conjugateGradients, conjugateGradientSolver } from './krylov/conjugate-gradients.js';
export { minres, minresSolver } from './krylov/minres.js';
export type { BlockOptions, BlockSolution, BlockSolver } from './krylov/block-conjugate-gradients.js';
export type { FlexibleOptions } from './krylov/flexible-conjugate-gradients.js';
export type { LinearSolver, Solution, SolveControl, SolverOptions } from './krylov/solution.js';
export type { SpectralDensity } from './krylov/spectral-density.js';
export type { LogDeterminant, TraceEstimate } from './krylov/stochastic-lanczos-quadrature.js';
export type { ConditionEstimate, Factorization, SampleOptions } from './hierarchical/factorization.js';
export type { FactorOptions } from './hierarchical/factor.js';
export type { ExtremeEigenvalues, RitzValue } from './krylov/lanczos.js';

export { PRECONDITIONERS, type Preconditioner, type PreconditionerName, type PreconditionerOptions } from './solve/preconditioner.js';
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
export { compressionCost, type CompressionCost, type ProductsOptions } from './hierarchical/compression-cost.js';

export { saveMatrix, describeMatrixFile, type MatrixFileSummary } from './hierarchical/file.js';
export { HierarchicalMatrix, type CompressionReport } from './hierarchical/matrix.js';
export type { LevelRanks } from './hierarchical/ranks.js';
export type { CompressOptions, HierarchicalFormat } from './hierarchical/options.js';
export type { ErrorOptions } from './hierarchical/error-estimate.js';
export { decide, type Decision, type ErrorEstimate } from './hierarchical/error-interval.js';
export type { MemoryUse } from './hierarchical/memory.js';
export type { LinearOperator } from './operator/linear-operator.js';

export type { EntrySource, Points, SourceContext, SourceDescriptor } from './source/entry-source.js';
export { denseSource, type DenseSourceOptions, type MatrixLike } from './source/dense-source.js';
export { cosine, gaussian, inverseMultiquadric, kernelFamilies, kernelOfFamily, laplace, matern32, matern52, polynomial, type Kernel, type KernelFamily } from './source/kernels.js';
export { expressionKernel } from './source/expression-kernel.js';
export { medianBandwidth } from './source/points.js';
export { validateSource } from './source/validate.js';

export { DISTANCES, type DistanceName } from './tree/distance.js';
export type { NeighborOptions, Neighbors } from './tree/neighbors.js';
export type { ClusterTreeOptions } from './tree/build.js';
export type { ClusterTree } from './tree/cluster-tree.js';

export { Team, type TeamOptions } from './parallel/team.js';
export { closeDefaultTeam, openTeam } from './runtime.js';
export type { Blas } from './dense/blas.js';
export { openBlas } from './dense/backend.js';
export { matrixOver, zeros, type FloatArray, type Matrix, type Precision } from './dense/matrix.js';

export { readPoints, type PointTable, type ReadPointsOptions } from './io/points.js';
export { readNpyMatrix, writeNpyMatrix } from './io/npy.js';
export { RandomStream } from './core/random.js';
export type { Progress, RunControl } from './core/context.js';
export { version } from './core/version.js';
export * from './core/errors.js';
