/**
 * Teams of workers, ranks that run the same program, and what long-running functions take from their callers.
 */
export type { AbortSignalLike, Progress, RunControl } from '../core/context.js';
export type { CommunicatedArray, Communicator, Counts, Reduction, Request } from '../distributed/communicator.js';
export { openMpi, type MpiOptions } from '../distributed/open-mpi.js';
export { closeDefaultTeam, openTeam, type Control } from '../parallel/default-team.js';
export { Team, type TeamOptions } from '../parallel/team.js';
