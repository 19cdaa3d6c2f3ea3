/**
 * Curvature of networks: Gauss–Newton, Hessian and Fisher matrices by products, by entries, by Kronecker factors, and
 * compressed.
 */
export { gaussNewton } from '../curvature/products/gauss-newton.js';
export { hessian } from '../curvature/products/hessian.js';
export type { GraphOperator } from '../curvature/graphs/operator.js';
export { empiricalFisher, monteCarloFisher, type MonteCarloOptions } from '../curvature/products/fisher.js';
export { SampleOperator, type CurvatureOptions } from '../curvature/products/sample-operator.js';
export {
  gaussNewtonSource,
  type GaussNewtonSource,
  type GaussNewtonSourceOptions,
} from '../curvature/entries/gauss-newton-source.js';
export {
  sampledGaussNewtonSource,
  type SampledGaussNewtonSource,
  type SampledSourceOptions,
} from '../curvature/entries/sampled-source.js';
export { dualForm, type DualForm, type DualInverse, type DualOptions } from '../curvature/entries/dual-form.js';
export {
  kfac,
  type DampedInverse,
  type DampingOptions,
  type GraphKroneckerFactored,
  type KroneckerFactored,
} from '../curvature/kronecker/kfac.js';
export type { BlockRule, WeightSharing } from '../curvature/kronecker/graph-factors.js';
export type { GraphKroneckerOptions } from '../curvature/kronecker/graph-walk.js';
export type { KroneckerOptions } from '../curvature/kronecker/factors.js';
export { ekfac, type EigenvalueCorrected } from '../curvature/kronecker/ekfac.js';
export {
  curvatureDiagonal,
  type CurvatureDiagonal,
  type DiagonalOptions,
} from '../curvature/kronecker/curvature-diagonal.js';
export { kroneckerHierarchical, type KroneckerHierarchicalOptions } from '../curvature/eigenbasis/compress.js';
export type { KroneckerHierarchicalMatrix } from '../curvature/eigenbasis/matrix.js';
export { kroneckerSum, type KroneckerSumOptions } from '../curvature/kronecker-sum/compress.js';
export type {
  KroneckerSumMatrix,
  KroneckerSumMemory,
  KroneckerSumReport,
  SumSourceOptions,
} from '../curvature/kronecker-sum/matrix.js';
export {
  factorKronecker,
  type KroneckerFactorization,
  type KroneckerFactorOptions,
} from '../curvature/eigenbasis/factorization.js';
export {
  compressHessian,
  type CompressedHessian,
  type CompressHessianOptions,
} from '../curvature/trees/compress-hessian.js';
export {
  HESSIAN_DISTANCES,
  hessianTree,
  type HessianDistance,
  type HessianTree,
  type HessianTreeOptions,
  type TreeCandidate,
} from '../curvature/trees/hessian-tree.js';
export { predictiveVariance, type VarianceOptions } from '../curvature/products/predictive-variance.js';
export {
  logMarginalLikelihood,
  type Evidence,
  type EvidenceOptions,
  type KnownDeterminant,
} from '../curvature/products/marginal-likelihood.js';
export type { SampleOptions } from '../operator/draws.js';
export type { CompressedGraphHessian, CompressGraphOptions } from '../curvature/trees/compress-graph.js';
export { structuralTree, type StructuralTreeOptions } from '../curvature/trees/structural-tree.js';
export { sketchEmbedding, type EmbeddingOptions } from '../curvature/trees/sketch-embedding.js';
export { curvatureOf, type OwnCurvature, type OwnModel } from '../curvature/own/curvature-of.js';
export type { VectorFunction } from '../curvature/own/functions.js';
