/**
 * Samples shared out over ranks: which are whose, and how what each makes of its own comes together, with the bits of a
 * single rank.
 */
import type { FloatArray } from '../core/floats.js';
import type { RankPlace, SumNode } from '../core/sum-tree.js';
import type { Communicator } from './communicator.js';
import { NodeSums } from './node-sums.js';

/** Most numbers of an exchange: 4 MiB in float32. */
const MOST_EXCHANGED = 2 ** 20;
/** As many nodes as there are at most have a number each in an exchange of so many. */
const LEAST_EXCHANGED = 64;

/** Numbers of an exchange of ranks that sum so many parameters: where they are few, all of each rank at once. */
export const exchangeNumbers = (parameters: number): number =>
  Math.max(LEAST_EXCHANGED, Math.min(MOST_EXCHANGED, 2 * parameters));

/** How a batch of so many samples is shared out. */
export interface Shares {
  /** A rank's nodes of the sum. */
  readonly nodes: (count: number, place: RankPlace) => readonly SumNode[];
  /** First slice of a rank; that of the next one ends its slices. */
  readonly firstSlice: (count: number, place: RankPlace) => number;
  /** First sample of a slice. */
  readonly firstSample: (count: number, slice: number) => number;
}

/** The place of a rank that may be a single one. */
export const placeOf = (communicator: Communicator | undefined): RankPlace => ({
  rank: communicator?.rank ?? 0,
  ranks: communicator?.size ?? 1,
});

/** This rank among those that share an objective's batches; or a single one, to which all of this costs nothing. */
export class SampleRanks {
  readonly place: RankPlace;
  readonly #communicator: Communicator | undefined;
  readonly #shares: Shares;
  readonly #sums: NodeSums | undefined;

  constructor(communicator: Communicator | undefined, shares: Shares, exchange: FloatArray | null) {
    this.place = placeOf(communicator);
    this.#communicator = communicator;
    this.#shares = shares;
    if (communicator !== undefined && exchange !== null) this.#sums = new NodeSums(communicator, exchange);
  }

  /** Whether there are others. */
  get many(): boolean {
    return this.place.ranks > 1;
  }

  /** This rank's slices first … end − 1 of a batch. */
  slices(count: number): { readonly first: number; readonly end: number; readonly length: number } {
    const { rank, ranks } = this.place;
    const first = this.#shares.firstSlice(count, { rank, ranks });
    const end = this.#shares.firstSlice(count, { rank: rank + 1, ranks });
    return { first, end, length: end - first };
  }

  /** This rank's samples first … end − 1 of a batch. */
  samples(count: number): { readonly first: number; readonly end: number } {
    const { first, end } = this.slices(count);
    return { first: this.#shares.firstSample(count, first), end: this.#shares.firstSample(count, end) };
  }

  /** out ← the sum of all ranks' parts, one for each of their nodes. Collective. */
  sum(count: number, parts: readonly FloatArray[], out: FloatArray): void {
    if (!this.many) return;
    const { ranks } = this.place;
    const nodes = Array.from({ length: ranks }, (_, rank) => this.#shares.nodes(count, { rank, ranks }));
    this.#sums!.sum({ nodes, parts, out });
  }

  /** Numbers of slices, `each` of a slice, from those who have them to all; in place. Collective. */
  gatherSlices(count: number, numbers: FloatArray, each: number): void {
    this.#gather((place) => this.#shares.firstSlice(count, place), numbers, each);
  }

  /** Numbers of samples, likewise. */
  gatherSamples(count: number, numbers: FloatArray, each: number): void {
    this.#gather((place) => this.#shares.firstSample(count, this.#shares.firstSlice(count, place)), numbers, each);
  }

  #gather(first: (place: RankPlace) => number, numbers: FloatArray, each: number): void {
    if (!this.many) return;
    const { ranks } = this.place;
    const firsts = Array.from({ length: ranks + 1 }, (_, rank) => each * first({ rank, ranks }));
    const counts = firsts.slice(1).map((end, rank) => end - firsts[rank]);
    this.#communicator!.allgather(undefined, numbers.subarray(0, firsts[ranks]), counts);
  }

  /** Results of work that ranks do in turns, number k by rank k mod P, to all. Collective. */
  share(parts: readonly FloatArray[]): void {
    if (!this.many) return;
    parts.forEach((part, k) => {
      this.#communicator!.broadcast(part, k % this.place.ranks);
    });
  }

  /** Arrays of the first rank to all. Collective. */
  give(arrays: readonly FloatArray[]): void {
    if (!this.many) return;
    for (const array of arrays) this.#communicator!.broadcast(array, 0);
  }

  /** The sum of whole numbers of all ranks. Collective. */
  total(own: number): number {
    if (!this.many) return own;
    const sum = Float64Array.of(own);
    this.#communicator!.allreduce(sum, 'sum');
    return sum[0];
  }

  /** Whether work that ranks do in turns falls to this one. */
  isOwn(k: number): boolean {
    return k % this.place.ranks === this.place.rank;
  }
}
