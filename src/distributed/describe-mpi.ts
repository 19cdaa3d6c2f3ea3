/**
 * What there is of MPI, for people: nothing is initialized, which could fail or wait for other ranks.
 */
import { environmentVariable } from '../core/environment.js';
import { detectLauncher } from './mpi/launcher.js';
import { pathChosen, tryMpiLibraries, type MpiOutcome } from './mpi/open.js';

export type { MpiOutcome };

/** The launcher, the libraries, and what `openMpi` would take. */
export interface MpiDescription {
  /** Who started this process as one of several ranks; null where nobody did. */
  readonly launcher: { readonly name: string; readonly rank: number; readonly size: number | null } | null;
  /** HMATRIX_MPI, where it is set. */
  readonly choice: string | null;
  /** The library that HMATRIX_MPI names by its path, then every one that is looked for, in order within its family. */
  readonly search: readonly MpiOutcome[];
  /** 'one process', or the library that openMpi takes; null where the one chosen, or all that fit, cannot be used. */
  readonly library: string | null;
}

/** Opens every library that there is, and asks it for its version. */
export function describeMpi(): MpiDescription {
  const launcher = detectLauncher();
  const choice = environmentVariable('HMATRIX_MPI') ?? '';
  const path = pathChosen(choice);
  const search = tryMpiLibraries(path);
  const firstOf = (families: readonly string[]): string | null =>
    families
      .map((one) => search.find(({ family, usable }) => usable && family === one)?.description)
      .find((description) => description !== undefined) ?? null;
  const taken = (): string | null => {
    if (choice === 'self' || (choice === '' && launcher === undefined)) return 'one process';
    if (choice === '') return firstOf(launcher!.families);
    return path === undefined ? firstOf([choice.toLowerCase()]) : (search[0].description ?? null);
  };
  return {
    launcher: launcher === undefined ? null : { name: launcher.name, rank: launcher.rank, size: launcher.size ?? null },
    choice: choice === '' ? null : choice,
    search,
    library: taken(),
  };
}
