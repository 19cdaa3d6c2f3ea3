/**
 * Opening a system BLAS: search, check, one thread.
 */
import { LibraryError } from '../../core/errors.js';
import type { Blas } from '../blas.js';
import { candidatesOf } from './candidates.js';
import type { Candidate } from './candidates.js';
import { describeCore, loadLibrary } from './core-type.js';
import { FortranArguments } from './fortran-arguments.js';
import { REMEDY } from './library.js';
import { checkIntegerWidth, checkResults } from './self-check.js';
import { SystemBlas } from './system-blas.js';
import { describeLibrary, useOneThread } from './vendor.js';

export { nativeModuleFailure } from '../../native/koffi.js';

/**
 * `library`: the path or name of a shared library; two separated by a comma where BLAS and LAPACK are apart; or a
 * family (openblas, mkl, blis, accelerate, netlib).
 */
export interface OpenblasOptions {
  readonly library?: string | undefined;
}

/**
 * The dense contract over a system library. Without `library`, the first of the platform's candidates (candidates.ts)
 * that opens and passes its check. The library's own threads are set to one, for the whole process. One instance per
 * JavaScript thread: instances are not shared, but any number of them, in any number of workers, may compute at the
 * same time. Two workers must not run `ormqr` on the same A at once: LAPACK before 3.10 writes to A and restores it.
 * Throws LibraryError: none found, a named library that cannot be opened, a missing symbol, 64-bit integers, or wrong
 * results.
 */
export function openOpenblas(options: OpenblasOptions = {}): Blas {
  const choice = options.library;
  if (choice === undefined) return openFirst(candidatesOf(process.platform), 'No usable BLAS library was found');
  const family = candidatesOf(process.platform).find((candidate) => candidate.name === choice.toLowerCase());
  if (family !== undefined) return openFirst([family], `No usable library of the family "${family.name}" was found`);
  return openSet(
    choice
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
}

/** What became of one candidate of the search; `description` where it is usable, else `reason`. */
export interface SearchOutcome {
  readonly candidate: string;
  readonly libraries: readonly string[];
  readonly usable: boolean;
  readonly description?: string | undefined;
  readonly reason?: string | undefined;
}

/**
 * Tries every candidate of the platform, in order; for people (`hmatrix doctor`). Opens all the libraries that are
 * there.
 */
export function trySystemLibraries(): SearchOutcome[] {
  const outcomes: SearchOutcome[] = [];
  for (const candidate of candidatesOf(process.platform)) {
    for (const libraries of candidate.sets) {
      try {
        outcomes.push({
          candidate: candidate.name,
          libraries,
          usable: true,
          description: openSet(libraries).description,
        });
      } catch (error) {
        if (!(error instanceof LibraryError)) throw error;
        outcomes.push({ candidate: candidate.name, libraries, usable: false, reason: withoutRemedy(error) });
      }
    }
  }
  return outcomes;
}

const withoutRemedy = (error: LibraryError): string => error.message.replace(` ${REMEDY}`, '');

function openSet(names: readonly string[]): Blas {
  if (names.length === 0) throw new LibraryError(`No library is named. ${REMEDY}`);
  const library = loadLibrary(names);
  useOneThread(library);
  const scalars = new FortranArguments();
  checkIntegerWidth(library, scalars);
  const blas = new SystemBlas(library, scalars, describeLibrary(library, describeCore(library)));
  checkResults(blas, library, scalars);
  return blas;
}

function openFirst(candidates: readonly Candidate[], failure: string): Blas {
  const reasons: string[] = [];
  for (const candidate of candidates) {
    for (const names of candidate.sets) {
      try {
        return openSet(names);
      } catch (error) {
        if (!(error instanceof LibraryError)) throw error;
        reasons.push(withoutRemedy(error));
      }
    }
  }
  throw new LibraryError(`${failure}:\n${reasons.map((reason) => `  ${reason}`).join('\n')}\n${REMEDY}`, {
    tried: candidates.flatMap((candidate) => candidate.sets),
    reasons,
  });
}
