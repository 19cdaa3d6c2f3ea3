import type { Communicator } from '#hmatrix/distributed/communicator.js';

/** What went wrong, as lines. */
export function failuresOf(world: Communicator, name?: string): string[];
/** "Name: message" of what `act` throws, or "none". */
export function errorOf(act: () => unknown): string;
