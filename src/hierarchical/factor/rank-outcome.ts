/**
 * What all ranks know of a factorization that several have: its logarithms, and where it broke down.
 */
import type { Communicator } from '../../distributed/communicator.js';
import { countsFor, type HeldNodes } from '../ranks/share.js';
import type { Breakdown } from './engine.js';

/** The logarithms of all nodes, from the first rank that holds each. Collective. */
export function gatherLogs(logs: Float64Array, share: HeldNodes, communicator: Communicator): void {
  for (let ν = 0; ν < logs.length; ν++) if (!countsFor(share, ν)) logs[ν] = 0;
  communicator.allreduce(logs, 'sum');
}

/** The deepest, leftmost of all ranks' breakdowns; undefined where there is none. Collective. */
export function agreedBreakdown(own: Breakdown | undefined, communicator: Communicator): Breakdown | undefined {
  const numbers = own === undefined ? [-1, 0, 0, 0] : [own.level, own.node, own.pivot, own.index];
  const { size } = communicator;
  const all = new Float64Array(4 * size);
  communicator.allgather(Float64Array.from(numbers), all, new Array<number>(size).fill(4));
  let deepest: Breakdown | undefined;
  for (let at = 0; at < all.length; at += 4) {
    const [level, node, pivot, index] = all.subarray(at, at + 4);
    if (level < 0 || (deepest !== undefined && level < deepest.level)) continue;
    if (deepest === undefined || level > deepest.level || node < deepest.node) deepest = { node, level, pivot, index };
  }
  return deepest;
}
