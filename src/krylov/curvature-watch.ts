/**
 * What conjugate gradients see of the system: curvatures that say that it is singular or indefinite, and a
 * preconditioner that is not symmetric.
 */
import type { Stop, Vector } from './single-vector-solver.js';

/** A curvature below this share of the largest there was is rounding: MA is singular to working precision. */
const LEAST_CURVATURE = 32 * Number.EPSILON;

/**
 * Watches pᵀAp in the norm of M⁻¹, in which p ← z + β p has ‖p‖² = rᵀz + β²‖p‖² (T. Steihaug, SIAM J. Numer. Anal.
 * 20(3), 1983): a matrix that only its scaling makes ill-conditioned is not taken for a singular one where M mends the
 * scaling.
 */
export class CurvatureWatch {
  /** Largest pᵀAp/pᵀM⁻¹p of a solve. */
  #largest = 0;

  clear(): void {
    this.#largest = 0;
  }

  /** Whether p of this squared norm can be stepped along. */
  allows(pq: number, squared: number): boolean {
    const curvature = pq / squared;
    this.#largest = Math.max(this.#largest, curvature);
    return curvature > LEAST_CURVATURE * this.#largest;
  }
}

/**
 * A symmetric preconditioner in float32 differs from its transpose by some 1e-7; from here on plain CG loses its short
 * recurrence.
 */
export const MOST_ASYMMETRY = 1e-3;

/** A direction p that cannot be stepped along, with pᵀAp and pᵀp: the frame tells singular from indefinite. */
export const curvatureStop = (p: Vector, pq: number, squared: number): Stop => ({
  outcome: 'curvature',
  curvature: pq / squared,
  direction: p.matrix,
});
