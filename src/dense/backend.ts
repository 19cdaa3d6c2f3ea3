/**
 * Which dense backend: a system library where there is one, the portable backend otherwise or by choice.
 */
import { environmentVariable } from '../core/environment.js';
import { LibraryError } from '../core/errors.js';
import { warn } from '../core/warning.js';
import type { Blas } from './blas.js';
import { nativeModuleFailure, openOpenblas, trySystemLibraries } from './system/open.js';
import type { SearchOutcome } from './system/open.js';
import { createPortableBlas } from './portable/portable-blas.js';

export type { SearchOutcome };

/**
 * The dense backend named by `choice`, by default the environment variable HMATRIX_BLAS: 'portable', a family
 * (openblas, mkl, blis, accelerate, netlib), or the path or name of a library (two, separated by a comma, where BLAS
 * and LAPACK are apart). A library that is named is used or refused: there is no silent fallback. Without a choice, the
 * first system library that works, else the portable backend: with a warning of the process (code 'portable-backend')
 * where koffi, which calls system libraries, could not be loaded. Throws LibraryError.
 */
export const openBlas = (choice: string | undefined = environmentVariable('HMATRIX_BLAS')): Blas =>
  open(choice, warnWithoutNativeModule);

/** `openBlas` for a team's workers: what there is to be said the thread says that opens the team. */
export const openWorkerBlas = (choice: string | undefined = environmentVariable('HMATRIX_BLAS')): Blas =>
  open(choice, () => undefined);

function open(choice: string | undefined, warnOfPortable: () => void): Blas {
  if (choice === 'portable') return createPortableBlas();
  if (choice !== undefined && choice !== '') return openOpenblas({ library: choice });
  try {
    return openOpenblas();
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    warnOfPortable();
    return createPortableBlas();
  }
}

let warned = false;

/**
 * That there is no system library is a matter of the machine; that none could be looked for is one of the installation,
 * and said once.
 */
function warnWithoutNativeModule(): void {
  const failure = warned ? undefined : nativeModuleFailure();
  if (failure === undefined) return;
  warned = true;
  warn('portable-backend', `The portable backend is used, which is slower. ${failure}`);
}

/** Every candidate of the system search with its outcome, in search order. */
export function describeSearch(): SearchOutcome[] {
  return trySystemLibraries();
}
