/**
 * The command on several ranks: which commands run there, their communicator, and who writes to the terminal.
 */
import type { Communicator } from '../distributed/communicator.js';
import { openMpi } from '../distributed/open-mpi.js';
import { selfCommunicator } from '../distributed/self.js';
import { EXIT_STATUS } from './outcome.js';
import { launcherOf } from './launched.js';
import { speakForRank } from './terminal.js';
import { UsageError } from './usage.js';

/** What several ranks do of a command: all of them work, or the first one alone, for what needs no others. */
export type RankUse = 'all' | 'first';

/** The commands that several ranks may be started for; all others refuse. */
export const RANK_USES: Readonly<Record<string, RankUse>> = {
  compress: 'all',
  multiply: 'all',
  solve: 'all',
  eigs: 'all',
  factor: 'all',
  logdet: 'all',
  tune: 'all',
  train: 'all',
  compare: 'all',
  table: 'all',
  sample: 'all',
  info: 'first',
  plot: 'first',
  report: 'first',
  doctor: 'first',
  plan: 'first',
};

let communicator: Communicator | undefined;

/** The communicator of the command that runs: one process alone where no launcher started several. */
export const ranks = (): Communicator => (communicator ??= selfCommunicator());

/**
 * To be called before a command runs; whether this rank is to run it. Where a launcher has started several ranks (and
 * HMATRIX_MPI is not 'self') the communicator is opened for a command on which all of them work; only rank 0 writes
 * results and progress from then on, and what the others say of failures begins with their rank. For other commands
 * rank 0 alone has something to do. Throws UsageError, on rank 0 so that it is said once, for a command that does not
 * run on several ranks, naming those that do; and what `openMpi` throws.
 */
export async function openRanks(
  command: string,
  uses: Readonly<Record<string, RankUse>> = RANK_USES,
): Promise<boolean> {
  communicator = undefined;
  const launcher = launcherOf();
  if (launcher === undefined) return true;
  const use = uses[command] as RankUse | undefined;
  const { name, rank, size = 2 } = launcher;
  if (use === 'all') {
    // What fails here may fail on some ranks alone: each says it as its own.
    if (launcher.size !== undefined) speakForRank(rank, launcher.size);
    communicator = await openMpi();
    speakForRank(communicator.rank, communicator.size);
    return true;
  }
  if (size === 1) return true;
  // With another status the launcher might end rank 0 before it has said what there is to say.
  if (rank > 0) return false;
  if (use === 'first') return true;
  const several = Object.keys(uses).filter((one) => uses[one] === 'all');
  throw new UsageError(
    `hmatrix ${command} runs in one process, and ${name} has started ${size}: start it without mpirun, or set ` +
      `HMATRIX_MPI=self for ${size} runs that know nothing of each other. ` +
      (several.length === 0
        ? 'No command of this version runs on several ranks.'
        : `On several ranks run: ${several.join(', ')}.`),
  );
}

/**
 * To be called when the command has ended with that status: well, and communication ends; otherwise the process's end
 * ends the other ranks too (see `openMpi`).
 */
export function closeRanks(status: number): void {
  if (status === EXIT_STATUS.done || status === EXIT_STATUS.toleranceMissed) communicator?.close();
}
