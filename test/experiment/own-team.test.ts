/** The team of its own that a rank has for work that is not shared out. */
import { describe, expect, it } from 'vitest';
import type { Communicator } from '#hmatrix/distributed/communicator.js';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { withOwnTeam } from '#hmatrix/experiment/own-team.js';
import { Team } from '#hmatrix/parallel/team.js';

describe("a rank's own team", () => {
  it('has_the_workers_and_the_backend_of_its_team_and_no_other_ranks', async () => {
    const communicator = Object.create(selfCommunicator(), { size: { value: 2 } }) as Communicator;
    const team = await Team.open({ workers: 2, blas: 'portable', communicator });
    try {
      const own = await withOwnTeam({ team }, ({ team: { workers, blas, communicator } }) =>
        Promise.resolve({ workers, blas: blas.description, ranks: communicator.size }),
      );
      expect(own).toEqual({ workers: 2, blas: team.blas.description, ranks: 1 });
    } finally {
      await team.close();
    }
  });

  it('is_the_team_itself_of_one_process', async () => {
    const team = await Team.open({ workers: 1 });
    try {
      expect(await withOwnTeam({ team }, (own) => Promise.resolve(own.team))).toBe(team);
    } finally {
      await team.close();
    }
  });
});
