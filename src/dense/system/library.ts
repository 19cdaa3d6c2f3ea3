/**
 * Libraries that hold BLAS and LAPACK: their Fortran symbols, and what to do where there is none.
 */
import { LibraryError } from '../../core/errors.js';
import type { NativeFunction, NativeType } from '../../native/koffi.js';
import { NativeLibrary } from '../../native/library.js';

/** Said after every failure, so that it always comes with a way out. */
export const REMEDY =
  'Install a BLAS with LAPACK (Debian and Ubuntu: apt-get install libopenblas0-pthread; Fedora: dnf install ' +
  'openblas-threads; macOS: brew install openblas), ' +
  'name one by HMATRIX_BLAS=/path/to/library, or set HMATRIX_BLAS=portable for the built-in backend.';

/** One or more shared libraries that together hold BLAS and LAPACK; symbols are taken from the first that has them. */
export class BlasLibrary extends NativeLibrary {
  /** Opens every library of the set. Throws LibraryError, naming the one that cannot be opened. */
  constructor(names: readonly string[]) {
    super(names, { remedy: REMEDY });
  }

  /** A Fortran routine under the decorations in use: `name_` (Unix, MinGW), `name` (MKL and others on Windows). */
  findFortran(
    name: string,
    parameters: readonly NativeType[],
    result: NativeType = 'void',
  ): NativeFunction | undefined {
    return this.find(`${name}_`, result, parameters) ?? this.find(name, result, parameters);
  }

  /** As findFortran; throws LibraryError, naming the symbol, where it is missing. */
  fortran(name: string, parameters: readonly NativeType[], result: NativeType = 'void'): NativeFunction {
    const found = this.findFortran(name, parameters, result);
    if (found !== undefined) return found;
    const wide = this.find(`${name}_64_`, result, parameters) ?? this.find(`${name}64_`, result, parameters);
    const reason =
      wide !== undefined
        ? 'it is built with 64-bit integers (ILP64), a build with 32-bit integers (LP64) is needed'
        : 'it is not a BLAS with LAPACK, or LAPACK lies in a library of its own: name both, separated by a comma';
    throw new LibraryError(`${this.describeNames()} has no symbol "${name}_": ${reason}. ${REMEDY}`, {
      libraries: this.names,
      symbol: `${name}_`,
    });
  }
}
