/**
 * The frame of a Krylov solver for one right-hand side: checks, scaling, tolerances, restarts from the true residual,
 * history, abort, progress. A method is a recurrence that steps x and r; what it keeps lies beside x and r in shared
 * memory, so that operators on a team take it without a copy.
 *
 * Restarts: the residual that a recurrence carries drifts away from b − Ax by about eps·Σ‖A‖‖αp‖ (A. Greenbaum, SIAM J.
 * Matrix Anal. Appl. 18(3), 1997). So convergence is claimed of the recomputed residual alone, and where that misses,
 * the method starts again from it ("residual replacement", H. van der Vorst, Q. Ye, SIAM J. Sci. Comput. 22(3), 2000,
 * in its simplest form); when it gives up, stagnation.ts says. Where it ends short of the tolerance, x may be put back
 * to the best one there was, and is never worse than at the start.
 *
 * Vectors have all rows, or the own rows of a rank (../operator/row-share.ts): then what is summed is summed over all
 * ranks, all decide alike, and right-hand side, start and result have own rows too or are whole on every rank.
 */
import { OptionError } from '../core/errors.js';
import { sharedFloat64 } from '../core/shared-array.js';
import { asVectors, view, type Matrix, type Vectors } from '../dense/matrix.js';
import type { RowShare } from '../operator/row-share.js';
import { normFromBelow, NORM_PRODUCTS } from './operator-norm.js';
import { gathered, ownCopies } from './own-copies.js';
import type { RangedSystem } from './ranged-system.js';
import type { CheckedControl, LinearSolver, PlainOutcome, Solution, SolveControl, Tolerances } from './solution.js';
import {
  checkControl,
  checkVectors,
  curvatureRounding,
  largestEntriesOver,
  LEAST_RELATIVE_TARGET,
  resolveTolerances,
  safeScale,
  type ResolvedTolerances,
} from './solver-checks.js';
import { ROUNDING_LEVELS, Stagnation, WORTH_KEEPING } from './stagnation.js';
import { scaleBy } from './vector.js';
import { runAtOnce, runInTurns } from './turns.js';
import { dotOver } from './whole-rows.js';

/** Vectors of a solver, contiguous and whole: `data` is what loops take, `matrix` what operators take. */
export interface Vector {
  readonly data: Float64Array;
  readonly matrix: Matrix;
}

/** A vector of `size` zeros in shared memory. */
export function vector(size: number): Vector {
  const data = sharedFloat64(size);
  return { data, matrix: view(data, 0, size, 1) };
}

/** The iterate and its residual, which frame and recurrence share. */
export interface Iterate {
  readonly x: Vector;
  readonly r: Vector;
}

/** Why a recurrence cannot go on. */
export type Stop =
  | { readonly outcome: 'nonFinite' | 'leastSquares' | 'aborted' }
  /** pᵀAp/pᵀp is not above rounding: the frame says whether A is singular or indefinite. */
  | { readonly outcome: 'curvature'; readonly curvature: number; readonly direction: Matrix }
  /** The system has taken another scale: all begins anew. */
  | { readonly outcome: 'rescaled' }
  | { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number }
  | { readonly outcome: 'asymmetricPreconditioner'; readonly asymmetry: number };

/** A product was NaN or infinite. */
export const NON_FINITE = { outcome: 'nonFinite' } as const;
/** One of several ranks wants to stop. */
export const ABORTED = { outcome: 'aborted' } as const;
/** The system has taken another scale. */
export const RESCALED = { outcome: 'rescaled' } as const;

/** A method of the frame: begins at a residual, then steps x and r until the frame stops it. */
export interface Recurrence {
  /** Shown in progress and messages. */
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

const FIRST = { first: 0, count: 1 };

/** How a solve ended. */
type End =
  | Exclude<Stop, { readonly outcome: 'curvature' | 'rescaled' }>
  | { readonly outcome: PlainOutcome }
  | {
      readonly outcome: 'indefinite' | 'singular';
      readonly curvature: number;
      readonly curvatureBound: number;
      readonly direction: Matrix;
    };

interface Run {
  /** Of the rows that the solver works on. */
  readonly b: Matrix;
  readonly x: Matrix;
  readonly control: CheckedControl;
  readonly tolerances: ResolvedTolerances;
}

class SingleVectorSolver implements LinearSolver {
  readonly size: number;
  /** Rows that vectors have here. */
  readonly #rows: number;
  /** Where b and x are whole and the solver works on own rows. */
  readonly #whole: RowShare | undefined;
  readonly #system: RangedSystem;
  readonly #recurrence: Recurrence;
  readonly #iterate: Iterate;
  readonly #options: Tolerances;
  /** x as a later cycle began; the first begins at the guess. */
  #start: Float64Array | undefined;
  /** The x of least estimated residual in the cycle as far as it was kept, and that residual. */
  readonly #best: Float64Array;
  #least = 0;
  /** ‖A‖ of the ranged system, once it was asked for. */
  #norm: number | undefined;
  #busy = false;

  constructor({ system, iterate, recurrence, whole }: Method, options: Tolerances) {
    this.#rows = system.operator.rows;
    this.#whole = whole;
    this.size = whole?.size ?? this.#rows;
    this.#system = system;
    this.#recurrence = recurrence;
    this.#iterate = iterate;
    this.#best = new Float64Array(this.#rows);
    this.#options = options;
  }

  get workspaceBytes(): number {
    return 8 * this.#rows * (3 + (this.#start === undefined ? 0 : 1) + this.#recurrence.vectors);
  }

  solve(b: Vectors, x: Matrix, control: SolveControl = {}): Solution {
    return this.#handedBack(runAtOnce(this.#iterations(this.#checked(b, x, control))), x);
  }

  async solveAsync(b: Vectors, x: Matrix, control: SolveControl = {}): Promise<Solution> {
    return this.#handedBack(await runInTurns(this.#iterations(this.#checked(b, x, control))), x);
  }

  #checked(given: Vectors, x: Matrix, asked: SolveControl): Run {
    const b = asVectors(given, 'b');
    checkVectors(b, 'b', this.size, 1);
    checkVectors(x, 'x', this.size, 1);
    const control = checkControl(asked, this.size, 1);
    const tolerances = resolveTolerances(this.#system.rows.size, this.#options, control);
    if (this.#busy)
      throw new OptionError('This solver is at work on another right-hand side: wait for it, or make a second solver.');
    const own = this.#whole === undefined ? { b, x, control } : ownCopies(this.#whole, { b, x, control });
    this.#busy = true;
    return { ...own, tolerances };
  }

  /** The solution as it was asked for: whole, where b was. */
  #handedBack(solution: Solution, x: Matrix): Solution {
    return this.#whole === undefined ? solution : gathered(this.#whole, solution, x);
  }

  #dot(a: Vector, b: Vector): number {
    return dotOver(this.#system.rows, a.data, b.data);
  }

  /** r ← scale·b − A·x; returns ‖r‖. */
  #trueResidual(b: Matrix, scale: number, zero: boolean): number {
    const { x, r } = this.#iterate;
    for (let i = 0; i < this.#rows; i++) r.data[i] = scale * b.data[b.offset + i];
    if (!zero) this.#system.operator.applyUnchecked(r.matrix, x.matrix, -1, 1);
    return Math.sqrt(this.#dot(r, r));
  }

  #keep(residual: number): void {
    this.#best.set(this.#iterate.x.data);
    this.#least = residual;
  }

  /** A cycle begins at this true residual, or begins anew. */
  #begin(residual: number, first: boolean): void {
    this.#recurrence.begin(residual, first);
    if (!first) (this.#start ??= new Float64Array(this.#rows)).set(this.#iterate.x.data);
    this.#keep(residual);
  }

  /** x ← the guess, scaled. */
  #load(guess: Matrix | undefined, scale: number): void {
    const { data } = this.#iterate.x;
    if (guess === undefined) data.fill(0);
    else for (let i = 0; i < this.#rows; i++) data[i] = (scale / this.#system.factor) * guess.data[guess.offset + i];
  }

  /** x and the best one change places. */
  #exchange(): void {
    const x = this.#iterate.x.data;
    const y = this.#best;
    for (let i = 0; i < this.#rows; i++) [x[i], y[i]] = [y[i], x[i]];
  }

  *#iterations(run: Run): Generator<undefined, Solution, undefined> {
    try {
      return yield* this.#cycles(run);
    } finally {
      this.#busy = false;
    }
  }

  *#cycles({ b, x: out, control, tolerances }: Run): Generator<undefined, Solution, undefined> {
    const size = this.#rows;
    const { rows } = this.#system;
    const recurrence = this.#recurrence;
    const { x } = this.#iterate;
    const { relativeTolerance, absoluteTolerance, maxIterations, maxRestarts, roundoff } = tolerances;
    const { guess, keep = 'last', signal, onProgress, onIteration } = control;
    const scale = safeScale(largestEntriesOver(rows, b, FIRST, 'b')[0]);
    let zero = guess === undefined || largestEntriesOver(rows, guess, FIRST, 'guess')[0] === 0;
    this.#load(guess, scale);
    const length = this.#trueResidual(b, scale, true);
    if (length === 0) {
      // The only solution there is; a guess could but lead astray.
      for (let i = 0; i < size; i++) out.data[out.offset + i] = 0;
      return {
        outcome: 'converged',
        x: out,
        iterations: 0,
        products: 0,
        restarts: 0,
        residual: 0,
        residualNorm: 0,
        unrounded: 0,
        estimatedResidual: 0,
        history: Float64Array.of(0),
      };
    }
    let products = zero ? 0 : 1;
    let residual = zero ? length : this.#trueResidual(b, scale, false);
    const target = Math.max(relativeTolerance * length, absoluteTolerance * scale);
    const leastTarget = Math.max(target, LEAST_RELATIVE_TARGET * length);
    const norm = (): number => {
      if (this.#norm === undefined) {
        this.#norm = normFromBelow(this.#system.operator, rows);
        products += NORM_PRODUCTS;
      }
      return this.#norm;
    };
    const level = (): number => roundoff * norm() * Math.sqrt(this.#dot(x, x));
    const stagnation = new Stagnation(rows.size, maxRestarts);
    const history = [residual / length];
    let iterations = 0;
    let estimated = residual;
    let end: End | undefined;
    if (!Number.isFinite(residual)) end = NON_FINITE;
    else if (residual <= target) end = { outcome: 'converged' };
    while (end === undefined) {
      this.#begin(residual, stagnation.restarts === 0);
      stagnation.begin(residual);
      const before = residual;
      let hovers = false;
      for (;;) {
        rows.raise(signal?.aborted === true);
        if (rows.raised) end = ABORTED;
        else if (iterations === maxIterations) end = { outcome: 'maxIterations' };
        else {
          const sofar = recurrence.products;
          const stop = recurrence.step();
          products += recurrence.products - sofar;
          if (stop?.outcome === 'rescaled') {
            scaleBy(x.data, 1 / this.#system.factor);
            this.#begin(residual, true);
            continue;
          }
          if (stop?.outcome === 'curvature') end = this.#told(stop, norm(), roundoff);
          else end = stop;
        }
        if (end !== undefined) {
          recurrence.finish?.();
          break;
        }
        iterations++;
        zero = false;
        estimated = recurrence.residualNorm;
        history.push(estimated / length);
        onIteration?.(iterations, estimated / length);
        onProgress?.({ phase: recurrence.name, done: iterations, total: maxIterations });
        if (estimated <= WORTH_KEEPING * this.#least) this.#keep(estimated);
        hovers = stagnation.hovers(estimated, level);
        if (hovers) recurrence.finish?.();
        if (estimated <= leastTarget || hovers) break;
        yield undefined;
      }
      if (!zero) {
        residual = this.#trueResidual(b, scale, false);
        products++;
      }
      if (end === undefined && !Number.isFinite(residual)) end = NON_FINITE;
      // The rounding of b − Ax alone is as long as b: x has left along null vectors.
      if (hovers && residual > target && ROUNDING_LEVELS * level() >= length) {
        end ??= this.#alongNullSpace(norm(), roundoff);
        products++;
      }
      if (!(residual <= target) && (keep === 'best' || end === undefined || end.outcome === 'singular')) {
        // Where neither the estimate nor the product is near the least there was.
        if (this.#least < before && !(Math.min(estimated, residual) <= this.#least / WORTH_KEEPING)) {
          const last = residual;
          this.#exchange();
          residual = this.#trueResidual(b, scale, false);
          products++;
          if (last < residual) {
            this.#exchange();
            residual = this.#trueResidual(b, scale, false);
            products++;
          }
        }
        if (!(residual <= before)) {
          if (stagnation.restarts === 0 || this.#start === undefined) this.#load(guess, scale);
          else x.data.set(this.#start);
          residual = before;
        }
      }
      if (residual <= target) end = { outcome: 'converged' };
      // What is left at the level of rounding lies along null vectors of any A.
      else if (end?.outcome === 'singular' && residual <= ROUNDING_LEVELS * level()) end = { outcome: 'stagnated' };
      else if (end === undefined) {
        if (stagnation.goesOn(residual, before)) stagnation.restart();
        else end = { outcome: 'stagnated' };
      }
    }
    for (let i = 0; i < size; i++) out.data[out.offset + i] = x.data[i] * (this.#system.factor / scale);
    const unrounded = residual;
    if (out.data instanceof Float32Array && !zero) {
      // The residual of the x that is handed back.
      for (let i = 0; i < size; i++) x.data[i] = out.data[out.offset + i] / (this.#system.factor / scale);
      residual = this.#trueResidual(b, scale, false);
      products++;
      if (end.outcome === 'converged' && !(residual <= target)) end = { outcome: 'stagnated' };
    }
    return {
      ...end,
      x: out,
      iterations,
      products,
      restarts: stagnation.restarts,
      residual: residual / length,
      residualNorm: residual / scale,
      unrounded: unrounded / length,
      estimatedResidual: estimated / length,
      history: Float64Array.from(history),
    };
  }

  /** x itself as a direction without curvature, if it is one; r is its true residual. */
  #alongNullSpace(norm: number, roundoff: number): End | undefined {
    const { x, r } = this.#iterate;
    const direction = vector(this.#rows);
    direction.data.set(x.data);
    const product = vector(this.#rows);
    this.#system.operator.applyUnchecked(product.matrix, x.matrix, 1, 0);
    const curvature = this.#dot(x, product) / this.#dot(x, x);
    if (this.#dot(x, r) < 0) scaleBy(direction.data, -1);
    const end = this.#told({ outcome: 'curvature', curvature, direction: direction.matrix }, norm, roundoff);
    return Math.abs(curvature) <= curvatureRounding(this.#system.rows.size, roundoff) * norm ? end : undefined;
  }

  /** What a direction without curvature says of A itself. */
  #told({ curvature, direction }: Stop & { readonly outcome: 'curvature' }, norm: number, roundoff: number): End {
    const bound = curvatureRounding(this.#system.rows.size, roundoff) * norm;
    const { factor } = this.#system;
    return {
      outcome: curvature < -bound ? 'indefinite' : 'singular',
      curvature: curvature / factor,
      curvatureBound: bound / factor,
      direction,
    };
  }
}

/** A method: its recurrence works on the same system and iterate. */
export interface Method {
  readonly system: RangedSystem;
  readonly iterate: Iterate;
  readonly recurrence: Recurrence;
  /** Where b and x are whole and the method works on own rows of them: these. */
  readonly whole?: RowShare | undefined;
}

/** A solver for A x = b that steps the method's recurrence. */
export function singleVectorSolver(method: Method, options: Tolerances): LinearSolver {
  resolveTolerances(method.system.rows.size, options);
  return new SingleVectorSolver(method, options);
}
