/**
 * Solves with one matrix and one preconditioner at several shifts, measured.
 */
import { throwIfAborted } from '../core/context.js';
import {
  AbortedError,
  FactorizationError,
  MemoryError,
  NotPositiveDefiniteError,
  OptionError,
} from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { view, zeros, type Matrix } from '../dense/matrix.js';
import { denseBytes } from '../approximation/budget.js';
import { conjugateGradientSolver } from '../krylov/conjugate-gradients.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { shifted } from '../operator/shifted.js';
import type { TeamControl } from '../parallel/team-control.js';
import { preconditionerOf } from '../solve/preconditioners/make.js';
import type { Preconditioner } from '../solve/preconditioners/preconditioner.js';
import type { Subject } from '../approximation/subject.js';
import { randomVectors } from './compression-run.js';
import { median } from '../core/median.js';
import { named } from './named-progress.js';
import type { PlannedPreconditioner } from './preconditioner-plan.js';
import type { SolveRow } from './preconditioner-record.js';

/** One matrix, its right-hand side, and the shifts to solve at. */
export interface ShiftedSystems {
  readonly subject: Subject;
  /** ‖A‖₂, by which the shifts are relative. */
  readonly norm: number;
  readonly relativeShifts: readonly number[];
  readonly rightHandSide: Matrix;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly seed: number;
  readonly memoryLimit?: number | undefined;
}

const PRODUCTS = 5;

/** The median time of a product with one vector, after one that is not counted. */
export async function productSeconds(operator: LinearOperator, seed: number, control: TeamControl): Promise<number> {
  const x = randomVectors(operator.rows, 1, seed);
  const y = view(sharedFloat64(operator.rows), 0, operator.rows, 1);
  const times: number[] = [];
  for (let k = 0; k <= PRODUCTS; k++) {
    // Products are synchronous: let signals in between them.
    await nextTurn();
    throwIfAborted(control.signal);
    const start = performance.now();
    operator.applyUnchecked(y, x, 1, 0);
    if (k > 0) times.push((performance.now() - start) / 1000);
  }
  return median(times);
}

/** Errors that say of a preconditioner that it cannot be had: a row of the table, not the end of it. */
const isAbout = (error: unknown): error is Error =>
  error instanceof NotPositiveDefiniteError ||
  error instanceof MemoryError ||
  error instanceof OptionError ||
  error instanceof FactorizationError;

/**
 * A row for each shift; the preconditioner is made once. Deterministic but for the times. Throws AbortedError, and what
 * is no fault of the preconditioner.
 */
export async function measureSolves(
  { label, name, options }: PlannedPreconditioner,
  setup: ShiftedSystems,
  control: TeamControl,
): Promise<SolveRow[]> {
  const { subject, norm, relativeShifts, seed, memoryLimit } = setup;
  const { operator } = subject;
  const known = named(label, control);
  const rows: SolveRow[] = [];
  let kept: Preconditioner | undefined;
  try {
    for (const relativeShift of relativeShifts) {
      const shift = relativeShift * norm;
      const head = { preconditioner: label, relativeShift, shift };
      let made: Preconditioner;
      try {
        made =
          kept === undefined
            ? await preconditionerOf(subject, name, shift, { ...options, seed, memoryLimit }, known)
            : await kept.reshift(shift);
      } catch (error) {
        if (!isAbout(error)) throw error;
        rows.push({
          ...head,
          iterations: 0,
          outcome: 'unavailable',
          residual: null,
          seconds: { compress: 0, factor: 0, solve: 0, total: 0 },
          bytes: 0,
          share: 0,
          details: {},
          note: error.message,
        });
        continue;
      }
      try {
        rows.push({ ...head, ...(await solveOnce(shifted(operator, shift), made, setup, known)) });
      } finally {
        kept?.release();
        kept = made;
      }
    }
  } finally {
    kept?.release();
  }
  return rows;
}

async function solveOnce(
  system: LinearOperator,
  { operator: preconditioner, seconds: { compress, factor }, bytes, details, note }: Preconditioner,
  setup: ShiftedSystems,
  control: TeamControl,
): Promise<Omit<SolveRow, 'preconditioner' | 'relativeShift' | 'shift'>> {
  const { rightHandSide, tolerance, maxIterations } = setup;
  const began = performance.now();
  const solver = conjugateGradientSolver(system, { preconditioner });
  const { outcome, iterations, residual } = await solver.solveAsync(rightHandSide, zeros(system.rows, 1), {
    relativeTolerance: tolerance,
    maxIterations,
    signal: control.signal,
    onProgress: control.onProgress,
  });
  const solve = (performance.now() - began) / 1000;
  if (outcome === 'aborted') throw new AbortedError();
  return {
    iterations,
    outcome,
    residual: Number.isFinite(residual) ? residual : null,
    seconds: { compress, factor, solve, total: compress + factor + solve },
    bytes,
    share: bytes / denseBytes(system.rows),
    details,
    note,
  };
}
