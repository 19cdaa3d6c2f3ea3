/**
 * What long-running functions take from their caller: the team that works, progress and abort.
 */
import type { RunControl } from '../core/context.js';
import type { Team } from './team.js';

export interface TeamControl extends RunControl {
  readonly team: Team;
}
