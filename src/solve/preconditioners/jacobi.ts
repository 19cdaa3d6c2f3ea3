/**
 * The inverse of the diagonal as a preconditioner.
 */
import { NotPositiveDefiniteError, OptionError } from '../../core/errors.js';
import type { Subject } from '../../approximation/subject.js';
import { curvatureDiagonal } from '../../curvature/kronecker/curvature-diagonal.js';
import type { Team } from '../../parallel/team.js';
import { diagonalOperator } from '../../operator/diagonal-operator.js';
import type { PreconditionerKind } from './kind.js';

/**
 * M = (diag A + λI)⁻¹. Throws OptionError where no diagonal is known, NotPositiveDefiniteError where an entry of it
 * plus λ is not above 0.
 */
export const jacobi: PreconditionerKind = {
  make: (subject, _, __, { team }) => {
    const diagonal = diagonalOf(subject, team);
    return {
      details: {},
      invert: (λ) => {
        const values = diagonal.map((entry, i) => {
          const inverse = 1 / (entry + λ);
          if (!(entry + λ > 0 && Number.isFinite(inverse)))
            throw new NotPositiveDefiniteError(
              `Diagonal entry ${i} plus λ = ${λ} is ${entry + λ}: it has no positive inverse. Take a larger shift.`,
              { row: i, value: entry, shift: λ },
            );
          return inverse;
        });
        return { operator: diagonalOperator(values), bytes: values.byteLength };
      },
    };
  },
};

/** diag A from the network, from entries, or from the operator itself. Throws OptionError. */
function diagonalOf(subject: Subject, team: Team): Float64Array {
  const { operator, gaussNewton } = subject;
  if (gaussNewton !== undefined) return curvatureDiagonal(gaussNewton, { team }).values;
  const known = subject.source ?? operator;
  if (known.diagonal === undefined)
    throw new OptionError(
      "Preconditioner 'jacobi' needs the diagonal, and this operator has products alone: pass a source, or choose " +
        "'nystrom'.",
      { option: 'preconditioner', name: 'jacobi' },
    );
  const diagonal = new Float64Array(operator.rows);
  known.diagonal(diagonal);
  return diagonal;
}
