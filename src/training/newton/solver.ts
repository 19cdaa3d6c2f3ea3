/**
 * What a Newton method solves its linear system with, and how large it may step: two roles that are combined freely
 * (newton-stepper.ts).
 */
import type { FloatArray } from '../../core/floats.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Objective } from '../objective/objective.js';
import type { Point } from './point.js';

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

/** A solver at work on one objective. */
export interface Solver {
  /** Dear work, once a point. */
  prepare(point: Point): void;
  /** d ← a direction at the prepared point; may be called again with another bound. */
  solve(point: Point, bound: Bound, d: FloatArray): Solved;
  readonly arrays?: Readonly<Record<string, FloatArray>>;
  /** What it is, for reports. */
  readonly rule: string;
}

/** A solver before it has memory. */
export interface SolverPlan {
  /** Numbers of the objective's memory. */
  readonly spare: (network: ParameterLayout, batchSize: number) => number;
  readonly begin: (objective: Objective) => Solver;
}
