/**
 * Low-rank approximations from products alone.
 */
export { LowRankOperator } from '../lowrank/low-rank-operator.js';
export { nystrom, type Nystrom } from '../lowrank/nystrom.js';
export {
  projectionError,
  randomizedSvd,
  type RandomizedSvd,
  type RandomizedSvdOptions,
} from '../lowrank/randomized-svd.js';
export type { LowRankControl, SketchOptions } from '../lowrank/sketch.js';
