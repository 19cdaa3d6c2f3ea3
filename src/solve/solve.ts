/**
 * One call that solves (A + λI) X = B: a preconditioner, conjugate gradients, and what came of it.
 */
import { throwIfAborted } from '../core/context.js';
import {
  FactorizationError,
  MemoryError,
  NonFiniteError,
  NotPositiveDefiniteError,
  OptionError,
  ShapeError,
} from '../core/errors.js';
import type { KeysOf } from '../core/known-options.js';
import { warn } from '../core/warning.js';
import { isGaussNewton, subjectOf } from '../approximation/subject.js';
import { checkView, copyInto, zeros, type Matrix, type Precision } from '../dense/matrix.js';
import { HierarchicalMatrix } from '../hierarchical/matrix/hierarchical-matrix.js';
import { blockConjugateGradientSolver } from '../krylov/block-conjugate-gradients.js';
import type { BlockSolution } from '../krylov/block-solution.js';
import { conjugateGradientSolver } from '../krylov/conjugate-gradients.js';
import { extremeEigenvalues } from '../krylov/lanczos.js';
import { normFromBelow } from '../krylov/operator-norm.js';
import type { Solution, SolveControl } from '../krylov/solution.js';
import type { Model } from '../network/model.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { shifted } from '../operator/shifted.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { EntrySource } from '../source/entry-source.js';
import { choosePreconditioner, type Choice } from './candidates.js';
import { makePreconditioner } from './preconditioners/make.js';
import {
  allowedResidual,
  roundedResidual,
  conditions,
  defaultTolerance,
  precisionOf,
  productPrecision,
  ROUNDOFF,
  storedPrecision,
  WORTH_A_WARNING,
} from './precision.js';
import {
  PRECONDITIONERS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
  type Subject,
} from './preconditioners/preconditioner.js';
import { requireShift } from './preconditioners/kind.js';
import { LIBRARY_ADVICE, tellShortfall, type Shortfall } from './shortfall.js';

/** Options of {@link solve}. */
export interface SolveOptions {
  /** λ ≥ 0; default 0. */
  readonly shift?: number | undefined;
  /** λ/‖A‖₂ instead, ‖A‖₂ by Lanczos to some digits. Not with `shift`. */
  readonly shiftRelative?: number | undefined;
  /**
   * By name; or a ready one, symmetric positive definite, of whatever was thought to fit; default 'auto'
   * (candidates.ts).
   */
  readonly preconditioner?: PreconditionerName | 'auto' | Preconditioner | LinearOperator | undefined;
  /** Options of the preconditioner that is made by name. Its seed and memoryLimit are those below. */
  readonly making?: Omit<PreconditionerOptions, 'seed' | 'memoryLimit'> | undefined;
  /** Entries of the same matrix; default: of the network behind a Gauss–Newton operator, else none. */
  readonly source?: EntrySource | undefined;
  /** The network behind the operator; default: a Gauss–Newton operator's own. */
  readonly model?: Model | undefined;
  /**
   * Asked ‖b − (A + λI)x‖/‖b‖ of each column. Default: 1e-8; where products with A are computed in float32, 1e-6; and
   * where these or an x of float32 do not allow that, what they do allow, some 5e-7·‖A‖‖x‖/‖b‖.
   */
  readonly tolerance?: number | undefined;
  readonly maxIterations?: number | undefined;
  /** x₀, N × p; default zero. */
  readonly guess?: Matrix | undefined;
  /**
   * Where X goes, N × p, of either precision; default a matrix of its own, in B's. It may be B. The iteration works in
   * float64 whatever that of X is.
   */
  readonly out?: Matrix | undefined;
  /** Default 0. Seeds every random choice. */
  readonly seed?: number | undefined;
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link SolveOptions}. */
export const SOLVE_KEYS: KeysOf<SolveOptions> = {
  shift: true,
  shiftRelative: true,
  preconditioner: true,
  making: true,
  source: true,
  model: true,
  tolerance: true,
  maxIterations: true,
  guess: true,
  out: true,
  seed: true,
  memoryLimit: true,
};
/** The keys of `making`. */
export const MAKING_KEYS: KeysOf<NonNullable<SolveOptions['making']>> = {
  tolerance: true,
  leafSize: true,
  maxRank: true,
  share: true,
  tree: true,
  rank: true,
};

/** The solution, how it was found, and what it cost. */
export interface SolveResult {
  /** N × p: the solution, or the iterate of least residual, never worse than the guess (or zero). */
  readonly x: Matrix;
  readonly outcome: Solution['outcome'];
  /** Steps: of all groups of columns together where there are many right-hand sides (block-solution.ts). */
  readonly iterations: number;
  /** Products of A with a single vector while solving. */
  readonly products: number;
  /**
   * True relative residuals of the columns by products with X as it is, rounded to its precision, and the largest of
   * them.
   */
  readonly residuals: Float64Array;
  readonly residual: number;
  /**
   * The tolerance that the outcome is about, and where it comes from: the caller, the default, or what float32 allows.
   */
  readonly tolerance: number;
  readonly toleranceFrom: 'caller' | 'default' | 'float32';
  /** Estimated relative residuals, the start's first; of many right-hand sides the largest. */
  readonly history: Float64Array;
  /** λ. */
  readonly shift: number;
  /** ‖A‖₂, where it was measured. */
  readonly norm?: number | undefined;
  readonly preconditioner: {
    readonly name: PreconditionerName | 'given';
    readonly bytes: number;
    readonly details: Preconditioner['details'];
    readonly note?: string | undefined;
  };
  /**
   * choose: measuring for 'auto' and for shiftRelative; compress, factor: making the preconditioner; solve: the
   * iteration.
   */
  readonly seconds: {
    readonly choose: number;
    readonly compress: number;
    readonly factor: number;
    readonly solve: number;
  };
  /** Bytes of the preconditioner and of the vectors of the iteration. */
  readonly memory: { readonly preconditioner: number; readonly workspace: number };
  /** Why this preconditioner, and what is to be said of it. */
  readonly choice: string;
  /** Where the tolerance was missed: what came instead. */
  readonly shortfall?: Shortfall | undefined;
  /** `choice`, and where the tolerance was missed, why, and what to do. */
  readonly reason: string;
}

const NORM = { tolerance: 1e-3, maxIterations: 100 } as const;

/**
 * Solves (A + λI) X = B for a symmetric positive semidefinite N × N operator A and N × p right-hand sides: by
 * preconditioned conjugate gradients for one, block conjugate gradients for many. Matrices of format 'hss' and 'hodlr'
 * are factored, and the iteration only mends rounding; of 'fmm', whose near blocks the factorization does not know, the
 * corrected operator is solved with the factored HSS of the same entries (`source`; else of its products) as
 * preconditioner. With 'auto' a preconditioner that cannot be made is passed over for the next cheapest one, and
 * `reason` says so. Where the matrix was rounded to float32 and that costs x digits, there is a warning (code
 * 'float32-digits'). Outcomes are data: `outcome` says whether the true residual met the tolerance, and `reason` why
 * not. Throws ShapeError, OptionError (λ < 0, what the preconditioner needs and is not there), NonFiniteError (NaN or ∞
 * in B), NotPositiveDefiniteError, MemoryError; AbortedError before the iteration begins, which itself ends with the
 * outcome 'aborted'.
 */
export async function solve(
  operator: LinearOperator,
  b: Matrix,
  options: SolveOptions,
  control: TeamControl,
): Promise<SolveResult> {
  const size = checkSystem(operator, b, options);
  const { maxIterations, seed = 0, guess } = options;
  const products = productPrecision(operator);
  const tolerance = options.tolerance ?? defaultTolerance(products);
  throwIfAborted(control.signal);
  const subject = subjectOf(operator, options, control);
  const began = performance.now();
  const { shift, norm } = await shiftOf(operator, options, control);
  const asked = options.preconditioner ?? 'auto';
  const chosen = asked === 'auto' ? await choose(subject, shift, b.cols, tolerance, options, control) : undefined;
  const choosing = (performance.now() - began) / 1000;
  const making: PreconditionerOptions = {
    ...options.making,
    ...chosen?.making,
    seed,
    memoryLimit: options.memoryLimit,
  };
  const used = await preconditionerFor(asked, chosen, subject, shift, making, control);
  try {
    const out = options.out ?? zeros(size, b.cols, precisionOf(b));
    // B may be overwritten by X.
    const kept = out.data === b.data && needsNorms(subject, b, out) ? copyOf(b) : b;
    const system = shifted(operator, shift);
    const start = performance.now();
    const preconditioned = used.operator === undefined ? {} : { preconditioner: used.operator };
    const tolerances: SolveControl = {
      relativeTolerance: tolerance,
      roundoff: ROUNDOFF[products],
      keep: 'best',
      maxIterations,
    };
    const run: SolveControl = {
      ...tolerances,
      signal: control.signal,
      onProgress: control.onProgress,
      guess,
    };
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
    const { iterations, residual, history } = solution;
    const residuals = 'residuals' in solution ? solution.residuals : Float64Array.of(residual);
    const {
      outcome,
      tolerance: reached,
      toleranceFrom,
      rounding,
    } = judge(
      solution,
      residuals,
      { subject, system, products, b: kept, out, tolerance, asked: options.tolerance !== undefined },
      control,
    );
    const { name, bytes, details, note } = used;
    const curvature = 'curvature' in solution ? { curvature: solution.curvature } : {};
    const shortfall: Shortfall | undefined =
      outcome === 'converged'
        ? undefined
        : {
            outcome,
            iterations,
            residual,
            tolerance: reached,
            ...curvature,
            rounding,
          };
    const choice = [
      chosen?.reason ?? `Preconditioner ${name}, as asked.`,
      ...used.skipped,
      ...(note === undefined ? [] : [`Note: ${note}.`]),
    ].join(' ');
    return {
      x: out,
      outcome,
      iterations,
      products: solution.products,
      residual,
      residuals,
      tolerance: reached,
      toleranceFrom,
      history,
      shift,
      norm,
      preconditioner: { name, bytes, details, note },
      seconds: { choose: choosing, compress: used.seconds.compress, factor: used.seconds.factor, solve: seconds },
      memory: { preconditioner: bytes, workspace },
      choice,
      shortfall,
      reason: shortfall === undefined ? choice : `${choice} ${sentence(tellShortfall(shortfall, LIBRARY_ADVICE))}`,
    };
  } finally {
    if (used.owned) used.release();
  }
}

/** Throws ShapeError, OptionError, NonFiniteError; returns N. */
function checkSystem(
  operator: LinearOperator,
  b: Matrix,
  { shift, shiftRelative, tolerance, guess, out }: SolveOptions,
): number {
  const { rows, cols, symmetric } = operator;
  if (rows !== cols || rows === 0)
    throw new ShapeError(
      `Only square operators with at least one row can be solved with; this one is ${rows} × ${cols}.`,
      { rows, cols },
    );
  if (!symmetric)
    throw new OptionError('solve needs a symmetric operator; this one says that it is not.', { option: 'operator' });
  if (shift !== undefined && shiftRelative !== undefined)
    throw new OptionError('Give shift or shiftRelative, not both.', { option: 'shiftRelative' });
  if (shift !== undefined) requireShift(shift);
  if (shiftRelative !== undefined) requireShift(shiftRelative, 'shiftRelative');
  if (tolerance !== undefined && !(tolerance >= 0 && tolerance < 1))
    throw new OptionError(`tolerance must lie in [0, 1), not ${tolerance}.`, { option: 'tolerance', value: tolerance });
  for (const [name, a] of [
    ['b', b],
    ['guess', guess],
    ['out', out],
  ] as const) {
    if (a === undefined) continue;
    checkView(a, name);
    if (a.rows !== rows || a.cols !== b.cols || a.cols === 0)
      throw new ShapeError(
        `${name} is ${a.rows} × ${a.cols}; right-hand sides of this operator are ${rows} × p with p ≥ 1, and ` +
          'solutions the same.',
        { rows: a.rows, cols: a.cols, expected: rows },
      );
  }
  for (let j = 0; j < b.cols; j++) {
    const column = b.offset + j * b.ld;
    for (let i = 0; i < rows; i++) {
      const value = b.data[column + i];
      if (!Number.isFinite(value))
        throw new NonFiniteError(`b holds ${value} in row ${i}, column ${j}.`, { row: i, column: j, value });
    }
  }
  return rows;
}

/** λ, with ‖A‖₂ where it is relative to that. Throws NonFiniteError where a product is not finite. */
async function shiftOf(
  operator: LinearOperator,
  { shift, shiftRelative, seed = 0, memoryLimit }: SolveOptions,
  control: TeamControl,
): Promise<{ shift: number; norm?: number | undefined }> {
  if (shiftRelative === undefined) return { shift: shift ?? 0 };
  const { smallest, largest, outcome } = await extremeEigenvalues(
    operator,
    { ...NORM, blas: control.team.blas, seed, memoryLimit },
    control,
  );
  if (outcome === 'nonFinite')
    throw new NonFiniteError('A product with the operator is NaN or infinite: ‖A‖ has no value.', {});
  const norm = Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  return { shift: shiftRelative * norm, norm };
}

/** For a hierarchical matrix its own factorization; else what the predictions say. */
async function choose(
  subject: Subject,
  shift: number,
  vectors: number,
  tolerance: number,
  options: SolveOptions,
  control: TeamControl,
): Promise<Choice> {
  const { operator } = subject;
  if (operator instanceof HierarchicalMatrix) {
    const { format } = operator.data;
    const made = (name: PreconditionerName, reason: string): Choice => ({
      name,
      reason,
      making: {},
      candidates: [name, 'none' as const].map((one) => ({
        name: one,
        flops: Number.NaN,
        iterations: Number.NaN,
        details: '',
      })),
    });
    if (format !== 'fmm') return made(format, `The matrix is of format ${format}: it is factored itself.`);
    return made(
      'hss',
      'The matrix has near blocks, which no factorization here knows: it is solved iteratively with the HSS of ' +
        'the same entries.',
    );
  }
  return choosePreconditioner(
    subject,
    {
      shift,
      vectors,
      tolerance,
      seed: options.seed ?? 0,
      dual: isGaussNewton(subject),
      making: options.making,
      memoryLimit: options.memoryLimit,
    },
    control,
  );
}

type Used = Pick<Preconditioner, 'operator' | 'bytes' | 'details' | 'note' | 'seconds' | 'release'> & {
  readonly name: PreconditionerName | 'given';
  readonly owned: boolean;
  /** A sentence for each that was to be made, and could not. */
  readonly skipped: readonly string[];
};

const isReady = (asked: Preconditioner | LinearOperator): asked is Preconditioner => 'reshift' in asked;

/** The preconditioner asked for; those that were given are the caller's to release. */
async function preconditionerFor(
  asked: NonNullable<SolveOptions['preconditioner']>,
  chosen: Choice | undefined,
  subject: Subject,
  shift: number,
  making: PreconditionerOptions,
  control: TeamControl,
): Promise<Used> {
  const nothing = { compress: 0, factor: 0 };
  if (typeof asked === 'string') {
    if (chosen !== undefined) return firstThatCanBeMade(chosen, subject, shift, making, control);
    if (!PRECONDITIONERS.includes(asked as PreconditionerName))
      throw new OptionError(`There is no preconditioner "${asked}"; there are auto, ${PRECONDITIONERS.join(', ')}.`, {
        option: 'preconditioner',
        name: asked,
      });
    const made = await makePreconditioner(subject, asked as PreconditionerName, shift, making, control);
    return { ...made, owned: true, skipped: [] };
  }
  if (isReady(asked)) return { ...asked, seconds: nothing, owned: false, skipped: [] };
  return {
    name: 'given',
    operator: asked,
    bytes: 0,
    details: {},
    seconds: nothing,
    release: () => undefined,
    owned: false,
    skipped: [],
  };
}

/**
 * Of what was chosen, the cheapest that this matrix, this λ and this memory let be made: nobody asked for a certain
 * one. 'none' always can.
 */
async function firstThatCanBeMade(
  { candidates }: Choice,
  subject: Subject,
  shift: number,
  making: PreconditionerOptions,
  control: TeamControl,
): Promise<Used> {
  const skipped: string[] = [];
  for (const { name, making: own } of candidates) {
    try {
      return {
        ...(await makePreconditioner(subject, name, shift, { ...making, ...own }, control)),
        owned: true,
        skipped,
      };
    } catch (error) {
      const cannot =
        error instanceof OptionError ||
        error instanceof NotPositiveDefiniteError ||
        error instanceof MemoryError ||
        error instanceof FactorizationError;
      if (!cannot || name === 'none') throw error;
      skipped.push(`Not ${name}, which cannot be made here: ${error.message}`);
    }
  }
  return { ...(await makePreconditioner(subject, 'none', shift, making, control)), owned: true, skipped };
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Whether the outcome may need ‖b‖ after x was written: where float32 is about. */
const needsNorms = (subject: Subject, b: Matrix, out: Matrix): boolean =>
  storedPrecision(subject) === 'f32' || precisionOf(out) === 'f32' || precisionOf(b) === 'f32';

function copyOf(b: Matrix): Matrix {
  const copy = zeros(b.rows, b.cols, precisionOf(b));
  copyInto(copy, b);
  return copy;
}

interface Solved {
  readonly subject: Subject;
  /** A + λI. */
  readonly system: LinearOperator;
  readonly products: Precision;
  readonly b: Matrix;
  readonly out: Matrix;
  readonly tolerance: number;
  /** Whether the caller named the tolerance. */
  readonly asked: boolean;
}

/**
 * The outcome in view of the precision: where nobody named a tolerance, a residual at the level that float32 allows is
 * as good as it gets; and what rounding the matrix to float32 costs is said once. ‖A‖ is estimated by a few products
 * where float32 is about, or the residual stagnates.
 */
function judge(
  solution: Solution | BlockSolution,
  residuals: Float64Array,
  { subject, system, products, b, out, tolerance, asked }: Solved,
  control: TeamControl,
): Pick<SolveResult, 'outcome' | 'tolerance' | 'toleranceFrom'> & Pick<Shortfall, 'rounding'> {
  const { outcome } = solution;
  const stored = storedPrecision(subject);
  const single = products === 'f32' || precisionOf(out) === 'f32';
  const toleranceFrom = asked ? 'caller' : 'default';
  if (outcome !== 'stagnated' && !(outcome === 'converged' && stored === 'f32'))
    return { outcome, tolerance, toleranceFrom };
  const of = conditions(normFromBelow(system), b, out);
  const condition = Math.max(...of);
  if (stored === 'f32' && condition >= WORTH_A_WARNING) {
    const lost = Math.min(7, Math.round(Math.log10(condition)));
    warn(
      'float32-digits',
      `The matrix was rounded to float32, and with ‖A + λI‖‖x‖/‖b‖ = ${condition.toPrecision(2)} that costs x ` +
        `about ${lost} of its 7 digits: relative to the matrix before rounding the residual is up to ` +
        `${(condition * 2 ** -24).toExponential(0)}. Store it in float64, or take a larger shift.`,
      control,
    );
  }
  if (outcome === 'converged') return { outcome, tolerance, toleranceFrom };
  const rounded = products === 'f64' && single;
  const levelAt = (at: number): number => (rounded ? roundedResidual(at) : allowedResidual(products, at));
  const level = levelAt(condition);
  if (
    single &&
    !asked &&
    (!rounded || solution.unrounded <= Math.max(tolerance, allowedResidual('f64', condition))) &&
    residuals.every((residual, j) => residual <= Math.max(tolerance, levelAt(of[j])))
  )
    return { outcome: 'converged', tolerance: Math.max(tolerance, level), toleranceFrom: 'float32' };
  return {
    outcome,
    tolerance,
    toleranceFrom,
    rounding: { of: products === 'f32' ? 'products' : single ? 'x' : 'float64', condition, level },
  };
}
