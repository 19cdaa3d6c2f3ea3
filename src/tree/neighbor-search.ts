/**
 * The phases of the neighbor search.
 * Projection trees: a node is cut at the median of δ(·, p) − δ(·, q), p and q two of its members, drawn at random;
 * leaves are searched exhaustively, by panels of a matrix of distances. Every pair of a leaf is evaluated once and
 * offered to both its members.
 */
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { view, type Matrix } from '../dense/matrix.js';
import { defineTask, type WorkerContext } from '../parallel/task.js';
import { openDistance, type DistanceState } from './distances/choose-distance.js';
import type { Distance } from './distances/distance.js';
import { DISTANCE_TABLE } from './distances/table.js';
import { NearestLists, type NearestState } from './nearest-lists.js';
import { chunkOf, splitAtMedian, visitInner, type Ranges } from './split.js';

/** What the phases of the search read and write. */
export interface SearchState {
  readonly distance: DistanceState;
  readonly size: number;
  /** Lists of indices: index i's in row i, or of several ranks, each of which holds some, in row rowOf[i]. */
  readonly nearest: NearestState;
  readonly rowOf: Int32Array;
  /** The projection tree in work: shape, order, one value per position. */
  readonly ranges: Ranges;
  readonly order: Int32Array;
  readonly values: Float64Array;
  /** Rows whose lists are also found exactly, and those lists. */
  readonly sample: Int32Array;
  readonly exact: NearestState;
  readonly seed: number;
}

/** The first of the tasks that this rank has of all. */
export interface FirstTask {
  readonly firstTask: number;
}

/** A level in work. */
export interface LevelArgs extends FirstTask {
  readonly level: number;
}

/** Which projection tree, and which of its levels, a phase works on. */
export interface TreeArgs extends LevelArgs {
  readonly iteration: number;
}

/** Columns of a panel: it stays in the second-level cache. */
const PANEL = 128;
/** Rows and columns of a tile of the exhaustive search. */
export const TILE = 1024;
/** Rows of the sample that a task searches for. */
export const SAMPLE_ROWS = 32;
/** Rows that a task finishes. */
export const FINISH_ROWS = 4096;

const POLES = 0x901e5;
const CANDIDATES = 6;

/** One side of a panel: its members, rows of their lists, how far the farthest neighbor of each is, where it begins. */
interface PanelSide {
  readonly members: Int32Array;
  readonly rows: Int32Array;
  readonly limits: Float64Array;
  readonly first: number;
}

/** One thread's distance, lists and scratch. */
class Searcher {
  readonly distance: Distance;
  readonly #state: SearchState;
  readonly #nearest: NearestLists;
  /** Rows of the lists of the members in work, where they are not the members themselves. */
  readonly #rows: Int32Array;
  readonly #panel: Float64Array;
  readonly #rowLimits: Float64Array;
  readonly #colLimits: Float64Array;
  /** Local number of each index among the members in work, else −1; and those of the members' neighbors so far. */
  readonly #local: Int32Array;
  readonly #listed: Int32Array;
  readonly #candidates = new Int32Array(CANDIDATES);
  readonly #toFirst = new Float64Array(CANDIDATES);

  constructor(state: SearchState, context: WorkerContext) {
    const widest = Math.max(TILE, state.ranges.end[firstOfLevel(state.ranges.depth)]);
    this.distance = openDistance(state.distance, context);
    this.#state = state;
    this.#nearest = new NearestLists(state.nearest);
    this.#rows = new Int32Array(state.rowOf.length > 0 ? widest : 0);
    this.#panel = new Float64Array(widest * PANEL);
    this.#rowLimits = new Float64Array(widest);
    this.#colLimits = new Float64Array(widest);
    this.#local = new Int32Array(state.order.length).fill(-1);
    this.#listed = new Int32Array(state.order.length > 0 ? widest * state.nearest.capacity : 0);
  }

  /** Two random members of a node, far apart: p at random, q the farthest from it of a few. */
  poles(iteration: number, node: NodeId): readonly [number, number] {
    const {
      order,
      ranges: { begin, end },
      seed,
    } = this.#state;
    const random = new RandomStream(seed, POLES, iteration, node);
    const size = end[node] - begin[node];
    const candidates = this.#candidates;
    for (let c = 0; c < CANDIDATES; c++) candidates[c] = order[begin[node] + random.integer(size)];
    const distances = this.#toFirst;
    this.distance.load(candidates, candidates.subarray(0, 1));
    this.distance.between(0, 0, view(distances, 0, CANDIDATES, 1));
    let q = 0;
    for (let c = 1; c < CANDIDATES; c++) if (distances[c] > distances[q]) q = c;
    return [candidates[0], candidates[q]];
  }

  project(iteration: number, node: NodeId, from: number, to: number): void {
    const { order, values } = this.#state;
    const [p, q] = this.poles(iteration, node);
    this.distance.toTwo(p, q, order.subarray(from, to), values, from);
  }

  /** Offers every pair of the members to both; with `again`, but for pairs that are listed already. */
  searchAmong(members: Int32Array, again: boolean): void {
    const n = members.length;
    this.distance.load(members, members);
    const rows = this.#rowsOf(members);
    if (again) this.#findListed(members, rows);
    const limits = this.#limits(this.#rowLimits, rows);
    for (let first = 0; first < n; first += PANEL) {
      const block = view(this.#panel, 0, n - first, Math.min(PANEL, n - first));
      this.distance.between(first, first, block);
      if (again) this.#hideListed(block, first);
      const side = { members, rows, limits, first };
      this.#offerPanel(block, side, side);
    }
  }

  #rowsOf(members: Int32Array): Int32Array {
    const { rowOf } = this.#state;
    if (rowOf.length === 0) return members;
    for (let a = 0; a < members.length; a++) this.#rows[a] = rowOf[members[a]];
    return this.#rows.subarray(0, members.length);
  }

  /** Local numbers of the neighbors so far of each member. */
  #findListed(members: Int32Array, rows: Int32Array): void {
    const { capacity, indices } = this.#nearest;
    const local = this.#local;
    const listed = this.#listed;
    for (let a = 0; a < members.length; a++) local[members[a]] = a;
    for (let a = 0, q = 0; a < members.length; a++) {
      for (let p = rows[a] * capacity, end = p + capacity; p < end; p++) listed[q++] = local[indices[p]];
    }
    for (let a = 0; a < members.length; a++) local[members[a]] = -1;
  }

  /**
   * Moves pairs of which one lists the other out of reach: both were offered each other before, and limits only fall,
   * so neither has anything to learn.
   */
  #hideListed({ rows: m, cols: n, ld }: Matrix, first: number): void {
    const { capacity } = this.#nearest;
    const data = this.#panel;
    const listed = this.#listed;
    for (let a = 0, q = first * capacity; a < m; a++) {
      for (let k = 0; k < capacity; k++) {
        const b = listed[q++] - first;
        if (b < 0) continue;
        if (b < n) data[a + b * ld] = Number.POSITIVE_INFINITY;
        if (a < n) data[b + a * ld] = Number.POSITIVE_INFINITY;
      }
    }
  }

  /** Offers every pair of two disjoint sets, whose lists stand in rows of their own numbers, to both. */
  searchBetween(some: Int32Array, others: Int32Array): void {
    this.distance.load(some, others);
    const limits = this.#limits(this.#rowLimits, some);
    const otherLimits = this.#limits(this.#colLimits, others);
    for (let first = 0; first < others.length; first += PANEL) {
      const block = view(this.#panel, 0, some.length, Math.min(PANEL, others.length - first));
      this.distance.between(0, first, block);
      this.#offerPanel(
        block,
        { members: some, rows: some, limits, first: 0 },
        { members: others, rows: others, limits: otherLimits, first },
      );
    }
  }

  #limits(limits: Float64Array, rows: Int32Array): Float64Array {
    for (let a = 0; a < rows.length; a++) limits[a] = this.#nearest.farthest(rows[a]);
    return limits;
  }

  /**
   * Block (a, b) is the distance of member first + a of the left side and first + b of the top one; where both are the
   * same set, only pairs below the diagonal count.
   */
  #offerPanel(block: Matrix, left: PanelSide, top: PanelSide): void {
    const data = this.#panel;
    const { rows: m, cols: n, ld } = block;
    const same = left.members === top.members;
    const nearest = this.#nearest;
    const { members, rows, limits, first } = left;
    for (let b = 0; b < n; b++) {
      const col = top.members[top.first + b];
      const row = top.rows[top.first + b];
      let limit = top.limits[top.first + b];
      const column = b * ld - first;
      for (let a = same ? top.first + b + 1 : first; a < first + m; a++) {
        const distance = data[column + a];
        if (distance <= limit) limit = nearest.offer(row, members[a], distance);
        if (distance <= limits[a]) limits[a] = nearest.offer(rows[a], col, distance);
      }
      top.limits[top.first + b] = limit;
    }
  }
}

/** Per chunk of a large node: δ(·, p) − δ(·, q). */
export const projectRandomly = defineTask<SearchState, TreeArgs & { readonly perNode: number }>(
  import.meta.url,
  'projectRandomly',
  (state, context) => {
    const searcher = new Searcher(state, context);
    return (task, { iteration, level, perNode, firstTask }) => {
      const { node, from, to } = chunkOf(state.ranges, level, perNode, firstTask + task);
      searcher.project(iteration, node, from, to);
    };
  },
);

/** Per node of a level: the cut at the median of the values. */
export const cutNode = defineTask<SearchState, LevelArgs>(
  import.meta.url,
  'cutNode',
  ({ ranges: { begin, end }, order, values }) =>
    (task, { level, firstTask }) => {
      const node = firstOfLevel(level) + firstTask + task;
      splitAtMedian(order, values, begin[node], end[node]);
    },
);

/** Per subtree: its projection tree, and the search of its leaves. */
export const searchSubtree = defineTask<SearchState, TreeArgs>(import.meta.url, 'searchSubtree', (state, context) => {
  const searcher = new Searcher(state, context);
  const {
    ranges: { begin, end, depth },
    order,
    values,
  } = state;
  return (task, { iteration, level, firstTask }) => {
    const subtree = firstTask + task;
    visitInner(firstOfLevel(level) + subtree, level, depth, (ν) => {
      searcher.project(iteration, ν, begin[ν], end[ν]);
      splitAtMedian(order, values, begin[ν], end[ν]);
    });
    const leaves = 2 ** (depth - level);
    const first = firstOfLevel(depth) + subtree * leaves;
    for (let leaf = first; leaf < first + leaves; leaf++)
      searcher.searchAmong(order.subarray(begin[leaf], end[leaf]), iteration > 1);
  };
});

/** Per pair of tiles of the index range, 2 numbers a task: everything against everything, into empty lists. */
export const searchTiles = defineTask<SearchState, { readonly pairs: Int32Array }>(
  import.meta.url,
  'searchTiles',
  (state, context) => {
    const searcher = new Searcher(state, context);
    const tile = (t: number): Int32Array =>
      Int32Array.from({ length: Math.min(TILE, state.size - t * TILE) }, (_, a) => t * TILE + a);
    return (task, { pairs }) => {
      const rows = tile(pairs[2 * task]);
      if (pairs[2 * task] === pairs[2 * task + 1]) searcher.searchAmong(rows, false);
      else searcher.searchBetween(rows, tile(pairs[2 * task + 1]));
    };
  },
);

/** Per few rows of the sample: their exact lists. */
export const searchSample = defineTask<SearchState, FirstTask>(import.meta.url, 'searchSample', (state, context) => {
  const { sample, size } = state;
  const distance = openDistance(state.distance, context);
  const exact = new NearestLists(state.exact);
  const rows = TILE;
  const panel = new Float64Array(rows * SAMPLE_ROWS);
  const all = new Int32Array(rows);
  return (task, { firstTask }) => {
    const first = (firstTask + task) * SAMPLE_ROWS;
    const cols = sample.subarray(first, first + SAMPLE_ROWS);
    exact.clear(first, first + cols.length);
    for (let from = 0; from < size; from += rows) {
      const count = Math.min(rows, size - from);
      for (let a = 0; a < count; a++) all[a] = from + a;
      distance.load(all.subarray(0, count), cols);
      distance.between(0, 0, view(panel, 0, count, cols.length));
      for (let b = 0; b < cols.length; b++) {
        let limit = exact.farthest(first + b);
        for (let a = 0; a < count; a++) {
          if (panel[b * count + a] <= limit && from + a !== cols[b])
            limit = exact.offer(first + b, from + a, panel[b * count + a]);
        }
      }
    }
  };
});

/** Per range of rows: lists in ascending order, distances as named (no longer δ). */
export const finishLists = defineTask<SearchState>(import.meta.url, 'finishLists', (state) => {
  const nearest = new NearestLists(state.nearest);
  const { capacity, distances } = nearest;
  const { fromDissimilarity } = DISTANCE_TABLE[state.distance.name];
  return (task) => {
    const from = task * FINISH_ROWS;
    const to = Math.min(distances.length / capacity, from + FINISH_ROWS);
    for (let row = from; row < to; row++) nearest.sort(row);
    for (let p = from * capacity; p < to * capacity; p++) distances[p] = fromDissimilarity(Math.max(0, distances[p]));
  };
});
