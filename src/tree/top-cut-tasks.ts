/**
 * What workers do of a cut (top-cuts.ts): brackets of medians from samples, what lies below and within them, the
 * medians themselves, and the members to either side. Chunks are the positions of the nodes of level `top`, whoever has
 * them: what is computed of a chunk has the same bits on any rank.
 */
import { firstOfLevel } from '../core/indices.js';
import { defineTask } from '../parallel/task.js';
import { selectAt, type Ranges } from './split.js';

/** A value and its index, by which members ascend. */
export interface Pair {
  readonly value: number;
  readonly index: number;
}

/** What a cut reads and writes: of several ranks, each at its own positions. Plain data over shared memory. */
export interface CutState {
  readonly ranges: Ranges;
  /** The level whose nodes are chunks. */
  readonly top: number;
  /** Members before the cut and after it, by turns; the first one at first. */
  readonly orders: readonly [Int32Array, Int32Array];
  /** A number that goes with each member; empty where none does. */
  readonly carried: readonly [Int32Array, Int32Array];
  /** The value of the member at each position, before the cut. */
  readonly values: Float64Array;
  /** Within each chunk, the positions of the members in the bracket. */
  readonly within: Int32Array;
  /** Of each chunk: members below the bracket, in it, and of the left side. */
  readonly below: Int32Array;
  readonly inside: Int32Array;
  readonly left: Int32Array;
  /** Where the left and the right members of each chunk go. */
  readonly leftAt: Int32Array;
  readonly rightAt: Int32Array;
  /** Of each node of the level in work, two numbers: the bracket's ends and the median, as value and index. */
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly median: Float64Array;
}

/** The level in work, which of the two orders is read, and the first of this rank's chunks. */
export interface CutLevel {
  readonly level: number;
  readonly turn: 0 | 1;
  readonly firstChunk: number;
}

/** Pairs of nodes that several ranks have: of the one numbered s, the pairs begin[s] … begin[s + 1] − 1. */
export interface SharedPairs {
  readonly begin: Int32Array;
  /** Value and index of each. */
  readonly pairs: Float64Array;
}

/** Nodes of a level, numbered within it, and which of the shared ones each is, −1 for none. */
export interface CutNodes extends CutLevel {
  readonly nodes: Int32Array;
  readonly slots: Int32Array;
}

/** Members of a sample of n (R. Floyd, R. Rivest, CACM 18(3), 1975: n^⅔ of them leave about as many to look at). */
export const sampleOf = (size: number): number => Math.ceil(size ** (2 / 3));

/** The position of member s of a sample of `count`: in the middle of the s-th of equal stretches. */
export const samplePlace = (begin: number, size: number, count: number, s: number): number =>
  begin + Math.floor(((s + 0.5) * size) / count);

/** Ranks by which a bracket is wider than where the sample has the median, times √(sample): four deviations. */
const MARGIN = 2;

/** Members in a bracket of n, about. */
export const bracketOf = (size: number): number => size * Math.min(1, (2 * MARGIN) / Math.sqrt(sampleOf(size)));

/** Members of a node's left side. */
export const leftOf = ({ begin, end }: Ranges, ν: number): number => (end[ν] - begin[ν] + 1) >> 1;

/** A growing pair of arrays that `selectAt` reorders. */
class Pairs {
  #order = new Int32Array(0);
  #values = new Float64Array(0);

  /** `count` pairs. */
  fill(count: number, at: (k: number) => Pair): void {
    if (this.#order.length < count) {
      this.#order = new Int32Array(2 * count);
      this.#values = new Float64Array(2 * count);
    }
    for (let k = 0; k < count; k++) {
      const { value, index } = at(k);
      this.#values[k] = value;
      this.#order[k] = index;
    }
  }

  /** Writes the pair number `rank` in ascending order to out[at], out[at + 1]; those before `from` are the smallest. */
  select(
    rank: number,
    { from, count }: { readonly from: number; readonly count: number },
    out: Float64Array,
    at: number,
  ): void {
    selectAt(this.#order, this.#values, { begin: from, end: count }, rank);
    out[at] = this.#values[rank];
    out[at + 1] = this.#order[rank];
  }
}

const pairAt = ({ begin, pairs }: SharedPairs, slot: number, k: number): Pair => {
  const at = 2 * (begin[slot] + k);
  return { value: pairs[at], index: pairs[at + 1] };
};

/** Per node: a bracket about its median, so many times as wide as it is at first. */
export const bracketMedian = defineTask<
  CutState,
  CutNodes & { readonly sampled: SharedPairs; readonly wider: Float64Array }
>(import.meta.url, 'bracketMedian', ({ ranges, orders, values, low, high }) => {
  const pairs = new Pairs();
  return (task, { level, turn, nodes, slots, sampled, wider }) => {
    const node = nodes[task];
    const ν = firstOfLevel(level) + node;
    const begin = ranges.begin[ν];
    const size = ranges.end[ν] - begin;
    const count = sampleOf(size);
    const slot = slots[task];
    pairs.fill(count, (k) => {
      if (slot >= 0) return pairAt(sampled, slot, k);
      const p = samplePlace(begin, size, count, k);
      return { value: values[p], index: orders[turn][p] };
    });
    const middle = (leftOf(ranges, ν) / size) * count;
    const margin = wider[task] * MARGIN * Math.sqrt(count);
    const first = Math.floor(middle - margin);
    const last = Math.ceil(middle + margin);
    low.fill(Number.NEGATIVE_INFINITY, 2 * node, 2 * node + 2);
    high.fill(Number.POSITIVE_INFINITY, 2 * node, 2 * node + 2);
    if (first >= 0) pairs.select(first, { from: 0, count }, low, 2 * node);
    if (last < count) pairs.select(last, { from: Math.max(0, first), count }, high, 2 * node);
  };
});

/** Per chunk: how many members lie below its node's bracket, and which in it. */
export const countMembers = defineTask<CutState, CutLevel>(
  import.meta.url,
  'countMembers',
  ({ ranges, top, orders, values, within, below, inside, low, high }) =>
    (task, { level, turn, firstChunk }) => {
      const chunk = firstChunk + task;
      const node = 2 * (chunk >> (top - level));
      const order = orders[turn];
      const [least, leastIndex, most, mostIndex] = [low[node], low[node + 1], high[node], high[node + 1]];
      const ν = firstOfLevel(top) + chunk;
      const begin = ranges.begin[ν];
      let under = 0;
      let at = begin;
      for (let p = begin; p < ranges.end[ν]; p++) {
        const value = values[p];
        if (value < least || (value === least && order[p] < leastIndex)) under++;
        else if (value < most || (value === most && order[p] <= mostIndex)) within[at++] = p;
      }
      below[chunk] = under;
      inside[chunk] = at - begin;
    },
);

/** Per node: its median, the largest member of its left side; `rank` of those in the bracket are smaller. */
export const findMedian = defineTask<
  CutState,
  CutNodes & { readonly found: SharedPairs; readonly ranks: Int32Array; readonly counts: Int32Array }
>(import.meta.url, 'findMedian', ({ ranges, top, orders, values, within, inside, median }) => {
  const pairs = new Pairs();
  return (task, { level, turn, nodes, slots, found, ranks, counts }) => {
    const node = nodes[task];
    const slot = slots[task];
    const order = orders[turn];
    // The chunk, and which one of its members in the bracket.
    let chunk = node << (top - level);
    let next = 0;
    pairs.fill(counts[task], (k) => {
      if (slot >= 0) return pairAt(found, slot, k);
      while (next === inside[chunk]) {
        chunk++;
        next = 0;
      }
      const p = within[ranges.begin[firstOfLevel(top) + chunk] + next++];
      return { value: values[p], index: order[p] };
    });
    pairs.select(ranks[task], { from: 0, count: counts[task] }, median, 2 * node);
  };
});

/** Per chunk: how many members go to the left. */
export const countLeft = defineTask<CutState, CutLevel>(
  import.meta.url,
  'countLeft',
  ({ ranges, top, orders, values, within, below, inside, left, median }) =>
    (task, { level, turn, firstChunk }) => {
      const chunk = firstChunk + task;
      const node = 2 * (chunk >> (top - level));
      const [value, index] = [median[node], median[node + 1]];
      const order = orders[turn];
      const first = ranges.begin[firstOfLevel(top) + chunk];
      let count = below[chunk];
      for (let k = first; k < first + inside[chunk]; k++) {
        const p = within[k];
        if (values[p] < value || (values[p] === value && order[p] <= index)) count++;
      }
      left[chunk] = count;
    },
);

/** Per chunk: its members to their sides, in the order in which they stand. */
export const moveMembers = defineTask<CutState, CutLevel>(
  import.meta.url,
  'moveMembers',
  ({ ranges, top, orders, carried, values, leftAt, rightAt, median }) =>
    (task, { level, turn, firstChunk }) => {
      const chunk = firstChunk + task;
      const node = 2 * (chunk >> (top - level));
      const [value, index] = [median[node], median[node + 1]];
      const [from, to] = [orders[turn], orders[1 - turn]];
      const [carriedFrom, carriedTo] = [carried[turn], carried[1 - turn]];
      const ν = firstOfLevel(top) + chunk;
      let toLeft = leftAt[chunk];
      let toRight = rightAt[chunk];
      for (let p = ranges.begin[ν]; p < ranges.end[ν]; p++) {
        const at = values[p] < value || (values[p] === value && from[p] <= index) ? toLeft++ : toRight++;
        to[at] = from[p];
        if (carriedTo.length > 0) carriedTo[at] = carriedFrom[p];
      }
    },
);
