/**
 * What ranks tell each other of the skeletons that they found (from-entries/skeletonize.ts), with the nearest neighbors
 * of their indices, of which those who need them have no lists.
 */
import { leftChild, rightChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import { PARTNERS, type SkeletonState } from '../from-entries/skeleton-state.js';
import { SiblingExchange } from './exchange.js';
import { concerns, countsFor, heldNodes, type Share } from './share.js';

/** Skeletons of siblings, level by level, and what all nodes found. */
export class SkeletonExchange {
  readonly #communicator: Communicator;
  readonly #share: Share;
  readonly #state: SkeletonState;
  readonly #siblings: SiblingExchange;
  /** Neighbors told of each index, and those of each skeleton's indices, by node. */
  readonly #width: number;
  readonly #partners = new Map<number, Int32Array>();

  constructor(communicator: Communicator, share: Share, state: SkeletonState) {
    this.#communicator = communicator;
    this.#share = share;
    this.#state = state;
    this.#siblings = new SiblingExchange(communicator, share);
    this.#width = Math.min(PARTNERS, state.neighborCount);
    for (const ν of heldNodes(share, share.level)) this.#partners.set(ν, this.#listed(ν));
  }

  /** The nearest neighbors of the skeleton of a node all of whose lists are here. */
  #listed(ν: number): Int32Array {
    const { maxRank, ranks, skeletons, neighbors, rowOf, neighborCount } = this.#state;
    const partners = new Int32Array(ranks[ν] * this.#width);
    for (let j = 0; j < ranks[ν]; j++) {
      const from = rowOf[skeletons[ν * maxRank + j]] * neighborCount;
      partners.set(neighbors.subarray(from, from + this.#width), j * this.#width);
    }
    return partners;
  }

  /** Those of the candidates of ν, its children's skeletons, over shared memory. */
  partnersOf(ν: number): Int32Array {
    const [left, right] = [this.#partners.get(leftChild(ν))!, this.#partners.get(rightChild(ν))!];
    const partners = sharedInt32(left.length + right.length);
    partners.set(left);
    partners.set(right, left.length);
    return partners;
  }

  /** Keeps those of the skeleton of ν, which was chosen from its candidates. */
  keepPartners(ν: number, ofCandidates: Int32Array): void {
    const { maxRank, ranks, choice } = this.#state;
    const width = this.#width;
    const partners = new Int32Array(ranks[ν] * width);
    for (let j = 0; j < ranks[ν]; j++) {
      const from = choice[ν * maxRank + j] * width;
      partners.set(ofCandidates.subarray(from, from + width), j * width);
    }
    this.#partners.set(ν, partners);
  }

  /** Rank, skeleton, amplification and nearest neighbors of the nodes of a level: to those who hold their parents. */
  run(level: number): void {
    const { maxRank, ranks, skeletons, amplification } = this.#state;
    const width = this.#width;
    const { held } = this.#share;
    // Ranks are not known where they are received: room for the most.
    const packed = new Map<number, Float64Array>();
    this.#siblings.run(level, (ν) => {
      const numbers = new Float64Array(1 + (2 + width) * maxRank);
      packed.set(ν, numbers);
      if (held[ν] === 0) return numbers;
      const at = ν * maxRank;
      numbers[0] = ranks[ν];
      numbers.set(skeletons.subarray(at, at + ranks[ν]), 1);
      numbers.set(amplification.subarray(at, at + ranks[ν]), 1 + maxRank);
      numbers.set(this.#partners.get(ν)!, 1 + 2 * maxRank);
      return numbers;
    });
    for (const [ν, numbers] of packed) {
      if (held[ν] === 1) continue;
      const [rank] = numbers;
      ranks[ν] = rank;
      skeletons.set(numbers.subarray(1, 1 + rank), ν * maxRank);
      amplification.set(numbers.subarray(1 + maxRank, 1 + maxRank + rank), ν * maxRank);
      const partners = numbers.subarray(1 + 2 * maxRank, 1 + 2 * maxRank + width * rank);
      this.#partners.set(ν, Int32Array.from(partners));
    }
  }

  /**
   * Errors and attempts of all nodes to every rank, and their ranks to `share.skeletonRanks`; then ranks of nodes that
   * are no concern of this rank are zero.
   */
  gather(): void {
    const { ranks, missed, variance, attempts } = this.#state;
    const { skeletonRanks } = this.#share;
    for (let ν = 0; ν < ranks.length; ν++) {
      if (!countsFor(this.#share, ν)) missed[ν] = variance[ν] = attempts[ν] = 0;
      else skeletonRanks[ν] = ranks[ν];
      if (!concerns(this.#share, ν)) ranks[ν] = 0;
    }
    for (const numbers of [missed, variance, attempts, skeletonRanks]) this.#communicator.allreduce(numbers, 'sum');
  }
}
