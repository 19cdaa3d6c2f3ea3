/**
 * Preconditioners of conjugate gradients for (G + λI)x = b at an objective's point.
 */
import type { AbortSignalLike } from '../../../core/context.js';
import type { FloatArray } from '../../../core/floats.js';
import type { ParameterLayout } from '../../../network/parameter-layout.js';
import type { Objective } from '../../objective/objective.js';
import type { Point } from '../point.js';
import type { Steps } from '../steps.js';
import type { Space, Vectors } from '../vectors.js';

/** A preconditioner at work, with vectors in S. */
export interface Preconditioner<S extends Space = Vectors> {
  /** Work before the step that others do meanwhile, on the loaded batch: see `Stepper.prepare`. */
  ready?(samples: number, damping: number, signal: AbortSignalLike | undefined): Promise<void>;
  /** Makes it for this point's batch, the curvature's samples and λ. Products are counted by the point. */
  prepare(point: Point<S>, samples: number, damping: number): Steps<void>;
  /** z ← M⁻¹r; zero where r is in frozen layers. */
  apply(r: FloatArray, z: FloatArray): void;
  /** Told how many iterations the step took. */
  took?(iterations: number): void;
  /** Called after arrays and numbers were put back. */
  restored?(): void;
  /** What the last step had in its place, where it could not be made. */
  readonly note?: string | undefined;
  /** What it keeps from step to step. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
}

/** A preconditioner before it has memory. */
export interface PreconditionerPlan {
  readonly spare: (network: ParameterLayout, batchSize: number) => number;
  /** `numbers` are the stepper's: scalars that are kept from step to step are added there, under names of its own. */
  readonly begin: (objective: Objective, numbers: Record<string, number>) => Preconditioner | undefined;
}

/** None. */
export const noPreconditioner: PreconditionerPlan = { spare: () => 0, begin: () => undefined };
