/**
 * The communicator of a program: MPI where a launcher started several ranks of it, else this process alone.
 */
import { requireWhole } from '../core/checks.js';
import { environmentVariable } from '../core/environment.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions } from '../core/known-options.js';
import { CheckedCommunicator } from './checked.js';
import type { Communicator } from './communicator.js';
import { detectLauncher } from './mpi/launcher.js';
import { openMpiTransport } from './mpi/open.js';
import { selfCommunicator } from './self.js';

/** Which MPI. */
export interface MpiOptions {
  /**
   * 'self' (this process alone), a family ('openmpi'; 'mpich' with all that share its binary interface: Intel MPI,
   * MVAPICH, Cray MPICH; 'abi', the standard's own of MPI 5), or the name or path of a library. Default: the
   * environment variable HMATRIX_MPI, else what fits the launcher.
   */
  readonly library?: string | undefined;
  /**
   * Most elements of one call of MPI, whose counts are 32-bit integers; longer arrays go in pieces. The same on all
   * ranks. Default 2³¹ − 1; tests make it small.
   */
  readonly largestCount?: number | undefined;
}

const LARGEST_COUNT = 2 ** 31 - 1;

/**
 * Opens the communicator of this program's ranks. Collective over all of them; once in a process.
 *
 * The library is found at run time. Without `library` and HMATRIX_MPI it is the one that fits the launcher: Open MPI
 * under its mpirun, MPICH's binary interface under Hydra's, either under `srun --mpi=pmix`, and where there is none of
 * those a library of the standard ABI. A process that no launcher started is alone (rank 0 of 1), and no library is
 * opened; with a library named it is too, but through that library.
 * MPI is initialized at thread level MPI_THREAD_FUNNELED: all operations are called by the thread that opened it.
 *
 * The program ends by `close`. One that ends without, with status 0, is finalized as it ends; one that fails (an
 * uncaught error, another status) ends all ranks with that status, so that none waits for it.
 *
 * Throws OptionError, LibraryError (no library, one that cannot be opened, lacks a symbol, gives no support for threads
 * or does not fit the launcher) or CommunicationError (opened a second time).
 */
export async function openMpi(options: MpiOptions = {}): Promise<Communicator> {
  requireKnownOptions(options, { library: 'text', largestCount: 'number' }, 'openMpi');
  const { library = environmentVariable('HMATRIX_MPI'), largestCount = LARGEST_COUNT } = options;
  if (library !== undefined && typeof library !== 'string')
    throw new OptionError(`library must be a text, not ${describe(library)}.`, { option: 'library', value: library });
  requireWhole(largestCount, 'largestCount', 1, LARGEST_COUNT);
  const launcher = detectLauncher();
  const named = library !== undefined && library !== '';
  if (library === 'self' || (!named && launcher === undefined)) return selfCommunicator();
  return new CheckedCommunicator(openMpiTransport({ library, launcher, largestCount }));
}
