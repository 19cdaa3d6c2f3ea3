/**
 * What stands for open.ts in a browser, which cannot open system libraries: none is found.
 */
import { LibraryError } from '../../core/errors.js';
import type { Blas } from '../blas.js';
import type { OpenblasOptions, SearchOutcome } from './open.js';

export type { SearchOutcome };

/** Throws LibraryError. */
export function openOpenblas({ library }: OpenblasOptions = {}): Blas {
  const asked = library === undefined ? '' : `: "${library}" cannot be opened`;
  throw new LibraryError(`A browser has no system BLAS${asked}. Use "portable", the built-in backend.`, { library });
}

/** No candidates. */
export const trySystemLibraries = (): SearchOutcome[] => [];

/** Nothing is missing that could be installed. */
export const nativeModuleFailure = (): string | undefined => undefined;
