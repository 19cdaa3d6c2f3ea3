/**
 * Hierarchical matrices: compressing from entries and from products, factoring, saving and loading.
 */
export { compress } from '../hierarchical/from-entries/compress.js';
export { tune } from '../hierarchical/from-entries/tune.js';
export type {
  ChosenOptions,
  CompressionObjective,
  LeafCosts,
  MeasuredRank,
} from '../hierarchical/matrix/chosen-options.js';
export type { CompressControl } from '../hierarchical/from-entries/compress.js';
export type { CompressOptions } from '../hierarchical/from-entries/options.js';
export { compressOperator } from '../hierarchical/from-products/compress.js';
export { compressionCost, type CompressionCost, type ProductsOptions } from '../hierarchical/from-products/cost.js';
export { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
export type {
  CompressionReport,
  EigenbasisReport,
  EntriesReport,
  OperatorReport,
  ProductsReport,
} from '../hierarchical/matrix/report.js';
export type { NeighborSearchPlace } from '../tree/neighbors.js';
export type { HierarchicalFormat } from '../hierarchical/matrix/format.js';
export type { DeviceFactorOptions, DeviceMatrix, DeviceMatrixMemory } from '../hierarchical/device/device-matrix.js';
export type { DeviceMatrixOptions, DevicePrecisionOptions } from '../hierarchical/device/device-options.js';
export type {
  DeviceFactorization,
  DeviceFactorizationMemory,
} from '../hierarchical/factor/device/device-factorization.js';
export type { PlannedLaunch } from '../hierarchical/device/launches.js';
export type { LevelRanks, MemoryUse } from '../hierarchical/matrix/memory.js';
export { toleranceAdvice } from '../hierarchical/matrix/tolerance-advice.js';
export type { ToleranceLimit, ToleranceLimitKind } from '../hierarchical/matrix/tolerance-limits.js';
export type { ErrorOptions } from '../hierarchical/measure/error-estimate.js';
export type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
export { factor, type FactorOptions } from '../hierarchical/factor/factor.js';
export type { ConditionEstimate, Factorization } from '../hierarchical/factor/factorization.js';
export type { MachineSpeeds, PlanOptions, PlanSetup } from '../experiment/plan/options.js';
export {
  planRanks,
  type PlannedPhase,
  type PlanStage,
  type RanksPlan,
  type ScalingRow,
} from '../experiment/plan/plan-ranks.js';
export type { SampleOptions } from '../operator/draws.js';
export {
  certifyDefiniteness,
  type DefinitenessCertificate,
  type DefinitenessOptions,
} from '../hierarchical/factor/definiteness.js';
export {
  add,
  inverse,
  multiply,
  update,
  type AddOptions,
  type ArithmeticOptions,
  type Computed,
  type InverseOptions,
  type MultiplyOptions,
  type UpdateOptions,
} from '../hierarchical/arithmetic/arithmetic.js';
