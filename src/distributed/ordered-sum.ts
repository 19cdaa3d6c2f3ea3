/**
 * Sums over ranks that have the same bits for any number of ranks.
 *
 * S vectors of n numbers, the parts, are added in the order of a tree that depends on S alone (sum-tree.ts). A rank has
 * some successive parts and adds up the largest nodes within them. The chunk of n/P numbers that a rank owns of all
 * these nodes goes to it, it completes the tree on them, and all ranks gather the finished chunks: a reduction by
 * scattering and gathering (Rabenseifner, Optimization of Collective Reduction Operations, ICCS 2004) whose order is
 * fixed.
 */
import { requireName, requireWhole } from '../core/checks.js';
import { ShapeError } from '../core/errors.js';
import type { FloatArray } from '../core/floats.js';
import type { Communicator, Counts } from './communicator.js';
import { completedBy, largestNodes, middleOf, type Range } from './sum-tree.js';

/** How sums over ranks are made: with the same bits for any number of ranks, or as the library likes. */
export type SumOrder = 'ordered' | 'fast';
const ORDERS: readonly SumOrder[] = ['ordered', 'fast'];

/** The parts of a sum. */
export interface OrderedParts {
  /** Parts of each rank, in the order of ranks, the same on all ranks: S of them together. Some ranks may have none. */
  readonly counts: Counts;
  /** Writes part `slice` (0 … S − 1) to all of `into`. Called for the rank's own parts, in their order. */
  readonly part: (slice: number, into: FloatArray) => void;
  /**
   * 'ordered' (default): the same bits for any number of ranks. 'fast': each rank adds its parts one by one, and the
   * library reduces: about 2n(P−1)/P numbers whatever the parts, and no copies.
   */
  readonly order?: SumOrder | undefined;
}

/** target ← target + source, number by number in their precision. */
function add(target: FloatArray, source: FloatArray): void {
  for (let k = 0; k < target.length; k++) target[k] += source[k];
}

/**
 * Adds parts that come one after another, in the order of the tree, in ⌈log₂ S⌉ + 1 vectors beside what is left in the
 * end: the largest nodes within the range.
 */
export class PartialSums {
  readonly #slices: number;
  readonly #range: Range;
  readonly #make: () => FloatArray;
  /** Sums of complete nodes, from left to right. */
  readonly #sums: FloatArray[] = [];
  readonly #spare: FloatArray[] = [];
  #next: number;

  /** Of `slices` parts those of `range` come; `like` says how long a part is, and of which type. */
  constructor(slices: number, range: Range, like: FloatArray) {
    this.#slices = slices;
    this.#range = range;
    this.#next = range.first;
    this.#make = () => (like instanceof Float64Array ? new Float64Array(like.length) : new Float32Array(like.length));
  }

  /** The next part, written by `write` to all of a vector. Throws ShapeError where all parts have come. */
  push(write: (slice: number, into: FloatArray) => void): void {
    const slice = this.#next;
    if (slice === this.#range.end)
      throw new ShapeError(`All ${slice - this.#range.first} parts of this rank have been added.`, { slice });
    const into = this.#spare.pop() ?? this.#make();
    write(slice, into);
    this.#sums.push(into);
    this.#next = slice + 1;
    for (let left = completedBy(slice, this.#slices, this.#range); left > 0; left--) {
      const right = this.#sums.pop()!;
      add(this.#sums.at(-1)!, right);
      this.#spare.push(right);
    }
  }

  /** The sums of the largest nodes within the range, in their order, once all parts have come. */
  get sums(): readonly FloatArray[] {
    return this.#sums;
  }
}

/**
 * total ← Σ_s part s, s = 0 … S − 1, on all ranks. Collective: all ranks give the same `counts` and a `total` of the
 * same length n and type, Float64Array or Float32Array, in whose precision numbers are added. Without parts the sum
 * is 0. With `order` 'ordered' the bits depend on the parts alone: not on the ranks, nor on who has which part.
 *
 * Costs: a rank whose parts are k nodes of the tree (`sliceCounts` makes that 1 for P a power of two, and it is never
 * more than 2⌈log₂ S⌉) sends P − 1 messages with (k + 1)·n(P−1)/P numbers together, and holds about
 * (log₂ S + 2k + 1)·n numbers. Throws ShapeError, and what the communicator throws.
 */
export function orderedSum(communicator: Communicator, parts: OrderedParts, total: FloatArray): void {
  const { counts, part, order = 'ordered' } = parts;
  const { rank, size } = communicator;
  requireName(order, 'order', 'orderedSum', ORDERS);
  const ranges = rangesOf(counts, size);
  const slices = ranges[size - 1].end;
  const own = ranges[rank];
  if (order === 'fast') {
    total.fill(0);
    const one = total.slice();
    for (let slice = own.first; slice < own.end; slice++) {
      part(slice, one);
      add(total, one);
    }
    communicator.allreduce(total, 'sum');
    return;
  }
  if (slices === 0) {
    total.fill(0);
    return;
  }
  const partial = new PartialSums(slices, own, total);
  for (let slice = own.first; slice < own.end; slice++) partial.push(part);
  if (size === 1) {
    total.set(partial.sums[0]);
    return;
  }
  complete(communicator, { slices, ranges, sums: partial.sums }, total);
}

/** First part and end of each rank. */
function rangesOf(counts: Counts, size: number): Range[] {
  if (counts.length !== size)
    throw new ShapeError(`There are ${counts.length} counts of parts for ${size} ranks: give one for each rank.`, {
      counts: counts.length,
      size,
    });
  let end = 0;
  return Array.from(counts, (count, r) => {
    const first = end;
    end += requireWhole(count, `counts[${r}]`, 0);
    return { first, end };
  });
}

/** What each rank has: the sums of the largest nodes within its range. */
interface Partials {
  readonly slices: number;
  readonly ranges: readonly Range[];
  readonly sums: readonly FloatArray[];
}

/** total ← the whole sum, of the sums of all ranks' nodes. */
function complete(communicator: Communicator, { slices, ranges, sums }: Partials, total: FloatArray): void {
  const { rank, size } = communicator;
  const n = total.length;
  const make = (length: number): FloatArray =>
    total instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  const chunkFirst = (r: number): number => Math.floor((r * n) / size);
  const chunks = ranges.map((_, r) => chunkFirst(r + 1) - chunkFirst(r));
  const nodes = ranges.map((range) => largestNodes(slices, range));

  // To each rank its chunk of every node, node after node.
  const sent = make(n * sums.length);
  let at = 0;
  for (let r = 0; r < size; r++)
    for (const sum of sums) {
      sent.set(sum.subarray(chunkFirst(r), chunkFirst(r + 1)), at);
      at += chunks[r];
    }
  const length = chunks[rank];
  const receiveCounts = nodes.map((of) => of.length * length);
  const received = make(receiveCounts.reduce((a, b) => a + b));
  const sendCounts = chunks.map((chunk) => chunk * sums.length);
  communicator.alltoall(sent, sendCounts, received, receiveCounts);

  // The nodes of all ranks, from left to right, are the leaves of what is left of the tree.
  const leaves = nodes.flat();
  let next = 0;
  const sumOf = (node: Range): FloatArray => {
    const leaf = leaves[next];
    if (leaf.first === node.first && leaf.end === node.end) return received.subarray(next * length, ++next * length);
    const middle = middleOf(node);
    const left = sumOf({ first: node.first, end: middle });
    add(left, sumOf({ first: middle, end: node.end }));
    return left;
  };
  communicator.allgather(sumOf({ first: 0, end: slices }), total, chunks);
}
