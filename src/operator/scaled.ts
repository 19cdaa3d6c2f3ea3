/**
 * c·A. Layer 2.
 */
import { requireFinite } from './checks.js';
import type { LinearOperator } from './linear-operator.js';

/** c·A for a finite number c. Costs what a product with A costs; no workspace. Throws NonFiniteError. */
export function scaled(operator: LinearOperator, factor: number): LinearOperator {
  requireFinite(factor, 'The factor');
  const { rows, cols, symmetric } = operator;
  return { rows, cols, symmetric, applyUnchecked: (out, x, alpha, beta) => { operator.applyUnchecked(out, x, alpha * factor, beta); } };
}
