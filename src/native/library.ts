/**
 * Shared libraries of the system and their symbols.
 */
import { LibraryError } from '../core/errors.js';
import { loadKoffi, messageOf, type KoffiLibrary, type NativeFunction, type NativeType } from './koffi.js';

/** How libraries are opened, and what is said where they cannot be. */
export interface LibraryOptions {
  /** What to do about a library that cannot be opened: whole sentences, which end the message. */
  readonly remedy: string;
  /** What to set where koffi is missing: the words after "Set". Default: the portable BLAS. */
  readonly without?: string | undefined;
  /** Whether modules that the library loads later see its symbols (RTLD_GLOBAL). Default false. */
  readonly global?: boolean | undefined;
}

/** One or more shared libraries that belong together; symbols are taken from the first that has them. */
export class NativeLibrary {
  readonly names: readonly string[];
  readonly #libraries: KoffiLibrary[];

  /** Opens every library of the set. Throws LibraryError, naming the one that cannot be opened. */
  constructor(names: readonly string[], { remedy, without, global = false }: LibraryOptions) {
    const ffi = loadKoffi(without);
    this.names = names;
    this.#libraries = names.map((name) => {
      try {
        return ffi.load(name, { global });
      } catch (error) {
        throw new LibraryError(`Cannot open the library "${name}": ${messageOf(error)}. ${remedy}`, { library: name });
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

  /** The address of the object of that name, or undefined. */
  address(symbol: string): number | undefined {
    for (const library of this.#libraries) {
      try {
        return Number(loadKoffi().address(library.symbol(symbol, 'char')));
      } catch {
        // Not in this one.
      }
    }
    return undefined;
  }

  /**
   * Releases the libraries, which the system then unloads unless another thread holds them; their functions must not
   * be called any more.
   */
  unload(): void {
    for (const library of this.#libraries) library.unload();
  }

  /** The files, quoted: for messages. */
  describeNames(): string {
    return this.names.map((name) => `"${name}"`).join(' with ');
  }
}
