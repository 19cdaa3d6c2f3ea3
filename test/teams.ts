/**
 * Teams that the files of one process share: a thread takes a fifth of a second to start, and as much again until it
 * has loaded and optimised what it runs. Tests of teams themselves open their own.
 */
import { Team } from '#hmatrix/parallel/team.js';

const TEAMS = Symbol.for('hmatrix: teams of the tests');
const shared = globalThis as { [TEAMS]?: Map<number, Promise<Team>> };
const teams = (shared[TEAMS] ??= new Map<number, Promise<Team>>());

/** `Team.open` as it is, whatever a test has put in its place. */
const open = Team.open.bind(Team);

/** The process's team of so many workers. Nobody closes it: its threads end with the process. */
export function sharedTeam(workers: number): Promise<Team> {
  let team = teams.get(workers);
  if (team === undefined) teams.set(workers, (team = open({ workers })));
  return team;
}
