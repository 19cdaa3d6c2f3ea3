/**
 * What block conjugate gradients take and what they give back.
 */
import type { KeysOf } from '../core/known-options.js';
import type { Blas } from '../dense/blas.js';
import type { Matrix, Vectors } from '../dense/matrix.js';
import type { PlainOutcome, SolveControl, SolverOptions } from './solution.js';

/** Options of {@link blockConjugateGradientSolver}. */
export interface BlockOptions extends SolverOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /**
   * Right-hand sides solved together (k); more are solved in groups, one after another; default 32. A step costs some
   * 14N k² flops besides the products.
   */
  readonly blockSize?: number | undefined;
}
/** The keys of {@link BlockOptions}. */
export const BLOCK_KEYS: KeysOf<BlockOptions> = {
  relativeTolerance: 'number',
  absoluteTolerance: 'number',
  maxIterations: 'number',
  maxRestarts: 'number',
  roundoff: 'number',
  preconditioner: true,
  blas: true,
  blockSize: 'number',
};

/** The numbers of every end. */
export interface BlockNumbers {
  /** N × k: the matrix that was passed in. */
  readonly x: Matrix;
  /** Steps, of all groups together; the limit maxIterations is each group's. */
  readonly iterations: number;
  /** Products of A with a single vector, those for true residuals included. */
  readonly products: number;
  readonly restarts: number;
  /** The largest of `residuals`. */
  readonly residual: number;
  /**
   * True relative residuals, ‖b_j − Ax_j‖/‖b_j‖, by products with the x that is handed back, as it was rounded to its
   * precision (0 for b_j = 0).
   */
  readonly residuals: Float64Array;
  /** The largest relative residual before X was rounded to its precision: `residual`, where X is of float64. */
  readonly unrounded: number;
  /** The step of its group at which each column met the tolerance, or the last. */
  readonly columnIterations: Int32Array;
  /**
   * The largest estimated relative residual of the group at its start and after each of its steps; groups one after
   * another.
   */
  readonly history: Float64Array;
}

/** How a block solve ended, with the numbers of every column; the outcomes are those of {@link Solution}. */
export type BlockSolution =
  | (BlockNumbers & { readonly outcome: Exclude<PlainOutcome, 'leastSquares'> })
  | (BlockNumbers & {
      /**
       * PᵀAP is not positive definite, or zero to rounding; all is as of a Solution, but the direction may be of either
       * sign.
       */
      readonly outcome: 'indefinite' | 'singular';
      readonly curvature: number;
      readonly curvatureBound: number;
      readonly direction: Matrix;
    })
  | (BlockNumbers & { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number });

/** Block conjugate gradients with its workspace: solves A X = B for any number of right-hand sides. */
export interface BlockSolver {
  /** N. */
  readonly size: number;
  /** Bytes of vectors kept now: the workspace grows to the widest group solved so far. */
  readonly workspaceBytes: number;
  /** As LinearSolver.solve, for b and x of N × k, k ≥ 0, which are one and the same or share no memory. */
  solve(b: Vectors, x: Matrix, control?: SolveControl): BlockSolution;
  /** As LinearSolver.solveAsync: the same iterations, with turns for the event loop. */
  solveAsync(b: Vectors, x: Matrix, control?: SolveControl): Promise<BlockSolution>;
}
