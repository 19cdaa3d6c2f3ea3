/**
 * The one place that picks backend and team.
 * Whoever passes no team of their own shares one, opened when it is first needed.
 */
import { openBlas } from './dense/backend.js';
import type { Blas } from './dense/blas.js';
import { Team, type TeamOptions } from './parallel/team.js';

let shared: Promise<Team> | undefined;
let blas: Blas | undefined;

/**
 * A team of workers for `compress` and products. Default: a worker per core that the process may use, on the first
 * system BLAS that works, else on the portable backend; the environment variable HMATRIX_BLAS overrides the choice.
 * Close it with `team.close()`. Throws OptionError, LibraryError.
 */
export function openTeam(options: TeamOptions = {}): Promise<Team> {
  return Team.open(options);
}

/** The team that is shared by callers who bring none; it does not keep the process alive. */
export function defaultTeam(): Promise<Team> {
  if (shared === undefined) {
    const opening = openTeam();
    shared = opening;
    // A team that cannot be opened may be possible later, with another HMATRIX_BLAS.
    opening.catch(() => {
      if (shared === opening) shared = undefined;
    });
  }
  return shared;
}

/**
 * Ends the shared team, if it was ever opened; what runs on it rejects with ClosedError, and what was compressed on it
 * can no longer multiply. The next call that needs one opens another.
 */
export async function closeDefaultTeam(): Promise<void> {
  const closing = shared;
  shared = undefined;
  const team = await closing?.catch(() => undefined);
  await team?.close();
}

/** The calling thread's dense backend, for sources that are built without one. */
export function defaultBlas(): Blas {
  return (blas ??= openBlas());
}
