/**
 * The rows of vectors that one rank has of those that several share, and sums over the rows of all. Rows stand in the
 * order of a cluster tree, leaf after leaf; each leaf is summed by itself, and leaves are added in pairs, pairs in
 * pairs (../core/sum-tree.ts): so the bits of a sum do not depend on the number of ranks, nor on which has which leaf.
 */
import { floats, precisionOf } from '../core/floats.js';
import { RandomStream } from '../core/random.js';
import { additions, leavesOf, nodesWithin } from '../core/sum-tree.js';
import type { Matrix } from '../dense/matrix.js';
import { agreedAny } from '../distributed/agreed.js';
import type { Communicator } from '../distributed/communicator.js';

/** Adds up rows begin … end − 1: writes its sums to out[at], out[at + 1], …. */
export type RowKernel = (begin: number, end: number, out: Float64Array, at: number) => void;

/** The rows of a method's vectors, and what is found of the rows of all ranks. */
export interface VectorRows {
  /** Rows that vectors have here. */
  readonly rows: number;
  /** Rows that they have on all ranks together: N. */
  readonly size: number;
  /** out[0 … count − 1] ← the kernel's `count` sums over all rows, the same on all ranks. Collective. */
  sums(count: number, kernel: RowKernel, out: Float64Array): void;
  /** Calls `act` for each run of rows that are summed by themselves: the same rows in each, whoever has them. */
  eachRun(act: (begin: number, end: number) => void): void;
  /** values[k] ← the largest of all ranks' values[k]; a NaN counts as infinite. Collective. */
  largest(values: Float64Array): void;
  /** out ← standard normal numbers of that seed and purpose, the same in each row whoever has it. */
  fillNormal(out: Float64Array, seed: number, key: number): void;
  /** Says whether this rank wants to stop; of several, all hear of it by the next sums. */
  raise(isSo: boolean): void;
  /** Whether one of the ranks wanted to stop when the last sums were made; false from `raise` to then. */
  readonly raised: boolean;
}

/** Which rows which rank has. */
export interface DealtRows {
  /** The index of each position in the order of all rows; those of others' rows once `complete` was called. */
  readonly order: Int32Array;
  /** Makes the order whole, if it is not. Collective. Default: it is. */
  readonly complete?: (() => void) | undefined;
  /** Rank r has the positions bounds[r] … bounds[r + 1] − 1. */
  readonly bounds: Int32Array;
  /** Rank r has the leaves leaves[r] … leaves[r + 1] − 1. */
  readonly leaves: Int32Array;
  /** The position at which each leaf ends. */
  readonly ends: Int32Array;
}

/** Where a node of this rank stands among its leaves' sums, and in the message. */
interface Slot {
  readonly leaf: number;
  readonly slot: number;
}

const same = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((value, k) => value === b[k]);

/** A rank's share of the rows; of one process, all of them. */
export class RowShare implements VectorRows {
  readonly rows: number;
  readonly size: number;
  /** The position of this rank's first row in the order of all. */
  readonly first: number;
  /** The index of each row of this rank. */
  readonly indices: Int32Array;
  /** The ranks that share the rows. */
  readonly communicator: Communicator;
  readonly #dealt: DealtRows;
  /** The row at which each leaf of this rank ends. */
  readonly #ends: Int32Array;
  readonly #within: readonly { readonly to: number; readonly from: number }[];
  readonly #slots: readonly Slot[];
  readonly #slotCount: number;
  readonly #between: readonly { readonly to: number; readonly from: number }[];
  #leafSums = new Float64Array(0);
  #message = new Float64Array(0);
  #wantsToStop = false;
  raised = false;

  /** Rows of `dealt`, which all ranks of the communicator have alike. */
  constructor(dealt: DealtRows, communicator: Communicator) {
    const { order, bounds, leaves, ends } = dealt;
    const { rank } = communicator;
    this.#dealt = dealt;
    this.communicator = communicator;
    this.size = order.length;
    this.first = bounds[rank];
    this.rows = bounds[rank + 1] - bounds[rank];
    this.indices = order.subarray(bounds[rank], bounds[rank + 1]);
    this.#ends = ends.subarray(leaves[rank], leaves[rank + 1]).map((end) => end - bounds[rank]);
    const nodes = Array.from({ length: leaves.length - 1 }, (_, r) => nodesWithin(leaves[r], leaves[r + 1]));
    const firstLeaf = leaves[rank];
    this.#within = nodes[rank].flatMap((node) =>
      additions(leavesOf(node)).map(({ to, from }) => ({
        to: node.first - firstLeaf + to,
        from: node.first - firstLeaf + from,
      })),
    );
    const before = nodes.slice(0, rank).reduce((count, { length }) => count + length, 0);
    this.#slots = nodes[rank].map((node, k) => ({ leaf: node.first - firstLeaf, slot: before + k }));
    const all = nodes.flat();
    this.#slotCount = all.length;
    this.#between = additions(all);
  }

  /** The indices at some positions of the order of all rows, the same ones on all ranks. Collective: one allreduce. */
  indicesAt(positions: Int32Array): Int32Array {
    const found = positions.map((p) => (p >= this.first && p < this.first + this.rows ? this.#dealt.order[p] : 0));
    this.communicator.allreduce(found, 'sum');
    return found;
  }

  /**
   * Whether the other one deals the same rows to the same ranks. Collective: one allreduce of a number, none where
   * it is this one, or has other numbers of rows.
   */
  equals(other: RowShare): boolean {
    if (other === this) return true;
    const [mine, its] = [this.#dealt, other.#dealt];
    const alike =
      this.communicator === other.communicator &&
      same(mine.bounds, its.bounds) &&
      same(mine.leaves, its.leaves) &&
      same(mine.ends, its.ends);
    return alike && !agreedAny(this.communicator, !same(this.indices, other.indices));
  }

  /** Whether the other one deals as many rows to the same ranks, perhaps other ones to each. */
  isAmongRanksOf({ communicator, size }: RowShare): boolean {
    const alone = this.communicator.size === 1 && communicator.size === 1;
    return (this.communicator === communicator || alone) && this.size === size;
  }

  /** Calls `act` for each index in the order of all rows, with the rank that has it and its row there. Collective. */
  eachIndex(act: (index: number, rank: number, row: number) => void): void {
    const { bounds } = this.#dealt;
    const order = this.#wholeOrder();
    for (let rank = 0; rank < bounds.length - 1; rank++)
      for (let position = bounds[rank]; position < bounds[rank + 1]; position++)
        act(order[position], rank, position - bounds[rank]);
  }

  /**
   * One allreduce of (count numbers for each node that ranks have) + 1: as many nodes as ranks, where these are a power
   * of two; none where there is one rank.
   */
  sums(count: number, kernel: RowKernel, out: Float64Array): void {
    const leaves = this.#ends.length;
    const length = this.#slotCount * count + 1;
    if (this.#leafSums.length < leaves * count) this.#leafSums = new Float64Array(leaves * count);
    if (this.#message.length !== length) this.#message = new Float64Array(length);
    const sums = this.#leafSums;
    let leaf = 0;
    this.eachRun((begin, end) => {
      kernel(begin, end, sums, leaf++ * count);
    });
    for (const { to, from } of this.#within) addUp(sums, to * count, from * count, count);
    const message = this.#message.fill(0);
    for (const { leaf, slot } of this.#slots)
      message.set(sums.subarray(leaf * count, (leaf + 1) * count), slot * count);
    message[length - 1] = this.#wantsToStop ? 1 : 0;
    // Of other ranks' nodes this one has zeros, to which numbers are added without rounding.
    this.communicator.allreduce(message, 'sum');
    for (const { to, from } of this.#between) addUp(message, to * count, from * count, count);
    out.set(message.subarray(0, count));
    this.raised = message[length - 1] > 0;
  }

  eachRun(act: (begin: number, end: number) => void): void {
    for (let k = 0, begin = 0; k < this.#ends.length; begin = this.#ends[k], k++) act(begin, this.#ends[k]);
  }

  largest(values: Float64Array): void {
    // What `max` makes of a NaN differs between libraries.
    for (let k = 0; k < values.length; k++) if (Number.isNaN(values[k])) values[k] = Number.POSITIVE_INFINITY;
    this.communicator.allreduce(values, 'max');
  }

  fillNormal(out: Float64Array, seed: number, key: number): void {
    const firstLeaf = this.#dealt.leaves[this.communicator.rank];
    for (let k = 0, begin = 0; k < this.#ends.length; begin = this.#ends[k], k++)
      new RandomStream(seed, key, firstLeaf + k).fillNormal(out.subarray(begin, this.#ends[k]));
  }

  raise(isSo: boolean): void {
    this.#wantsToStop = isSo;
    this.raised = false;
  }

  /** Collective where it is not whole. */
  #wholeOrder(): Int32Array {
    this.#dealt.complete?.();
    return this.#dealt.order;
  }

  /** own ← this rank's rows of vectors that are whole. */
  take(own: Matrix, whole: Matrix): void {
    const { indices } = this;
    for (let j = 0; j < own.cols; j++) {
      const [to, from] = [own.offset + j * own.ld, whole.offset + j * whole.ld];
      for (let r = 0; r < indices.length; r++) own.data[to + r] = whole.data[from + indices[r]];
    }
  }

  /** whole ← vectors of which each rank has its rows: one allgather of N numbers for each. Collective. */
  gather(whole: Matrix, own: Matrix): void {
    const { bounds } = this.#dealt;
    const order = this.#wholeOrder();
    const counts = Array.from({ length: bounds.length - 1 }, (_, r) => bounds[r + 1] - bounds[r]);
    const numbers = floats(this.size, precisionOf(own.data));
    for (let j = 0; j < own.cols; j++) {
      const from = own.offset + j * own.ld;
      for (let r = 0; r < this.rows; r++) numbers[this.first + r] = own.data[from + r];
      this.communicator.allgather(undefined, numbers, counts);
      const to = whole.offset + j * whole.ld;
      for (let position = 0; position < this.size; position++) whole.data[to + order[position]] = numbers[position];
    }
  }
}

/** sums[to …] ← sums[to …] + sums[from …], `count` of them. */
function addUp(sums: Float64Array, to: number, from: number, count: number): void {
  for (let k = 0; k < count; k++) sums[to + k] += sums[from + k];
}
