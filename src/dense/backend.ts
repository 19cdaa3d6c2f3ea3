/**
 * Which dense backend: a system library where there is one, the portable backend otherwise or by choice. Layer 1.
 */
import { LibraryError } from '../core/errors.js';
import type { Blas } from './blas.js';
import { openOpenblas, trySystemLibraries } from './openblas/open.js';
import type { SearchOutcome } from './openblas/open.js';
import { createPortableBlas } from './portable/portable-blas.js';

export type { SearchOutcome };

/**
 * The dense backend named by `choice`, by default the environment variable HMATRIX_BLAS:
 * 'portable', a family (openblas, mkl, blis, accelerate, netlib), or the path or name of a library (two, separated by a comma, where BLAS and
 * LAPACK are apart). A library that is named is used or refused: there is no silent fallback. Without a choice, the first system library that
 * works, else the portable backend. Throws LibraryError.
 */
export function openBlas(choice: string | undefined = process.env['HMATRIX_BLAS']): Blas {
  if (choice === 'portable') return createPortableBlas();
  if (choice !== undefined && choice !== '') return openOpenblas({ library: choice });
  try {
    return openOpenblas();
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    return createPortableBlas();
  }
}

/** Every candidate of the system search with its outcome, in search order. */
export function describeSearch(): SearchOutcome[] {
  return trySystemLibraries();
}
