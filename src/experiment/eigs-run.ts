/**
 * One run: outermost eigenvalues of a matrix, verified and recorded. The command runs this.
 */
import { topEigenvalues } from '../approximation/top-eigenvalues.js';
import type { Matrix } from '../dense/matrix.js';
import { peakMemory, type MachineDescription } from '../io/machine.js';
import { EIGENVALUE_TOLERANCE, type TopEigenvalues, type TopEigenvaluesOptions } from '../lowrank/top-eigenvalues.js';
import type { TeamControl } from '../parallel/team-control.js';
import { operatorOf, type RunMatrix } from './matrix-operator.js';
import { circumstances, type InputDescription, type Versions } from './record.js';

/** Eigenvalues that were computed. Seconds of wall time, bytes. */
export interface EigsRecord {
  readonly record: 'eigs';
  readonly date: string;
  readonly input: InputDescription;
  /** Whose they are: 'matrix', of the matrix that was asked for; 'compressed', of a saved compressed one. */
  readonly valuesOf: 'matrix' | 'compressed';
  readonly which: NonNullable<TopEigenvaluesOptions['which']>;
  /** Asked ‖A v − λ v‖ relative to ‖A‖₂. */
  readonly tolerance: number;
  readonly outcome: TopEigenvalues['outcome'];
  readonly met: boolean;
  /** The outermost first, each with ‖A v − λ v‖: an eigenvalue lies this near. */
  readonly values: readonly number[];
  readonly residuals: readonly number[];
  readonly method: TopEigenvalues['method'];
  readonly products: number;
  readonly restarts: number;
  readonly seed: number;
  readonly workers: number;
  readonly seconds: { readonly operator: number; readonly eigenvalues: number };
  readonly memory: { readonly peakBytes: number };
  readonly blas: string;
  readonly machine: MachineDescription;
  readonly versions: Versions;
}

/** The matrix, one of three, and what is wanted of it. */
export interface EigsSetup extends RunMatrix {
  readonly input: InputDescription;
  readonly count: number;
  readonly seed: number;
  readonly options: Pick<TopEigenvaluesOptions, 'which' | 'tolerance' | 'maxProducts' | 'memoryLimit'>;
}

/** Computes and records; `vectors` are the eigenvectors, N × count. Throws what `topEigenvalues` throws. */
export async function runEigs(
  setup: EigsSetup,
  control: TeamControl,
): Promise<{ readonly record: EigsRecord; readonly vectors: Matrix }> {
  const { input, matrix, count, seed, options } = setup;
  const { which = 'largest', tolerance = EIGENVALUE_TOLERANCE } = options;
  const began = performance.now();
  const { operator, release } = await operatorOf(setup, control);
  try {
    const opened = performance.now();
    const found = await topEigenvalues(operator, count, { ...options, which, tolerance, seed }, control);
    const { outcome, values, residuals, vectors, method, products, restarts } = found;
    const record: EigsRecord = {
      record: 'eigs',
      input,
      valuesOf: matrix === undefined ? 'matrix' : 'compressed',
      which,
      tolerance,
      outcome,
      met: outcome === 'converged',
      values: Array.from(values),
      residuals: Array.from(residuals),
      method,
      products,
      restarts,
      seed,
      workers: control.team.workers,
      seconds: { operator: (opened - began) / 1000, eigenvalues: (performance.now() - opened) / 1000 },
      memory: { peakBytes: peakMemory() },
      blas: control.team.blas.description,
      ...circumstances(),
    };
    return { record, vectors };
  } finally {
    release();
  }
}
