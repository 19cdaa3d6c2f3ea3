/**
 * A ULV factorization as data: what its tasks share.
 */
import type { FloatArray } from '../../../dense/matrix.js';
import type { HierarchicalData } from '../../matrix/data.js';
import type { UlvPlan } from './plan.js';

/** What stays with the factorization, all shared. */
export interface UlvFactors {
  readonly data: HierarchicalData;
  readonly plan: UlvPlan;
  readonly basis: FloatArray;
  readonly basisBegin: Float64Array;
  readonly factors: FloatArray;
  /** Signs of the eliminated variables' pivots (indefinite), else empty. */
  readonly signs: FloatArray;
  /** log |det H| of each node. */
  readonly logs: Float64Array;
  /**
   * Per node: 0 factored; i > 0: minor i is not positive definite (indefinite: singular); SKIPPED: a node below it
   * failed.
   */
  readonly status: Int32Array;
  /** λ. */
  readonly shift: Float64Array;
}

/** The factors, and the Schur complements, which a refactorization needs besides. */
export interface UlvFactorState extends UlvFactors {
  readonly schur: FloatArray;
  /** The table of tasks (split-elimination.ts). */
  readonly tasks: Int32Array;
}
