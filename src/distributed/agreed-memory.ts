/**
 * The memory that each of several ranks may use: choices that go by it are the same on all of them.
 */
import { availableMemory, machineName } from '../io/machine.js';
import { agreedLeast, ranksAlike } from './agreed.js';
import type { Communicator } from './communicator.js';

/**
 * Bytes: `limit`, else what the system says is free, of which ranks of one machine have equal parts; of several ranks
 * the least. Undefined where there is one process and no limit. Collective.
 */
export function agreedMemory(communicator: Communicator, limit: number | undefined): number | undefined {
  if (communicator.size === 1) return limit;
  return agreedLeast(communicator, limit ?? availableMemory() / ranksAlike(communicator, machineName()));
}
