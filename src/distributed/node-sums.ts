/**
 * Sums over ranks with the same bits for any number of them: each rank has the sums of its nodes of the tree of
 * ../core/sum-tree.ts, the ranks' nodes side by side, and all get the sum of the whole. Each rank completes a chunk of
 * the numbers: its part of every rank's nodes comes by an exchange of all with all, what it makes of them goes to all.
 */
import type { FloatArray } from '../core/floats.js';
import { additions, type SumNode } from '../core/sum-tree.js';
import type { Communicator } from './communicator.js';

/** A sum over ranks. */
export interface RankSum {
  /** The nodes of each rank, in the order of ranks; the same on all of them. */
  readonly nodes: readonly (readonly SumNode[])[];
  /** The sums of this rank's nodes, of the length of `out`; more are ignored. */
  readonly parts: readonly FloatArray[];
  /** Gets the sum of all; it overlaps neither `parts` nor the exchange. */
  readonly out: FloatArray;
}

/** Sums of one communicator. */
export class NodeSums {
  readonly #communicator: Communicator;
  readonly #exchange: FloatArray;

  /**
   * `exchange`: where numbers of other ranks arrive, of the type of all that is summed; the more there are, the fewer
   * messages.
   */
  constructor(communicator: Communicator, exchange: FloatArray) {
    this.#communicator = communicator;
    this.#exchange = exchange;
  }

  /**
   * Collective. Of n numbers, M nodes and P ranks: each rank receives about n(M − own)/P and then n(P − 1)/P numbers,
   * which are 2n(P − 1)/P where each rank has one node, by one message to each other rank for each of its nodes and
   * one for the result; the exchange holds M/P numbers of each: longer sums go by pieces.
   */
  sum({ nodes, parts, out }: RankSum): void {
    const { size } = this.#communicator;
    const all = nodes.flat();
    if (all.length === 0 || out.length === 0) return;
    const chunk = Math.floor(this.#exchange.length / all.length);
    for (let begin = 0; begin < out.length; begin += chunk * size)
      this.#piece({ nodes, parts, out }, begin, Math.min(out.length, begin + chunk * size));
  }

  #piece({ nodes, parts, out }: RankSum, begin: number, end: number): void {
    const { rank, size } = this.#communicator;
    const chunkFirst = (r: number): number => Math.floor((r * (end - begin)) / size);
    const chunks = nodes.map((_, r) => chunkFirst(r + 1) - chunkFirst(r));
    const own = chunks[rank];
    // Number k of every rank that has so many, one after the other; `at[r][k]` is where it arrives.
    const at = nodes.map((): number[] => []);
    const rounds = Math.max(...nodes.map(({ length }) => length));
    for (let k = 0, first = 0; k < rounds; k++) {
      const received = nodes.map(({ length }) => (k < length ? own : 0));
      const begins = first;
      received.forEach((count, r) => {
        if (k < nodes[r].length) at[r].push(first);
        first += count;
      });
      const has = k < nodes[rank].length;
      this.#communicator.alltoall(
        has ? parts[k].subarray(begin, end) : this.#exchange.subarray(0, 0),
        has ? chunks : chunks.map(() => 0),
        this.#exchange.subarray(begins, first),
        received,
      );
    }
    const places = at.flat().map((first) => this.#exchange.subarray(first, first + own));
    for (const { to, from } of additions(nodes.flat())) add(places[to], places[from]);
    const first = begin + chunkFirst(rank);
    out.subarray(first, first + own).set(places[0]);
    this.#communicator.allgather(undefined, out.subarray(begin, end), chunks);
  }
}

/** to ← to + from, number by number in their precision. */
export function add(to: FloatArray, from: FloatArray): void {
  for (let k = 0; k < to.length; k++) to[k] += from[k];
}
