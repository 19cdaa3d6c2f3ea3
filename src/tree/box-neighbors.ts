/**
 * The exact neighbors of points in few dimensions, by a tree of boxes.
 *
 * A node is cut at the median along the longest side of its bounding box. From a point's own leaf one goes up, and
 * down into every other node whose box is no farther away than the farthest of the κ neighbors so far (J. Friedman,
 * J. Bentley, R. Finkel, ACM Trans. Math. Softw. 3(3), 1977). Projection trees, which other distances need, miss the
 * neighbors of outliers more than others, and those are the rows in which an interpolation errs.
 */
import { firstOfLevel, leftChild, parentOf, rightChild, type NodeId } from '../core/indices.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import { defineTask } from '../parallel/task.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Points } from '../source/entry-source.js';
import { depthFor } from './build.js';
import { NearestLists, type NearestState } from './nearest-lists.js';
import { halvedRanges, splitAtMedian, subtreeLevel, visitInner, type Ranges } from './split.js';

/** Up to this dimension a point meets few boxes beside those of its neighbors. */
export const MOST_BOX_DIMENSIONS = 4;
/** Points of a leaf at most. */
const LEAF = 16;

/** What the phases read and write. */
interface BoxState {
  readonly points: Points;
  readonly nearest: NearestState;
  readonly ranges: Ranges;
  readonly order: Int32Array;
  /** One value per position: scratch of the node that is being cut. */
  readonly values: Float64Array;
  /** Coordinates by position. */
  readonly placed: Float64Array;
  /** The bounding box of node ν, 2·dimension numbers each: least and largest coordinates. */
  readonly boxes: Float64Array;
}

/**
 * Writes the lists of all points, nearest first, ties to the smaller index, and their distances. Cost: O(N log N) for
 * the tree, and for each point some hundred distances and boxes. The same lists for any team. Throws AbortedError.
 */
export async function neighborsByBoxes(points: Points, nearest: NearestState, control: TeamControl): Promise<void> {
  const { count, dimension } = points;
  const ranges = halvedRanges(count, depthFor(count, LEAF));
  const order = sharedInt32(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const state: BoxState = {
    points,
    nearest,
    ranges,
    order,
    values: sharedFloat64(count),
    placed: sharedFloat64(count * dimension),
    boxes: sharedFloat64(2 * dimension * ranges.begin.length),
  };
  const { team, signal } = control;
  const level = subtreeLevel(ranges);
  const subtrees = independentTasks(2 ** level);
  const shared = await team.share(state);
  try {
    for (let above = 0; above < level; above++)
      await team.run('neighbors', cutBoxes, shared, independentTasks(2 ** above), { level: above }, { signal });
    await team.run('neighbors', cutSubtree, shared, subtrees, { level }, { signal });
    for (let ν = firstOfLevel(level) - 1; ν >= 0; ν--) joinBoxes(state, ν);
    await team.run('neighbors', searchBoxes, shared, subtrees, { level }, control);
  } finally {
    team.release(shared);
  }
}

/** Cuts a node at the median along the longest side of its box. */
function cut({ points: { dimension, coordinates }, ranges, order, values }: BoxState, ν: NodeId): void {
  const [begin, end] = [ranges.begin[ν], ranges.end[ν]];
  let axis = 0;
  let longest = -1;
  for (let k = 0; k < dimension; k++) {
    let least = Infinity;
    let most = -Infinity;
    for (let p = begin; p < end; p++) {
      const x = coordinates[order[p] * dimension + k];
      if (x < least) least = x;
      if (x > most) most = x;
    }
    // Halves: a difference may lie beyond the range.
    const half = most / 2 - least / 2;
    if (half <= longest) continue;
    longest = half;
    axis = k;
  }
  for (let p = begin; p < end; p++) values[p] = coordinates[order[p] * dimension + axis];
  splitAtMedian(order, values, begin, end);
}

/** The box of a node's children together. */
function joinBoxes({ boxes, points: { dimension } }: BoxState, ν: NodeId): void {
  const [to, l, r] = [ν, leftChild(ν), rightChild(ν)].map((node) => 2 * dimension * node);
  for (let k = 0; k < dimension; k++) {
    boxes[to + k] = Math.min(boxes[l + k], boxes[r + k]);
    boxes[to + dimension + k] = Math.max(boxes[l + dimension + k], boxes[r + dimension + k]);
  }
}

/** Per node of a level: its cut. */
export const cutBoxes = defineTask<BoxState, { readonly level: number }>(
  import.meta.url,
  'cutBoxes',
  (state) =>
    (task, { level }) =>
      cut(state, firstOfLevel(level) + task),
);

/** Per subtree: its cuts and boxes. */
export const cutSubtree = defineTask<BoxState, { readonly level: number }>(
  import.meta.url,
  'cutSubtree',
  (state) =>
    (task, { level }) => {
      const {
        points: { dimension, coordinates },
        ranges: { begin, end, depth },
        order,
        placed,
        boxes,
      } = state;
      const root = firstOfLevel(level) + task;
      const inner: NodeId[] = [];
      visitInner(root, level, depth, (ν) => {
        inner.push(ν);
        cut(state, ν);
      });
      const leaves = 2 ** (depth - level);
      const first = firstOfLevel(depth) + task * leaves;
      for (let leaf = first; leaf < first + leaves; leaf++) {
        const box = 2 * dimension * leaf;
        boxes.fill(Infinity, box, box + dimension);
        boxes.fill(-Infinity, box + dimension, box + 2 * dimension);
        for (let p = begin[leaf]; p < end[leaf]; p++) {
          for (let k = 0; k < dimension; k++) {
            const x = coordinates[order[p] * dimension + k];
            placed[p * dimension + k] = x;
            boxes[box + k] = Math.min(boxes[box + k], x);
            boxes[box + dimension + k] = Math.max(boxes[box + dimension + k], x);
          }
        }
      }
      for (const ν of inner.reverse()) joinBoxes(state, ν);
    },
);

/** One thread's search, one point at a time. */
class BoxSearcher {
  readonly #state: BoxState;
  readonly #list: NearestLists;
  readonly #leaf0: number;
  readonly #point: Float64Array;
  /** The position that is searched for, and how far its farthest neighbor so far is. */
  #own = 0;
  #limit = Infinity;

  constructor(state: BoxState) {
    const { capacity } = state.nearest;
    this.#state = state;
    this.#list = new NearestLists({
      capacity,
      indices: new Int32Array(capacity),
      distances: new Float64Array(capacity),
    });
    this.#leaf0 = firstOfLevel(state.ranges.depth);
    this.#point = new Float64Array(state.points.dimension);
  }

  /** Searches for the points of a leaf. */
  run(leaf: NodeId): void {
    const {
      nearest: { capacity, indices, distances },
      ranges: { begin, end },
      points: { dimension },
      order,
      placed,
    } = this.#state;
    const list = this.#list;
    for (let p = begin[leaf]; p < end[leaf]; p++) {
      for (let k = 0; k < dimension; k++) this.#point[k] = placed[p * dimension + k];
      list.clear(0, 1);
      this.#own = p;
      this.#limit = Infinity;
      this.#scan(leaf);
      for (let ν = leaf; ν > 0; ν = parentOf(ν)) {
        const sibling = (ν & 1) === 1 ? ν + 1 : ν - 1;
        this.#descend(sibling, this.#distanceTo(sibling));
      }
      list.sort(0);
      const to = order[p] * capacity;
      indices.set(list.indices, to);
      for (let k = 0; k < capacity; k++) distances[to + k] = Math.sqrt(list.distances[k]);
    }
  }

  /** Visits a node at this squared distance, the nearer child first. */
  #descend(ν: NodeId, distance: number): void {
    // An equal distance may be that of a smaller index.
    if (distance > this.#limit) return;
    if (ν >= this.#leaf0) {
      this.#scan(ν);
      return;
    }
    const left = leftChild(ν);
    const toLeft = this.#distanceTo(left);
    const toRight = this.#distanceTo(left + 1);
    if (toLeft <= toRight) {
      this.#descend(left, toLeft);
      this.#descend(left + 1, toRight);
    } else {
      this.#descend(left + 1, toRight);
      this.#descend(left, toLeft);
    }
  }

  /** The squared distance to the box of ν; rounded, it is no larger than that to any point in it. */
  #distanceTo(ν: NodeId): number {
    const { boxes, points } = this.#state;
    const point = this.#point;
    const { dimension } = points;
    let sum = 0;
    for (let k = 0, b = 2 * dimension * ν; k < dimension; k++, b++) {
      const x = point[k];
      const beyond = x < boxes[b] ? boxes[b] - x : x > boxes[b + dimension] ? x - boxes[b + dimension] : 0;
      sum += beyond * beyond;
    }
    return sum;
  }

  #scan(leaf: NodeId): void {
    const { ranges, points, order, placed } = this.#state;
    const point = this.#point;
    const { dimension } = points;
    const own = this.#own;
    let limit = this.#limit;
    for (let p = ranges.begin[leaf], q = p * dimension; p < ranges.end[leaf]; p++) {
      let sum = 0;
      for (let k = 0; k < dimension; k++, q++) {
        const difference = point[k] - placed[q];
        sum += difference * difference;
      }
      if (sum <= limit && p !== own) limit = this.#list.offer(0, order[p], sum);
    }
    this.#limit = limit;
  }
}

/** Per subtree: the lists of its points. */
export const searchBoxes = defineTask<BoxState, { readonly level: number }>(import.meta.url, 'searchBoxes', (state) => {
  const searcher = new BoxSearcher(state);
  return (task, { level }) => {
    const leaves = 2 ** (state.ranges.depth - level);
    const first = firstOfLevel(state.ranges.depth) + task * leaves;
    for (let leaf = first; leaf < first + leaves; leaf++) searcher.run(leaf);
  };
});
