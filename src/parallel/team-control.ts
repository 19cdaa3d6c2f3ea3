/**
 * What long-running functions take from their caller: the team that works, progress and abort.
 */
import type { RunControl } from '../core/context.js';
import type { Team } from './team.js';

/** The team that a function's phases run on, with abort and progress. */
export interface TeamControl extends RunControl {
  readonly team: Team;
}
