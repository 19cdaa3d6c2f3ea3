/**
 * What the algebra of operators checks once, when an operator is made.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { describe, requireRole } from '../core/kind.js';
import type { LinearOperator } from './linear-operator.js';

/** Throws ShapeError unless the operator is square; returns its size. */
export function requireSquare(operator: LinearOperator, what: string): number {
  requireRole(operator, 'operator', what);
  const { rows, cols } = operator;
  if (rows !== cols)
    throw new ShapeError(`${what} needs a square operator, this one is ${rows} × ${cols}.`, { rows, cols });
  return rows;
}

/** Throws NonFiniteError unless the number is finite. */
export function requireFinite(value: number, what: string): void {
  if (!Number.isFinite(value))
    throw new NonFiniteError(`${what} must be a finite number, not ${describe(value)}.`, { value });
}
