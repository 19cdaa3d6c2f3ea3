/** Cuts that ranks which are threads make together, for test/tree/top-cuts.test.ts. */
import { recorded } from '#hmatrix/distributed/recorded.js';
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';
import { cutAll } from './cut-values.mjs';
import { Team } from '#hmatrix/parallel/team.js';

/** The order of this rank's positions after all cuts, what went with each index, and what was sent. */
export async function cuts({ world, rank, data }) {
  const communicator = recorded(threadCommunicator(world, rank));
  const team = await Team.open({ workers: 1, communicator });
  communicator.phase('cuts');
  const found = await cutAll(team, data);
  const { traffic } = communicator;
  await team.close();
  communicator.close();
  return { ...found, traffic: traffic.cuts };
}
