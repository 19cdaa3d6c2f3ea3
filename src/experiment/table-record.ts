/**
 * The record of a table: approximations of one Gauss–Newton Hessian at two budgets of memory.
 */
import type { ErrorEstimate } from '../hierarchical/measure/error-interval.js';
import type { MachineDescription } from '../io/machine.js';
import type { TableReading, Versions } from './record.js';

/** One approximation. */
export interface TableRow {
  /** As the table names it: 'HM-low', 'KFAC-high', 'EKFAC', … */
  readonly method: string;
  /** Bytes of everything stored, over 8N². */
  readonly share: number;
  readonly bytes: number;
  /** The share it was allowed. */
  readonly budget: number;
  readonly error: ErrorEstimate;
  /** Columns were compared; else the form told the error from ‖G‖_F: no column was. */
  readonly compared: boolean;
  /** Of the approximation; an eigenvalue lies within `lambdaMinBound` of it. */
  readonly lambdaMin: number;
  readonly lambdaMinBound: number;
  /** `apply`: the median time of a product with `vectors` vectors; `measure`: what λ_min took. */
  readonly seconds: { readonly build: number; readonly apply: number; readonly eigenvalues: number };
  readonly details: Readonly<Record<string, number | string>>;
  readonly note?: string | undefined;
}

/** The record of the whole table. */
export interface TableRecord {
  readonly record: 'table';
  readonly date: string;
  /** Units per layer, '784-10-784'. */
  readonly network: string;
  /** N. */
  readonly size: number;
  readonly seed: number;
  /** The hidden layers' activation; or each layer's, comma between. */
  readonly activation: string;
  readonly loss: string;
  readonly bias: boolean;
  readonly samples: number;
  /** What the data is: a generator, or a file's own name. */
  readonly data: string;
  /** What was taken of the data's files, where they are tables. */
  readonly tables?: readonly TableReading[] | undefined;
  /** `loss`: the mean loss at the parameters the Hessian is taken at; `losses`: of each epoch. */
  readonly training: {
    readonly weights: string | null;
    readonly epochs: number;
    readonly batchSize: number;
    readonly learningRate: number;
    readonly seconds: number;
    readonly losses: readonly number[];
    readonly loss: number;
  };
  readonly budgets: { readonly low: number; readonly high: number };
  /**
   * G itself without a matrix: what is held, the time of a product with as many vectors, and λ_max with its bound.
   * rank(G) ≤ rankBound.
   */
  readonly exact: {
    readonly bytes: number;
    readonly share: number;
    readonly seconds: { readonly build: number; readonly apply: number };
    readonly lambdaMax: number;
    readonly lambdaMaxBound: number;
    readonly rankBound: number;
  };
  readonly rows: readonly TableRow[];
  /** Methods that could not be made within budget or memory, and why. */
  readonly skipped: readonly { readonly method: string; readonly reason: string }[];
  readonly vectors: number;
  /** Seconds of the measurement of all errors, and of the whole run. */
  readonly seconds: { readonly error: number; readonly total: number };
  readonly memory: { readonly peakBytes: number };
  readonly gflops: { readonly dgemm: number };
  readonly workers: number;
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}
