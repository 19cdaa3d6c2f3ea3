/**
 * An operator over own rows.
 */
import { OptionError } from '../core/errors.js';
import type { LinearOperator, OwnRowsOperator } from './linear-operator.js';
import { requireOperator } from './self-check.js';

/**
 * The operator over the rows that this rank has of vectors, where several ranks share it: `ownRows(shifted(matrix, λ))`
 * is the rows `matrix.own` of K̃ + λI. Its products take and give these rows alone, and are collective. Krylov solvers
 * that are given it (`conjugateGradients`, …) work on own rows throughout: nothing of N numbers is made. In one process
 * the rows are all, in the order of the tree. Hierarchical matrices and their factorizations have own rows, and
 * multiples, shifts, sums and products of them, of diagonals and of identities. Throws OptionError for others.
 */
export function ownRows(operator: LinearOperator): OwnRowsOperator {
  requireOperator(operator, 'ownRows', 'f64', { ownRows: true });
  const { rowShare } = operator;
  const own = rowShare === undefined ? operator.onRows?.() : { ...operator, rowShare };
  if (own === undefined)
    throw new OptionError(
      'This operator has no rows of its own: hierarchical matrices and their factorizations do, and multiples, ' +
        'shifts, sums and products of them.',
    );
  return own;
}
