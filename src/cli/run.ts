/**
 * What all commands that compute share: interruption, progress, a team, and their end.
 */
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FileAccessError } from '../core/errors.js';
import type { Team } from '../parallel/team.js';
import type { TeamControl } from '../parallel/team-control.js';
import { openTeam } from '../parallel/default-team.js';
import { interruptSignal } from './outcome.js';
import { openProgress } from './progress.js';
import type { CommonOptions } from './command-options.js';

/**
 * Runs `work` with a team, a progress bar where one is wanted, and a signal that Ctrl-C fires; cleans up whatever
 * happens.
 */
export async function withTeam<T>(options: CommonOptions, work: (control: TeamControl) => Promise<T>): Promise<T> {
  const { signal, dispose } = interruptSignal();
  const progress = await openProgress(options.json !== true && options.quiet !== true);
  let team: Team | undefined;
  try {
    const { workers, blas } = options;
    team = await openTeam({ workers, blas });
    return await work({ team, signal, onProgress: progress.onProgress });
  } finally {
    progress.stop();
    await team?.close();
    dispose();
  }
}

/** Throws FileAccessError where `path` cannot become a file: better known before a long run than after it. */
export async function requireWritable(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  const refuse = (why: string): never => {
    throw new FileAccessError(`Cannot write ${path}: ${why}.`, { path });
  };
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile())
    refuse(`it is ${found.isDirectory() ? 'a folder' : 'not a regular file'}; give the name of a file`);
  await access(dirname(path), constants.W_OK).catch((error: NodeJS.ErrnoException) =>
    refuse(
      error.code === 'ENOENT'
        ? 'its folder does not exist'
        : `its folder cannot be written to (${error.code ?? error.message})`,
    ),
  );
}
