/**
 * The one place that picks a team: whoever passes none shares one, opened when it is first needed.
 */
import { checkedControl, type RunControl } from '../core/context.js';
import type { TeamControl } from './team-control.js';
import { Team, type TeamOptions } from './team.js';

/**
 * What long-running functions take last: the team that works (default: the shared one), an AbortSignal, a progress
 * callback. All may be left out.
 */
export interface Control extends RunControl {
  readonly team?: Team | undefined;
}

let shared: Promise<Team> | undefined;

/**
 * A team of workers for `compress` and products. Default: a worker per core that the process may use, on the first
 * system BLAS that works, else on the portable backend; the environment variable HMATRIX_BLAS overrides the choice.
 * Close it with `team.close()`. Throws OptionError, LibraryError.
 */
export function openTeam(options: TeamOptions = {}): Promise<Team> {
  return Team.open(options);
}

/** The team that is shared by callers who bring none; it does not keep the process alive. */
function defaultTeam(): Promise<Team> {
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

/**
 * The control of the function named `of`, with the team that works: the caller's, else the shared one. Throws
 * OptionError for what is no control, LibraryError where the shared team cannot be opened.
 */
export async function onTeam(control: Control, of: string): Promise<TeamControl> {
  const { signal, onProgress } = checkedControl(control, of);
  const { team } = control;
  return { team: team ?? (await defaultTeam()), signal, onProgress };
}
