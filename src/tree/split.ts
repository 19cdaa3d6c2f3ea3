/**
 * Splitting a cluster at the exact median of a value per member: what cluster tree and projection trees have in common.
 */
import { NonFiniteError, ShapeError } from '../core/errors.js';
import { firstOfLevel, leftChild, rightChild, type NodeId } from '../core/indices.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import { portionOf, type Portion } from '../core/portion.js';

/**
 * Members a single task looks at: larger clusters are worked on in chunks of about this size, smaller ones as whole
 * subtrees.
 */
export const CHUNK = 2048;

/**
 * Ranges of positions of a complete binary tree over [begin[0], end[0]): the left child takes ⌈n/2⌉ of a node's n
 * positions, so sizes of a level differ by at most one.
 */
export interface Ranges {
  readonly depth: number;
  readonly begin: Int32Array;
  readonly end: Int32Array;
}

/** The ranges over `size` positions from `first` on. */
export function halvedRanges(size: number, depth: number, first = 0): Ranges {
  if (depth < 0 || depth > 29 || 2 ** depth > size)
    throw new ShapeError(`${size} indices cannot be halved ${depth} times.`, { size, depth });
  const nodes = 2 ** (depth + 1) - 1;
  const begin = sharedInt32(nodes);
  const end = sharedInt32(nodes);
  begin[0] = first;
  end[0] = first + size;
  for (let ν = 0; ν < firstOfLevel(depth); ν++) {
    const middle = middleOf(begin[ν], end[ν]);
    begin[leftChild(ν)] = begin[ν];
    end[leftChild(ν)] = middle;
    begin[rightChild(ν)] = middle;
    end[rightChild(ν)] = end[ν];
  }
  return { depth, begin, end };
}

/** Where a node's range is cut. */
export const middleOf = (begin: number, end: number): number => begin + ((end - begin + 1) >> 1);

/** First level whose nodes are small enough to be worked on as whole subtrees. */
export const subtreeLevel = ({ depth, begin, end }: Ranges): number => subtreeLevelFor(end[0] - begin[0], depth);

/** The same of a tree of that depth over so many positions. */
export function subtreeLevelFor(size: number, depth: number): number {
  let level = 0;
  for (let rest = size; level < depth && rest > CHUNK; level++) rest = (rest + 1) >> 1;
  return level;
}

/** Positions begin … end − 1 of an order. */
export interface PositionRange {
  readonly begin: number;
  readonly end: number;
}

/** The positions of every rank, where the subtrees of a level are dealt out to ranks in order. */
export function positionsOfRanks(
  { begin, end }: Ranges,
  level: number,
  communicator: Pick<Communicator, 'size'>,
): PositionRange[] {
  const subtrees = 2 ** level;
  const at = (subtree: number): number => (subtree < subtrees ? begin[firstOfLevel(level) + subtree] : end[0]);
  return Array.from({ length: communicator.size }, (_, r) => {
    const portion = portionOf(communicator, r, subtrees);
    return { begin: at(portion.first), end: at(portion.end) };
  });
}

/** The nodes of a level, numbered within it, that have some of these subtrees of level `top` below them. */
export const nodesAbove = ({ first, end }: Portion, level: number, top: number): Portion =>
  first === end ? { first: 0, end: 0 } : { first: first >> (top - level), end: ((end - 1) >> (top - level)) + 1 };

/** Every node of the subtree of ν that has children, in preorder (parents first). */
export function visitInner(node: NodeId, level: number, depth: number, visit: (node: NodeId) => void): void {
  if (level >= depth) return;
  visit(node);
  visitInner(leftChild(node), level + 1, depth, visit);
  visitInner(rightChild(node), level + 1, depth, visit);
}

/** Throws NonFiniteError for a value that is not a number. */
export function requireFinite(order: Int32Array, values: Float64Array, begin: number, end: number): void {
  for (let p = begin; p < end; p++) {
    if (values[p] - values[p] !== 0)
      throw new NonFiniteError(
        `A distance from index ${order[p]} is not finite (${values[p]}): check the source's entries.`,
        { index: order[p], value: values[p] },
      );
  }
}

/**
 * Reorders order[begin … end) and the values beside it so that the first ⌈n/2⌉ positions hold the smallest by (value,
 * index): the exact median, ties by index, so equal values still give halves. Expected O(n) (quickselect). Throws
 * NonFiniteError for a value that is not a number.
 */
export function splitAtMedian(order: Int32Array, values: Float64Array, begin: number, end: number): void {
  requireFinite(order, values, begin, end);
  selectAt(order, values, { begin, end }, middleOf(begin, end) - 1);
}

/**
 * Reorders order[begin … end) and the values beside it, none of which is NaN, so that the pair at position `target` is
 * the one that stands there when pairs ascend by (value, index), and none before it is larger, none behind it smaller.
 * Expected O(n) (quickselect).
 */
export function selectAt(order: Int32Array, values: Float64Array, { begin, end }: PositionRange, target: number): void {
  let low = begin;
  let high = end - 1;
  let random = 0x2545f491;
  while (low < high) {
    // Three random places: fixed ones meet arrangements (ascending towards the middle, say) on which they are always
    // extreme.
    const count = high - low + 1;
    const pivot = medianOfThree(
      order,
      values,
      low + ((random = scramble(random)) % count),
      low + ((random = scramble(random)) % count),
      low + ((random = scramble(random)) % count),
    );
    const value = values[pivot];
    const index = order[pivot];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < value || (values[i] === value && order[i] < index)) i++;
      while (values[j] > value || (values[j] === value && order[j] > index)) j--;
      if (i <= j) {
        const v = values[i];
        values[i] = values[j];
        values[j] = v;
        const o = order[i];
        order[i++] = order[j];
        order[j--] = o;
      }
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else return;
  }
}

/** Next state of a 32-bit xorshift generator (G. Marsaglia, "Xorshift RNGs", J. Stat. Softw. 8(14), 2003). */
function scramble(state: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  return (state ^ (state << 5)) >>> 0;
}

function medianOfThree(order: Int32Array, values: Float64Array, a: number, b: number, c: number): number {
  const before = (x: number, y: number): boolean =>
    values[x] < values[y] || (values[x] === values[y] && order[x] < order[y]);
  if (before(a, b)) {
    if (before(b, c)) return b;
    return before(a, c) ? c : a;
  }
  if (before(a, c)) return a;
  return before(b, c) ? c : b;
}

/** Position p in [from, to) with the largest values[p], ties to the smallest index. */
export function largest(order: Int32Array, values: Float64Array, from: number, to: number): number {
  let best = from;
  for (let p = from + 1; p < to; p++) {
    if (values[p] > values[best] || (values[p] === values[best] && order[p] < order[best])) best = p;
  }
  return best;
}
