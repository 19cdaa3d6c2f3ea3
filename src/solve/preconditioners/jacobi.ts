/**
 * The inverse of the diagonal as a preconditioner.
 */
import { NotPositiveDefiniteError, OptionError } from '../../core/errors.js';
import { curvatureDiagonal } from '../../curvature/kronecker/curvature-diagonal.js';
import { HierarchicalMatrix } from '../../hierarchical/matrix/hierarchical-matrix.js';
import { diagonalOperator } from '../../operator/diagonal-operator.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { isGaussNewton } from '../../approximation/subject.js';
import type { Preconditioner, Subject } from './preconditioner.js';
import { preconditionerAt } from './kind.js';

/**
 * M = (diag A + λI)⁻¹. Throws OptionError where no diagonal is known, NotPositiveDefiniteError where an entry of it
 * plus λ is not above 0.
 */
export async function jacobi(subject: Subject, shift: number, { team }: TeamControl): Promise<Preconditioner> {
  const began = performance.now();
  const diagonal = diagonalOf(subject, team.blas);
  const compress = (performance.now() - began) / 1000;
  return preconditionerAt(
    {
      name: 'jacobi',
      details: {},
      compress,
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
    },
    shift,
  );
}

/** diag A from entries, from the network, or from a hierarchical matrix itself. Throws OptionError. */
function diagonalOf(subject: Subject, blas: TeamControl['team']['blas']): Float64Array {
  const { operator, source } = subject;
  if (isGaussNewton(subject)) return curvatureDiagonal(subject.model, { blas }).values;
  if (source !== undefined) {
    const diagonal = new Float64Array(source.size);
    source.diagonal(diagonal);
    return diagonal;
  }
  if (operator instanceof HierarchicalMatrix) return operator.diagonal();
  throw new OptionError(
    "Preconditioner 'jacobi' needs the diagonal, and this operator has products alone: pass a source, or choose " +
      "'nystrom'.",
    { option: 'preconditioner', name: 'jacobi' },
  );
}
