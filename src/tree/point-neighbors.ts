/**
 * Exact nearest neighbors of points in few dimensions.
 *
 * The points are cut into boxes of a few at medians, each time across the widest side (J. Friedman, J. Bentley,
 * R. Finkel, ACM Trans. Math. Softw. 3(3), 1977). All points of a box are searched for together: among themselves, then
 * in the sibling, in the parent's sibling, …, every time only where a box is nearer than the farthest neighbor that one
 * of them has so far. In few dimensions that is a few boxes, whatever N is. Projection trees, which other distances
 * need, miss the neighbors of outliers more than others, and those are the rows in which an interpolation errs.
 */
import { placeOf } from '../core/index-places.js';
import { firstOfLevel, leftChild, parentOf } from '../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { ownPortion } from '../distributed/portion.js';
import { awaitTogether, together } from '../distributed/together.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { PointParts, Points } from '../source/entry-source.js';
import { Boxes, boxShapes, mostInBox, rootOf, shapeOf, squareBetween, type BoxTree } from './boxes.js';
import { distanceParts, type PointTable } from './distances/geometric-parts.js';
import type { FoundLists } from './gather-lists.js';
import { NONE_KNOWN } from './known-indices.js';
import { withNear, type PlacedBoxes } from './near-boxes.js';
import { incompleteList } from './nearest-lists.js';
import { positionsOfRanks, subtreeLevelFor, type PositionRange } from './split.js';
import type { CutLevel, CutState } from './top-cut-tasks.js';
import { cutState, TopCuts } from './top-cuts.js';

/** Above this dimension the boxes to be looked at become many. */
export const MOST_DIMENSIONS = 4;
/** Points of a box: so many at least, less than twice as many. */
const BOX = 12;

/** Levels of boxes below the root. */
export const boxDepth = (count: number): number => Math.max(0, Math.floor(Math.log2(count / BOX)));

/** What the cutting of boxes reads and writes: of several ranks, each at its own positions. */
export interface BoxState extends BoxTree {
  /** Points in the order of the boxes, in one of two arrays by turns (top-cuts.ts). */
  readonly orders: readonly [Int32Array, Int32Array];
  /** One value per position: what boxes are cut by. */
  readonly values: Float64Array;
}

/** What the search reads and writes. */
export interface PointSearchState extends PlacedBoxes {
  /** Where each subtree stands among those that are here; −1 for others. */
  readonly slotOf: Int32Array;
  /** Coordinate c of the point at position p of n: sorted[c·n + p]; of those subtrees that are `ready`. */
  readonly sorted: Float64Array;
  /** 1 for subtrees whose coordinates are sorted: whoever meets the first box of another sorts them. */
  readonly ready: Int32Array;
  /** κ, and the lists of own points; no distances where they are not asked for. */
  readonly capacity: number;
  readonly indices: Int32Array;
  readonly distances: Float64Array;
}

/**
 * The lists of the κ nearest points of each, nearest first, in the order of the boxes; of several ranks those of the
 * points of its own boxes, of which each has also those of others that are near (near-boxes.ts).
 * Cost O(N log N) for the boxes; the search takes O(κN) where points are spread evenly at a small scale. Throws
 * NonFiniteError where squares of distances are not finite, MemoryError, AbortedError.
 */
export async function neighborsOfPoints(
  points: Points | PointParts,
  capacity: number,
  wantsDistances: boolean,
  control: TeamControl,
): Promise<FoundLists> {
  const placed = await boxesOf(points, capacity, control);
  return awaitTogether(control.team.communicator, () => searchAll(placed, { capacity, wantsDistances }, control));
}

/** The search, in which nothing is communicated. */
async function searchAll(
  placed: PlacedBoxes,
  { capacity, wantsDistances }: { readonly capacity: number; readonly wantsDistances: boolean },
  control: TeamControl,
): Promise<FoundLists> {
  const { team } = control;
  const { communicator } = team;
  const { dimension, ranges, subtrees, begin, order } = placed;
  const own = ownPortion(communicator, 2 ** ranges.depth);
  const first = own.end - own.first;
  const points = begin[first];
  const slotOf = sharedInt32(2 ** ranges.depth).fill(-1);
  subtrees.forEach((subtree, slot) => {
    slotOf[subtree] = slot;
  });
  const indices = inLargePages(sharedInt32(capacity * points));
  const distances = inLargePages(sharedFloat64(wantsDistances ? capacity * points : 0));
  const shared = await team.share<PointSearchState>({
    ...placed,
    slotOf,
    sorted: inLargePages(sharedFloat64(dimension * order.length)),
    ready: sharedInt32(subtrees.length),
    capacity,
    indices,
    distances,
  });
  try {
    const others = subtrees.length - first;
    if (others > 0) await team.run('neighbors', measureNear, shared, independentTasks(others), { first });
    await team.run('neighbors', searchBoxes, shared, independentTasks(first), undefined, control);
  } finally {
    team.release(shared);
  }
  if (communicator.size === 1) return { indices, distances, members: order };
  const members = sharedInt32(points);
  members.set(order.subarray(0, points));
  const positions = positionsOfRanks(ranges, ranges.depth, communicator);
  return { indices, distances, members, counts: positions.map(({ begin, end }) => end - begin) };
}

/** Boxes of all own points, and the order of those near to them. */
async function boxesOf(points: Points | PointParts, capacity: number, control: TeamControl): Promise<PlacedBoxes> {
  const { dimension, count } = points;
  const depth = boxDepth(count);
  const top = subtreeLevelFor(count, depth);
  const { communicator } = control.team;
  const own = ownPortion(communicator, 2 ** top);
  const { shapes, cut } = together(communicator, () => {
    const shapes = boxShapes(count, depth, top);
    const corners = (): Float64Array => sharedFloat64(dimension * rootOf(shapes, own.end - own.first));
    return { shapes: { ...shapes, low: corners(), high: corners() }, cut: cutState(shapes.ranges, top) };
  });
  const { begin, end } = positionsOfRanks(shapes.ranges, top, communicator)[communicator.rank];
  const table = 'rows' in points ? distanceParts(points).table(end - begin) : undefined;
  const tree: BoxTree = { dimension, ...coordinatesOf(points, table), ...shapes };
  const placed = withNear(tree, await cutAll(tree, { cut, table }, control), capacity, communicator);
  if (table === undefined) return placed;
  together(communicator, () => {
    table.reserve(placed.order.length);
  });
  await table.hold(() => [placed.order], control);
  return { ...placed, ...coordinatesOf(points, table) };
}

/** Coordinates of all points, or of those that are held. */
const coordinatesOf = (
  points: Points | PointParts,
  table: PointTable | undefined,
): Pick<BoxTree, 'places' | 'coordinates'> =>
  'rows' in points
    ? { places: table!.data.places, coordinates: table!.coordinates }
    : { ...NONE_KNOWN, coordinates: points.coordinates };

/** Cuts all boxes: level by level down to `top`, then subtree by subtree. Returns the order, right at own positions. */
async function cutAll(
  tree: BoxTree,
  { cut, table }: { readonly cut: CutState; readonly table: PointTable | undefined },
  { team, signal }: TeamControl,
): Promise<Int32Array> {
  const { orders, values } = cut;
  const state: BoxState = { ...tree, orders, values };
  const sharedCut = await team.share(cut);
  const shared = await team.share(state);
  try {
    const cuts = new TopCuts(team, 'neighbors', sharedCut);
    const { first: firstChunk } = cuts.own;
    const { begin, end } = cuts.positions[team.communicator.rank];
    for (let p = begin; p < end; p++) orders[0][p] = p;
    const act = async (level: number): Promise<void> => {
      const at = { level, turn: cuts.turn, firstChunk };
      if (cuts.sharedNodes(level).length > 0) await table?.hold(() => [cuts.members], { team, signal });
      await cuts.together(level, () => team.run('neighbors', measureChunks, shared, cuts.chunkTasks, at, { signal }));
      measureNodes(state, cuts, level, team.communicator);
      await team.run('neighbors', projectToWidest, shared, cuts.chunkTasks, at);
      await cuts.cut(level);
    };
    await cuts.eachLevel(act, async () => table?.hold(() => [cuts.members], { team, signal }));
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
  { dimension: d, low, high, ranges: { depth: top } }: BoxState,
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

/** Per chunk: its own box, at the places of level `top`. */
export const measureChunks = defineTask<BoxState, CutLevel>(import.meta.url, 'measureChunks', (state) => {
  const boxes = new Boxes(state);
  const { begin, end, depth } = state.ranges;
  return (task, { turn, firstChunk }) => {
    const ν = firstOfLevel(depth) + firstChunk + task;
    boxes.measure(ν, state.orders[turn], begin[ν], end[ν]);
  };
});

/** Per chunk: the values that its box of the level in work is cut by. */
export const projectToWidest = defineTask<BoxState, CutLevel>(import.meta.url, 'projectToWidest', (state) => {
  const boxes = new Boxes(state);
  const { ranges, orders, values } = state;
  return (task, { level, turn, firstChunk }) => {
    const ν = firstOfLevel(ranges.depth) + firstChunk + task;
    const box = firstOfLevel(level) + ((firstChunk + task) >> (ranges.depth - level));
    boxes.project(box, { order: orders[turn], values }, ranges.begin[ν], ranges.end[ν]);
  };
});

/** Per subtree: all of its boxes, and its own among those of level `top`. */
export const cutSubtree = defineTask<BoxState, Omit<CutLevel, 'level'>>(import.meta.url, 'cutSubtree', (state) => {
  const boxes = new Boxes(state);
  const { begin, end, depth } = state.ranges;
  return (task, { turn, firstChunk }) => {
    const ν = firstOfLevel(depth) + firstChunk + task;
    boxes.cutSubtree(task, { order: state.orders[turn], values: state.values }, begin[ν], end[ν]);
    // What was measured of the chunk before is of the members that it had then.
    boxes.copy(ν, rootOf(state, task));
  };
});

/** Per subtree of another rank, from the one that is here as number `first` on: its boxes. */
export const measureNear = defineTask<PointSearchState, { readonly first: number }>(
  import.meta.url,
  'measureNear',
  (state) => {
    const boxes = new Boxes(state);
    return (task, { first }) => {
      const slot = first + task;
      boxes.measureSubtree(slot, state.order, state.begin[slot], state.begin[slot + 1]);
    };
  },
);

/** A leaf of boxes: its number among all that are here, and the positions of its points. */
interface Leaf extends PositionRange {
  readonly box: number;
}

/** The search for the points of one box. */
class BoxSearch {
  readonly #state: PointSearchState;
  readonly #firstTop: number;
  readonly #firstLeaf: number;
  /** Lists of the points of the box in work, ascending; the farthest of each and of all. */
  readonly #nearest: Int32Array;
  readonly #squares: Float64Array;
  #reach = Infinity;
  /** Squared distances of one point to those of a box. */
  readonly #row: Float64Array;

  constructor(state: PointSearchState) {
    const { ranges, shapes, capacity } = state;
    this.#state = state;
    this.#firstTop = firstOfLevel(ranges.depth);
    this.#firstLeaf = firstOfLevel(shapes[0].depth);
    const most = mostInBox(state);
    this.#nearest = new Int32Array(most * capacity);
    this.#squares = new Float64Array(most * capacity);
    this.#row = new Float64Array(most);
  }

  /** The lists of all points of an own subtree. */
  run(slot: number): void {
    const { shapes } = this.#state;
    for (let μ = this.#firstLeaf; μ < shapes[0].begin.length; μ++) this.#searchLeaf(slot, μ);
  }

  #searchLeaf(slot: number, μ: number): void {
    const { order, subtrees, capacity, indices, distances } = this.#state;
    const leaf = this.#leafOf(slot, μ);
    const { begin } = leaf;
    const count = leaf.end - begin;
    this.#nearest.fill(-1, 0, count * capacity);
    this.#squares.fill(Infinity, 0, count * capacity);
    this.#reach = Infinity;
    this.#compare(leaf, slot, μ);
    for (let ν = μ; ν > 0; ν = parentOf(ν)) this.#visit(leaf, slot, siblingOf(ν));
    for (let ν = this.#firstTop + subtrees[slot]; ν > 0; ν = parentOf(ν)) this.#visitTop(leaf, siblingOf(ν));
    for (let q = 0; q < count; q++) {
      if (this.#nearest[(q + 1) * capacity - 1] < 0) throw incompleteList(order[begin + q], capacity);
      const to = (begin + q) * capacity;
      for (let k = 0; k < capacity; k++) indices[to + k] = this.#nearest[q * capacity + k];
      if (distances.length > 0)
        for (let k = 0; k < capacity; k++) distances[to + k] = Math.sqrt(this.#squares[q * capacity + k]);
    }
  }

  #leafOf(slot: number, μ: number): Leaf {
    const { begin } = this.#state;
    const shape = shapeOf(this.#state, begin[slot + 1] - begin[slot]);
    return {
      box: rootOf(this.#state, slot) + μ,
      begin: begin[slot] + shape.begin[μ],
      end: begin[slot] + shape.end[μ],
    };
  }

  /** A node of level `top` or above. */
  #visitTop(leaf: Leaf, ν: number): void {
    if (this.#isBeyond(leaf, ν)) return;
    if (ν >= this.#firstTop) {
      // Whose nearest may stand in a subtree has it.
      this.#visitBelow(leaf, this.#state.slotOf[ν - this.#firstTop], 0);
      return;
    }
    const first = this.#nearer(leaf, leftChild(ν));
    this.#visitTop(leaf, first);
    this.#visitTop(leaf, siblingOf(first));
  }

  /** Node μ of a subtree. */
  #visit(leaf: Leaf, slot: number, μ: number): void {
    if (!this.#isBeyond(leaf, rootOf(this.#state, slot) + μ)) this.#visitBelow(leaf, slot, μ);
  }

  #visitBelow(leaf: Leaf, slot: number, μ: number): void {
    if (μ >= this.#firstLeaf) {
      this.#compare(leaf, slot, μ);
      return;
    }
    const root = rootOf(this.#state, slot);
    const first = this.#nearer(leaf, root + leftChild(μ)) - root;
    this.#visit(leaf, slot, first);
    this.#visit(leaf, slot, siblingOf(first));
  }

  // At the same distance there may be a smaller index.
  #isBeyond({ box }: Leaf, ν: number): boolean {
    return squareBetween(this.#state, box, ν) > this.#reach;
  }

  /** Box ν or the one behind it, whichever is nearer. */
  #nearer({ box }: Leaf, ν: number): number {
    return squareBetween(this.#state, box, ν) <= squareBetween(this.#state, box, ν + 1) ? ν : ν + 1;
  }

  /** Sorts the coordinates of the points of a subtree, where nobody has; two who do write the same. */
  #ready(slot: number): void {
    const { dimension: d, coordinates: x, places, begin, order, sorted, ready } = this.#state;
    if (Atomics.load(ready, slot) === 1) return;
    const n = order.length;
    for (let p = begin[slot]; p < begin[slot + 1]; p++)
      for (let c = 0, at = placeOf(places, order[p]) * d; c < d; c++) sorted[c * n + p] = x[at + c];
    Atomics.store(ready, slot, 1);
  }

  /** Offers the points of leaf μ of a subtree to those of the leaf that may be nearer to some than what these have. */
  #compare(leaf: Leaf, slot: number, μ: number): void {
    const { dimension: d, order, sorted, low, high, capacity } = this.#state;
    this.#ready(slot);
    const n = order.length;
    const { box: ν, begin: from, end: to } = this.#leafOf(slot, μ);
    const count = to - from;
    const { begin, end } = leaf;
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
        if (leaf.box === ν) row[p - begin] = Infinity;
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

/** The other child of a node's parent. */
const siblingOf = (ν: number): number => ((ν & 1) === 1 ? ν + 1 : ν - 1);

/** Per own subtree: the lists of its points. */
export const searchBoxes = defineTask<PointSearchState>(import.meta.url, 'searchBoxes', (state) => {
  const search = new BoxSearch(state);
  return (task) => search.run(task);
});
