/**
 * What ranks tell each other of the nodes near the root: for each level, who holds a parent gets what is known of the
 * child that it does not hold. Of ranks in equal shares, a power of two, that is one message each way and level: a
 * butterfly, log₂P messages in all.
 */
import type { CommunicatedArray, Communicator } from '../../distributed/communicator.js';
import { firstOfLevel } from '../../core/indices.js';
import { heldNodes, holders, type Dealing, type Share } from './share.js';

/** What goes to another rank, or comes from it. */
export interface Transfer {
  readonly peer: number;
  readonly node: number;
  readonly sends: boolean;
}

/** A node whose numbers go from one rank to another. */
export interface LevelTransfer {
  readonly node: number;
  readonly from: number;
  readonly to: number;
}

/** All ranks' transfers of a level ≥ 1, in an order that all agree upon. */
export function levelTransfers(dealt: Dealing, level: number): LevelTransfer[] {
  const first = firstOfLevel(level);
  const transfers: LevelTransfer[] = [];
  for (let ν = first; ν < 2 * first + 1; ν++) {
    const sibling = (ν & 1) === 1 ? ν + 1 : ν - 1;
    const from = holders(dealt, ν);
    holders(dealt, sibling)
      .filter((r) => !from.includes(r))
      // Each of those that hold the node serves as many.
      .forEach((to, i) => transfers.push({ node: ν, from: from[i % from.length], to }));
  }
  return transfers;
}

/** This rank's transfers of a level, in an order that all agree upon: messages between two ranks come in it. */
export function siblingTransfers(share: Share, level: number): Transfer[] {
  const { rank } = share;
  return levelTransfers(share, level).flatMap(({ node, from, to }): Transfer[] => {
    if (from === rank) return [{ peer: to, node, sends: true }];
    return to === rank ? [{ peer: from, node, sends: false }] : [];
  });
}

/** Exchanges over the levels of one share; their transfers are found once. */
export class SiblingExchange {
  readonly #communicator: Communicator;
  readonly #levels: readonly (readonly Transfer[])[];

  constructor(communicator: Communicator, share: Share) {
    this.#communicator = communicator;
    this.#levels = Array.from({ length: share.level + 1 }, (_, level) =>
      level === 0 ? [] : siblingTransfers(share, level),
    );
  }

  /**
   * Sends the numbers of the nodes of a level to those who need them, and receives those of the siblings of held ones.
   * `numbers` gives where those of a node stand, or are to stand; both sides must agree on how many there are.
   */
  run(level: number, numbers: (node: number) => CommunicatedArray): void {
    const requests = this.#levels[level].flatMap(({ peer, node, sends }) => {
      const array = numbers(node);
      if (array.length === 0) return [];
      return [
        sends ? this.#communicator.startSend(array, peer, level) : this.#communicator.startReceive(array, peer, level),
      ];
    });
    for (const request of requests) request.wait();
  }
}

/** Sums over what lies below the nodes of one level, added up the tree. */
export interface SumsBelow {
  /** The level whose nodes have their parts, at least that of the share, and the one whose nodes get sums. */
  readonly from: number;
  readonly to: number;
  /** Where the part of the sum for ν over c, a node below it, stands; over ν itself the sum. */
  numbers(ν: number, c: number): CommunicatedArray;
  /** Adds those over c's children. */
  add(ν: number, c: number): void;
}

/**
 * Adds up sums for all nodes of level `to`: on every rank that holds such a node, to the same bits, whoever has which
 * parts. Collective: one message for each level of the share below it.
 */
export function addUp(share: Share, siblings: SiblingExchange, { from, to, numbers, add }: SumsBelow): void {
  const above = (c: number, level: number): number => ((c + 1) >> (level - to)) - 1;
  for (let level = from - 1; level >= to; level--) {
    if (level < share.level) siblings.run(level + 1, (c) => numbers(above(c, level + 1), c));
    for (const c of heldNodes(share, level)) add(above(c, level), c);
  }
}
