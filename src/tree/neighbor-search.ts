/**
 * The phases of the neighbor search.
 * Projection trees: a node is cut at the median of δ(·, p) − δ(·, q), p and q two of its members, drawn at random;
 * leaves are searched exhaustively, by panels of a matrix of distances. Every pair of a leaf is evaluated once and
 * offered to both its members.
 */
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { placeOf, type IndexPlaces } from '../core/index-places.js';
import { IndexTable } from '../core/index-table.js';
import { RandomStream } from '../core/random.js';
import { view, type Matrix } from '../dense/matrix.js';
import { defineTask, type WorkerContext } from '../parallel/task.js';
import { openDistance, type DistanceState } from './distances/choose-distance.js';
import type { Distance } from './distances/distance.js';
import { DISTANCE_TABLE } from './distances/table.js';
import { incompleteList, NearestLists, type NearestState } from './nearest-lists.js';
import { requireFinite, splitAtMedian, visitInner, type Ranges } from './split.js';
import type { CutLevel } from './top-cut-tasks.js';

/** What the phases of the search read and write. */
export interface SearchState {
  readonly distance: DistanceState;
  readonly size: number;
  /** Lists of indices (`rowOfList`): index i's in row i, or of several ranks, which hold some each, as rows tell. */
  readonly nearest: NearestState;
  /** Of several ranks which indices have their lists here, and the row of each by its place; else empty. */
  readonly places: IndexPlaces;
  readonly rowAt: Int32Array;
  /** The projection tree in work: shape, order (in one of two arrays by turns, top-cuts.ts), one value per position. */
  readonly ranges: Ranges;
  readonly orders: readonly [Int32Array, Int32Array];
  readonly values: Float64Array;
  /** Rows whose lists are also found exactly, and those lists. */
  readonly sample: Int32Array;
  readonly exact: NearestState;
  readonly seed: number;
}

/** The row of the list of index i; −1 where another rank has it. */
export function rowOfList({ places, rowAt }: Pick<SearchState, 'places' | 'rowAt'>, i: number): number {
  const place = placeOf(places, i);
  return places.length === 0 || place < 0 ? place : rowAt[place];
}

/** The first of the tasks that this rank has of all. */
export interface FirstTask {
  readonly firstTask: number;
}

/** Which projection tree, and which of its levels, a phase works on. */
export interface TreeArgs extends CutLevel {
  readonly iteration: number;
}

/** A level whose nodes are projected: its first node of this rank, and members of each that may be poles. */
export interface ProjectionArgs extends TreeArgs {
  readonly firstNode: number;
  readonly candidates: Int32Array;
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
/** Members of a node among which its poles are looked for. */
export const CANDIDATES = 6;

/** One side of a panel: its members, rows of their lists, how far the farthest neighbor of each is, where it begins. */
interface PanelSide {
  readonly members: Int32Array;
  readonly rows: Int32Array;
  readonly limits: Float64Array;
  readonly first: number;
}

/** Random positions of a node, at which members stand that may be poles. */
export function polePlaces(
  { ranges: { begin, end }, seed }: Pick<SearchState, 'ranges' | 'seed'>,
  iteration: number,
  ν: NodeId,
): Int32Array {
  const random = new RandomStream(seed, POLES, iteration, ν);
  const size = end[ν] - begin[ν];
  return Int32Array.from({ length: CANDIDATES }, () => begin[ν] + random.integer(size));
}

/** One thread's distance, lists and scratch. */
class Searcher {
  readonly distance: Distance;
  readonly #state: SearchState;
  readonly #nearest: NearestLists;
  /** Rows of the lists of the members in work, of either side, where they are not the members themselves. */
  readonly #rows: Int32Array;
  readonly #colRows: Int32Array;
  readonly #panel: Float64Array;
  readonly #rowLimits: Float64Array;
  readonly #colLimits: Float64Array;
  /** The members in work, and among these the numbers of their neighbors so far, −1 for others. */
  readonly #members = new IndexTable();
  readonly #listed: Int32Array;
  readonly #candidates = new Int32Array(CANDIDATES);
  readonly #toFirst = new Float64Array(CANDIDATES);

  constructor(state: SearchState, context: WorkerContext) {
    const widest = Math.max(TILE, state.ranges.end[firstOfLevel(state.ranges.depth)]);
    this.distance = openDistance(state.distance, context);
    this.#state = state;
    this.#nearest = new NearestLists(state.nearest);
    [this.#rows, this.#colRows] = [0, 1].map(() => new Int32Array(state.places.length > 0 ? widest : 0));
    this.#panel = new Float64Array(widest * PANEL);
    this.#rowLimits = new Float64Array(widest);
    this.#colLimits = new Float64Array(widest);
    this.#listed = new Int32Array(state.orders[0].length > 0 ? widest * state.nearest.capacity : 0);
  }

  /** δ(·, p) − δ(·, q) of members, p the first of the candidates, q of these the farthest from it. */
  project(candidates: Int32Array, order: Int32Array, from: number, to: number): void {
    const distances = this.#toFirst;
    this.distance.load(candidates, candidates.subarray(0, 1));
    this.distance.between(0, 0, view(distances, 0, CANDIDATES, 1));
    let q = 0;
    for (let c = 1; c < CANDIDATES; c++) if (distances[c] > distances[q]) q = c;
    this.distance.toTwo(candidates[0], candidates[q], order.subarray(from, to), this.#state.values, from);
  }

  /** Projects a node, and cuts it. */
  split(iteration: number, ν: NodeId, order: Int32Array): void {
    const { ranges, seed, values } = this.#state;
    const candidates = this.#candidates;
    polePlaces({ ranges, seed }, iteration, ν).forEach((p, c) => {
      candidates[c] = order[p];
    });
    this.project(candidates, order, ranges.begin[ν], ranges.end[ν]);
    splitAtMedian(order, values, ranges.begin[ν], ranges.end[ν]);
  }

  /** Offers every pair of the members to both; with `again`, but for pairs that are listed already. */
  searchAmong(members: Int32Array, again: boolean): void {
    const n = members.length;
    this.distance.load(members, members);
    const rows = this.#rowsOf(members, this.#rows);
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

  #rowsOf(members: Int32Array, rows: Int32Array): Int32Array {
    const state = this.#state;
    if (state.places.length === 0) return members;
    for (let a = 0; a < members.length; a++) rows[a] = rowOfList(state, members[a]);
    return rows.subarray(0, members.length);
  }

  /** Numbers among the members of the neighbors so far of each. */
  #findListed(members: Int32Array, rows: Int32Array): void {
    const { capacity, indices } = this.#nearest;
    const table = this.#members;
    const listed = this.#listed;
    table.clear();
    for (let a = 0; a < members.length; a++) table.add(members[a]);
    for (let a = 0, q = 0; a < members.length; a++) {
      for (let p = rows[a] * capacity, end = p + capacity; p < end; p++) listed[q++] = table.placeOf(indices[p]);
    }
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

  /** Offers every pair of two disjoint sets to both, or to that one whose lists are here. */
  searchBetween(some: Int32Array, others: Int32Array): void {
    this.distance.load(some, others);
    const rows = this.#rowsOf(some, this.#rows);
    const otherRows = this.#rowsOf(others, this.#colRows);
    const limits = this.#limits(this.#rowLimits, rows);
    const otherLimits = this.#limits(this.#colLimits, otherRows);
    for (let first = 0; first < others.length; first += PANEL) {
      const block = view(this.#panel, 0, some.length, Math.min(PANEL, others.length - first));
      this.distance.between(0, first, block);
      this.#offerPanel(
        block,
        { members: some, rows, limits, first: 0 },
        { members: others, rows: otherRows, limits: otherLimits, first },
      );
    }
  }

  /** How far those may be that a list takes; of lists that another rank has, nothing is near enough. */
  #limits(limits: Float64Array, rows: Int32Array): Float64Array {
    for (let a = 0; a < rows.length; a++)
      limits[a] = rows[a] < 0 ? Number.NEGATIVE_INFINITY : this.#nearest.farthest(rows[a]);
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

/** Per chunk: what its members are cut by. */
export const projectRandomly = defineTask<SearchState, ProjectionArgs & { readonly top: number }>(
  import.meta.url,
  'projectRandomly',
  (state, context) => {
    const searcher = new Searcher(state, context);
    const { ranges, orders, values } = state;
    return (task, { level, top, turn, firstChunk, firstNode, candidates }) => {
      const chunk = firstChunk + task;
      const at = CANDIDATES * ((chunk >> (top - level)) - firstNode);
      const ν = firstOfLevel(top) + chunk;
      const [from, to] = [ranges.begin[ν], ranges.end[ν]];
      searcher.project(candidates.subarray(at, at + CANDIDATES), orders[turn], from, to);
      requireFinite(orders[turn], values, from, to);
    };
  },
);

/** Whether leaves are searched, or a card does that. */
export interface SubtreeArgs extends TreeArgs {
  readonly searches: boolean;
}

/** Per subtree: its projection tree, and the search of its leaves. */
export const searchSubtree = defineTask<SearchState, SubtreeArgs>(
  import.meta.url,
  'searchSubtree',
  (state, context) => {
    const searcher = new Searcher(state, context);
    const {
      ranges: { begin, end, depth },
      orders,
    } = state;
    return (task, { iteration, level, turn, firstChunk, searches }) => {
      const order = orders[turn];
      const subtree = firstChunk + task;
      visitInner(firstOfLevel(level) + subtree, level, depth, (ν) => {
        searcher.split(iteration, ν, order);
      });
      if (!searches) return;
      const leaves = 2 ** (depth - level);
      const first = firstOfLevel(depth) + subtree * leaves;
      for (let leaf = first; leaf < first + leaves; leaf++)
        searcher.searchAmong(order.subarray(begin[leaf], end[leaf]), iteration > 1);
    };
  },
);

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

/** The first of the rows' tasks, and what rows are compared with: some members, or all indices. */
interface SampleArgs extends FirstTask {
  readonly members: Int32Array | undefined;
}

/** Per few rows of the sample: their exact lists. */
export const searchSample = defineTask<SearchState, SampleArgs>(import.meta.url, 'searchSample', (state, context) => {
  const { sample } = state;
  const distance = openDistance(state.distance, context);
  const exact = new NearestLists(state.exact);
  const rows = TILE;
  const panel = new Float64Array(rows * SAMPLE_ROWS);
  const all = new Int32Array(rows);
  return (task, { firstTask, members }) => {
    const size = members?.length ?? state.size;
    const first = (firstTask + task) * SAMPLE_ROWS;
    const cols = sample.subarray(first, first + SAMPLE_ROWS);
    exact.clear(first, first + cols.length);
    for (let from = 0; from < size; from += rows) {
      const count = Math.min(rows, size - from);
      for (let a = 0; a < count; a++) all[a] = members === undefined ? from + a : members[from + a];
      distance.load(all.subarray(0, count), cols);
      distance.between(0, 0, view(panel, 0, count, cols.length));
      for (let b = 0; b < cols.length; b++) {
        let limit = exact.farthest(first + b);
        for (let a = 0; a < count; a++) {
          if (panel[b * count + a] <= limit && all[a] !== cols[b])
            limit = exact.offer(first + b, all[a], panel[b * count + a]);
        }
      }
    }
  };
});

/** Per range of rows: lists without entries. */
export const clearLists = defineTask<SearchState>(import.meta.url, 'clearLists', ({ nearest }) => {
  const lists = new NearestLists(nearest);
  const rows = nearest.distances.length / nearest.capacity;
  return (task) => {
    lists.clear(task * FINISH_ROWS, Math.min(rows, (task + 1) * FINISH_ROWS));
  };
});

/** Per range of rows: lists in ascending order, distances as named (no longer δ). Throws where one is not full. */
export const finishLists = defineTask<SearchState>(import.meta.url, 'finishLists', (state) => {
  const nearest = new NearestLists(state.nearest);
  const { capacity, distances } = nearest;
  const { fromDissimilarity } = DISTANCE_TABLE[state.distance.name];
  return (task) => {
    const from = task * FINISH_ROWS;
    const to = Math.min(distances.length / capacity, from + FINISH_ROWS);
    for (let row = from; row < to; row++) {
      nearest.sort(row);
      if (nearest.indices[(row + 1) * capacity - 1] >= 0) continue;
      let i = 0;
      while (rowOfList(state, i) !== row) i++;
      throw incompleteList(i, capacity);
    }
    for (let p = from * capacity; p < to * capacity; p++) distances[p] = fromDissimilarity(Math.max(0, distances[p]));
  };
});
