/**
 * Native libraries and their symbols, through koffi.
 * koffi itself is loaded on first use: on a platform without its native module the rest of the library still works.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { LibraryError } from '../../core/errors.js';
import { BUNDLED, CODE_LOCATION } from '../../core/location.js';

type KoffiModule = typeof Koffi;

/**
 * A native function; addresses are passed as numbers (declared int64, which koffi converts at half the cost of a
 * pointer).
 */
export type NativeFunction = (...values: (number | string)[]) => number;
/** The C types that the bound routines take and return; addresses are int64. */
export type NativeType = 'void' | 'int' | 'int64' | 'double' | 'float' | 'const char *';

let koffi: KoffiModule | undefined;

/** Said after every failure, so that it always comes with a way out. */
export const REMEDY =
  'Install a BLAS with LAPACK (Debian and Ubuntu: apt-get install libopenblas0-pthread; Fedora: dnf install ' +
  'openblas-threads; macOS: brew install openblas), ' +
  'name one by HMATRIX_BLAS=/path/to/library, or set HMATRIX_BLAS=portable for the built-in backend.';

function loadKoffi(): KoffiModule {
  if (koffi !== undefined) return koffi;
  try {
    // By a require of our own, which bundlers leave alone: a native module cannot be put into a bundle.
    koffi = createRequire(CODE_LOCATION)('koffi') as KoffiModule;
  } catch (error) {
    const { platform, arch } = process;
    const remedy = BUNDLED ? 'It cannot be bundled: install koffi beside the bundle, or set' : 'Set';
    throw new LibraryError(
      `The native module of koffi, which calls system libraries, cannot be loaded on ${platform}-${arch}: ` +
        `${messageOf(error)}. ${remedy} HMATRIX_BLAS=portable for the built-in backend.`,
      { platform, arch },
    );
  }
  return koffi;
}

/** Why koffi cannot be loaded, or undefined where it can. */
export function nativeModuleFailure(): string | undefined {
  try {
    loadKoffi();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Address of the array's first element; it holds as long as the array's buffer lives. */
export function arrayAddress(data: Float64Array | Float32Array | Int32Array | Uint8Array): number {
  // Reading `.buffer` moves the elements of a small array out of the garbage-collected heap, where they could move.
  if (data.buffer.byteLength === 0) return 0;
  return Number(loadKoffi().address(data));
}

/**
 * A function of the C library that the process runs on; undefined where there is none of that name, and as long as the
 * native module has not been loaded for a BLAS.
 */
export function processFunction(
  symbol: string,
  result: NativeType,
  parameters: readonly NativeType[],
): NativeFunction | undefined {
  try {
    return koffi?.load(null).func(symbol, result, [...parameters]) as unknown as NativeFunction | undefined;
  } catch {
    return undefined;
  }
}

/** The first line, which says what is wrong; a list of the files that asked follows where a module is missing. */
const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0].replace(/\.\s*$/, '');

/** One or more shared libraries that together hold BLAS and LAPACK; symbols are taken from the first that has them. */
export class NativeLibrary {
  readonly names: readonly string[];
  readonly #libraries: Koffi.IKoffiLib[];

  /** Opens every library of the set. Throws LibraryError, naming the one that cannot be opened. */
  constructor(names: readonly string[]) {
    const ffi = loadKoffi();
    this.names = names;
    this.#libraries = names.map((name) => {
      try {
        return ffi.load(name);
      } catch (error) {
        throw new LibraryError(`Cannot open the library "${name}": ${messageOf(error)}. ${REMEDY}`, { library: name });
      }
    });
  }

  /** The function of that name, or undefined. */
  find(symbol: string, result: NativeType, parameters: readonly NativeType[]): NativeFunction | undefined {
    for (const library of this.#libraries) {
      try {
        return library.func(symbol, result, [...parameters]) as unknown as NativeFunction;
      } catch {
        // Not in this one.
      }
    }
    return undefined;
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

  /**
   * Releases the libraries, which the system then unloads unless another thread holds them; their functions must not
   * be called any more.
   */
  unload(): void {
    for (const library of this.#libraries) library.unload();
  }

  describeNames(): string {
    return this.names.map((name) => `"${name}"`).join(' with ');
  }
}
