/**
 * hmatrix: hierarchical matrices for Hessians, kernels and covariances.
 *
 * Nine names that one learns first, the types that they take and return, and everything else in namespaces by subject;
 * each namespace is an entry of its own too (`import { conjugateGradients } from 'hmatrix/krylov'`).
 * Functions that need workers take a team in their last argument, and share one where none is given.
 */
export { compress } from './hierarchical/from-entries/compress.js';
export { factor } from './hierarchical/factor/factor.js';
export { HierarchicalMatrix } from './hierarchical/matrix/hierarchical-matrix.js';
export { gaussNewton } from './curvature/products/gauss-newton.js';
export { openTeam } from './parallel/default-team.js';
export { approximate } from './approximation/approximate.js';
export { solve } from './solve/solve.js';
export { denseSource } from './source/dense-source.js';
export { kernelSource } from './source/kernel-source.js';

export * as approximation from './public/approximation.js';
export * as curvature from './public/curvature.js';
export * as datasets from './public/datasets.js';
export * as dense from './public/dense.js';
export * as devices from './public/devices.js';
export * as errors from './public/errors.js';
export * as hierarchical from './public/hierarchical.js';
export * as io from './public/io.js';
export * as kernels from './public/kernels.js';
export * as krylov from './public/krylov.js';
export * as layers from './public/layers.js';
export * as lowrank from './public/lowrank.js';
export * as networks from './public/networks.js';
export * as operators from './public/operators.js';
export * as preconditioners from './public/preconditioners.js';
export * as random from './public/random.js';
export * as report from './public/report.js';
export * as sources from './public/sources.js';
export * as teams from './public/teams.js';
export * as text from './public/text.js';
export * as training from './public/training.js';
export * as trees from './public/trees.js';

export type { Approximation } from './approximation/approximation.js';
export type { ApproximationMethod } from './approximation/methods/table.js';
export type { Progress } from './core/context.js';
export type { CurvatureOptions, SampleOperator } from './curvature/products/sample-operator.js';
export type { FlatVector, FloatArray, Matrix, Precision, Vectors } from './dense/matrix.js';
export type { FactorOptions } from './hierarchical/factor/factor.js';
export type { Factorization } from './hierarchical/factor/factorization.js';
export type { CompressControl } from './hierarchical/from-entries/compress.js';
export type { CompressOptions } from './hierarchical/from-entries/options.js';
export type { HierarchicalFormat } from './hierarchical/matrix/format.js';
export type { CompressionReport } from './hierarchical/matrix/report.js';
export type { ErrorOptions } from './hierarchical/measure/error-estimate.js';
export type { ErrorEstimate } from './hierarchical/measure/error-interval.js';
export type { GivenModel, Model } from './network/model.js';
export type { LinearOperator } from './operator/linear-operator.js';
export type { Control } from './parallel/default-team.js';
export type { Team, TeamOptions } from './parallel/team.js';
export type { GivenSolveOptions, SolveOptions, SolveResult } from './solve/options.js';
export type { GivenMatrix } from './approximation/given-matrix.js';
export type { DenseSourceOptions } from './source/dense-source.js';
export type { EntrySource, GivenPoints, Points, SourceDescriptor } from './source/entry-source.js';
export type { KernelSourceOptions } from './source/kernel-source.js';
export type { Kernel } from './source/kernels/kernel.js';
export type { Accuracy, ApproximationOptions, Budget, Goal } from './approximation/methods/method.js';
