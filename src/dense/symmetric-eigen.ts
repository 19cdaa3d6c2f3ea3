/**
 * The eigendecomposition of a small symmetric matrix, with an error where it was not found.
 */
import { FactorizationError } from '../core/errors.js';
import type { Blas } from './blas.js';
import type { Matrix } from './matrix.js';

/**
 * Ascending eigenvalues of a symmetric matrix, whose lower triangle is read; its orthonormal eigenvectors take its
 * place. `what` calls it in the error: "a Lanczos matrix". About 9n³ flops. Throws FactorizationError.
 */
export function symmetricEigen(blas: Blas, a: Matrix, what: string): Float64Array {
  const values = new Float64Array(a.rows);
  const info = blas.syevd(true, 'L', a, values);
  if (info !== 0)
    throw new FactorizationError(`syevd did not converge on ${what} of size ${a.rows} (info ${info}).`, {
      routine: 'syevd',
      info,
    });
  return values;
}
