/**
 * Teams of workers, and what long-running functions take from their callers.
 */
export type { AbortSignalLike, Progress, RunControl } from '../core/context.js';
export { closeDefaultTeam, openTeam, type Control } from '../parallel/default-team.js';
export { Team, type TeamOptions } from '../parallel/team.js';
