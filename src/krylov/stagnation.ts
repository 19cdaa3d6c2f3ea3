/**
 * When an iteration gets no further: the one rule of all Krylov solvers, for one right-hand side and for many.
 *
 * A cycle is what runs from one true residual to the next. It ends where the estimated residual meets its target, and
 * also where it no longer falls: where for `PATIENCE` steps it has not halved and stands at the level of rounding,
 * u·‖A‖‖x‖ (A. Greenbaum, SIAM J. Matrix Anal. Appl. 18(3), 1997), or has not halved for 5N steps at any level:
 * residuals of conjugate gradients are no monotone sequence, and of solves that do converge in the end the longest such
 * stretch measured was 2.7N. Another cycle begins where the true residual has at least halved since the last.
 */

/** Steps without a halving after which the residual is compared with rounding. */
const PATIENCE = 50;
/** Steps without a halving, in units of N, after which nothing more is to be expected; at least LEAST_STEPS. */
const MOST_SIZES = 5;
const LEAST_STEPS = 500;
/**
 * An iterate falls so far below the last one kept before it is kept in its place: a copy for each step would cost more
 * than it is worth.
 */
export const WORTH_KEEPING = 0.8;
/** The level of rounding is known to a small factor. */
export const ROUNDING_LEVELS = 4;

/** Decides when a cycle ends and whether another one begins. */
export class Stagnation {
  readonly #most: number;
  readonly #maxRestarts: number;
  #low = 0;
  #since = 0;
  #restarts = 0;

  /** For systems of order `size`. */
  constructor(size: number, maxRestarts: number) {
    this.#most = Math.max(LEAST_STEPS, MOST_SIZES * size);
    this.#maxRestarts = maxRestarts;
  }

  /** Cycles after the first. */
  get restarts(): number {
    return this.#restarts;
  }

  /** A cycle begins at this true residual. */
  begin(residual: number): void {
    this.#low = residual;
    this.#since = 0;
  }

  /** After a step: whether the cycle should end; `level` is u·‖A‖‖x‖ in the units of the residual. */
  hovers(estimated: number, level: () => number): boolean {
    if (estimated <= this.#low / 2) {
      this.#low = estimated;
      this.#since = 0;
      return false;
    }
    this.#since++;
    return this.#since >= this.#most || (this.#since % PATIENCE === 0 && this.#low <= ROUNDING_LEVELS * level());
  }

  /**
   * At the end of a cycle that did not converge: whether what began at `before` and ended at `residual` is worth
   * another one.
   */
  goesOn(residual: number, before: number): boolean {
    return this.#restarts < this.#maxRestarts && residual <= before / 2;
  }

  /** Another cycle begins. */
  restart(): void {
    this.#restarts++;
  }
}
