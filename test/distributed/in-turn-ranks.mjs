/** Several cases on the same ranks, which are threads, for test/distributed/in-turn.ts. */
import { threadCommunicator } from '#hmatrix/distributed/threads/transport.js';

/** What the module's function gives for this rank's communicator and each case. */
export async function inTurn({ world, rank, data: { module, name, cases } }) {
  const { [name]: act } = await import(module);
  const communicator = threadCommunicator(world, rank);
  const found = [];
  for (const data of cases) found.push(await act(communicator, data));
  communicator.close();
  return found;
}
