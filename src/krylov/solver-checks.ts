/**
 * What the Krylov solvers check before they start.
 */
import { requireNonNegative, requireWhole } from '../core/checks.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import { requireKnownOptions, type Resolved } from '../core/known-options.js';
import { asVectors, checkView, transposeHint, type Matrix } from '../dense/matrix.js';
import { requireSquare } from '../operator/checks.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { VectorRows } from '../operator/row-share.js';
import { SOLVE_CONTROL_KEYS, type CheckedControl, type SolveControl, type Tolerances } from './solution.js';

/** Tolerances with all defaults filled in. */
export type ResolvedTolerances = Resolved<Tolerances>;

/** Relative tolerance of every Krylov solver unless given. */
export const DEFAULT_RELATIVE_TOLERANCE = 1e-8;
const MOST_ITERATIONS = 10_000;
const MOST_RESTARTS = 20;

/**
 * Recurrences below this share of ‖b‖ say nothing any more; squares of such numbers are still far from the end of the
 * range.
 */
export const LEAST_RELATIVE_TARGET = 2 ** -60;

/** The call's tolerances before the solver's, before the defaults. Throws OptionError. */
export function resolveTolerances(size: number, solver: Tolerances, call: Tolerances = {}): ResolvedTolerances {
  const relativeTolerance = call.relativeTolerance ?? solver.relativeTolerance ?? DEFAULT_RELATIVE_TOLERANCE;
  const absoluteTolerance = call.absoluteTolerance ?? solver.absoluteTolerance ?? 0;
  const maxIterations = call.maxIterations ?? solver.maxIterations ?? Math.min(10 * size, MOST_ITERATIONS);
  const maxRestarts = call.maxRestarts ?? solver.maxRestarts ?? MOST_RESTARTS;
  requireNonNegative(relativeTolerance, 'relativeTolerance', 1);
  requireNonNegative(absoluteTolerance, 'absoluteTolerance');
  const roundoff = call.roundoff ?? solver.roundoff ?? Number.EPSILON;
  requireWhole(maxIterations, 'maxIterations', 0);
  requireWhole(maxRestarts, 'maxRestarts', 0);
  requireNonNegative(roundoff, 'roundoff', 1);
  return { relativeTolerance, absoluteTolerance, maxIterations, maxRestarts, roundoff };
}

/** The size of a symmetric system. Throws ShapeError, OptionError. */
export function checkSystem(operator: LinearOperator, method: string): number {
  const size = requireSquare(operator, method);
  // A rank may have none of the rows that several share.
  if (size === 0 && operator.rowShare === undefined)
    throw new ShapeError(`${method} needs an operator with at least one row.`, { rows: 0 });
  if (!operator.symmetric) throw new OptionError(`${method} needs a symmetric operator; this one says that it is not.`);
  return size;
}

/**
 * Throws ShapeError, and OptionError where a symmetric preconditioner is needed and this one is none by its own
 * account.
 */
export function checkPreconditioner(
  preconditioner: LinearOperator | undefined,
  size: number,
  method: string,
  symmetric: boolean,
): void {
  if (preconditioner === undefined) return;
  requireRole(preconditioner, 'operator', `preconditioner of ${method}`);
  const { rows, cols } = preconditioner;
  if (rows !== size || cols !== size)
    throw new ShapeError(`The preconditioner is ${rows} × ${cols}, the operator ${size} × ${size}.`, {
      rows,
      cols,
      size,
    });
  if (symmetric && !preconditioner.symmetric)
    throw new OptionError(
      `${method} needs a symmetric positive definite preconditioner; this one says that it is not symmetric: use ` +
        'flexibleConjugateGradients.',
    );
}

/** Throws ShapeError unless `a` is a view of size × cols. */
export function checkVectors(a: Matrix, name: string, size: number, cols: number): void {
  checkView(a, name);
  if (a.rows !== size || a.cols !== cols) {
    const hint =
      a.rows !== size && a.cols === size
        ? transposeHint(a, size)
        : cols === 1 && a.cols > 1
          ? ' For several right-hand sides there is blockConjugateGradients.'
          : '';
    throw new ShapeError(`${name} is ${a.rows} × ${a.cols}, and ${size} × ${cols} is needed.${hint}`, {
      rows: a.rows,
      cols: a.cols,
      expected: [size, cols],
    });
  }
}

/** Throws OptionError unless it says which x is handed back. */
export function requireKeep(keep: 'last' | 'best'): void {
  if (keep !== 'last' && keep !== 'best')
    throw new OptionError(`keep must be 'last' or 'best', not ${describe(keep)}.`, { keep });
}

/** What a call passes along, its guess of size × cols as a matrix. Throws OptionError for unknown keys, ShapeError. */
export function checkControl(control: SolveControl, size: number, cols: number): CheckedControl {
  const { keep = 'last' } = requireKnownOptions(control, SOLVE_CONTROL_KEYS, 'solve');
  requireKeep(keep);
  const { guess: given, ...rest } = control;
  if (given === undefined) return rest;
  const guess = asVectors(given, 'guess');
  checkVectors(guess, 'guess', size, cols);
  return { ...rest, guess };
}

/** max |a_ij| of column j. Throws NonFiniteError that names the entry. */
export function largestEntry(a: Matrix, j: number, name: string): number {
  const { data } = a;
  const first = a.offset + j * a.ld;
  let largest = 0;
  for (let i = 0; i < a.rows; i++) {
    const size = Math.abs(data[first + i]);
    if (!(size < Number.POSITIVE_INFINITY))
      throw new NonFiniteError(
        `${name} holds ${data[first + i]} in row ${i}, column ${j}: a finite right-hand side and start are needed.`,
        { row: i, column: j, value: data[first + i] },
      );
    if (size > largest) largest = size;
  }
  return largest;
}

/**
 * The same of columns over all rows, whoever has them. Throws NonFiniteError on all ranks; the one that has the entry
 * names it. Collective.
 */
export function largestEntriesOver(
  rows: VectorRows,
  a: Matrix,
  { first, count }: { readonly first: number; readonly count: number },
  name: string,
): Float64Array {
  const values = new Float64Array(count);
  let found: NonFiniteError | undefined;
  for (let j = 0; j < count; j++) {
    try {
      values[j] = largestEntry(a, first + j, name);
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error;
      found ??= error;
      values[j] = Number.POSITIVE_INFINITY;
    }
  }
  rows.largest(values);
  const column = values.indexOf(Number.POSITIVE_INFINITY);
  if (column < 0) return values;
  throw (
    found ??
    new NonFiniteError(`${name} holds a number that is not finite in the rows of another rank, which names it.`, {
      column: first + column,
    })
  );
}

/** |pᵀAp/pᵀp| up to this share of ‖A‖ may be rounding alone: of N terms, or of products that are no more accurate. */
export const curvatureRounding = (size: number, roundoff: number): number =>
  Math.max(size * Number.EPSILON, 16 * roundoff);

/**
 * A power of two that brings the number close to one where its square would leave the range; else 1, so that no bits
 * change.
 */
export function safeScale(largest: number): number {
  if (largest === 0 || (largest > 1e-100 && largest < 1e100)) return 1;
  return 2 ** -Math.max(-1000, Math.min(1000, Math.round(Math.log2(largest))));
}
