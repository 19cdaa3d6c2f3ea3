/**
 * The frame of a Krylov solver for one right-hand side: checks, scaling, tolerances, restarts from the true residual, history, abort, progress. Layer 3.
 * A method is a recurrence that steps x and r; what it keeps lies beside x and r in shared memory, so that operators on a team take it without a copy.
 *
 * Restarts: the residual that a recurrence carries drifts away from b − Ax by about eps·Σ‖A‖‖αp‖ (A. Greenbaum, SIAM J. Matrix Anal. Appl. 18(3), 1997).
 * So convergence is claimed of the recomputed residual alone, and where that misses, the method starts again from it ("residual replacement",
 * H. van der Vorst, Q. Ye, SIAM J. Sci. Comput. 22(3), 2000, in its simplest form).
 */
import { OptionError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { asVectors, view, type Matrix, type Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { CheckedControl, LinearSolver, PlainOutcome, Solution, SolveControl, Tolerances } from './solution.js';
import { checkControl, checkVectors, largestEntry, LEAST_RELATIVE_TARGET, resolveTolerances, safeScale, type ResolvedTolerances } from './solver-checks.js';
import { dot } from './vector.js';
import { runAtOnce, runInTurns } from './turns.js';

/** Vectors of a solver, contiguous and whole: `data` is what loops take, `matrix` what operators take. */
export interface Vector { readonly data: Float64Array; readonly matrix: Matrix }

export function vector(size: number): Vector {
  const data = sharedFloat64(size);
  return { data, matrix: view(data, 0, size, 1) };
}

/** The iterate and its residual, which frame and recurrence share. */
export interface Iterate { readonly x: Vector; readonly r: Vector }

/** Why a recurrence cannot go on. */
export type Stop =
  | { readonly outcome: 'nonFinite' | 'leastSquares' }
  | { readonly outcome: 'indefinite'; readonly curvature: number; readonly curvatureBound: number; readonly direction: Matrix }
  | { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number }
  | { readonly outcome: 'asymmetricPreconditioner'; readonly asymmetry: number };

export const NON_FINITE: Stop = { outcome: 'nonFinite' };

export interface Recurrence {
  /** For progress and messages. */
  readonly name: string;
  /** Vectors of size N that it keeps, besides x and r. */
  readonly vectors: number;
  /** ‖r‖₂ after the last step, as far as the recurrence knows. */
  readonly residualNorm: number;
  /** Products with A so far, over all solves. */
  readonly products: number;
  /** Takes up iterate.r = b − Ax of the given norm; `fresh` at the first of a solve, not at its restarts. */
  begin(residualNorm: number, fresh: boolean): void;
  /** At most one product with A; undefined where all is well. Where it stops, x has been left as it was. */
  step(): Stop | undefined;
  /** Where the steps end without convergence: x may be put back to an earlier, better iterate. */
  finish?(): void;
}

interface Run { readonly b: Matrix; readonly x: Matrix; readonly control: CheckedControl; readonly tolerances: ResolvedTolerances }

class SingleVectorSolver implements LinearSolver {
  readonly size: number;
  readonly workspaceBytes: number;
  readonly #operator: LinearOperator;
  readonly #recurrence: Recurrence;
  readonly #iterate: Iterate;
  readonly #options: Tolerances;
  #busy = false;

  constructor(operator: LinearOperator, iterate: Iterate, recurrence: Recurrence, options: Tolerances) {
    this.size = operator.rows;
    this.workspaceBytes = 8 * this.size * (2 + recurrence.vectors);
    this.#operator = operator;
    this.#recurrence = recurrence;
    this.#iterate = iterate;
    this.#options = options;
  }

  solve(b: Vectors, x: Matrix, control: SolveControl = {}): Solution {
    return runAtOnce(this.#iterations(this.#checked(b, x, control)));
  }

  async solveAsync(b: Vectors, x: Matrix, control: SolveControl = {}): Promise<Solution> {
    return runInTurns(this.#iterations(this.#checked(b, x, control)));
  }

  #checked(given: Vectors, x: Matrix, asked: SolveControl): Run {
    const b = asVectors(given, 'b');
    checkVectors(b, 'b', this.size, 1);
    checkVectors(x, 'x', this.size, 1);
    const control = checkControl(asked, this.size, 1);
    const tolerances = resolveTolerances(this.size, this.#options, control);
    if (this.#busy) throw new OptionError('This solver is at work on another right-hand side: wait for it, or make a second solver.');
    this.#busy = true;
    return { b, x, control, tolerances };
  }

  /** r ← scale·b − A·x; returns ‖r‖. */
  #trueResidual(b: Matrix, scale: number, zero: boolean): number {
    const { x, r } = this.#iterate;
    for (let i = 0; i < this.size; i++) r.data[i] = scale * b.data[b.offset + i];
    if (!zero) this.#operator.applyUnchecked(r.matrix, x.matrix, -1, 1);
    return Math.sqrt(dot(r.data, r.data));
  }

  *#iterations(run: Run): Generator<undefined, Solution, undefined> {
    try {
      return yield* this.#cycles(run);
    } finally {
      this.#busy = false;
    }
  }

  *#cycles({ b, x: out, control, tolerances }: Run): Generator<undefined, Solution, undefined> {
    const { size } = this;
    const recurrence = this.#recurrence;
    const { x } = this.#iterate;
    const { relativeTolerance, absoluteTolerance, maxIterations, maxRestarts } = tolerances;
    const { guess, signal, onProgress, onIteration } = control;
    const scale = safeScale(largestEntry(b, 0, 'b'));
    let zero = guess === undefined || largestEntry(guess, 0, 'guess') === 0;
    for (let i = 0; i < size; i++) x.data[i] = zero || guess === undefined ? 0 : scale * guess.data[guess.offset + i];
    const length = this.#trueResidual(b, scale, true);
    if (length === 0) {
      // The only solution there is; a guess could but lead astray.
      for (let i = 0; i < size; i++) out.data[out.offset + i] = 0;
      return { outcome: 'converged', x: out, iterations: 0, products: 0, restarts: 0, residual: 0, residualNorm: 0, estimatedResidual: 0, history: Float64Array.of(0) };
    }
    let products = zero ? 0 : 1;
    let residual = zero ? length : this.#trueResidual(b, scale, false);
    const target = Math.max(relativeTolerance * length, absoluteTolerance * scale);
    const leastTarget = Math.max(target, LEAST_RELATIVE_TARGET * length);
    const history = [residual / length];
    let iterations = 0;
    let restarts = 0;
    let estimated = residual;
    let stop: Stop | { readonly outcome: PlainOutcome } | undefined;
    if (!Number.isFinite(residual)) stop = NON_FINITE;
    else if (residual <= target) stop = { outcome: 'converged' };
    while (stop === undefined) {
      recurrence.begin(residual, restarts === 0);
      const before = residual;
      for (;;) {
        if (signal?.aborted) stop = { outcome: 'aborted' };
        else if (iterations === maxIterations) stop = { outcome: 'maxIterations' };
        else {
          const sofar = recurrence.products;
          stop = recurrence.step();
          products += recurrence.products - sofar;
        }
        if (stop !== undefined) {
          recurrence.finish?.();
          break;
        }
        iterations++;
        zero = false;
        estimated = recurrence.residualNorm;
        history.push(estimated / length);
        onIteration?.(iterations, estimated / length);
        onProgress?.({ phase: recurrence.name, done: iterations, total: maxIterations });
        if (estimated <= leastTarget) break;
        yield undefined;
      }
      if (!zero) {
        residual = this.#trueResidual(b, scale, false);
        products++;
      }
      if (residual <= target) stop = { outcome: 'converged' };
      else if (stop === undefined) {
        if (!Number.isFinite(residual)) stop = NON_FINITE;
        else if (restarts === maxRestarts || residual > before / 2) stop = { outcome: 'stagnated' };
        else restarts++;
      }
    }
    for (let i = 0; i < size; i++) out.data[out.offset + i] = x.data[i] / scale;
    return {
      ...stop, x: out, iterations, products, restarts, residual: residual / length, residualNorm: residual / scale, estimatedResidual: estimated / length,
      history: Float64Array.from(history),
    };
  }
}

/** A solver for A x = b that steps the given recurrence; the recurrence works on the same iterate. */
export function singleVectorSolver(operator: LinearOperator, iterate: Iterate, recurrence: Recurrence, options: Tolerances): LinearSolver {
  resolveTolerances(operator.rows, options);
  return new SingleVectorSolver(operator, iterate, recurrence, options);
}
