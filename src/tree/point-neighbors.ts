/**
 * Exact nearest neighbors of points in few dimensions.
 *
 * The points are cut into boxes of a few at medians, each time across the widest side (J. Friedman, J. Bentley,
 * R. Finkel, ACM Trans. Math. Softw. 3(3), 1977). All points of a box are searched for together: among themselves, then
 * in the sibling, in the parent's sibling, …, every time only where a box is nearer than the farthest neighbor that one
 * of them has so far. In few dimensions that is a few boxes, whatever N is. Projection trees, which other distances
 * need, miss the neighbors of outliers more than others, and those are the rows in which an interpolation errs.
 */
import { firstOfLevel, leftChild, parentOf } from '../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { gatherPortions, ownPortion } from '../distributed/portion.js';
import { awaitTogether } from '../distributed/together.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Points } from '../source/entry-source.js';
import type { FoundLists } from './gather-lists.js';
import { incompleteList } from './nearest-lists.js';
import {
  halvedRanges,
  positionsOfRanks,
  splitAtMedian,
  subtreeLevel,
  visitInner,
  type PositionRange,
  type Ranges,
} from './split.js';
import type { CutLevel } from './top-cut-tasks.js';
import { cutState, TopCuts } from './top-cuts.js';

/** Above this dimension the boxes to be looked at become many. */
export const MOST_DIMENSIONS = 4;
/** Points of a box: so many at least, less than twice as many. */
const BOX = 12;

/** Levels of boxes below the root. */
export const boxDepth = (count: number): number => Math.max(0, Math.floor(Math.log2(count / BOX)));

/** What the cutting of boxes reads and writes: of several ranks, each at its own positions. */
export interface BoxState {
  readonly dimension: number;
  /** Point i is coordinates[i·d … i·d + d). */
  readonly coordinates: Float64Array;
  readonly ranges: Ranges;
  /** Boxes of this level are chunks of those above it. */
  readonly top: number;
  /** Points in the order of the boxes, in one of two arrays by turns (top-cuts.ts). */
  readonly orders: readonly [Int32Array, Int32Array];
  /** One value per position: what boxes are cut by. */
  readonly values: Float64Array;
  /** Box ν is Π [low[d·ν + c], high[d·ν + c]]; while those above level `top` are cut, of this level the chunks' own. */
  readonly low: Float64Array;
  readonly high: Float64Array;
}

/** What the search reads and writes. */
export interface PointSearchState extends Pick<BoxState, 'dimension' | 'coordinates' | 'ranges' | 'low' | 'high'> {
  readonly order: Int32Array;
  /** Coordinate c of the point at position p: sorted[c·N + p]; of those subtrees of level `top` that are `ready`. */
  readonly sorted: Float64Array;
  readonly top: number;
  /** 1 for subtrees whose coordinates are sorted: whoever meets the first box of another sorts them. */
  readonly ready: Int32Array;
  /** κ, and the lists of the points from position `first` on; no distances where they are not asked for. */
  readonly first: number;
  readonly capacity: number;
  readonly indices: Int32Array;
  readonly distances: Float64Array;
}

/**
 * The lists of the κ nearest points of each, nearest first, in the order of the boxes; of several ranks those of the
 * points of its own boxes.
 * Cost O(N log N) for the boxes; the search takes O(κN) where points are spread evenly at a small scale. Throws
 * NonFiniteError where squares of distances are not finite, AbortedError.
 */
export async function neighborsOfPoints(
  { dimension, count, coordinates }: Points,
  capacity: number,
  wantsDistances: boolean,
  control: TeamControl,
): Promise<FoundLists> {
  const ranges = halvedRanges(count, boxDepth(count));
  const top = subtreeLevel(ranges);
  const { team } = control;
  const { communicator } = team;
  const own = ownPortion(communicator, 2 ** top);
  const positions = positionsOfRanks(ranges, top, communicator);
  const corners = (): Float64Array => sharedFloat64(dimension * ranges.begin.length);
  const boxes = { dimension, coordinates, ranges, low: corners(), high: corners() };
  const order = await cutAll(boxes, top, positions[communicator.rank], control);
  gatherBoxes({ ...boxes, order }, top, communicator);
  const { begin, end } = positions[communicator.rank];
  const indices = inLargePages(sharedInt32(capacity * (end - begin)));
  const distances = inLargePages(sharedFloat64(wantsDistances ? indices.length : 0));
  const state: PointSearchState = {
    ...boxes,
    order,
    sorted: inLargePages(sharedFloat64(dimension * count)),
    top,
    ready: sharedInt32(2 ** top),
    first: begin,
    capacity,
    indices,
    distances,
  };
  const shared = await team.share(state);
  try {
    const subtrees = independentTasks(own.end - own.first);
    await awaitTogether(communicator, () =>
      team.run('neighbors', searchBoxes, shared, subtrees, { first: own.first }, control),
    );
    if (communicator.size === 1) return { indices, distances, members: order };
    const members = sharedInt32(end - begin);
    members.set(order.subarray(begin, end));
    return { indices, distances, members, counts: positions.map(({ begin, end }) => end - begin) };
  } finally {
    team.release(shared);
  }
}

/** Cuts all boxes: level by level down to `top`, then subtree by subtree. Returns the order, right at own positions. */
async function cutAll(
  boxes: Omit<BoxState, 'orders' | 'values' | 'top'>,
  top: number,
  { begin, end }: PositionRange,
  { team, signal }: TeamControl,
): Promise<Int32Array> {
  const cut = cutState(boxes.ranges, top);
  const { orders, values } = cut;
  for (let p = begin; p < end; p++) orders[0][p] = p;
  const state: BoxState = { ...boxes, top, orders, values };
  const sharedCut = await team.share(cut);
  const shared = await team.share(state);
  try {
    const cuts = new TopCuts(team, 'neighbors', sharedCut);
    const { first: firstChunk } = cuts.own;
    await cuts.eachLevel(async (level) => {
      const at = { level, turn: cuts.turn, firstChunk };
      await cuts.together(level, () => team.run('neighbors', measureChunks, shared, cuts.chunkTasks, at, { signal }));
      measureNodes(state, cuts, level, team.communicator);
      await team.run('neighbors', projectToWidest, shared, cuts.chunkTasks, at);
      await cuts.cut(level);
    });
    await awaitTogether(team.communicator, () =>
      team.run('neighbors', cutSubtree, shared, cuts.chunkTasks, { turn: cuts.turn, firstChunk }, { signal }),
    );
    return cuts.order;
  } finally {
    team.release(shared);
    team.release(sharedCut);
  }
}

/** Boxes of this rank's nodes of a level, from those of its chunks and of other ranks'. Collective. */
function measureNodes(
  { dimension: d, low, high, top }: BoxState,
  cuts: TopCuts,
  level: number,
  ranks: Communicator,
): void {
  const { nodes, slots } = cuts.ownNodes(level);
  const shared = cuts.sharedNodes(level).length;
  // Of shared nodes: lower corners and the negatives of upper ones.
  const least = new Float64Array(2 * d * shared).fill(Infinity);
  nodes.forEach((node, k) => {
    const ν = firstOfLevel(level) + node;
    const first = firstOfLevel(top) + Math.max(cuts.own.first, node << (top - level));
    const end = firstOfLevel(top) + Math.min(cuts.own.end, (node + 1) << (top - level));
    for (let c = 0; c < d; c++) {
      let [from, to] = [Infinity, -Infinity];
      for (let chunk = first; chunk < end; chunk++) {
        from = Math.min(from, low[d * chunk + c]);
        to = Math.max(to, high[d * chunk + c]);
      }
      [low[d * ν + c], high[d * ν + c]] = [from, to];
      if (slots[k] >= 0) [least[2 * (d * slots[k] + c)], least[2 * (d * slots[k] + c) + 1]] = [from, -to];
    }
  });
  if (shared === 0) return;
  ranks.allreduce(least, 'min');
  nodes.forEach((node, k) => {
    const at = d * (firstOfLevel(level) + node);
    for (let c = 0; slots[k] >= 0 && c < d; c++) {
      low[at + c] = least[2 * (d * slots[k] + c)];
      high[at + c] = -least[2 * (d * slots[k] + c) + 1];
    }
  });
}

/** Measures and cuts boxes. */
class Boxes {
  readonly #state: BoxState;

  constructor(state: BoxState) {
    this.#state = state;
  }

  measure(ν: number, order: Int32Array): void {
    const { dimension: d, coordinates: x, ranges, low, high } = this.#state;
    const { begin, end } = ranges;
    for (let c = 0; c < d; c++) {
      let least = Infinity;
      let most = -Infinity;
      for (let p = begin[ν]; p < end[ν]; p++) {
        const value = x[order[p] * d + c];
        if (value < least) least = value;
        if (value > most) most = value;
      }
      low[d * ν + c] = least;
      high[d * ν + c] = most;
    }
  }

  /** The values at positions from … to − 1: coordinates along the widest side of box ν. */
  project(ν: number, order: Int32Array, from: number, to: number): void {
    const { dimension: d, coordinates: x, values, low, high } = this.#state;
    let widest = 0;
    for (let c = 1; c < d; c++)
      if (high[d * ν + c] - low[d * ν + c] > high[d * ν + widest] - low[d * ν + widest]) widest = c;
    for (let p = from; p < to; p++) values[p] = x[order[p] * d + widest];
  }

  /** Measures the box, and cuts it across its widest side. */
  cut(ν: number, order: Int32Array): void {
    this.measure(ν, order);
    const { ranges, values } = this.#state;
    const { begin, end } = ranges;
    this.project(ν, order, begin[ν], end[ν]);
    splitAtMedian(order, values, begin[ν], end[ν]);
  }
}

/** Per chunk: its own box, at the places of level `top`. */
export const measureChunks = defineTask<BoxState, CutLevel>(import.meta.url, 'measureChunks', (state) => {
  const boxes = new Boxes(state);
  return (task, { turn, firstChunk }) => {
    boxes.measure(firstOfLevel(state.top) + firstChunk + task, state.orders[turn]);
  };
});

/** Per chunk: the values that its box of the level in work is cut by. */
export const projectToWidest = defineTask<BoxState, CutLevel>(import.meta.url, 'projectToWidest', (state) => {
  const boxes = new Boxes(state);
  const { ranges, top, orders } = state;
  return (task, { level, turn, firstChunk }) => {
    const ν = firstOfLevel(top) + firstChunk + task;
    const box = firstOfLevel(level) + ((firstChunk + task) >> (top - level));
    boxes.project(box, orders[turn], ranges.begin[ν], ranges.end[ν]);
  };
});

/** Per subtree: all of its boxes. */
export const cutSubtree = defineTask<BoxState, Omit<CutLevel, 'level'>>(import.meta.url, 'cutSubtree', (state) => {
  const boxes = new Boxes(state);
  const { top, orders, ranges } = state;
  const { depth } = ranges;
  return (task, { turn, firstChunk }) => {
    const order = orders[turn];
    visitInner(firstOfLevel(top) + firstChunk + task, top, depth, (ν) => {
      boxes.cut(ν, order);
    });
    const leaves = 2 ** (depth - top);
    const leaf0 = firstOfLevel(depth) + (firstChunk + task) * leaves;
    for (let leaf = leaf0; leaf < leaf0 + leaves; leaf++) boxes.measure(leaf, order);
  };
});

/**
 * The order, and the boxes of each rank's subtrees, to all ranks; those above are made of them. 4 bytes a point and 16
 * for each dimension of a box.
 */
function gatherBoxes(
  { dimension: d, ranges, order, low, high }: Pick<PointSearchState, 'dimension' | 'ranges' | 'order' | 'low' | 'high'>,
  top: number,
  communicator: Communicator,
): void {
  if (communicator.size === 1) return;
  const subtrees = 2 ** top;
  const first = firstOfLevel(top);
  gatherPortions(communicator, order, subtrees, { begin: 0, endOf: (subtree) => ranges.end[first + subtree] });
  for (let level = top; level <= ranges.depth; level++) {
    const begin = d * firstOfLevel(level);
    const endOf = (subtree: number): number => begin + d * (subtree + 1) * 2 ** (level - top);
    for (const corners of [low, high]) gatherPortions(communicator, corners, subtrees, { begin, endOf });
  }
  for (let ν = first - 1; ν >= 0; ν--) {
    for (let c = 0; c < d; c++) {
      const left = d * leftChild(ν) + c;
      low[d * ν + c] = Math.min(low[left], low[left + d]);
      high[d * ν + c] = Math.max(high[left], high[left + d]);
    }
  }
}

/** The search for the points of one box. */
class BoxSearch {
  readonly #state: PointSearchState;
  readonly #firstLeaf: number;
  /** Lists of the points of the box in work, ascending; the farthest of each and of all. */
  readonly #nearest: Int32Array;
  readonly #squares: Float64Array;
  #reach = Infinity;
  /** Squared distances of one point to those of a box. */
  readonly #row: Float64Array;

  constructor(state: PointSearchState) {
    const { ranges, capacity } = state;
    this.#state = state;
    this.#firstLeaf = firstOfLevel(ranges.depth);
    const most = ranges.end[this.#firstLeaf] - ranges.begin[this.#firstLeaf];
    this.#nearest = new Int32Array(most * capacity);
    this.#squares = new Float64Array(most * capacity);
    this.#row = new Float64Array(most);
  }

  run(leaf: number): void {
    const { ranges, order, first, capacity, indices, distances } = this.#state;
    const begin = ranges.begin[leaf];
    const count = ranges.end[leaf] - begin;
    this.#nearest.fill(-1, 0, count * capacity);
    this.#squares.fill(Infinity, 0, count * capacity);
    this.#reach = Infinity;
    this.#compare(leaf, leaf);
    for (let ν = leaf; ν > 0; ν = parentOf(ν)) this.#visit(leaf, (ν & 1) === 1 ? ν + 1 : ν - 1);
    for (let q = 0; q < count; q++) {
      if (this.#nearest[(q + 1) * capacity - 1] < 0) throw incompleteList(order[begin + q], capacity);
      const to = (begin - first + q) * capacity;
      for (let k = 0; k < capacity; k++) indices[to + k] = this.#nearest[q * capacity + k];
      if (distances.length > 0)
        for (let k = 0; k < capacity; k++) distances[to + k] = Math.sqrt(this.#squares[q * capacity + k]);
    }
  }

  #visit(leaf: number, ν: number): void {
    // At the same distance there may be a smaller index.
    if (this.#between(leaf, ν) > this.#reach) return;
    if (ν >= this.#firstLeaf) {
      this.#compare(leaf, ν);
      return;
    }
    const left = leftChild(ν);
    const first = this.#between(leaf, left) <= this.#between(leaf, left + 1) ? left : left + 1;
    this.#visit(leaf, first);
    this.#visit(leaf, 2 * left + 1 - first);
  }

  /** Sorts the coordinates of the points of a leaf's subtree, where nobody has; two who do write the same. */
  #ready(leaf: number): void {
    const { dimension: d, coordinates: x, ranges, order, sorted, top, ready } = this.#state;
    const subtree = (leaf - this.#firstLeaf) >> (ranges.depth - top);
    if (Atomics.load(ready, subtree) === 1) return;
    const n = order.length;
    const ν = firstOfLevel(top) + subtree;
    for (let p = ranges.begin[ν]; p < ranges.end[ν]; p++)
      for (let c = 0; c < d; c++) sorted[c * n + p] = x[order[p] * d + c];
    Atomics.store(ready, subtree, 1);
  }

  /** The square of the distance between two boxes. */
  #between(μ: number, ν: number): number {
    const { dimension: d, low, high } = this.#state;
    let sum = 0;
    for (let c = 0; c < d; c++) {
      const gap = Math.max(0, low[d * μ + c] - high[d * ν + c], low[d * ν + c] - high[d * μ + c]);
      sum += gap * gap;
    }
    return sum;
  }

  /** Offers the points of box ν to those of the leaf that may be nearer to some than what these have. */
  #compare(leaf: number, ν: number): void {
    const { dimension: d, ranges, order, sorted, low, high, capacity } = this.#state;
    this.#ready(ν);
    const n = order.length;
    const begin = ranges.begin[leaf];
    const end = ranges.end[leaf];
    const from = ranges.begin[ν];
    const count = ranges.end[ν] - from;
    const row = this.#row;
    const squares = this.#squares;
    let reach = 0;
    for (let p = begin, last = capacity - 1; p < end; p++, last += capacity) {
      let gaps = 0;
      for (let c = 0; c < d; c++) {
        const value = sorted[c * n + p];
        const gap = Math.max(0, low[d * ν + c] - value, value - high[d * ν + c]);
        gaps += gap * gap;
      }
      if (gaps <= squares[last]) {
        for (let c = 0, at = from; c < d; c++, at += n) {
          const value = sorted[c * n + p];
          if (c === 0) for (let k = 0; k < count; k++) row[k] = (value - sorted[at + k]) * (value - sorted[at + k]);
          else for (let k = 0; k < count; k++) row[k] += (value - sorted[at + k]) * (value - sorted[at + k]);
        }
        // The point itself is no neighbor.
        if (leaf === ν) row[p - begin] = Infinity;
        let farthest = squares[last];
        for (let k = 0; k < count; k++)
          if (row[k] <= farthest) farthest = this.#offer(last - capacity + 1, row[k], order[from + k]);
      }
      if (squares[last] > reach) reach = squares[last];
    }
    this.#reach = reach;
  }

  /** Puts (square, index) into the list from `first` on, if it belongs there; returns the farthest of the list. */
  #offer(first: number, square: number, index: number): number {
    const squares = this.#squares;
    const nearest = this.#nearest;
    let k = first + this.#state.capacity - 1;
    if (square === squares[k] && (square === Infinity || index > nearest[k])) return square;
    const last = k;
    for (; k > first && (squares[k - 1] > square || (squares[k - 1] === square && nearest[k - 1] > index)); k--) {
      squares[k] = squares[k - 1];
      nearest[k] = nearest[k - 1];
    }
    squares[k] = square;
    nearest[k] = index;
    return squares[last];
  }
}

/** Per subtree of level `top`, from the one numbered `first` on: the lists of its points. */
export const searchBoxes = defineTask<PointSearchState, { readonly first: number }>(
  import.meta.url,
  'searchBoxes',
  (state) => {
    const search = new BoxSearch(state);
    const { top, ranges } = state;
    const leaves = 2 ** (ranges.depth - top);
    return (task, { first }) => {
      const leaf0 = firstOfLevel(ranges.depth) + (first + task) * leaves;
      for (let leaf = leaf0; leaf < leaf0 + leaves; leaf++) search.run(leaf);
    };
  },
);
