/**
 * Opening MPI: which library, whether it fits the launcher, and MPI_Init.
 */
import { CommunicationError, LibraryError } from '../../core/errors.js';
import { arrayAddress } from '../../native/koffi.js';
import type { Transport } from '../transport.js';
import { FAMILIES, FAMILY_NAMES, candidatesOf } from './candidates.js';
import { watchEnd } from './ending.js';
import { bindMpi } from './functions.js';
import type { Launcher, MpiFamily } from './launcher.js';
import { MpiLibrary, REMEDY } from './library.js';
import { MpiSession } from './session.js';
import { MpiTransport } from './transport.js';

/** Which library, by whom the process was started, and the most elements of one call. */
export interface MpiChoice {
  readonly library: string | undefined;
  readonly launcher: Launcher | undefined;
  readonly largestCount: number;
}

/**
 * Opens a library and initializes it; see `openMpi`. Throws LibraryError and CommunicationError.
 */
export function openMpiTransport({ library: choice, launcher, largestCount }: MpiChoice): Transport {
  const library = chooseLibrary(choice, launcher);
  const session = new MpiSession(library, bindMpi(library), largestCount);
  if (session.integer('MPI_Initialized') !== 0)
    throw new CommunicationError(
      `${library.version} has been initialized in this process already, which can be done once: hand the ` +
        'communicator that openMpi gave on to all that need it.',
      { library: library.description },
    );
  const { funneled } = library.interface;
  const provided = new Int32Array(1);
  session.call('MPI_Init_thread', 0, 0, funneled, arrayAddress(provided));
  session.begin();
  if (provided[0] < funneled) {
    session.call('MPI_Finalize');
    throw new LibraryError(
      `${library.description} gives no support for processes with threads (MPI_THREAD_FUNNELED): a build with ` +
        `threads is needed. ${REMEDY}`,
      { library: library.description, provided: provided[0] },
    );
  }
  if (launcher?.size !== undefined && launcher.size !== session.size) {
    const { rank, size } = session;
    session.call('MPI_Finalize');
    throw new LibraryError(
      `${library.description} sees ${size} rank${size === 1 ? '' : 's'} where ${launcher.name} has started ` +
        `${launcher.size} (this is rank ${launcher.rank} of them): they do not belong together. Start the ranks with ` +
        `mpirun of ${library.version}, or name a library that fits the launcher by HMATRIX_MPI.`,
      { library: library.description, launcher: launcher.name, rank, size, launched: launcher.size },
    );
  }
  const forget = watchEnd(session);
  return new MpiTransport(session, session.handles.world, () => {
    forget();
    session.call('MPI_Finalize');
  });
}

function chooseLibrary(choice: string | undefined, launcher: Launcher | undefined): MpiLibrary {
  if (choice === undefined || choice === '')
    return openFirst(launcher!.families, `this process is rank ${launcher!.rank} of ${launcher!.name}`);
  const family = FAMILIES.find((name) => name === choice.toLowerCase());
  if (family === undefined) return new MpiLibrary(choice, true);
  return openFirst([family], `"${choice}" is asked for`);
}

/** The first library of the families that opens and is of its family. */
function openFirst(families: readonly MpiFamily[], why: string): MpiLibrary {
  const reasons: string[] = [];
  for (const family of families) {
    for (const name of candidatesOf(family, process.platform)) {
      try {
        const library = new MpiLibrary(name, true);
        if (library.family === family) return library;
        reasons.push(`"${name}" is ${library.version}`);
      } catch (error) {
        if (!(error instanceof LibraryError)) throw error;
        reasons.push(withoutRemedy(error));
      }
    }
  }
  const names = families.map((family) => FAMILY_NAMES[family]).join(' or ');
  throw new LibraryError(
    `No usable library of ${names} was found, and ${why}:\n` +
      `${reasons.map((reason) => `  ${reason}`).join('\n')}\n${REMEDY}`,
    { families, reasons },
  );
}

const withoutRemedy = (error: LibraryError): string => error.message.replace(` ${REMEDY}`, '');

/** What became of one candidate of the search; `description` where it is usable, else `reason`. */
export interface MpiOutcome {
  /** Null of a library chosen by its path that is of none. */
  readonly family: MpiFamily | null;
  readonly library: string;
  readonly usable: boolean;
  readonly description?: string | undefined;
  readonly reason?: string | undefined;
}

/** What becomes of a library that should be of the family, or, of null, of any. */
function tryLibrary(library: string, family: MpiFamily | null): MpiOutcome {
  try {
    const found = new MpiLibrary(library, false);
    bindMpi(found);
    return family === null || found.family === family
      ? { family: found.family, library, usable: true, description: found.description }
      : { family, library, usable: false, reason: `is ${found.version}` };
  } catch (error) {
    if (!(error instanceof LibraryError)) throw error;
    return { family, library, usable: false, reason: withoutRemedy(error) };
  }
}

/**
 * Opens every candidate that there is, without initializing one, and first the one chosen by its path, where there is
 * one; for people (`hmatrix doctor`).
 */
export const tryMpiLibraries = (chosen?: string): MpiOutcome[] => [
  ...(chosen === undefined ? [] : [tryLibrary(chosen, null)]),
  ...FAMILIES.flatMap((family) => candidatesOf(family, process.platform).map((library) => tryLibrary(library, family))),
];

/** The path of a library that HMATRIX_MPI's value is, undefined where it is a family, `self` or nothing. */
export const pathChosen = (choice: string): string | undefined =>
  choice === '' || choice === 'self' || FAMILIES.some((family) => family === choice.toLowerCase()) ? undefined : choice;
