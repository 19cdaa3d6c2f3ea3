/**
 * Which rows a solver's vectors have: all, or own rows where the operator and the preconditioner have them.
 */
import { OptionError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { RowShare } from '../operator/row-share.js';
import { RangedSystem } from './ranged-system.js';
import { checkPreconditioner, checkSystem } from './solver-checks.js';

/** A system over the rows that the method works on. */
export interface PlacedSystem {
  readonly system: RangedSystem;
  /** Whether these are own rows. */
  readonly isShared: boolean;
  /** The own rows, where the caller's vectors are whole. */
  readonly whole: RowShare | undefined;
}

/** What a method says of itself. */
export interface MethodNeeds {
  /** As callers know it. */
  readonly name: string;
  /** Whether its preconditioner must be symmetric. */
  readonly symmetric: boolean;
}

/**
 * Over own rows where the operator is, or where it and the preconditioner can be: on every number of ranks alike, also
 * on one, so that all make the same bits. Else over all rows, which every rank then has. Throws ShapeError, OptionError
 * for operators that are no symmetric ones, or not over the same rows.
 */
export function placedSystem(
  operator: LinearOperator,
  preconditioner: LinearOperator | undefined,
  { name, symmetric }: MethodNeeds,
): PlacedSystem {
  checkSystem(operator, name);
  if (preconditioner !== undefined) requireRole(preconditioner, 'operator', `preconditioner of ${name}`);
  const over = onSameRows(operator, preconditioner);
  const share = over?.operator.rowShare;
  const placed = over ?? { operator, preconditioner };
  checkPreconditioner(placed.preconditioner, placed.operator.rows, name, symmetric);
  return {
    system: new RangedSystem(placed.operator, placed.preconditioner, share),
    isShared: share !== undefined,
    whole: operator.rowShare === undefined ? share : undefined,
  };
}

/** Both over own rows; undefined where not both can be. Throws OptionError where one is and the other cannot be. */
function onSameRows(
  operator: LinearOperator,
  preconditioner: LinearOperator | undefined,
): { readonly operator: LinearOperator; readonly preconditioner: LinearOperator | undefined } | undefined {
  const { rowShare } = operator;
  if (rowShare === undefined && preconditioner?.rowShare !== undefined)
    throw new OptionError('The preconditioner is over own rows, and the operator is not: give ownRows(operator) too.');
  const own = rowShare === undefined ? operator.onRows?.() : operator;
  if (own?.rowShare === undefined || preconditioner === undefined) return own && { operator: own, preconditioner };
  const over = preconditioner.rowShare === undefined ? preconditioner.onRows?.(own.rowShare) : preconditioner;
  if (over?.rowShare?.equals(own.rowShare)) return { operator: own, preconditioner: over };
  if (rowShare === undefined) return undefined;
  throw new OptionError(
    'The operator is over own rows, and the preconditioner is not, nor can be: take a factorization or a ' +
      'hierarchical matrix of the same ranks, a diagonal or a sum of such, or give both over all rows.',
  );
}
