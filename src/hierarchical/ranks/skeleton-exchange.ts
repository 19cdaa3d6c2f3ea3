/**
 * What ranks tell each other of the skeletons that they found (from-entries/skeletonize.ts), with the nearest neighbors
 * of their indices, of which those who need them have no lists.
 */
import { placeOf } from '../../core/index-places.js';
import { leftChild, rightChild } from '../../core/indices.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import type { RowsOfLeaves } from '../from-entries/row-sampler.js';
import { PARTNERS, type SkeletonState } from '../from-entries/skeleton-state.js';
import { SiblingExchange } from './exchange.js';
import { concerns, countsFor, heldNodes, type Share } from './share.js';

/** Room for them in a message behind 1 + 2s numbers, s the rank limit: two of 32 bits take the place of one. */
function partnersIn(message: Float64Array, maxRank: number): RowsOfLeaves {
  const from = 1 + 2 * maxRank;
  const count = message.length - from;
  const numbers = new Int32Array(message.buffer, message.byteOffset + 8 * from, 2 * count);
  return { indices: numbers.subarray(0, count), leaves: numbers.subarray(count) };
}

/** Skeletons of siblings, level by level, and what all nodes found. */
export class SkeletonExchange {
  readonly #communicator: Communicator;
  readonly #share: Share;
  readonly #state: SkeletonState;
  readonly #siblings: SiblingExchange;
  /** Neighbors told of each index, and those of each skeleton's indices, by node. */
  readonly #width: number;
  readonly #partners = new Map<number, RowsOfLeaves>();

  constructor(communicator: Communicator, share: Share, state: SkeletonState) {
    this.#communicator = communicator;
    this.#share = share;
    this.#state = state;
    this.#siblings = new SiblingExchange(communicator, share);
    this.#width = Math.min(PARTNERS, state.neighborCount);
    for (const ν of heldNodes(share, share.level)) this.#partners.set(ν, this.#listed(ν));
  }

  /** The nearest neighbors of the skeleton of a node all of whose lists are here. */
  #listed(ν: number): RowsOfLeaves {
    const { maxRank, ranks, skeletons, neighbors, places, leafAt, rowAt, neighborCount } = this.#state;
    const indices = new Int32Array(ranks[ν] * this.#width);
    for (let j = 0; j < ranks[ν]; j++) {
      const from = rowAt[placeOf(places, skeletons[ν * maxRank + j])] * neighborCount;
      indices.set(neighbors.subarray(from, from + this.#width), j * this.#width);
    }
    return { indices, leaves: indices.map((i) => leafAt[placeOf(places, i)]) };
  }

  /** Those of the candidates of ν, its children's skeletons, over shared memory. */
  partnersOf(ν: number): RowsOfLeaves {
    const [left, right] = [this.#partners.get(leftChild(ν))!, this.#partners.get(rightChild(ν))!];
    const both = (one: Int32Array, other: Int32Array): Int32Array => {
      const all = sharedInt32(one.length + other.length);
      all.set(one);
      all.set(other, one.length);
      return all;
    };
    return { indices: both(left.indices, right.indices), leaves: both(left.leaves, right.leaves) };
  }

  /** Keeps those of the skeleton of ν, which was chosen from its candidates. */
  keepPartners(ν: number, ofCandidates: RowsOfLeaves): void {
    const { maxRank, ranks, choice } = this.#state;
    const width = this.#width;
    const chosen = (numbers: Int32Array): Int32Array =>
      new Int32Array(ranks[ν] * width).map(
        (_, k) => numbers[choice[ν * maxRank + Math.floor(k / width)] * width + (k % width)],
      );
    this.#partners.set(ν, { indices: chosen(ofCandidates.indices), leaves: chosen(ofCandidates.leaves) });
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
      const partners = partnersIn(numbers, maxRank);
      const { indices, leaves } = this.#partners.get(ν)!;
      partners.indices.set(indices);
      partners.leaves.set(leaves);
      return numbers;
    });
    for (const [ν, numbers] of packed) {
      if (held[ν] === 1) continue;
      const [rank] = numbers;
      ranks[ν] = rank;
      skeletons.set(numbers.subarray(1, 1 + rank), ν * maxRank);
      amplification.set(numbers.subarray(1 + maxRank, 1 + maxRank + rank), ν * maxRank);
      const { indices, leaves } = partnersIn(numbers, maxRank);
      this.#partners.set(ν, { indices: indices.slice(0, width * rank), leaves: leaves.slice(0, width * rank) });
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
