/**
 * Iterative refinement in float64 by an inverse that is another's: a factorization in float32, on a device.
 *
 *   X ← X + M(R),   R = B − (A + λI) X   in float64,
 *
 * with past corrections used again (corrections.ts), so that M need be no more than a preconditioner. J. H. Wilkinson,
 * *Rounding Errors in Algebraic Processes*, 1963; with factors of lower precision: J. Langou et al., SC '06; E. Carson,
 * N. J. Higham, SIAM J. Sci. Comput. 40(2), 2018. Every residual is a true one.
 */
import { requireWhole } from '../core/checks.js';
import type { RunControl } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { asVectors, checkView, type Matrix, type Vectors } from '../dense/matrix.js';
import type { BlockSolution } from '../krylov/block-solution.js';
import { checkVectors, DEFAULT_RELATIVE_TOLERANCE, largestEntry } from '../krylov/solver-checks.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { shifted } from '../operator/shifted.js';
import { Corrections } from './corrections.js';

/** M ≈ (A + λI)⁻¹, of which a solve takes its time: a factorization on a device. */
export interface AsyncInverse {
  readonly rows: number;
  /** out ← M·b, N × k. */
  solve(b: Matrix, out: Matrix): Promise<unknown>;
}

/** Options of {@link refine}. */
export interface RefineOptions extends RunControl {
  /** λ of (A + λI) X = B; default 0. */
  readonly shift?: number | undefined;
  /** Converged where ‖b − (A + λI)·x‖₂ ≤ relativeTolerance·‖b‖₂ in every column; default 1e-8. */
  readonly relativeTolerance?: number | undefined;
  /** Most corrections; default 50. */
  readonly maxIterations?: number | undefined;
  /** X₀; default zero. */
  readonly guess?: Vectors | undefined;
}
/** The keys of {@link RefineOptions}. */
const REFINE_KEYS: KeysOf<RefineOptions & { readonly team?: unknown | undefined }> = {
  shift: 'number',
  relativeTolerance: 'number',
  maxIterations: 'number',
  guess: true,
  signal: true,
  onProgress: 'function',
  team: true,
};

const NAME = 'refine';
const MOST = 50;
/** Corrections that do not take a tenth off the least residual, after which it stands. */
const PATIENCE = 5;
const SLOW = 0.9;

type Outcome = 'converged' | 'maxIterations' | 'stagnated' | 'nonFinite' | 'aborted';

/**
 * X ← an approximation of (A + λI)⁻¹·B to the asked residual, B and X of N × k and either precision; outcomes are data,
 * and `residuals` are measured in float64 with the X that is handed back. A correction takes a product with A and a
 * solve with M; where the residual no longer falls, by rounding or because M is too far from the inverse, the outcome
 * is 'stagnated' and X the best there was. Memory: 7 + 2m blocks of N × k numbers, m ≤ 12 corrections. Rejects with
 * ShapeError, OptionError, NonFiniteError, and what M rejects with.
 */
export async function refine(
  operator: LinearOperator,
  inverse: AsyncInverse,
  b: Vectors,
  x: Matrix,
  options: RefineOptions = {},
): Promise<BlockSolution> {
  requireOperator(operator, NAME, 'f64');
  requireKnownOptions(options, REFINE_KEYS, NAME);
  const { shift = 0, relativeTolerance = DEFAULT_RELATIVE_TOLERANCE, maxIterations = MOST, guess } = options;
  requireWhole(maxIterations, 'maxIterations', 0);
  if (!(relativeTolerance >= 0 && relativeTolerance <= 1))
    throw new OptionError(`relativeTolerance must be a number from 0 to 1, not ${describe(relativeTolerance)}.`);
  const size = operator.rows;
  if (inverse.rows !== size)
    throw new OptionError(`The inverse is of order ${inverse.rows}, the operator of order ${size}.`, {
      inverse: inverse.rows,
      size,
    });
  const given = asVectors(b, 'b');
  checkView(given, 'b');
  checkVectors(given, 'b', size, given.cols);
  checkVectors(x, 'x', size, given.cols);
  for (let j = 0; j < given.cols; j++) largestEntry(given, j, 'b');
  const corrections = new Corrections(given);
  const a = shifted(operator, shift);
  const history = [Math.max(0, corrections.residual)];
  let products = 0;
  /** The largest true residual of the next iterate. */
  const advance = (): number => {
    a.applyUnchecked(corrections.advance(), corrections.x, 1, 0);
    products += given.cols;
    const residual = corrections.judge();
    history.push(corrections.residual);
    return residual;
  };
  let outcome: Outcome | undefined;
  if (guess !== undefined) {
    const start = asVectors(guess, 'guess');
    checkVectors(start, 'guess', size, given.cols);
    for (let j = 0; j < given.cols; j++) largestEntry(start, j, 'guess');
    corrections.loadGuess(start);
    if (Number.isNaN(advance())) outcome = 'nonFinite';
    history.shift();
  }
  let [iterations, standing, least, estimated] = [0, 0, corrections.residual, Math.max(0, ...corrections.estimated)];
  let diverges = false;
  while (outcome === undefined) {
    if (corrections.residual <= relativeTolerance) outcome = 'converged';
    else if (options.signal?.aborted === true) outcome = 'aborted';
    else if (iterations >= maxIterations) outcome = 'maxIterations';
    else if (standing >= PATIENCE) outcome = 'stagnated';
    else {
      // An accelerated iterate that is there already is but verified, where corrections alone would lead astray.
      if (diverges && estimated <= relativeTolerance) corrections.d.data.fill(0);
      else await inverse.solve(corrections.r, corrections.d);
      const residual = advance();
      iterations++;
      options.onProgress?.({
        phase: NAME,
        done: iterations,
        total: Math.max(iterations, maxIterations),
        values: { residual: corrections.residual },
      });
      if (Number.isNaN(residual)) outcome = 'nonFinite';
      diverges = residual >= estimated;
      estimated = Math.max(0, ...corrections.estimated);
      const reached = Math.min(corrections.residual, estimated);
      standing = reached <= SLOW * least ? 0 : standing + 1;
      least = Math.min(least, reached);
    }
  }
  const unrounded = corrections.residual;
  corrections.write(x);
  if (x.data instanceof Float32Array) {
    // The residual of the X that is handed back.
    a.applyUnchecked(corrections.reload(x), corrections.x, 1, 0);
    products += given.cols;
    corrections.judgeReloaded();
    if (outcome === 'converged' && !(corrections.residual <= relativeTolerance)) outcome = 'stagnated';
  }
  return {
    outcome,
    x,
    iterations,
    products,
    restarts: 0,
    residual: Math.max(0, ...corrections.residuals),
    residuals: corrections.residuals,
    unrounded,
    columnIterations: new Int32Array(given.cols).fill(iterations),
    history: Float64Array.from(history),
  };
}
