/**
 * What a Newton method solves its linear system with, and how large it may step: two roles that are combined freely
 * (newton-stepper.ts).
 */
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Objective } from '../objective/objective.js';
import type { NewtonObjective } from './newton-objective.js';
import type { Point } from './point.js';
import type { Steps } from './steps.js';
import type { Space, Vectors } from './vectors.js';

/** What a solve tells. */
export interface Solved {
  /** gᵀd + ½dᵀCd of the curvature C without damping; null where it was not made. */
  readonly model: number | null;
  readonly iterations?: number | undefined;
  readonly residual?: number | undefined;
  /** The least curvature met, where negative. */
  readonly negativeCurvature?: number | null | undefined;
  /** λ of the solution, where a radius was asked for. */
  readonly damping?: number | undefined;
  /** Whether the step ends at the radius. */
  readonly boundary?: boolean | undefined;
}

/** How long a direction may be: by damping, (C + λI)d = −g, or by radius, ‖d‖ ≤ Δ. */
export type Bound = { readonly damping: number } | { readonly radius: number };

/** A solver at work on one objective, with vectors in S. */
export interface Solver<S extends Space = Vectors> {
  /** Dear work, once a point. */
  prepare(point: Point<S>): Steps<void>;
  /** d ← a direction at the prepared point; may be called again with another bound. */
  solve(point: Point<S>, bound: Bound, d: FloatArray): Steps<Solved>;
  readonly arrays?: Readonly<Record<string, FloatArray>>;
  /** What it is, for reports. */
  readonly rule: string;
}

/** A solver before it has memory. */
export interface SolverPlan {
  /** Numbers of the objective's memory. */
  readonly spare: (network: ParameterLayout, batchSize: number) => number;
  readonly begin: (objective: Objective) => Solver;
  /** The same where its vectors may lie on a device; absent of solvers that compute with their numbers. */
  readonly anywhere?: ((objective: NewtonObjective) => Solver<Space>) | undefined;
}
