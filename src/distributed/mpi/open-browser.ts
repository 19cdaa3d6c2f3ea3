/**
 * What stands for open.ts in a browser, which has no MPI: none is found.
 */
import { LibraryError } from '../../core/errors.js';
import type { Transport } from '../transport.js';
import type { MpiChoice, MpiOutcome } from './open.js';

export type { MpiOutcome };

/** Throws LibraryError. */
export function openMpiTransport({ library }: MpiChoice): Transport {
  throw new LibraryError(`A browser has no MPI: "${library}" cannot be opened. Use "self".`, { library });
}

/** None: there are no paths. */
export const pathChosen = (): undefined => undefined;

/** No candidates. */
export const tryMpiLibraries = (): MpiOutcome[] => [];
