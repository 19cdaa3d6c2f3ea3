/**
 * One call for every way to approximate a symmetric matrix within a budget of memory.
 */
import { describe, quoted } from '../core/kind.js';
import { throwIfAborted } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { described, type Given } from '../tree/given.js';
import type { Approximation } from './approximation.js';
import { bytesOfBudget, denseBytes, percent } from './budget.js';
import { APPROXIMATION_KEYS, BUDGET_KEYS, type ApproximationOptions, type Budget } from './methods/method.js';
import { APPROXIMATION_METHODS, METHOD_TABLE, type ApproximationMethod } from './methods/table.js';
import { OPERATOR_ERROR_KEYS, operatorErrors } from './operator-error.js';
import { subjectOf } from './subject.js';

/**
 * Approximates the symmetric N × N operator A by Ã that stores at most budget.share of 8N² bytes, everything that a
 * product reads counted. Of the methods with a rank or a tolerance the most accurate that fits; K-FAC and the other
 * methods whose memory the network decides take what they take, and a note says where that exceeds the budget.
 * `kfac`, `kfac-mc`, `ekfac` and `block-diagonal` need a network: a Gauss–Newton operator brings its own, else
 * `options.model`. `diagonal` and `fmm` need entries. Cost: rsvd (q + 2)(r + 10) products, nystrom r + 10; kfac, ekfac
 * one and two passes over the data; hss, hodlr, fmm two to five compressions. Throws OptionError (no such method, a
 * share too small for it: the message names the least one), ShapeError, MemoryError, AbortedError, and what the methods
 * throw.
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
  const given = described<ApproximationOptions>(
    requireKnownOptions(options, APPROXIMATION_KEYS as KeysOf<typeof options>, 'approximate'),
    'approximate',
  );
  return approximateSubject(
    operator,
    method,
    requireKnownOptions(budget, BUDGET_KEYS, 'a budget', "approximate(operator, 'rsvd', { share: 0.02 })"),
    given,
    await onTeam(control, 'approximate'),
  );
}

/** `approximate` for callers inside: options are known and typed. */
export async function approximateSubject(
  operator: LinearOperator,
  method: ApproximationMethod,
  budget: Budget,
  options: ApproximationOptions,
  control: TeamControl,
): Promise<Approximation> {
  const { rows: size, cols, symmetric } = operator;
  if (size !== cols || size === 0)
    throw new ShapeError(
      `Only square operators with at least one row can be approximated; this one is ${size} × ${cols}.`,
      { rows: size, cols },
    );
  if (!symmetric)
    throw new OptionError('Only symmetric operators can be approximated; this one says that it is not symmetric.', {
      option: 'operator',
    });
  if (!APPROXIMATION_METHODS.includes(method))
    throw new OptionError(`There is no method ${quoted(method)}; there are ${APPROXIMATION_METHODS.join(', ')}.`, {
      option: 'methods',
      method,
    });
  const { from = 'auto' } = options;
  if (!['auto', 'entries', 'products'].includes(from))
    throw new OptionError(`from must be auto, entries or products, not ${describe(from)}.`, { option: 'from', from });
  const most = bytesOfBudget(budget, size);
  throwIfAborted(control.signal);
  const began = performance.now();
  const subject = subjectOf(operator, options, control);
  const made = await METHOD_TABLE[method].make(subject, budget, options, control);
  const seconds = (performance.now() - began) / 1000;
  const share = made.bytes / denseBytes(size);
  const excess =
    made.bytes > most
      ? `takes ${percent(share)} of the dense matrix, more than the budget of ${percent(budget.share)}`
      : undefined;
  const note = [made.note, excess].filter((text) => text !== undefined).join('; ');
  const { operator: approximation, details = {}, release } = made;
  return {
    method,
    operator: approximation,
    bytes: made.bytes,
    share,
    seconds,
    details,
    ...(note === '' ? {} : { note }),
    smallestEigenvalue: made.smallestEigenvalue,
    knownError: made.knownError,
    exactNorm: made.exactNorm,
    squaredError: made.squaredError,
    error: async (how = {}) => {
      requireKnownOptions(how, OPERATOR_ERROR_KEYS, 'error');
      return (await operatorErrors(subject.source ?? operator, [approximation], how, control))[0];
    },
    release: () => {
      release?.();
    },
  };
}
