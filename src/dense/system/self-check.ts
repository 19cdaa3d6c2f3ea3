/**
 * Is this library what it claims to be?
 * Told apart before the first real use: integers of 64 bits (ILP64), a BLAS that computes something else, a LAPACK of
 * another kind. The probe for the integer width follows the idea of libblastrampoline (JuliaLinearAlgebra): an integer
 * whose low half is a valid count while the whole 64 bits are a negative number.
 */
import { HmatrixError, LibraryError } from '../../core/errors.js';
import { view } from '../matrix.js';
import type { FortranArguments } from './fortran-arguments.js';
import { INFO } from './lapack.js';
import { arrayAddress } from '../../native/koffi.js';
import { REMEDY } from './library.js';
import type { BlasLibrary } from './library.js';
import type { SystemBlas } from './system-blas.js';

/**
 * Throws LibraryError if the library's BLAS reads 64-bit integers. To be called before anything that writes integers.
 */
export function checkIntegerWidth(library: BlasLibrary, scalars: FortranArguments): void {
  const idamax = library.fortran('idamax', ['int64', 'int64', 'int64'], 'int');
  const x = Float64Array.of(1, 3, 2);
  const address = arrayAddress(x);
  const count = scalars.integer(0, 3);
  scalars.setUpperHalf(0, -1);
  const position = idamax(count, address, scalars.integer(1, 1));
  scalars.setUpperHalf(0, 0);
  if (position === 2 && x[1] === 3) return;
  const reason =
    position === 0
      ? 'it reads 64-bit integers (ILP64); a build with 32-bit integers (LP64) is needed'
      : `idamax gave ${position} for the position of the largest of 1, 3, 2, not 2`;
  throw new LibraryError(`${library.describeNames()} cannot be used: ${reason}. ${REMEDY}`, {
    libraries: library.names,
    idamax: position,
  });
}

/** Throws LibraryError unless 2 × 2 products and a Cholesky factorization come out right in both precisions. */
export function checkResults(blas: SystemBlas, library: BlasLibrary, scalars: FortranArguments): void {
  const refuse = (what: string): never => {
    throw new LibraryError(`${library.describeNames()} cannot be used: ${what}. ${REMEDY}`, {
      libraries: library.names,
    });
  };
  for (const precision of ['float64', 'float32'] as const) {
    const array = (...values: number[]): Float64Array | Float32Array =>
      precision === 'float64' ? Float64Array.from(values) : Float32Array.from(values);
    try {
      // [1 3; 2 4]·[5 7; 6 8]ᵀ = [26 30; 38 44]; small integers are exact.
      const c = array(Number.NaN, Number.NaN, Number.NaN, Number.NaN);
      blas.gemm('N', 'T', 1, view(array(1, 2, 3, 4), 0, 2, 2), view(array(5, 6, 7, 8), 0, 2, 2), 0, view(c, 0, 2, 2));
      if (c[0] !== 26 || c[1] !== 38 || c[2] !== 30 || c[3] !== 44)
        refuse(`a ${precision} product of 2 × 2 matrices came out as ${c.join(', ')} instead of 26, 38, 30, 44`);
      // [4 2; 2 5] = L·Lᵀ with L = [2 0; 1 2].
      const a = array(4, 2, 2, 5);
      scalars.setUpperHalf(INFO, 0x5a5a);
      const info = blas.potrf('L', view(a, 0, 2, 2));
      const intact = scalars.upperHalf(INFO) === 0x5a5a;
      scalars.setUpperHalf(INFO, 0);
      if (!intact) refuse('its LAPACK writes 64-bit integers (ILP64); a build with 32-bit integers (LP64) is needed');
      if (info !== 0 || a[0] !== 2 || a[1] !== 1 || a[3] !== 2)
        refuse(
          `a ${precision} Cholesky factor of [4 2; 2 5] came out as ${a[0]}, ${a[1]}, ${a[3]} (info ${info}) ` +
            'instead of 2, 1, 2',
        );
    } catch (error) {
      if (error instanceof HmatrixError && !(error instanceof LibraryError)) refuse(error.message);
      throw error;
    }
  }
}
