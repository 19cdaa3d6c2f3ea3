/**
 * Whether the command was started as one of several ranks: known at once, without what several ranks take.
 */
import { environmentVariable } from '../core/environment.js';
import { detectLauncher, type Launcher } from '../distributed/mpi/launcher.js';

/** Who started this process as one of several ranks; undefined where nobody did, or HMATRIX_MPI is self. */
export const launcherOf = (): Launcher | undefined =>
  environmentVariable('HMATRIX_MPI') === 'self' ? undefined : detectLauncher();

/** Whether this process is alone or rank 0, which says what all would say alike: helps, the version. */
export const isFirstRank = (): boolean => (launcherOf()?.rank ?? 0) === 0;
