/**
 * The public names of hmatrix. Layer 8.
 * Functions that need workers take a team in their last argument, and share one (`closeDefaultTeam`) where none is given.
 */
import type { RunControl } from './core/context.js';
import { compress as compressOn } from './hierarchical/compress.js';
import { loadMatrix as loadOn } from './hierarchical/file.js';
import type { HierarchicalMatrix } from './hierarchical/matrix.js';
import type { CompressOptions } from './hierarchical/options.js';
import type { TeamControl } from './parallel/team-control.js';
import type { Team } from './parallel/team.js';
import type { Blas } from './dense/blas.js';
import { defaultBlas, defaultTeam } from './runtime.js';
import type { EntrySource, Points } from './source/entry-source.js';
import { kernelSource as kernelSourceOn } from './source/kernel-source.js';
import type { Kernel } from './source/kernels.js';
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

export { saveMatrix, describeMatrixFile, type MatrixFileSummary } from './hierarchical/file.js';
export { HierarchicalMatrix, type CompressionReport } from './hierarchical/matrix.js';
export type { LevelRanks } from './hierarchical/ranks.js';
export type { CompressOptions, HierarchicalFormat } from './hierarchical/options.js';
export type { ErrorEstimate, ErrorOptions } from './hierarchical/error-estimate.js';
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
