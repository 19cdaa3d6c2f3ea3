/**
 * What ranks tell each other of the skeletons that they found (from-entries/skeletonize.ts).
 */
import type { Communicator } from '../../distributed/communicator.js';
import type { SkeletonState } from '../from-entries/skeleton-state.js';
import { SiblingExchange } from './exchange.js';
import { concerns, countsFor, type Share } from './share.js';

/** Skeletons of siblings, level by level, and what all nodes found. */
export class SkeletonExchange {
  readonly #communicator: Communicator;
  readonly #share: Share;
  readonly #state: SkeletonState;
  readonly #siblings: SiblingExchange;

  constructor(communicator: Communicator, share: Share, state: SkeletonState) {
    this.#communicator = communicator;
    this.#share = share;
    this.#state = state;
    this.#siblings = new SiblingExchange(communicator, share);
  }

  /** Rank, skeleton and amplification of the nodes of a level: to those who hold their parents. */
  run(level: number): void {
    const { maxRank, ranks, skeletons, amplification } = this.#state;
    const { held } = this.#share;
    // Ranks are not known where they are received: room for the most.
    const packed = new Map<number, Float64Array>();
    this.#siblings.run(level, (ν) => {
      const numbers = new Float64Array(1 + 2 * maxRank);
      packed.set(ν, numbers);
      if (held[ν] === 0) return numbers;
      const at = ν * maxRank;
      numbers[0] = ranks[ν];
      numbers.set(skeletons.subarray(at, at + ranks[ν]), 1);
      numbers.set(amplification.subarray(at, at + ranks[ν]), 1 + maxRank);
      return numbers;
    });
    for (const [ν, numbers] of packed) {
      if (held[ν] === 1) continue;
      const [rank] = numbers;
      ranks[ν] = rank;
      skeletons.set(numbers.subarray(1, 1 + rank), ν * maxRank);
      amplification.set(numbers.subarray(1 + maxRank, 1 + maxRank + rank), ν * maxRank);
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
