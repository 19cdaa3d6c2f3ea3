/**
 * The record of a table of preconditioners: the published table as it is printed, an honest sweep over shifts, and
 * Gauss–Newton matrices.
 */
import type { Solution } from '../krylov/solution.js';
import type { MachineDescription } from '../io/machine.js';
import type { TableReading, Versions } from './record.js';
import type { TableRecord } from './table-record.js';

/** unavailable: there is no such preconditioner of this matrix at this shift; `note` says why. */
export type SolveOutcome = Solution['outcome'] | 'unavailable';

/** A row of the published table, in its terms. */
export interface PrintedRow {
  readonly matrix: string;
  readonly size: number;
  /** Share of near blocks. */
  readonly budget: number;
  readonly preconditioner: 'hss' | 'none';
  /** ‖K̃W − KW‖/‖KW‖ (Frobenius) of random vectors. */
  readonly matvecError: number;
  /** ‖(K̃ + λI)x‖/‖x₀‖, right-hand side zero, from a random start x₀. */
  readonly solveError: number;
  /** As they are counted there: steps of conjugate gradients after the first. */
  readonly iterations: number;
  readonly steps: number;
  readonly outcome: SolveOutcome;
  readonly seconds: { readonly compress: number; readonly factor: number; readonly solve: number };
}

/** A solve of (A + λI) x = b with one preconditioner. */
export interface SolveRow {
  /** As asked for: 'hss', 'nystrom-64', … */
  readonly preconditioner: string;
  /** λ/‖A‖₂. */
  readonly relativeShift: number;
  readonly shift: number;
  readonly iterations: number;
  readonly outcome: SolveOutcome;
  /** ‖b − (A + λI)x‖/‖b‖, by a product; null where there is no x. */
  readonly residual: number | null;
  /** compress: once for all shifts; total: of all three, as if there were this shift alone. */
  readonly seconds: {
    readonly compress: number;
    readonly factor: number;
    readonly solve: number;
    readonly total: number;
  };
  /** Of the preconditioner; share of the dense matrix. */
  readonly bytes: number;
  readonly share: number;
  readonly details: Readonly<Record<string, number | string>>;
  readonly note?: string | undefined;
}

/** Solves with one matrix, a row for each shift and preconditioner. */
export interface SolveSweep {
  /** Asked relative residual. */
  readonly tolerance: number;
  readonly maxIterations: number;
  /** Seconds of a product of A with one vector. */
  readonly productSeconds: number;
  readonly rows: readonly SolveRow[];
}

/** The sweep of a test matrix. */
export interface MatrixSweep extends SolveSweep {
  readonly matrix: string;
  readonly size: number;
}

/** The sweep of a network's Gauss–Newton matrix. */
export interface NetworkSweep extends SolveSweep {
  /** Units per layer, '784-10-784'. */
  readonly network: string;
  readonly size: number;
  readonly activation: string;
  readonly loss: string;
  readonly samples: number;
  readonly data: string;
  /** What was taken of the data's files, where they are tables. */
  readonly tables?: readonly TableReading[] | undefined;
  readonly training: TableRecord['training'];
  readonly lambdaMax: number;
}

/** The record of the whole table. */
export interface PreconditionerRecord {
  readonly record: 'preconditioners';
  readonly date: string;
  readonly seed: number;
  /** λ, on ‖K‖₂ = 1, and the bound on ‖r‖/‖x₀‖ that stops. */
  readonly printed: { readonly shift: number; readonly tolerance: number; readonly rows: readonly PrintedRow[] };
  readonly sweep: readonly MatrixSweep[];
  readonly networks: readonly NetworkSweep[];
  readonly seconds: { readonly total: number };
  readonly memory: { readonly peakBytes: number };
  readonly gflops: { readonly dgemm: number };
  readonly workers: number;
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}
