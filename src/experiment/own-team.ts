/**
 * A team of a rank's own, for work that one process does: what several ranks would share out of a matrix is then whole
 * on each of them, with the bytes and the bits of one.
 */
import type { TeamControl } from '../parallel/team-control.js';

/**
 * Runs `work` on a team of as many workers and the same backend without other ranks; on the team itself where there are
 * none.
 */
export async function withOwnTeam<T>(control: TeamControl, work: (own: TeamControl) => Promise<T>): Promise<T> {
  if (control.team.communicator.size === 1) return work(control);
  const team = await control.team.openAlone();
  try {
    return await work({ ...control, team });
  } finally {
    await team.close();
  }
}
