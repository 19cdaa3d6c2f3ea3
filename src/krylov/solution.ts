/**
 * What the Krylov solvers take and what they give back: tolerances, outcomes as data, the interface of a solver with
 * its workspace.
 */
import type { RunControl } from '../core/context.js';
import type { KeysOf } from '../core/known-options.js';
import type { Matrix, Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';

/** When a Krylov solver stops. */
export interface Tolerances {
  /** Converged where ‖b − Ax‖₂ ≤ max(relativeTolerance·‖b‖₂, absoluteTolerance); default 1e-8. */
  readonly relativeTolerance?: number | undefined;
  /** Default 0. */
  readonly absoluteTolerance?: number | undefined;
  /** Most iterations, over all restarts; default 10·N, at most 10,000. */
  readonly maxIterations?: number | undefined;
  /**
   * Where the recurrence of the residual has met the tolerance and the true residual has not, the method goes on from
   * the true one, at most so often, and only while that at least halves it; default 20.
   */
  readonly maxRestarts?: number | undefined;
  /**
   * How accurate products with A are, relative to ‖A‖‖x‖: what is taken for rounding, of a residual that no longer
   * falls and of a curvature; default 2⁻⁵². About 2⁻²³ for an operator that computes in float32.
   */
  readonly roundoff?: number | undefined;
}

/** What a Krylov solver is made with. */
export interface SolverOptions extends Tolerances {
  /** M ≈ A⁻¹, as a product z = M r; default none (the identity). */
  readonly preconditioner?: LinearOperator | undefined;
}
/** The keys of {@link SolverOptions}. */
export const SOLVER_KEYS: KeysOf<SolverOptions> = {
  relativeTolerance: 'number',
  absoluteTolerance: 'number',
  maxIterations: 'number',
  maxRestarts: 'number',
  roundoff: 'number',
  preconditioner: true,
};

/** What may differ from one solve to the next; tolerances replace those of the solver. */
export interface SolveControl extends RunControl, Tolerances {
  /** x₀, which may be x itself; default zero. */
  readonly guess?: Vectors | undefined;
  /**
   * Which x is handed back where maxIterations, abort, an indefinite operator or a preconditioner end the iteration:
   * the last iterate, whose error in the norm of A is least (default), or the one of least residual, which is never
   * worse than the start.
   */
  readonly keep?: 'last' | 'best' | undefined;
  /** After each iteration: its number and the estimated relative residual. */
  readonly onIteration?: ((iteration: number, residual: number) => void) | undefined;
}
/** The keys of {@link SolveControl}, and `team`. */
export const SOLVE_CONTROL_KEYS: KeysOf<SolveControl & { readonly team?: unknown | undefined }> = {
  relativeTolerance: 'number',
  absoluteTolerance: 'number',
  maxIterations: 'number',
  maxRestarts: 'number',
  roundoff: 'number',
  guess: true,
  keep: true,
  onIteration: 'function',
  signal: true,
  onProgress: 'function',
  team: true,
};

/** The control of a solve whose guess has been checked. */
export interface CheckedControl extends SolveControl {
  readonly guess?: Matrix | undefined;
}

interface Numbers {
  /** The solution, or the last iterate: the matrix that was passed in. */
  readonly x: Matrix;
  readonly iterations: number;
  /** Products with A, those for true residuals included. */
  readonly products: number;
  /** How often the method went on from a recomputed residual. */
  readonly restarts: number;
  /**
   * ‖b − Ax‖₂/‖b‖₂ by a product with the x that is handed back, as it was rounded to its precision (0 for b = 0); NaN
   * where that product is not finite.
   */
  readonly residual: number;
  /** The same without the division, which absolute tolerances are about. */
  readonly residualNorm: number;
  /** The relative residual of x before it was rounded to its precision: `residual`, where x is of float64. */
  readonly unrounded: number;
  /** What the recurrence took for the relative residual. */
  readonly estimatedResidual: number;
  /** Estimated relative residuals, from that of the start on: iterations + 1 of them. */
  readonly history: Float64Array;
}

/**
 * - converged: the true residual meets the tolerance.
 * - maxIterations, aborted: x is what `keep` says.
 * - nonFinite: a product was NaN or infinite; x is the last finite iterate.
 * - stagnated: the true residual no longer falls (stagnation.ts), or x in float32 cannot hold what was found: the
 *   tolerance lies below what rounding (about eps·‖A‖‖x‖) or the operator's own inaccuracy allow. x is the iterate of
 *   least residual, within a quarter.
 * - leastSquares (MINRES alone): ‖A(b − Ax)‖ vanishes though b − Ax does not: A is singular, b has a part outside its
 *   range, x minimises the residual.
 */
export type PlainOutcome = 'converged' | 'maxIterations' | 'stagnated' | 'nonFinite' | 'aborted' | 'leastSquares';

/** How a solve ended: the numbers of every end, and what belongs to its outcome. */
export type Solution =
  | (Numbers & { readonly outcome: PlainOutcome })
  | (Numbers & {
      /**
       * - indefinite: a direction p with pᵀAp < 0 beyond rounding: A is not positive definite. x is the iterate before
       *   that direction (the guess, if it is the first), or the best with `keep`.
       * - singular: pᵀAp is zero to rounding, so A is singular, or as good as, and what is left of b lies outside its
       *   range: x is the iterate of least residual, within a quarter.
       */
      readonly outcome: 'indefinite' | 'singular';
      /** pᵀAp/pᵀp. */
      readonly curvature: number;
      /**
       * Rounding of the curvature, by an estimate of ‖A‖ from a few products: |curvature| is above it where A is
       * indefinite.
       */
      readonly curvatureBound: number;
      /** p, of descent (pᵀ(b − Ax) > 0), of any length; N × 1 in the solver's workspace: valid until its next solve. */
      readonly direction: Matrix;
    })
  | (Numbers & {
      /** rᵀMr ≤ 0: the preconditioner is not positive definite. */
      readonly outcome: 'indefinitePreconditioner';
      /** rᵀMr/rᵀr. */
      readonly preconditionerCurvature: number;
    })
  | (Numbers & {
      /**
       * r₀ᵀMr₁ and r₁ᵀMr₀ differ by more than rounding explains: flexibleConjugateGradients takes such a
       * preconditioner.
       */
      readonly outcome: 'asymmetricPreconditioner';
      /** |r₀ᵀMr₁ − r₁ᵀMr₀| over √(r₀ᵀMr₀ · r₁ᵀMr₁). */
      readonly asymmetry: number;
    });

/** A Krylov solver for one right-hand side, with its workspace. */
export interface LinearSolver {
  /** N. */
  readonly size: number;
  /** Bytes of vectors that the solver keeps. */
  readonly workspaceBytes: number;
  /**
   * x ← an approximation of A⁻¹b; b and x are N × 1, of either precision, and may share memory; b may be an array of N
   * numbers. Synchronous: abort is seen between iterations, where something called from within (a product, a callback)
   * fires the signal. From the second solve on nothing of size N is allocated. Throws ShapeError, OptionError, and
   * NonFiniteError for a right-hand side or guess that is NaN or infinite.
   */
  solve(b: Vectors, x: Matrix, control?: SolveControl): Solution;
  /**
   * The same iterations with the same bits; the event loop gets its turn at least every 50 ms or iteration, so that
   * timers and signals work. One solve at a time.
   */
  solveAsync(b: Vectors, x: Matrix, control?: SolveControl): Promise<Solution>;
}
