/** Cuts that ranks which are threads make together, for test/tree/top-cuts.test.ts. */
import { recorded } from '#hmatrix/distributed/recorded.js';
import { cutAll } from './cut-values.mjs';
import { Team } from '#hmatrix/parallel/team.js';

/** The order of this rank's positions after all cuts, what went with each index, and what was sent. */
export async function cuts(among, data) {
  const communicator = recorded(among);
  const team = await Team.open({ workers: 1, communicator });
  communicator.phase('cuts');
  const found = await cutAll(team, data);
  const { traffic } = communicator;
  await team.close();
  return { ...found, traffic: traffic.cuts };
}
