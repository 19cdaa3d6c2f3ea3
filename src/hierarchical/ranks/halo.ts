/**
 * What a rank needs of nodes that are not its own beside siblings' (exchange.ts): the far partners of its nodes, whose
 * skeletons its couplings are evaluated at and whose skeleton weights they multiply, and the near leaves of its own.
 */
import { floats, precisionOf, type FloatArray } from '../../core/floats.js';
import type { Communicator, Request } from '../../distributed/communicator.js';
import { parentOf } from '../../core/indices.js';
import { firstLeaf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { holders, type Halo, type HaloPeer, type HeldNodes } from './share.js';

/** The halo of a rank's share by the lists of the whole matrix. */
export function haloOf(tree: ClusterTree, lists: InteractionLists, share: HeldNodes): Halo {
  const { held, rank } = share;
  const sends = new Map<number, Set<number>>();
  const receives = new Map<number, Set<number>>();
  const known = new Map<number, readonly number[]>();
  const holdersOf = (ν: number): readonly number[] => {
    let found = known.get(ν);
    if (found === undefined) known.set(ν, (found = holders(share, ν)));
    return found;
  };
  const add = (to: Map<number, Set<number>>, peer: number, ν: number): void => {
    const nodes = to.get(peer);
    if (nodes === undefined) to.set(peer, new Set([ν]));
    else nodes.add(ν);
  };
  /** Rank q holds α, and so needs β. */
  const need = (α: number, β: number): void => {
    if (held[α] === 0 && held[β] === 0) return;
    const from = holdersOf(β);
    for (const q of holdersOf(α)) {
      // Who holds β's parent has it as a sibling's.
      if (from.includes(q) || holdersOf(parentOf(β)).includes(q)) continue;
      const provider = from[q % from.length];
      if (q === rank) add(receives, provider, β);
      else if (provider === rank) add(sends, q, β);
    }
  };
  const { far, near, nearBegin } = lists;
  for (let f = 0; f < far.length; f += 2) {
    need(far[f], far[f + 1]);
    need(far[f + 1], far[f]);
  }
  const leaf0 = firstLeaf(tree);
  const [leavesSent, leavesReceived] = [new Map<number, Set<number>>(), new Map<number, Set<number>>()];
  for (let α = 0; α < nearBegin.length - 1; α++) {
    if (held[leaf0 + α] === 0) continue;
    for (let e = nearBegin[α]; e < nearBegin[α + 1]; e++) {
      const other = leaf0 + near[e];
      if (held[other] === 1) continue;
      // Lists are symmetric: who has the other one needs this one.
      const [peer] = holdersOf(other);
      add(leavesReceived, peer, other);
      add(leavesSent, peer, leaf0 + α);
    }
  }
  return { peers: peersOf(sends, receives), leaves: peersOf(leavesSent, leavesReceived) };
}

/** Nodes by the rank they go to and come from. */
function peersOf(sends: Map<number, Set<number>>, receives: Map<number, Set<number>>): HaloPeer[] {
  const peers = [...new Set([...sends.keys(), ...receives.keys()])].sort((a, b) => a - b);
  return peers.map((peer) => ({
    peer,
    sends: ascending(sends.get(peer)),
    receives: ascending(receives.get(peer)),
  }));
}

const ascending = (nodes: Set<number> | undefined): Int32Array => Int32Array.from(nodes ?? []).sort();

/**
 * Sends the numbers of halo nodes to those who need them, and receives those that this rank needs: one message to each
 * peer. `numbers` gives where those of a node stand, or are to stand.
 */
export function exchangeHalo(
  communicator: Communicator,
  peers: readonly HaloPeer[],
  numbers: (node: number) => FloatArray | Int32Array,
): void {
  const requests: Request[] = [];
  const received: { readonly message: FloatArray | Int32Array; readonly nodes: Int32Array }[] = [];
  const room = (nodes: Int32Array): FloatArray | Int32Array => {
    const length = nodes.reduce((sum, ν) => sum + numbers(ν).length, 0);
    if (nodes.length === 0) return new Int32Array(0);
    const first = numbers(nodes[0]);
    return first instanceof Int32Array ? new Int32Array(length) : floats(length, precisionOf(first));
  };
  for (const { peer, receives } of peers) {
    const message = room(receives);
    if (message.length === 0) continue;
    received.push({ message, nodes: receives });
    requests.push(communicator.startReceive(message, peer, HALO_TAG));
  }
  for (const { peer, sends } of peers) {
    const message = room(sends);
    if (message.length === 0) continue;
    let at = 0;
    for (const ν of sends) {
      const own = numbers(ν);
      message.set(own as never, at);
      at += own.length;
    }
    requests.push(communicator.startSend(message, peer, HALO_TAG));
  }
  for (const request of requests) request.wait();
  for (const { message, nodes } of received) {
    let at = 0;
    for (const ν of nodes) {
      const to = numbers(ν);
      to.set(message.subarray(at, at + to.length) as never);
      at += to.length;
    }
  }
}

/** Above those of siblings, which are levels. */
const HALO_TAG = 32_767;
