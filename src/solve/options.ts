/**
 * What `solve` is asked for, and what it answers.
 */
import type { KeysOf } from '../core/known-options.js';
import type { FloatArray, Matrix, Vectors } from '../dense/matrix.js';
import type { Solution } from '../krylov/solution.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { EntrySource } from '../source/entry-source.js';
import type { Given } from '../tree/given.js';
import type { MachineRates } from './machine-rates.js';
import type { Preconditioner } from './preconditioners/preconditioner.js';
import type { PreconditionerName } from './preconditioners/table.js';
import type { PreconditionerOptions } from './preconditioners/kind.js';
import type { Shortfall } from './shortfall.js';

/** How {@link solve} iterates. */
export const SOLVE_METHODS = ['cg', 'minres'] as const;
/** One of {@link SOLVE_METHODS}. */
export type SolveMethod = (typeof SOLVE_METHODS)[number];

/** Options of {@link solve}. */
export interface SolveOptions {
  /**
   * 'cg' (default): conjugate gradients, A + λI positive semidefinite. 'minres': minimal residuals, A + λI symmetric of
   * any signs, or singular: x then minimises the residual (outcome 'leastSquares' where that stays above the
   * tolerance). Without a preconditioner unless one is given or named: it is positive definite, and of an indefinite
   * matrix few can be made.
   */
  readonly method?: SolveMethod | undefined;
  /** λ ≥ 0; default 0. */
  readonly shift?: number | undefined;
  /** λ/‖A‖₂ instead, ‖A‖₂ by Lanczos to some digits. Not with `shift`. */
  readonly shiftRelative?: number | undefined;
  /**
   * By name; or a ready one, symmetric positive definite, of whatever was thought to fit; default 'auto'
   * (candidates.ts).
   */
  readonly preconditioner?: PreconditionerName | 'auto' | Preconditioner | LinearOperator | undefined;
  /** Of the preconditioner that is made by name. Its seed and memoryLimit are those below. */
  readonly making?: Omit<PreconditionerOptions, 'seed' | 'memoryLimit'> | undefined;
  /** Entries of the same matrix; default: of the network behind a Gauss–Newton operator, else none. */
  readonly source?: EntrySource | undefined;
  /** The network behind the operator; default: a Gauss–Newton operator's own. */
  readonly model?: Model | undefined;
  /**
   * Asked ‖b − (A + λI)x‖/‖b‖ of each column. Default: 1e-8; where products with A are computed in float32, 1e-6; and
   * where these or an x of float32 do not allow that, what they do allow, some 5e-7·‖A‖‖x‖/‖b‖.
   */
  readonly tolerance?: number | undefined;
  readonly maxIterations?: number | undefined;
  /** x₀, N × p; default zero. */
  readonly guess?: Matrix | undefined;
  /**
   * Where X goes, N × p, of either precision; default a matrix of its own, in B's. It may be B. The iteration works in
   * float64 whatever that of X is.
   */
  readonly out?: Matrix | undefined;
  /** How fast this machine is, as `calibrate` measured it once; default: as the one that the costs are of. */
  readonly rates?: MachineRates | undefined;
  /** Default 0. Seeds every random choice. */
  readonly seed?: number | undefined;
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link SolveOptions}. */
export const SOLVE_KEYS: KeysOf<SolveOptions> = {
  method: true,
  shift: 'number',
  shiftRelative: 'number',
  preconditioner: true,
  making: true,
  source: true,
  model: true,
  tolerance: 'number',
  maxIterations: 'number',
  guess: true,
  out: true,
  rates: true,
  seed: 'number',
  memoryLimit: 'number',
};
/** The keys of `making`. */
export const MAKING_KEYS: KeysOf<NonNullable<SolveOptions['making']>> = {
  tolerance: 'number',
  leafSize: 'number',
  maxRank: 'number',
  share: 'number',
  tree: true,
  rank: 'number',
};

/** The solution, how it was found, and what it cost. */
export interface SolveResult<A extends FloatArray = FloatArray> {
  /** N × p: the solution, or the iterate of least residual, never worse than the guess (or zero). */
  readonly x: Matrix<A>;
  readonly outcome: Solution['outcome'];
  /** Steps: of all groups of columns together where there are many right-hand sides (block-conjugate-gradients.ts). */
  readonly iterations: number;
  /** Products of A with a single vector while solving. */
  readonly products: number;
  /**
   * True relative residuals of the columns by products with X as it is, rounded to its precision, and the largest of
   * them.
   */
  readonly residuals: Float64Array;
  readonly residual: number;
  /**
   * The tolerance that the outcome is about, and where it comes from: the caller, the default, or what float32 allows.
   */
  readonly tolerance: number;
  readonly toleranceFrom: 'caller' | 'default' | 'float32';
  /** Estimated relative residuals, the start's first; of many right-hand sides the largest. */
  readonly history: Float64Array;
  /** λ. */
  readonly shift: number;
  /** ‖A‖₂, where it was measured. */
  readonly norm?: number | undefined;
  readonly preconditioner: {
    readonly name: PreconditionerName | 'given';
    readonly bytes: number;
    readonly details: Preconditioner['details'];
    readonly note?: string | undefined;
  };
  /**
   * choose: measuring for 'auto' and for shiftRelative; compress, factor: making the preconditioner; solve: the
   * iteration.
   */
  readonly seconds: {
    readonly choose: number;
    readonly compress: number;
    readonly factor: number;
    readonly solve: number;
  };
  /** Bytes of the preconditioner and of the vectors of the iteration. */
  readonly memory: { readonly preconditioner: number; readonly workspace: number };
  /** Why this preconditioner, and what is to be said of it. */
  readonly choice: string;
  /** Where the tolerance was missed: what came instead. */
  readonly shortfall?: Shortfall | undefined;
  /** `choice`, and where the tolerance was missed, why, and what to do. */
  readonly reason: string;
}

/** The options of `solve` as callers hand them over. */
export interface GivenSolveOptions extends Given<Omit<SolveOptions, 'making' | 'guess'>> {
  readonly making?: Given<NonNullable<SolveOptions['making']>> | undefined;
  readonly guess?: Vectors | undefined;
}
