/**
 * One call for every way to approximate a symmetric matrix within a budget of memory.
 */
import { requireMemoryLimit, requireSeed, requireWhole } from '../core/checks.js';
import { describe, quoted } from '../core/kind.js';
import { throwIfAborted } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { described, type Given } from '../tree/given.js';
import type { Approximation } from './approximation.js';
import { bytesOfBudget, denseBytes, isAccuracy, percent, requireGoal } from './budget.js';
import { chooseMethod } from './choose-method.js';
import { openMatrix, type GivenMatrix } from './given-matrix.js';
import {
  APPROXIMATION_KEYS,
  GOAL_KEYS,
  type ApproximationOptions,
  type Approximated,
  type Goal,
  type Method,
} from './methods/method.js';
import { APPROXIMATION_METHODS, METHOD_TABLE, type ApproximationMethod } from './methods/table.js';
import { OPERATOR_ERROR_KEYS, operatorErrors } from './operator-error.js';
import { subjectOf, type Subject } from './subject.js';

/**
 * Approximates the symmetric N × N matrix A (an operator, a source of entries, or a stored matrix) by Ã, within a share
 * of memory or to an error.
 *
 * With `{ share }` Ã stores at most share of 8N² bytes, everything that a product reads counted: of the methods with a
 * rank or a tolerance the most accurate that fits; K-FAC and the other methods whose memory the network decides take
 * what they take, and a note says where that exceeds the budget. With `{ tolerance }` it is the smallest with ‖A −
 * Ã‖_F ≤ tolerance·‖A‖_F that the method finds, and a note says where that was missed; methods without a choice have
 * none. Without a method those that may win are compared (choose-method.ts): `reason` and `tried` say how.
 *
 * `kfac`, `kfac-mc`, `ekfac` and `block-diagonal` need a network: a Gauss–Newton operator brings its own, else
 * `options.model`. `diagonal` and `fmm` need entries. Cost: rsvd (q + 2)(r + 10) products, nystrom r + 10, to a
 * tolerance twice that; kfac, ekfac one and two passes over the data; hss, hodlr, fmm two to five compressions, to a
 * tolerance one. Throws OptionError (no such method, a share too small for it: the message names the least one),
 * ShapeError, MemoryError, AbortedError, and what the methods throw.
 *
 * ```js
 * const hessian = gaussNewton(model);
 * const { operator, method, bytes, error, reason } = await approximate(hessian, { share: 0.01 });
 * const { relative } = await error();
 * const precise = await approximate(hessian, 'hm', { tolerance: 1e-4 });
 * ```
 */
export function approximate(
  matrix: GivenMatrix,
  goal: Goal,
  options?: Given<ApproximationOptions>,
  control?: Control,
): Promise<Approximation>;
/** As before, by the method named. */
export function approximate(
  matrix: GivenMatrix,
  method: ApproximationMethod,
  goal: Goal,
  options?: Given<ApproximationOptions>,
  control?: Control,
): Promise<Approximation>;
export async function approximate(
  matrix: GivenMatrix,
  ...given: readonly (ApproximationMethod | Goal | Given<ApproximationOptions> | Control | undefined)[]
): Promise<Approximation> {
  const unnamed = typeof given[0] !== 'string';
  const [method, goal, options = {}, control = {}] = (unnamed ? [undefined, ...given] : given) as [
    ApproximationMethod | undefined,
    Goal,
    Given<ApproximationOptions>?,
    Control?,
  ];
  const known = described<ApproximationOptions>(
    requireKnownOptions(options, APPROXIMATION_KEYS as KeysOf<typeof options>, 'approximate'),
    'approximate',
  );
  const asked = requireKnownOptions(
    goal,
    GOAL_KEYS as KeysOf<Goal>,
    'a budget',
    'approximate(matrix, { share: 0.02 })',
  );
  const on = await onTeam(control, 'approximate');
  const opened = await openMatrix(matrix, { indefinite: true }, 'approximate', on);
  try {
    const source = known.source ?? opened.source;
    const made = await approximateSubject(opened.operator, method, asked, { ...known, source }, on);
    const release = (): void => {
      made.release();
      opened.release();
    };
    return { ...made, release };
  } catch (error) {
    opened.release();
    throw error;
  }
}

/** `approximate` for callers inside: options are known and typed. */
export async function approximateSubject(
  operator: LinearOperator,
  asked: ApproximationMethod | undefined,
  goal: Goal,
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
  if (asked !== undefined && !APPROXIMATION_METHODS.includes(asked))
    throw new OptionError(`There is no method ${quoted(asked)}; there are ${APPROXIMATION_METHODS.join(', ')}.`, {
      option: 'methods',
      method: asked,
    });
  const { from = 'auto' } = options;
  if (!['auto', 'entries', 'products'].includes(from))
    throw new OptionError(`from must be auto, entries or products, not ${describe(from)}.`, { option: 'from', from });
  requireGoal(goal);
  requireNumbers(options);
  throwIfAborted(control.signal);
  const began = performance.now();
  const subject = subjectOf(operator, options, control);
  const { method, made, tried, reason } =
    asked === undefined
      ? await chooseMethod(subject, goal, options, control)
      : { method: asked, made: await makeNamed(subject, asked, goal, options, control) };
  const seconds = (performance.now() - began) / 1000;
  const share = made.bytes / denseBytes(size);
  const excess =
    !isAccuracy(goal) && made.bytes > bytesOfBudget(goal, size)
      ? `takes ${percent(share)} of the dense matrix, more than the budget of ${percent(goal.share)}`
      : undefined;
  const offer = asked === undefined ? undefined : made.offer;
  const note = [made.note, excess, offer].filter((text) => text !== undefined).join('; ');
  const { operator: approximation, details = {}, release } = made;
  return {
    method,
    operator: approximation,
    bytes: made.bytes,
    share,
    seconds,
    details,
    tried,
    reason,
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

/** Throws OptionError for numbers that no method could take, whether or not the one that is made reads them. */
function requireNumbers({ seed, powerPasses, leafSize, memoryLimit }: ApproximationOptions): void {
  if (seed !== undefined) requireSeed(seed);
  if (powerPasses !== undefined) requireWhole(powerPasses, 'powerPasses', 0);
  if (leafSize !== undefined) requireWhole(leafSize, 'leafSize', 1);
  if (memoryLimit !== undefined) requireMemoryLimit(memoryLimit);
}

/** Throws OptionError where an error is asked for that the method has no say in. */
function makeNamed(
  subject: Subject,
  method: ApproximationMethod,
  goal: Goal,
  options: ApproximationOptions,
  control: TeamControl,
): Approximated | Promise<Approximated> {
  const kind: Method = METHOD_TABLE[method];
  if (!isAccuracy(goal)) return kind.make(subject, goal, options, control);
  if (kind.reach === undefined)
    throw new OptionError(
      `Method '${method}' has no tolerance: the matrix decides its memory and its error. Give a share, which it may ` +
        'exceed, or another method.',
      { option: 'tolerance', method },
    );
  return kind.reach(subject, goal, options, control);
}
