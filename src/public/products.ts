/**
 * The public functions that need products of an operator alone: low rank, eigenvalues, Krylov solvers, traces and
 * densities.
 */
import type { RunControl } from '../core/context.js';
import { requireRole } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import type { Matrix, Vectors } from '../dense/matrix.js';
import { blockConjugateGradientSolver as blockSolverOn } from '../krylov/block-conjugate-gradients.js';
import { BLOCK_KEYS, type BlockOptions, type BlockSolver } from '../krylov/block-solution.js';
import {
  conjugateGradients as conjugateGradientsOn,
  conjugateGradientSolver as conjugateGradientSolverOn,
} from '../krylov/conjugate-gradients.js';
import {
  FLEXIBLE_KEYS,
  flexibleConjugateGradientSolver as flexibleSolverOn,
  type FlexibleOptions,
} from '../krylov/flexible-conjugate-gradients.js';
import {
  extremeEigenvalues as extremeEigenvaluesOn,
  LANCZOS_KEYS,
  type ExtremeEigenvalues,
  type LanczosOptions,
} from '../krylov/lanczos.js';
import { PROBE_KEYS, type ProbeOptions } from '../krylov/lanczos-quadrature.js';
import { minres as minresOn, minresSolver as minresSolverOn } from '../krylov/minres.js';
import {
  SOLVE_CONTROL_KEYS,
  SOLVER_KEYS,
  type LinearSolver,
  type Solution,
  type SolveControl,
  type SolverOptions,
} from '../krylov/solution.js';
import {
  DENSITY_KEYS,
  GRID_KEYS,
  spectralDensity as spectralDensityOn,
  type DensityOptions,
  type SpectralDensity,
} from '../krylov/spectral-density.js';
import {
  LOG_DETERMINANT_KEYS,
  logDeterminant as logDeterminantOn,
  stochasticLanczosQuadrature as quadratureOn,
  type LogDeterminant,
  type LogDeterminantOptions,
  type TraceEstimate,
} from '../krylov/stochastic-lanczos-quadrature.js';
import { nystrom as nystromOn, type Nystrom } from '../lowrank/nystrom.js';
import {
  RANDOMIZED_SVD_KEYS,
  randomizedSvd as randomizedSvdOn,
  type RandomizedSvd,
  type RandomizedSvdOptions,
} from '../lowrank/randomized-svd.js';
import { SKETCH_KEYS, type SketchOptions } from '../lowrank/sketch.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { known, onTeam, onThread, withBlas, type BlasOptional, type Control } from './arguments.js';

/**
 * U diag(λ) Uᵀ of rank r by random sketches and power passes, nearly the best of its rank. Source: N. Halko, P.-G.
 * Martinsson, J. Tropp, arXiv 0909.4061. Throws ShapeError, OptionError, MemoryError, NonFiniteError, AbortedError.
 */
export async function randomizedSvd(
  operator: LinearOperator,
  options: BlasOptional<RandomizedSvdOptions>,
  control: Control = {},
): Promise<RandomizedSvd> {
  requireOperator(operator, 'randomizedSvd');
  known(options, RANDOMIZED_SVD_KEYS as KeysOf<typeof options>, 'randomizedSvd');
  const on = await onTeam(control, 'randomizedSvd');
  return randomizedSvdOn(operator, { ...options, blas: options.blas ?? on.team.blas }, on);
}

/**
 * A positive semidefinite approximation of rank r from one pass of r + 10 products. Source: Z. Frangella, J. Tropp, M.
 * Udell, SIMAX 44(2), 2023. Throws as `randomizedSvd`, and NotPositiveDefiniteError.
 */
export async function nystrom(
  operator: LinearOperator,
  options: BlasOptional<SketchOptions>,
  control: Control = {},
): Promise<Nystrom> {
  requireOperator(operator, 'nystrom');
  known(options, SKETCH_KEYS as KeysOf<typeof options>, 'nystrom');
  const on = await onTeam(control, 'nystrom');
  return nystromOn(operator, { ...options, blas: options.blas ?? on.team.blas }, on);
}

/**
 * The smallest and the largest eigenvalue of a symmetric operator by the Lanczos method, with verified bounds. Throws
 * ShapeError, OptionError, MemoryError, AbortedError.
 */
export async function extremeEigenvalues(
  operator: LinearOperator,
  options: BlasOptional<LanczosOptions> = {},
  control: RunControl = {},
): Promise<ExtremeEigenvalues> {
  requireOperator(operator, 'extremeEigenvalues');
  return extremeEigenvaluesOn(
    operator,
    withBlas(options, LANCZOS_KEYS, 'extremeEigenvalues'),
    onThread(control, 'extremeEigenvalues'),
  );
}

/**
 * A solver by preconditioned conjugate gradients, for A symmetric positive definite; its workspace is kept. Throws
 * ShapeError, OptionError.
 */
export function conjugateGradientSolver(operator: LinearOperator, options: SolverOptions = {}): LinearSolver {
  requireOperator(operator, 'conjugateGradientSolver');
  return conjugateGradientSolverOn(operator, known(options, SOLVER_KEYS, 'conjugateGradientSolver'));
}

/**
 * One solve by conjugate gradients, with a workspace of its own: x ← an approximation of A⁻¹b. Throws ShapeError,
 * OptionError, NonFiniteError.
 */
export function conjugateGradients(
  operator: LinearOperator,
  b: Vectors,
  x: Matrix,
  options: SolverOptions & SolveControl = {},
): Solution {
  requireOperator(operator, 'conjugateGradients');
  return conjugateGradientsOn(
    operator,
    b,
    x,
    known(options, { ...SOLVE_CONTROL_KEYS, ...SOLVER_KEYS }, 'conjugateGradients'),
  );
}

/** A solver by MINRES, for A symmetric of any inertia; its workspace is kept. Throws ShapeError, OptionError. */
export function minresSolver(operator: LinearOperator, options: SolverOptions = {}): LinearSolver {
  requireOperator(operator, 'minresSolver');
  return minresSolverOn(operator, known(options, SOLVER_KEYS, 'minresSolver'));
}

/** One solve by MINRES, with a workspace of its own. Throws ShapeError, OptionError, NonFiniteError. */
export function minres(
  operator: LinearOperator,
  b: Vectors,
  x: Matrix,
  options: SolverOptions & SolveControl = {},
): Solution {
  requireOperator(operator, 'minres');
  return minresOn(operator, b, x, known(options, { ...SOLVE_CONTROL_KEYS, ...SOLVER_KEYS }, 'minres'));
}

/**
 * A solver by flexible conjugate gradients, for preconditioners that change; its workspace is kept. Throws ShapeError,
 * OptionError.
 */
export const flexibleConjugateGradientSolver = (
  operator: LinearOperator,
  options: BlasOptional<FlexibleOptions> = {},
): LinearSolver => {
  requireOperator(operator, 'flexibleConjugateGradientSolver');
  return flexibleSolverOn(operator, withBlas(options, FLEXIBLE_KEYS, 'flexibleConjugateGradientSolver'));
};

/**
 * A solver for many right-hand sides by block conjugate gradients, which lets go of columns that are done; its
 * workspace is kept. Throws ShapeError, OptionError.
 */
export const blockConjugateGradientSolver = (
  operator: LinearOperator,
  options: BlasOptional<BlockOptions> = {},
): BlockSolver => {
  requireOperator(operator, 'blockConjugateGradientSolver');
  return blockSolverOn(operator, withBlas(options, BLOCK_KEYS, 'blockConjugateGradientSolver'));
};

/** tr f(A) by stochastic Lanczos quadrature, with an interval. Throws ShapeError, OptionError, AbortedError. */
export async function stochasticLanczosQuadrature(
  operator: LinearOperator,
  f: (eigenvalue: number) => number,
  options: BlasOptional<ProbeOptions> = {},
  control: RunControl = {},
): Promise<TraceEstimate> {
  requireOperator(operator, 'stochasticLanczosQuadrature');
  requireRole(f, 'function', 'stochasticLanczosQuadrature');
  return quadratureOn(
    operator,
    f,
    withBlas(options, PROBE_KEYS, 'stochasticLanczosQuadrature'),
    onThread(control, 'stochasticLanczosQuadrature'),
  );
}

/**
 * log det A of a positive definite operator by stochastic Lanczos quadrature, with an interval. Throws ShapeError,
 * OptionError, AbortedError.
 */
export async function logDeterminant(
  operator: LinearOperator,
  options: BlasOptional<LogDeterminantOptions> = {},
  control: RunControl = {},
): Promise<LogDeterminant> {
  requireOperator(operator, 'logDeterminant');
  return logDeterminantOn(
    operator,
    withBlas(options, LOG_DETERMINANT_KEYS, 'logDeterminant'),
    onThread(control, 'logDeterminant'),
  );
}

/** The density of A's eigenvalues, smoothed, with pointwise intervals. Throws ShapeError, OptionError, AbortedError. */
export async function spectralDensity(
  operator: LinearOperator,
  options: BlasOptional<DensityOptions> = {},
  control: RunControl = {},
): Promise<SpectralDensity> {
  requireOperator(operator, 'spectralDensity');
  const given = withBlas<DensityOptions>(options, DENSITY_KEYS, 'spectralDensity');
  if (given.grid !== undefined) known(given.grid, GRID_KEYS, 'spectralDensity (grid)');
  return spectralDensityOn(operator, given, onThread(control, 'spectralDensity'));
}
