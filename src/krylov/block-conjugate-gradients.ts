/**
 * Block conjugate gradients: many right-hand sides that share their search directions.
 * The method and its papers: block-directions.ts. Tolerances and restarts of each column: block-group.ts. Here: columns
 * in groups, outcomes.
 *
 * Columns that have converged leave the block; zero, equal or dependent right-hand sides cost no directions of their
 * own.
 */
import { requireWhole } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { optionsAmong } from '../core/known-options.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import { asVectors, type Matrix, type Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { RowShare } from '../operator/row-share.js';
import { requireOperator } from '../operator/self-check.js';
import { DIRECTION_BLOCKS } from './block-directions.js';
import { BlockGroup, type Run } from './block-group.js';
import { BlockIterates } from './block-iterates.js';
import {
  type BlockNumbers,
  type BlockOptions,
  type BlockSolution,
  type BlockSolver,
  BLOCK_KEYS,
} from './block-solution.js';
import { gathered, ownCopies } from './own-copies.js';
import { placedSystem, type PlacedSystem } from './placed-system.js';
import type { RangedSystem } from './ranged-system.js';
import { type SolveControl, SOLVE_CONTROL_KEYS } from './solution.js';
import { checkControl, checkVectors, largestEntriesOver, resolveTolerances } from './solver-checks.js';
import { runAtOnce, runInTurns } from './turns.js';

/** Columns that are solved together where nobody says how many. */
export const BLOCK_SIZE = 32;

const METHOD = { name: 'blockConjugateGradients', symmetric: true } as const;

class BlockConjugateGradients implements BlockSolver {
  readonly size: number;
  readonly #system: RangedSystem;
  /** Where B and X are whole and the solver works on own rows. */
  readonly #whole: RowShare | undefined;
  readonly #group: BlockGroup;
  readonly #options: WithBlas<BlockOptions>;
  readonly #blockSize: number;
  #workspace: BlockIterates | undefined;
  #busy = false;

  constructor({ system, whole }: PlacedSystem, options: WithBlas<BlockOptions>) {
    this.size = whole?.size ?? system.operator.rows;
    this.#system = system;
    this.#whole = whole;
    this.#group = new BlockGroup(system);
    this.#options = options;
    this.#blockSize = options.blockSize ?? BLOCK_SIZE;
  }

  get workspaceBytes(): number {
    return (
      8 *
      this.#group.size *
      (this.#workspace?.capacity ?? 0) *
      (3 + (this.#workspace?.start === undefined ? 0 : 1) + DIRECTION_BLOCKS)
    );
  }

  solve(b: Vectors, x: Matrix, control: SolveControl = {}): BlockSolution {
    return this.#handedBack(runAtOnce(this.#guarded(this.#checked(b, x, control))), x);
  }

  async solveAsync(b: Vectors, x: Matrix, control: SolveControl = {}): Promise<BlockSolution> {
    return this.#handedBack(await runInTurns(this.#guarded(this.#checked(b, x, control))), x);
  }

  /** The solution as it was asked for: whole, where B was. */
  #handedBack(solution: BlockSolution, x: Matrix): BlockSolution {
    return this.#whole === undefined ? solution : gathered(this.#whole, solution, x);
  }

  #checked(given: Vectors, x: Matrix, asked: SolveControl): Run {
    const b = asVectors(given, 'b');
    checkVectors(b, 'b', this.size, b.cols);
    checkVectors(x, 'x', this.size, b.cols);
    const control = checkControl(asked, this.size, b.cols);
    const { rows } = this.#system;
    const tolerances = resolveTolerances(rows.size, this.#options, control);
    if (this.#busy)
      throw new OptionError('This solver is at work on other right-hand sides: wait for it, or make a second solver.');
    const own = this.#whole === undefined ? { b, x, control } : ownCopies(this.#whole, { b, x, control });
    const all = { first: 0, count: b.cols };
    largestEntriesOver(rows, own.b, all, 'b');
    if (own.control.guess !== undefined) largestEntriesOver(rows, own.control.guess, all, 'guess');
    this.#busy = true;
    return {
      b: own.b,
      out: own.x,
      control: own.control,
      tolerances,
      residuals: new Float64Array(b.cols),
      columnIterations: new Int32Array(b.cols),
      history: [],
      iterations: 0,
      products: 0,
      restarts: 0,
      halt: undefined,
      short: undefined,
      unmet: 0,
      unrounded: 0,
    };
  }

  *#guarded(run: Run): Generator<undefined, BlockSolution, undefined> {
    try {
      const { cols } = run.b;
      const width = Math.min(cols, this.#blockSize);
      if (cols > 0 && (this.#workspace === undefined || this.#workspace.capacity < width))
        this.#workspace = new BlockIterates(this.#group.size, width, this.#options.blas, this.#system.rows);
      for (let first = 0; first < cols; first += width) {
        yield* this.#group.solve(run, this.#workspace!, first, Math.min(width, cols - first));
      }
    } finally {
      this.#busy = false;
    }
    const { out, iterations, products, restarts, residuals, columnIterations, history, halt, short, unmet } = run;
    let residual = 0;
    for (const value of residuals) residual = Math.max(residual, value);
    const numbers: BlockNumbers = {
      x: out,
      iterations,
      products,
      restarts,
      residual,
      unrounded: run.unrounded,
      residuals,
      columnIterations,
      history: Float64Array.from(history),
    };
    if (unmet === 0) return { ...numbers, outcome: 'converged' };
    return halt === undefined ? { ...numbers, outcome: short ?? 'stagnated' } : { ...numbers, ...halt };
  }
}

/**
 * A solver for A X = B, A symmetric positive definite, B of N × k. The error of each column, in the norm of A, is least
 * over the directions of all columns: the steps needed fall with k as if the k outermost eigenvalues were gone (O'Leary
 * 1980, theorem 5), and each is one product with a block. The workspace (8N k numbers in float64, k at most the
 * block size) grows to the widest group and then serves every solve. Operators of float32: wrap them by `converted`.
 * Throws ShapeError, OptionError.
 *
 * With a hierarchical matrix, and a preconditioner that has own rows too, it works on these as
 * `conjugateGradientSolver` does: a step takes four allreduces, of at most 2k + k², k², 2k² and k numbers a rank (five
 * where directions are kept).
 */
export function blockConjugateGradientSolver(operator: LinearOperator, options: BlockOptions = {}): BlockSolver {
  requireOperator(operator, 'blockConjugateGradientSolver', 'f64', { ownRows: true });
  const backed = withBlas(options, BLOCK_KEYS, 'blockConjugateGradientSolver');
  const placed = placedSystem(operator, options.preconditioner, METHOD);
  const { blockSize = BLOCK_SIZE } = options;
  requireWhole(blockSize, 'blockSize', 1);
  resolveTolerances(placed.system.rows.size, options);
  return new BlockConjugateGradients(placed, backed);
}

/** One solve with a workspace of its own. */
export function blockConjugateGradients(
  operator: LinearOperator,
  b: Matrix,
  x: Matrix,
  options: BlockOptions & SolveControl,
): BlockSolution {
  return blockConjugateGradientSolver(operator, optionsAmong(options, BLOCK_KEYS)).solve(
    b,
    x,
    optionsAmong(options, SOLVE_CONTROL_KEYS),
  );
}
