/**
 * Preconditioners of conjugate gradients for (G + λI)x = b at an objective's point.
 */
import type { FloatArray } from '../../../core/floats.js';
import type { Network } from '../../../network/network.js';
import type { Objective } from '../../objective/objective.js';
import type { Point } from '../point.js';

/** A preconditioner at work. */
export interface Preconditioner {
  /** Makes it for this point's batch, the curvature's samples and λ. Products are counted by the point. */
  prepare(point: Point, samples: number, damping: number): void;
  /** z ← M⁻¹r; zero where r is in frozen layers. */
  apply(r: FloatArray, z: FloatArray): void;
  /** What it keeps from step to step. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
}

/** A preconditioner before it has memory. */
export interface PreconditionerPlan {
  readonly spare: (network: Network, batchSize: number) => number;
  readonly begin: (objective: Objective) => Preconditioner | undefined;
}

/** None. */
export const noPreconditioner: PreconditionerPlan = { spare: () => 0, begin: () => undefined };
