/**
 * Block conjugate gradients: many right-hand sides that share their search directions. Layer 3.
 * The method and its papers: block-directions.ts. Here: groups of columns, tolerances and restarts for each column, outcomes.
 *
 * Columns that have converged leave the block; zero, equal or dependent right-hand sides cost no directions of their own.
 */
import { OptionError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { asVectors, block, copyInto, view, type Matrix, type Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { BlockDirections, columnNorm, DIRECTION_BLOCKS } from './block-directions.js';
import type { CheckedControl, PlainOutcome, SolveControl, SolverOptions } from './solution.js';
import { checkControl, checkPreconditioner, checkSystem, controlOf, checkVectors, largestEntry, LEAST_RELATIVE_TARGET, resolveTolerances, safeScale, type ResolvedTolerances } from './solver-checks.js';
import { dot } from './vector.js';
import { runAtOnce, runInTurns } from './turns.js';

export interface BlockOptions extends SolverOptions {
  readonly blas: Blas;
  /** Right-hand sides solved together (k); more are solved in groups, one after another; default 32. A step costs some 14N k² flops besides the products. */
  readonly blockSize?: number;
}
export const BLOCK_KEYS: KeysOf<BlockOptions> = {
  relativeTolerance: true, absoluteTolerance: true, maxIterations: true, maxRestarts: true, preconditioner: true,
  blas: true, blockSize: true,
};

interface BlockNumbers {
  /** N × k: the matrix that was passed in. */
  readonly x: Matrix;
  /** Steps, of all groups together; the limit maxIterations is each group's. */
  readonly iterations: number;
  /** Products of A with a single vector, those for true residuals included. */
  readonly products: number;
  readonly restarts: number;
  /** The largest of `residuals`. */
  readonly residual: number;
  /** True relative residuals, ‖b_j − Ax_j‖/‖b_j‖, by products with the final x (0 for b_j = 0). */
  readonly residuals: Float64Array;
  /** The step of its group at which each column met the tolerance, or the last. */
  readonly columnIterations: Int32Array;
  /** The largest estimated relative residual of the group at its start and after each of its steps; groups one after another. */
  readonly history: Float64Array;
}

export type BlockSolution =
  | BlockNumbers & { readonly outcome: Exclude<PlainOutcome, 'leastSquares'> }
  | BlockNumbers & {
    /** PᵀAP is not positive definite; the fields are those of a Solution, but the direction may be of either sign. x is the iterate before. */
    readonly outcome: 'indefinite';
    readonly curvature: number;
    readonly curvatureBound: number;
    readonly direction: Matrix;
  }
  | BlockNumbers & { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number };

export interface BlockSolver {
  readonly size: number;
  /** Bytes of vectors kept now: the workspace grows to the widest group solved so far. */
  readonly workspaceBytes: number;
  /** As LinearSolver.solve, for b and x of N × k, k ≥ 0, which are one and the same or share no memory. */
  solve(b: Vectors, x: Matrix, control?: SolveControl): BlockSolution;
  solveAsync(b: Vectors, x: Matrix, control?: SolveControl): Promise<BlockSolution>;
}

const BLOCK_SIZE = 32;

type Halt =
  | { readonly outcome: 'nonFinite' | 'aborted' }
  | { readonly outcome: 'indefinite'; readonly curvature: number; readonly curvatureBound: number; readonly direction: Matrix }
  | { readonly outcome: 'indefinitePreconditioner'; readonly preconditionerCurvature: number };

interface Run {
  readonly b: Matrix; readonly out: Matrix; readonly control: CheckedControl; readonly tolerances: ResolvedTolerances;
  readonly residuals: Float64Array; readonly columnIterations: Int32Array; readonly history: number[];
  iterations: number; products: number; restarts: number;
  /** What ends the whole solve. */
  halt: Halt | undefined;
  /** What some column fell short by. */
  short: 'maxIterations' | 'stagnated' | undefined;
  /** Columns that miss their tolerance in the end. */
  unmet: number;
}

function columnNorms(a: Matrix, out: Float64Array): void {
  for (let j = 0; j < a.cols; j++) out[j] = columnNorm(a, j);
}

class Workspace {
  readonly capacity: number;
  readonly x: Matrix;
  readonly r: Matrix;
  readonly directions: BlockDirections;
  /** Column of the group that stands at each place of x and r. */
  readonly order: Int32Array;
  readonly scales: Float64Array;
  readonly lengths: Float64Array;
  readonly targets: Float64Array;
  /** By place: estimated (or true) norms of residuals; true norms at the last restart. */
  readonly norms: Float64Array;
  readonly before: Float64Array;

  constructor(size: number, capacity: number, blas: Blas) {
    this.capacity = capacity;
    this.x = view(sharedFloat64(size * capacity), 0, size, capacity);
    this.r = view(sharedFloat64(size * capacity), 0, size, capacity);
    this.directions = new BlockDirections(size, capacity, blas);
    this.order = new Int32Array(capacity);
    this.scales = new Float64Array(capacity);
    this.lengths = new Float64Array(capacity);
    this.targets = new Float64Array(capacity);
    this.norms = new Float64Array(capacity);
    this.before = new Float64Array(capacity);
  }

  /** Columns at places i and j change places. */
  swap(i: number, j: number): void {
    if (i === j) return;
    for (const { data, rows } of [this.x, this.r]) {
      for (let k = 0; k < rows; k++) {
        const kept = data[k + i * rows];
        data[k + i * rows] = data[k + j * rows];
        data[k + j * rows] = kept;
      }
    }
    for (const list of [this.order, this.scales, this.lengths, this.targets, this.norms, this.before]) {
      const kept = list[i];
      list[i] = list[j];
      list[j] = kept;
    }
    this.directions.swap(i, j);
  }
}

class BlockConjugateGradients implements BlockSolver {
  readonly size: number;
  readonly #operator: LinearOperator;
  readonly #options: BlockOptions;
  readonly #blockSize: number;
  #workspace: Workspace | undefined;
  #busy = false;

  constructor(operator: LinearOperator, options: BlockOptions) {
    this.size = operator.rows;
    this.#operator = operator;
    this.#options = options;
    this.#blockSize = options.blockSize ?? BLOCK_SIZE;
  }

  get workspaceBytes(): number { return 8 * this.size * (this.#workspace?.capacity ?? 0) * (2 + DIRECTION_BLOCKS); }

  solve(b: Vectors, x: Matrix, control: SolveControl = {}): BlockSolution {
    return runAtOnce(this.#guarded(this.#checked(b, x, control)));
  }

  async solveAsync(b: Vectors, x: Matrix, control: SolveControl = {}): Promise<BlockSolution> {
    return runInTurns(this.#guarded(this.#checked(b, x, control)));
  }

  #checked(given: Vectors, x: Matrix, asked: SolveControl): Run {
    const b = asVectors(given, 'b');
    checkVectors(b, 'b', this.size, b.cols);
    checkVectors(x, 'x', this.size, b.cols);
    const control = checkControl(asked, this.size, b.cols);
    const tolerances = resolveTolerances(this.size, this.#options, control);
    for (let j = 0; j < b.cols; j++) {
      largestEntry(b, j, 'b');
      if (control.guess !== undefined) largestEntry(control.guess, j, 'guess');
    }
    if (this.#busy) throw new OptionError('This solver is at work on other right-hand sides: wait for it, or make a second solver.');
    this.#busy = true;
    return {
      b, out: x, control, tolerances, residuals: new Float64Array(b.cols), columnIterations: new Int32Array(b.cols), history: [],
      iterations: 0, products: 0, restarts: 0, halt: undefined, short: undefined, unmet: 0,
    };
  }

  *#guarded(run: Run): Generator<undefined, BlockSolution, undefined> {
    try {
      const { cols } = run.b;
      const width = Math.min(cols, this.#blockSize);
      if (cols > 0 && (this.#workspace === undefined || this.#workspace.capacity < width)) this.#workspace = new Workspace(this.size, width, this.#options.blas);
      for (let first = 0; first < cols; first += width) {
        yield* this.#group(run, this.#workspace!, first, Math.min(width, cols - first));
      }
    } finally {
      this.#busy = false;
    }
    const { out, iterations, products, restarts, residuals, columnIterations, history, halt, short, unmet } = run;
    let residual = 0;
    for (const value of residuals) residual = Math.max(residual, value);
    const numbers: BlockNumbers = { x: out, iterations, products, restarts, residual, residuals, columnIterations, history: Float64Array.from(history) };
    if (unmet === 0) return { ...numbers, outcome: 'converged' };
    return halt === undefined ? { ...numbers, outcome: short ?? 'stagnated' } : { ...numbers, ...halt };
  }

  /** Loads columns first … first + count − 1 with their scales, starts and targets; returns whether any start is not zero. */
  #load({ b, control, tolerances }: Run, work: Workspace, first: number, count: number): boolean {
    const { size } = this;
    const { x, r } = work;
    let started = false;
    for (let j = 0; j < count; j++) {
      const scale = safeScale(largestEntry(b, first + j, 'b'));
      const from = b.offset + (first + j) * b.ld;
      let sum = 0;
      for (let i = 0; i < size; i++) {
        const value = scale * b.data[from + i];
        r.data[i + j * size] = value;
        sum += value * value;
      }
      const length = Math.sqrt(sum);
      const { guess } = control;
      // Of a zero right-hand side the solution is known.
      const zero = length === 0 || guess === undefined;
      for (let i = 0; i < size; i++) x.data[i + j * size] = zero ? 0 : scale * guess.data[guess.offset + i + (first + j) * guess.ld];
      if (!zero) started = true;
      work.order[j] = first + j;
      work.scales[j] = scale;
      work.lengths[j] = length;
      work.targets[j] = Math.max(tolerances.relativeTolerance * length, tolerances.absoluteTolerance * scale);
      work.norms[j] = work.before[j] = length;
    }
    return started;
  }

  /** r ← scaled b − A x for the first `count` places, and their norms. */
  #trueResiduals(run: Run, work: Workspace, count: number): void {
    const { size } = this;
    const { b } = run;
    const r = block(work.r, 0, 0, size, count);
    for (let j = 0; j < count; j++) {
      const from = b.offset + work.order[j] * b.ld;
      for (let i = 0; i < size; i++) r.data[i + j * size] = work.scales[j] * b.data[from + i];
    }
    this.#operator.applyUnchecked(r, block(work.x, 0, 0, size, count), -1, 1);
    run.products += count;
    columnNorms(r, work.norms);
  }

  *#group(run: Run, work: Workspace, first: number, count: number): Generator<undefined, void, undefined> {
    const { tolerances, control } = run;
    if (this.#load(run, work, first, count)) this.#trueResiduals(run, work, count);
    for (let j = 0; j < count; j++) {
      work.before[j] = work.norms[j];
      if (!Number.isFinite(work.norms[j])) run.halt ??= { outcome: 'nonFinite' };
    }
    run.history.push(this.#worst(work, count));
    let active = this.#park(work, count, 0);
    let steps = 0;
    let restarts = 0;
    while (active > 0 && run.halt === undefined) {
      // A cycle, from true residuals to estimated ones; its columns are the first `cycle` places.
      const cycle = active;
      const stepsBefore = steps;
      work.directions.clear();
      let limited = false;
      while (active > 0) {
        if (control.signal?.aborted) run.halt = { outcome: 'aborted' };
        else if (steps === tolerances.maxIterations) limited = true;
        if (limited || run.halt !== undefined) break;
        const halt = this.#step(run, work, active);
        if (halt === 'exhausted') break;
        if (halt !== undefined) {
          run.halt = halt;
          break;
        }
        steps++;
        run.iterations++;
        for (let j = 0; j < active; j++) run.columnIterations[work.order[j]] = steps;
        const worst = this.#worst(work, count);
        run.history.push(worst);
        control.onIteration?.(run.iterations, worst);
        control.onProgress?.({ phase: 'blockConjugateGradients', done: steps, total: tolerances.maxIterations });
        active = this.#park(work, active, LEAST_RELATIVE_TARGET);
        yield undefined;
      }
      if (steps > stepsBefore) this.#trueResiduals(run, work, cycle);
      active = this.#missing(run, work, cycle, limited, restarts === tolerances.maxRestarts);
      if (limited && active > 0) {
        run.short = 'maxIterations';
        break;
      }
      if (active > 0 && run.halt === undefined) {
        restarts++;
        run.restarts++;
      }
    }
    this.#store(run, work, count);
  }

  /** The largest relative residual, as far as the norms are known. */
  #worst(work: Workspace, count: number): number {
    let worst = 0;
    for (let j = 0; j < count; j++) if (work.lengths[j] > 0) worst = Math.max(worst, work.norms[j] / work.lengths[j]);
    return worst;
  }

  /** Moves columns that meet their tolerance (or are below `least` of their right-hand side) behind the others; returns how many are left in front. */
  #park(work: Workspace, active: number, least: number): number {
    let left = active;
    for (let j = active - 1; j >= 0; j--) {
      if (work.norms[j] <= Math.max(work.targets[j], least * work.lengths[j])) work.swap(j, --left);
    }
    return left;
  }

  /** Of the first `cycle` places, with true residuals: those that have not met the tolerance and can go on are moved to the front, and counted. */
  #missing(run: Run, work: Workspace, cycle: number, limited: boolean, last: boolean): number {
    let left = this.#park(work, cycle, 0);
    if (run.halt !== undefined || limited) return left;
    for (let j = left - 1; j >= 0; j--) {
      if (!Number.isFinite(work.norms[j])) run.halt = { outcome: 'nonFinite' };
      else if (last || work.norms[j] > work.before[j] / 2) {
        run.short ??= 'stagnated';
        work.swap(j, --left);
      }
    }
    for (let j = 0; j < left; j++) work.before[j] = work.norms[j];
    return left;
  }

  #step(run: Run, work: Workspace, active: number): Halt | 'exhausted' | undefined {
    const { size } = this;
    const { directions } = work;
    const r = block(work.r, 0, 0, size, active);
    const z = block(directions.z, 0, 0, size, active);
    const { preconditioner } = this.#options;
    if (preconditioner === undefined) copyInto(z, r);
    else {
      preconditioner.applyUnchecked(z, r, 1, 0);
      for (let j = 0; j < active; j++) {
        const rz = dot(work.r.data.subarray(j * size, (j + 1) * size) as Float64Array, z.data.subarray(j * size, (j + 1) * size) as Float64Array);
        if (!Number.isFinite(rz)) return { outcome: 'nonFinite' };
        if (rz <= 0) return { outcome: 'indefinitePreconditioner', preconditionerCurvature: rz / work.norms[j] ** 2 };
      }
    }
    const result = directions.extend(this.#operator, active);
    if (result.kind === 'exhausted') return 'exhausted';
    run.products += directions.rank;
    if (result.kind === 'nonFinite') return { outcome: 'nonFinite' };
    if (result.kind === 'indefinite') {
      const { curvature, norm, direction } = result;
      return { outcome: 'indefinite', curvature, curvatureBound: size * Number.EPSILON * norm, direction };
    }
    directions.advance(block(work.x, 0, 0, size, active), r);
    columnNorms(r, work.norms);
    for (let j = 0; j < active; j++) if (!Number.isFinite(work.norms[j])) return { outcome: 'nonFinite' };
    return undefined;
  }

  #store(run: Run, work: Workspace, count: number): void {
    const { size } = this;
    const { out, residuals } = run;
    for (let j = 0; j < count; j++) {
      const column = work.order[j];
      const to = out.offset + column * out.ld;
      for (let i = 0; i < size; i++) out.data[to + i] = work.x.data[i + j * size] / work.scales[j];
      residuals[column] = work.lengths[j] > 0 ? work.norms[j] / work.lengths[j] : 0;
      if (!(work.norms[j] <= work.targets[j])) run.unmet++;
    }
  }
}

/**
 * A solver for A X = B, A symmetric positive definite, B of N × k. The error of each column, in the norm of A, is least over the directions of all columns: the steps needed
 * fall with k as if the k outermost eigenvalues were gone (O'Leary 1980, theorem 5), and each is one product with a block. The workspace (7N k numbers in float64, k at most the
 * block size) grows to the widest group and then serves every solve. Operators of float32: wrap them by `converted`. Throws ShapeError, OptionError.
 */
export function blockConjugateGradientSolver(operator: LinearOperator, options: BlockOptions): BlockSolver {
  const size = checkSystem(operator, 'blockConjugateGradients');
  checkPreconditioner(options.preconditioner, size, 'blockConjugateGradients', true);
  const { blockSize = BLOCK_SIZE } = options;
  if (!Number.isInteger(blockSize) || blockSize < 1) throw new OptionError(`blockSize must be a whole number ≥ 1, not ${blockSize}.`, { blockSize });
  resolveTolerances(size, options);
  return new BlockConjugateGradients(operator, options);
}

/** One solve with a workspace of its own. */
export function blockConjugateGradients(operator: LinearOperator, b: Matrix, x: Matrix, options: BlockOptions & SolveControl): BlockSolution {
  return blockConjugateGradientSolver(operator, options).solve(b, x, controlOf(options));
}
