/**
 * Functions that see to their arguments before they hand them on.
 */
import { approximate as approximateOn } from './approximation/approximate.js';
import {
  APPROXIMATION_KEYS,
  BUDGET_KEYS,
  type Approximation,
  type ApproximationMethod,
  type ApproximationOptions,
  type Budget,
} from './approximation/approximation.js';
import {
  OPERATOR_ERROR_KEYS,
  operatorError as operatorErrorOn,
  type ExactMatrix,
  type OperatorErrorOptions,
} from './approximation/operator-error.js';
import { subjectOf } from './approximation/subject.js';
import { kindOf, requireRole } from './core/kind.js';
import { known, type KeysOf } from './core/known-options.js';
import { asVectors, type Vectors } from './dense/matrix.js';
import type { ErrorEstimate } from './hierarchical/measure/error-interval.js';
import type { Model } from './network/model.js';
import type { LinearOperator } from './operator/linear-operator.js';
import { requireOperator } from './operator/self-check.js';
import { onTeam, type Control } from './parallel/default-team.js';
import { makePreconditioner as makePreconditionerOn } from './solve/preconditioners/make.js';
import {
  PRECONDITIONER_KEYS,
  type Preconditioner,
  type PreconditionerName,
  type PreconditionerOptions,
} from './solve/preconditioners/preconditioner.js';
import { MAKING_KEYS, solve as solveOn, SOLVE_KEYS, type SolveOptions, type SolveResult } from './solve/solve.js';
import { requireSource, type EntrySource } from './source/entry-source.js';
import { described, type Given } from './tree/given.js';

/**
 * Approximates a symmetric N × N operator within a budget: at most `budget.share` of the 8N² bytes of the dense matrix,
 * everything stored counted. Methods: hm (the hierarchical matrix that suits: of curvature, in the Kronecker
 * eigenbasis), rsvd, nystrom, kfac, kfac-mc, ekfac, diagonal, block-diagonal, hss, hodlr, fmm. `error()` measures ‖A −
 * Ã‖_F/‖A‖_F: on all columns up to N = 20,000, else on a sample with a 95 % interval. Throws OptionError (a share too
 * small names the least one; a network or entries that a method needs and are not there), ShapeError, MemoryError,
 * AbortedError.
 *
 * ```js
 * const hessian = gaussNewton(model);
 * const { operator, bytes, error } = await approximate(hessian, 'hm', { share: 0.01 });
 * const { relative } = await error();
 * ```
 */
export async function approximate(
  operator: LinearOperator,
  method: ApproximationMethod,
  budget: Budget,
  options: Given<ApproximationOptions> = {},
  control: Control = {},
): Promise<Approximation> {
  requireOperator(operator, 'approximate');
  const given = described(known(options, APPROXIMATION_KEYS, 'approximate'), 'approximate');
  return approximateOn(
    operator,
    method,
    known(budget, BUDGET_KEYS, 'a budget'),
    given,
    await onTeam(control, 'approximate'),
  );
}

/**
 * ε_F = ‖A − Ã‖_F/‖A‖_F of any approximation of a matrix that is seen through entries or products. Throws ShapeError,
 * OptionError, AbortedError.
 */
export async function operatorError(
  exact: ExactMatrix,
  approximation: LinearOperator,
  options: OperatorErrorOptions = {},
  control: Control = {},
): Promise<ErrorEstimate> {
  if (kindOf(exact) === 'source') requireSource(exact as EntrySource, 'operatorError');
  else requireOperator(exact as LinearOperator, 'operatorError');
  requireOperator(approximation, 'operatorError');
  return operatorErrorOn(
    exact,
    approximation,
    known(options, OPERATOR_ERROR_KEYS, 'operatorError'),
    await onTeam(control, 'operatorError'),
  );
}

/** The options of `solve` as callers hand them over. */
export interface GivenSolveOptions extends Given<Omit<SolveOptions, 'making' | 'guess'>> {
  readonly making?: Given<NonNullable<SolveOptions['making']>> | undefined;
  readonly guess?: Vectors | undefined;
}

/**
 * Solves (A + λI) X = B for a symmetric positive semidefinite N × N operator and one or many right-hand sides (N × p,
 * or an array of N numbers), to ‖b − (A + λI)x‖/‖b‖ ≤ tolerance (default 1e-8) of every column: by conjugate gradients
 * with the preconditioner named (none, jacobi, block-jacobi, kfac, ekfac, nystrom, dual, hodlr, hss), a given one, or,
 * by default, the one whose predicted cost is least; `reason` says why. λ is `shift`, or `shiftRelative`·‖A‖₂. Matrices
 * of format 'hss' and 'hodlr' are factored themselves, 'fmm' is solved with an HSS as preconditioner. `outcome`,
 * `residual` (true ones) and `history` are data: whether it converged is for the caller to read. Throws ShapeError,
 * OptionError, NonFiniteError, NotPositiveDefiniteError, MemoryError, AbortedError. Sources: Y. Saad, *Iterative
 * Methods for Sparse Linear Systems*, SIAM 2003; of the preconditioners in their files (src/solve).
 *
 * ```js
 * const { x, outcome, residual, reason } = await solve(gaussNewton(model), gradient, { shiftRelative: 1e-3, tolerance:
 * 1e-6 });
 * ```
 */
export async function solve(
  operator: LinearOperator,
  b: Vectors,
  options: GivenSolveOptions = {},
  control: Control = {},
): Promise<SolveResult> {
  requireOperator(operator, 'solve');
  const { making, guess, ...rest } = known(options, SOLVE_KEYS as KeysOf<GivenSolveOptions>, 'solve');
  const { preconditioner } = rest;
  if (preconditioner !== undefined && typeof preconditioner !== 'string' && !('reshift' in Object(preconditioner)))
    requireRole(preconditioner, 'operator', 'preconditioner of solve');
  const given: SolveOptions = {
    ...described<SolveOptions>(rest, 'solve'),
    ...(making === undefined ? {} : { making: described(known(making, MAKING_KEYS, 'solve (making)'), 'solve') }),
    ...(guess === undefined ? {} : { guess: asVectors(guess, 'guess') }),
  };
  return solveOn(operator, asVectors(b, 'b'), given, await onTeam(control, 'solve'));
}

/** The options of `makePreconditioner`. */
export interface MakeOptions extends PreconditionerOptions {
  readonly shift?: number | undefined;
  readonly source?: EntrySource | undefined;
  readonly model?: Model | undefined;
}
const MAKE_KEYS: KeysOf<MakeOptions> = { ...PRECONDITIONER_KEYS, shift: true, source: true, model: true };

/**
 * M ≈ (A + λI)⁻¹ by its name, symmetric positive definite as an operator, for the solvers here or of yours;
 * `reshift(λ)` makes it for another λ without compressing again. `source` and `model` give entries and network of the
 * same matrix, where the operator does not bring them. Throws OptionError (λ < 0; entries or a network that it needs),
 * NotPositiveDefiniteError where λ is too small for it, ShapeError, MemoryError, AbortedError.
 */
export async function makePreconditioner(
  operator: LinearOperator,
  name: PreconditionerName,
  options: Given<MakeOptions> = {},
  control: Control = {},
): Promise<Preconditioner> {
  requireOperator(operator, 'makePreconditioner');
  const {
    shift = 0,
    source,
    model,
    ...making
  } = described<MakeOptions>(
    known(options, MAKE_KEYS as KeysOf<Given<MakeOptions>>, 'makePreconditioner'),
    'makePreconditioner',
  );
  const on = await onTeam(control, 'makePreconditioner');
  return makePreconditionerOn(subjectOf(operator, { source, model }, on), name, shift, making, on);
}
