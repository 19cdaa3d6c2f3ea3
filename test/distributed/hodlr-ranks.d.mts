import type { Communicator } from '#hmatrix/distributed/communicator.js';

/** What one process, or one of several ranks, finds of a HODLR matrix. */
export function look(communicator: Communicator, data: object): Promise<Record<string, unknown>>;
