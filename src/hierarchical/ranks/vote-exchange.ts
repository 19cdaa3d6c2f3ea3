/**
 * Votes of nodes that several ranks hold: each counts those of its own indices, and of the near leaves that its own
 * leaves are the first to list, and they are added along the tree. Nobody needs others' lists of neighbors for it.
 */
import { leftChild, rightChild } from '../../core/indices.js';
import type { Communicator } from '../../distributed/communicator.js';
import { firstLeaf, leavesOf } from '../../tree/cluster-tree.js';
import { leavesBelow, markInside, Votes, type GivenVotes, type VotesState } from '../from-entries/votes.js';
import { SiblingExchange } from './exchange.js';
import { ancestorOn, heldNodes, type Share } from './share.js';

/** Votes of a part of a node, and of what is near to it: those come after all of the node's own. */
interface VotesOfPart {
  readonly own: GivenVotes;
  readonly near: GivenVotes;
}

/** What a votes counter has, in order. */
const takenFrom = (votes: Votes): GivenVotes => {
  const some = (array: Int32Array): Int32Array => array.slice(0, votes.count);
  const given = { indices: some(votes.touched), votes: some(votes.votes), leaves: some(votes.leaves) };
  votes.clear();
  return given;
};

/** Counts the votes of shared nodes, level by level. */
export class VoteExchange {
  readonly #share: Share;
  readonly #state: VotesState;
  readonly #siblings: SiblingExchange;

  constructor(communicator: Communicator, share: Share, state: VotesState) {
    this.#share = share;
    this.#state = state;
    this.#siblings = new SiblingExchange(communicator, share);
  }

  /**
   * Collective: votes for each of this rank's nodes of a level above that of the share, in the order in which one
   * process counts them. For each level between them two messages each way, of 12 bytes for each
   * row outside that a part votes for.
   */
  run(level: number): Map<number, GivenVotes> {
    const { level: shared } = this.#share;
    const votes = new Votes();
    const sum = (...some: readonly GivenVotes[]): GivenVotes => {
      for (const one of some) votes.give(one);
      return takenFrom(votes);
    };
    const parts = this.#count(level, votes);
    for (let below = shared; below > level; below--) {
      this.#exchange(below, parts);
      for (const ν of heldNodes(this.#share, below - 1)) {
        const [left, right] = [parts.get(leftChild(ν))!, parts.get(rightChild(ν))!];
        parts.set(ν, { own: sum(left.own, right.own), near: sum(left.near, right.near) });
      }
    }
    return new Map(Array.from(heldNodes(this.#share, level), (ν) => [ν, sum(parts.get(ν)!.own, parts.get(ν)!.near)]));
  }

  /** Votes of the nodes that are dealt out to this rank, for rows outside of those of `level` above them. */
  #count(level: number, votes: Votes): Map<number, VotesOfPart> {
    const { tree } = this.#state;
    const leaves = leavesOf(tree);
    const inside = new Uint8Array(leaves + 1);
    const [nearLeaves, listers] = [new Int32Array(leaves), new Int32Array(leaves)];
    const parts = new Map<number, VotesOfPart>();
    for (const ν of heldNodes(this.#share, level)) {
      const near = markInside(this.#state, ν, inside, nearLeaves, listers);
      for (const c of heldNodes(this.#share, this.#share.level)) {
        if (ancestorOn(level, c) !== ν) continue;
        const { first, last } = leavesBelow(tree, c);
        votes.add(this.#state, inside, c, level);
        const own = takenFrom(votes);
        for (let k = 0; k < near; k++)
          if (listers[k] >= first && listers[k] <= last)
            votes.add(this.#state, inside, firstLeaf(tree) + nearLeaves[k], tree.depth);
        parts.set(c, { own, near: takenFrom(votes) });
      }
    }
    return parts;
  }

  /** Parts of the nodes of a level to those who hold their parents. */
  #exchange(level: number, parts: Map<number, VotesOfPart>): void {
    const lengths = new Map<number, Int32Array>();
    this.#siblings.run(level, (c) => {
      const part = parts.get(c);
      const both =
        part === undefined ? new Int32Array(2) : Int32Array.of(part.own.indices.length, part.near.indices.length);
      lengths.set(c, both);
      return both;
    });
    const messages = new Map<number, Int32Array>();
    this.#siblings.run(level, (c) => {
      const [own, near] = lengths.get(c)!;
      const message = new Int32Array(3 * (own + near));
      messages.set(c, message);
      const part = parts.get(c);
      if (part === undefined) return message;
      [part.own, part.near].forEach(({ indices, votes, leaves }, k) => {
        const [from, count] = k === 0 ? [0, own] : [3 * own, near];
        [indices, votes, leaves].forEach((numbers, column) => {
          message.set(numbers, from + column * count);
        });
      });
      return message;
    });
    for (const [c, message] of messages) {
      if (parts.has(c)) continue;
      const [own, near] = lengths.get(c)!;
      const cut = (from: number, count: number): GivenVotes => ({
        indices: message.subarray(from, from + count),
        votes: message.subarray(from + count, from + 2 * count),
        leaves: message.subarray(from + 2 * count, from + 3 * count),
      });
      parts.set(c, { own: cut(0, own), near: cut(3 * own, near) });
    }
  }
}
