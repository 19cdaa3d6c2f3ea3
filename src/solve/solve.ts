/**
 * One call that solves (A + λI) X = B: a preconditioner, conjugate gradients, and what came of it. Layer 6.
 */
import { throwIfAborted } from '../core/context.js';
import { NonFiniteError, OptionError, ShapeError } from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { isGaussNewton, subjectOf } from '../approximation/subject.js';
import { checkView, zeros, type Matrix } from '../dense/matrix.js';
import { HierarchicalMatrix } from '../hierarchical/matrix.js';
import { blockConjugateGradientSolver, type BlockSolution } from '../krylov/block-conjugate-gradients.js';
import { conjugateGradientSolver } from '../krylov/conjugate-gradients.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import type { Solution, SolveControl } from '../krylov/solution.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { shifted } from '../operator/shifted.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { choosePreconditioner, type Choice } from './choose.js';
import { makePreconditioner } from './make-preconditioner.js';
import { PRECONDITIONERS, type Preconditioner, type PreconditionerName, type PreconditionerOptions, type Subject } from './preconditioner.js';
import { requireShift } from './shifted-preconditioner.js';

export interface SolveOptions {
  /** λ ≥ 0; default 0. */
  readonly shift?: number;
  /** λ/‖A‖₂ instead, ‖A‖₂ by Lanczos to some digits. Not with `shift`. */
  readonly shiftRelative?: number;
  /** By name; or a ready one, symmetric positive definite, of whatever was thought to fit; default 'auto' (choose.ts). */
  readonly preconditioner?: PreconditionerName | 'auto' | Preconditioner | LinearOperator;
  /** Of the preconditioner that is made by name. Its seed and memoryLimit are those below. */
  readonly making?: Omit<PreconditionerOptions, 'seed' | 'memoryLimit'>;
  /** Entries of the same matrix; default: of the network behind a Gauss–Newton operator, else none. */
  readonly source?: EntrySource;
  /** The network behind the operator; default: a Gauss–Newton operator's own. */
  readonly model?: Model;
  /** Asked ‖b − (A + λI)x‖/‖b‖ of each column; default 1e-8. */
  readonly tolerance?: number;
  readonly maxIterations?: number;
  /** x₀, N × p; default zero. */
  readonly guess?: Matrix;
  /** Where X goes, N × p; default a matrix of its own, in B's precision. It may be B. */
  readonly out?: Matrix;
  /** Of everything random. Default 0. */
  readonly seed?: number;
  readonly memoryLimit?: number;
}
export const SOLVE_KEYS: KeysOf<SolveOptions> = {
  shift: true, shiftRelative: true, preconditioner: true, making: true, source: true, model: true, tolerance: true,
  maxIterations: true, guess: true, out: true, seed: true, memoryLimit: true,
};
export const MAKING_KEYS: KeysOf<NonNullable<SolveOptions['making']>> = {
  tolerance: true, leafSize: true, maxRank: true, share: true, tree: true, rank: true,
};

export interface SolveResult {
  /** N × p: the solution, or the last iterate. */
  readonly x: Matrix;
  readonly outcome: Solution['outcome'];
  /** Steps: of all groups of columns together where there are many right-hand sides (block-conjugate-gradients.ts). */
  readonly iterations: number;
  /** Products of A with a single vector while solving. */
  readonly products: number;
  /** True relative residuals of the columns by products with the final X, and the largest of them. */
  readonly residuals: Float64Array;
  readonly residual: number;
  /** Estimated relative residuals, the start's first; of many right-hand sides the largest. */
  readonly history: Float64Array;
  /** λ. */
  readonly shift: number;
  /** ‖A‖₂, where it was measured. */
  readonly norm?: number;
  readonly preconditioner: { readonly name: PreconditionerName | 'given'; readonly bytes: number; readonly details: Preconditioner['details']; readonly note?: string };
  /** choose: measuring for 'auto' and for shiftRelative; compress, factor: making the preconditioner; solve: the iteration. */
  readonly seconds: { readonly choose: number; readonly compress: number; readonly factor: number; readonly solve: number };
  /** Bytes of the preconditioner and of the vectors of the iteration. */
  readonly memory: { readonly preconditioner: number; readonly workspace: number };
  /** One sentence: why this preconditioner, and where the residual was missed, why. */
  readonly reason: string;
}

const TOLERANCE = 1e-8;
const NORM = { tolerance: 1e-3, maxIterations: 100 } as const;

/**
 * Solves (A + λI) X = B for a symmetric positive semidefinite N × N operator A and N × p right-hand sides: by preconditioned conjugate gradients for one, block conjugate gradients for many.
 * Matrices of format 'hss' and 'hodlr' are factored, and the iteration only mends rounding; of 'fmm', whose near blocks the factorization does not know, the corrected operator is solved
 * with the factored HSS of the same entries (`source`; else of its products) as preconditioner. Outcomes are data: `outcome` says whether the true residual met the tolerance, and `reason` why not.
 * Throws ShapeError, OptionError (λ < 0, what the preconditioner needs and is not there), NonFiniteError (NaN or ∞ in B), NotPositiveDefiniteError, MemoryError; AbortedError before the iteration begins,
 * which itself ends with the outcome 'aborted'.
 */
export async function solve(operator: LinearOperator, b: Matrix, options: SolveOptions, control: TeamControl): Promise<SolveResult> {
  const size = checkSystem(operator, b, options);
  const { tolerance = TOLERANCE, maxIterations, seed = 0, guess } = options;
  throwIfAborted(control.signal);
  const subject = subjectOf(operator, options, control);
  const began = performance.now();
  const { shift, norm } = await shiftOf(operator, options, control);
  const asked = options.preconditioner ?? 'auto';
  const chosen = asked === 'auto' ? await choose(subject, shift, b.cols, tolerance, options, control) : undefined;
  const choosing = (performance.now() - began) / 1000;
  const making: PreconditionerOptions = { ...options.making, ...chosen?.making, seed, ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit }) };
  const used = await preconditionerFor(asked, chosen, subject, shift, making, control);
  try {
    const out = options.out ?? zeros(size, b.cols, b.data instanceof Float64Array ? 'f64' : 'f32');
    const system = shifted(operator, shift);
    const start = performance.now();
    const preconditioned = used.operator === undefined ? {} : { preconditioner: used.operator };
    const tolerances: SolveControl = { relativeTolerance: tolerance, ...(maxIterations === undefined ? {} : { maxIterations }) };
    const run: SolveControl = { ...tolerances, signal: control.signal, onProgress: control.onProgress, ...(guess === undefined ? {} : { guess }) };
    let solution: Solution | BlockSolution;
    let workspace: number;
    if (b.cols === 1) {
      const solver = conjugateGradientSolver(system, preconditioned);
      solution = await solver.solveAsync(b, out, run);
      workspace = solver.workspaceBytes;
    } else {
      const solver = blockConjugateGradientSolver(system, { ...preconditioned, blas: control.team.blas });
      solution = await solver.solveAsync(b, out, run);
      workspace = solver.workspaceBytes;
    }
    const seconds = (performance.now() - start) / 1000;
    const { outcome, iterations, products, residual, history } = solution;
    const { name, bytes, details, note } = used;
    return {
      x: out, outcome, iterations, products, residual, history, shift,
      residuals: 'residuals' in solution ? solution.residuals : Float64Array.of(residual),
      ...(norm === undefined ? {} : { norm }),
      preconditioner: { name, bytes, details, ...(note === undefined ? {} : { note }) },
      seconds: { choose: choosing, compress: used.seconds.compress, factor: used.seconds.factor, solve: seconds },
      memory: { preconditioner: bytes, workspace },
      reason: [chosen?.reason ?? `Preconditioner ${name}, as asked.`, ...shortfall(solution, tolerance, note)].join(' '),
    };
  } finally {
    if (used.owned) used.release();
  }
}

/** Throws ShapeError, OptionError, NonFiniteError; returns N. */
function checkSystem(operator: LinearOperator, b: Matrix, { shift, shiftRelative, tolerance, guess, out }: SolveOptions): number {
  const { rows, cols, symmetric } = operator;
  if (rows !== cols || rows === 0) throw new ShapeError(`Only square operators with at least one row can be solved with; this one is ${rows} × ${cols}.`, { rows, cols });
  if (!symmetric) throw new OptionError('solve needs a symmetric operator; this one says that it is not.', { option: 'operator' });
  if (shift !== undefined && shiftRelative !== undefined) throw new OptionError('Give shift or shiftRelative, not both.', { option: 'shiftRelative' });
  if (shift !== undefined) requireShift(shift);
  if (shiftRelative !== undefined) requireShift(shiftRelative, 'shiftRelative');
  if (tolerance !== undefined && !(tolerance >= 0 && tolerance < 1)) throw new OptionError(`tolerance must lie in [0, 1), not ${tolerance}.`, { option: 'tolerance', value: tolerance });
  for (const [name, a] of [['b', b], ['guess', guess], ['out', out]] as const) {
    if (a === undefined) continue;
    checkView(a, name);
    if (a.rows !== rows || a.cols !== b.cols || a.cols === 0) throw new ShapeError(`${name} is ${a.rows} × ${a.cols}; right-hand sides of this operator are ${rows} × p with p ≥ 1, and solutions the same.`, { rows: a.rows, cols: a.cols, expected: rows });
  }
  for (let j = 0; j < b.cols; j++) {
    const column = b.offset + j * b.ld;
    for (let i = 0; i < rows; i++) {
      const value = b.data[column + i];
      if (!Number.isFinite(value)) throw new NonFiniteError(`b holds ${value} in row ${i}, column ${j}.`, { row: i, column: j, value });
    }
  }
  return rows;
}

/** λ, with ‖A‖₂ where it is relative to that. Throws NonFiniteError where a product is not finite. */
async function shiftOf(operator: LinearOperator, { shift, shiftRelative, seed = 0, memoryLimit }: SolveOptions, control: TeamControl): Promise<{ shift: number; norm?: number }> {
  if (shiftRelative === undefined) return { shift: shift ?? 0 };
  const { smallest, largest, outcome } = await extremeEigenvalues(operator, { ...NORM, blas: control.team.blas, seed, ...(memoryLimit === undefined ? {} : { memoryLimit }) }, control);
  if (outcome === 'nonFinite') throw new NonFiniteError('A product with the operator is NaN or infinite: ‖A‖ has no value.', {});
  const norm = Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  return { shift: shiftRelative * norm, norm };
}

/** For a hierarchical matrix its own factorization; else what the predictions say. */
async function choose(subject: Subject, shift: number, vectors: number, tolerance: number, options: SolveOptions, control: TeamControl): Promise<Choice> {
  const { operator } = subject;
  if (operator instanceof HierarchicalMatrix) {
    const { format } = operator.data;
    if (format !== 'fmm') return { name: format, reason: `The matrix is of format ${format}: it is factored itself.`, candidates: [], making: {} };
    return { name: 'hss', reason: 'The matrix has near blocks, which no factorization here knows: it is solved iteratively with the HSS of the same entries.', candidates: [], making: {} };
  }
  return choosePreconditioner(subject, { shift, vectors, tolerance, seed: options.seed ?? 0, dual: isGaussNewton(subject), ...(options.making === undefined ? {} : { making: options.making }), ...(options.memoryLimit === undefined ? {} : { memoryLimit: options.memoryLimit }) }, control);
}

type Used = Pick<Preconditioner, 'operator' | 'bytes' | 'details' | 'note' | 'seconds' | 'release'> & { readonly name: PreconditionerName | 'given'; readonly owned: boolean };

const isReady = (asked: Preconditioner | LinearOperator): asked is Preconditioner => 'reshift' in asked;

/** The preconditioner asked for; those that were given are the caller's to release. */
async function preconditionerFor(asked: NonNullable<SolveOptions['preconditioner']>, chosen: Choice | undefined, subject: Subject, shift: number, making: PreconditionerOptions, control: TeamControl): Promise<Used> {
  const nothing = { compress: 0, factor: 0 };
  if (typeof asked === 'string') {
    const name = chosen?.name ?? asked;
    if (name !== 'auto' && !PRECONDITIONERS.includes(name)) throw new OptionError(`There is no preconditioner "${name}"; there are auto, ${PRECONDITIONERS.join(', ')}.`, { option: 'preconditioner', name });
    const made = await makePreconditioner(subject, name as PreconditionerName, shift, making, control);
    return { ...made, owned: true };
  }
  if (isReady(asked)) return { ...asked, seconds: nothing, owned: false };
  return { name: 'given', operator: asked, bytes: 0, details: {}, seconds: nothing, release: () => undefined, owned: false };
}

/** Why the tolerance was missed, and what to do. */
function shortfall(solution: Solution | BlockSolution, tolerance: number, note: string | undefined): string[] {
  const said = note === undefined ? [] : [`Note: ${note}.`];
  const { outcome, residual, iterations } = solution;
  const reached = `the true residual is ${residual.toExponential(2)}, asked ${tolerance}`;
  switch (outcome) {
    case 'converged': return said;
    case 'maxIterations': return [...said, `After ${iterations} iterations ${reached}: allow more, take a larger shift, or a better preconditioner.`];
    case 'stagnated': return [...said, `The residual no longer falls after ${iterations} iterations; ${reached}: that lies below what rounding allows at this condition number.`];
    case 'singular': return said;
    case 'indefinite': return [...said, `A + λI is not positive definite: a direction p has pᵀ(A + λI)p/pᵀp = ${solution.curvature.toExponential(2)}. Take a larger shift, or MINRES.`];
    case 'indefinitePreconditioner': return [...said, 'The preconditioner is not positive definite.'];
    case 'asymmetricPreconditioner': return [...said, 'The preconditioner is not symmetric to working precision (is it of float32?): use flexible conjugate gradients.'];
    case 'nonFinite': return [...said, 'A product was NaN or infinite.'];
    case 'aborted': return [...said, `Interrupted after ${iterations} iterations; ${reached}.`];
    case 'leastSquares': return said;
  }
}
