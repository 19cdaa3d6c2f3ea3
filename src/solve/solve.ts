/**
 * One call that solves (A + λI) X = B: a preconditioner, conjugate gradients, and what came of it.
 */
import { throwIfAborted } from '../core/context.js';
import { ROUNDOFF } from '../core/floats.js';
import { subjectOf } from '../approximation/subject.js';
import { OptionError } from '../core/errors.js';
import { quoted, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { copyInto, zeros, type Matrix, asVectors, type FlatVector, type Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { shifted } from '../operator/shifted.js';
import { agreedMemory } from '../distributed/agreed-memory.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { described } from '../tree/given.js';
import { choosePreconditioner, type Choice } from './candidates.js';
import { openMatrix, type GivenMatrix } from '../approximation/given-matrix.js';
import { mendSingular } from './least-squares.js';
import { judge } from './judge.js';
import { runLegs } from './legs.js';
import { requireRates, USUAL_RATES } from './machine-rates.js';
import { runMinimalResiduals } from './minimal-residuals.js';
import {
  SOLVE_METHODS,
  type SolveMethod,
  type SolveOptions,
  type SolveResult,
  MAKING_KEYS,
  SOLVE_KEYS,
  type GivenSolveOptions,
} from './options.js';
import { defaultTolerance, precisionOf } from './precision.js';
import { LIBRARY_ADVICE, tellShortfall, type Shortfall } from './shortfall.js';
import { runRefined } from './refinement.js';
import { planRefinement } from './refinement-plan.js';
import { checkSystem, shiftOf } from './system.js';

/**
 * Solves (A + λI) X = B for a symmetric N × N matrix A (an operator, a source of entries, or a stored matrix, a flat
 * array of N² numbers too), A + λI being positive semidefinite, and N × p right-hand sides, a flat array being one: by
 * preconditioned conjugate gradients for one, block conjugate gradients for many; with the method 'minres', by minimal
 * residuals, column by column, A + λI of any signs. Matrices of format 'hss' and 'hodlr'
 * are factored, and the iteration only mends rounding; of 'fmm', whose near blocks the factorization does not know, the
 * corrected operator is solved with the factored HSS of the same entries (`source`; else of its products) as
 * preconditioner. With 'auto' a preconditioner that cannot be made is passed over for the next cheapest one, and
 * `reason` says so. Where the matrix was rounded to float32 and that costs x digits, there is a warning (code
 * 'float32-digits'). Outcomes are data: `outcome` says whether the true residual met the tolerance, and `reason` why
 * not. Throws ShapeError, OptionError (λ < 0, what the preconditioner needs and is not there), NonFiniteError (NaN or ∞
 * in B), NotPositiveDefiniteError, MemoryError; AbortedError before the iteration begins, which itself ends with the
 * outcome 'aborted'.
 *
 * ```js
 * const options = { shiftRelative: 1e-3, tolerance: 1e-6 };
 * const { x, outcome, residual, reason } = await solve(gaussNewton(model), gradient, options);
 * ```
 */
export function solve(
  matrix: GivenMatrix,
  b: FlatVector | Matrix<Float64Array>,
  options?: GivenSolveOptions & { readonly out?: undefined },
  control?: Control,
): Promise<SolveResult<Float64Array>>;
/** As before, for right-hand sides of either precision, or into `out`. */
export function solve(
  matrix: GivenMatrix,
  b: Vectors,
  options?: GivenSolveOptions,
  control?: Control,
): Promise<SolveResult>;
export async function solve(
  matrix: GivenMatrix,
  b: Vectors,
  options: GivenSolveOptions = {},
  control: Control = {},
): Promise<SolveResult> {
  const { making, guess, ...rest } = requireKnownOptions(options, SOLVE_KEYS as KeysOf<GivenSolveOptions>, 'solve');
  const { preconditioner } = rest;
  if (preconditioner !== undefined && typeof preconditioner !== 'string' && !('reshift' in Object(preconditioner)))
    requireRole(preconditioner, 'operator', 'preconditioner of solve');
  const given: SolveOptions = {
    ...described<SolveOptions>(rest, 'solve'),
    making:
      making === undefined ? undefined : described(requireKnownOptions(making, MAKING_KEYS, 'solve (making)'), 'solve'),
    guess: guess === undefined ? undefined : asVectors(guess, 'guess'),
    rates: rest.rates === undefined ? undefined : requireRates(rest.rates, 'solve'),
  };
  const minimal = requireMethod(given.method) === 'minres';
  const named = preconditioner !== undefined && preconditioner !== 'auto' && preconditioner !== 'none';
  if (minimal && !named && Object.values(given.making ?? {}).some((value) => value !== undefined))
    throw new OptionError(
      "making is of a preconditioner, and method 'minres' makes none unless one is named: name a preconditioner, or " +
        'leave making out.',
      { option: 'making' },
    );
  const rightHandSides = asVectors(b, 'b');
  const on = await onTeam(control, 'solve');
  const { operator, source, release } = await openMatrix(matrix, { ...given, indefinite: minimal }, 'solve', on);
  try {
    return await solveSystem(operator, rightHandSides, { ...given, source: given.source ?? source }, on);
  } finally {
    release();
  }
}

/** `solve` for callers inside: options are known and typed. */
export async function solveSystem(
  operator: LinearOperator,
  b: Matrix,
  options: SolveOptions,
  control: TeamControl,
): Promise<SolveResult> {
  const size = checkSystem(operator, b, options);
  const { method = 'cg', maxIterations, seed = 0, guess } = options;
  const { precision: products = 'f64' } = operator;
  const tolerance = options.tolerance ?? defaultTolerance(products);
  throwIfAborted(control.signal);
  const subject = subjectOf(operator, options, control);
  const began = performance.now();
  const { shift, norm } = await shiftOf(operator, options, control);
  const memoryLimit = agreedMemory(control.team.communicator, options.memoryLimit);
  const making = { ...options.making, seed, memoryLimit };
  const { preconditioner = 'auto' } = options;
  const minimal = method === 'minres';
  const chosen: Choice = await choosePreconditioner(
    minimal && preconditioner === 'auto' ? 'none' : preconditioner,
    subject,
    { shift, vectors: b.cols, tolerance, rates: options.rates ?? USUAL_RATES },
    making,
    control,
  );
  const plan = minimal ? undefined : await planRefinement(subject, chosen, making, control);
  const choosing = (performance.now() - began) / 1000;
  const out = options.out ?? zeros(size, b.cols, precisionOf(b));
  // B may be overwritten by X.
  const kept = out.data === b.data ? copyOf(b) : b;
  const system = shifted(operator, shift);
  const asked = { b: kept, out, tolerance, roundoff: ROUNDOFF[products], maxIterations, guess };
  const largest = (chosen.measured?.spectrum.largest ?? 0) + shift;
  const run = minimal
    ? await runMinimalResiduals(chosen.candidates[0], system, asked, control)
    : plan === undefined
      ? await runLegs(chosen, system, asked, control)
      : await runRefined(plan, chosen, { ...asked, subject, shift, norm: largest, making }, control);
  const { used, told } = run;
  try {
    const mending = performance.now();
    // Many exact products are not made where these are dear; minimal residuals need no mending.
    const {
      solution,
      leastSquares,
      told: mended,
    } = plan === undefined && !minimal
      ? await mendSingular(run.solution, system, asked, control)
      : { solution: run.solution, leastSquares: false, told: [] };
    const seconds = { ...run.seconds, solve: run.seconds.solve + (performance.now() - mending) / 1000 };
    const { iterations, residual, history } = solution;
    const residuals = 'residuals' in solution ? solution.residuals : Float64Array.of(residual);
    const judged = judge(
      solution,
      residuals,
      {
        subject,
        system,
        products,
        b: kept,
        out,
        tolerance,
        asked: options.tolerance !== undefined,
        norm: plan === undefined ? undefined : largest,
      },
      control,
    );
    const { name, bytes, details, note } = used;
    const { outcome, tolerance: reached, toleranceFrom, rounding } = judged;
    const curvature = 'curvature' in solution ? solution.curvature : undefined;
    const shortfall: Shortfall | undefined =
      outcome === 'converged'
        ? undefined
        : {
            outcome,
            iterations,
            residual,
            tolerance: reached,
            curvature,
            leastSquares,
            rounding,
          };
    const choice = [
      ...(minimal ? ['Minimal residuals, as asked.'] : []),
      minimal && preconditioner === 'auto' ? 'No preconditioner: none is named.' : chosen.reason,
      ...(plan === undefined ? [] : [plan.reason]),
      ...told,
      ...mended,
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
      seconds: { ...seconds, choose: choosing + seconds.choose },
      memory: { preconditioner: bytes, workspace: run.workspaceBytes },
      choice,
      shortfall,
      reason: shortfall === undefined ? choice : `${choice} ${sentence(tellShortfall(shortfall, LIBRARY_ADVICE))}`,
    };
  } finally {
    run.release();
  }
}

/** Throws OptionError for a method that there is not. */
function requireMethod(method: SolveOptions['method'] = 'cg'): SolveMethod {
  if (!SOLVE_METHODS.includes(method))
    throw new OptionError(`There is no method ${quoted(method)}; there are ${SOLVE_METHODS.join(' and ')}.`, {
      option: 'method',
      method,
    });
  return method;
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function copyOf(b: Matrix): Matrix {
  const copy = zeros(b.rows, b.cols, precisionOf(b));
  copyInto(copy, b);
  return copy;
}
