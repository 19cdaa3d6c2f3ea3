/**
 * The two-centroid split of the cluster tree, node by node.
 * Found on a seeded sample of the members: p is the one farthest from the sample's centroid, q the one farthest from p,
 * and the sample is halved at the median of δ(·, p) − δ(·, q). Then, some times over, the two halves' centroids take
 * the place of p and q and the sample is halved anew: Lloyd's iteration for two clusters of equal size (S. Lloyd, IEEE
 * Trans. Inf. Theory 28(2), 1982), in feature space where the distance comes from entries. The whole cluster is cut
 * last, once, at the exact median of its distances to the two centroids. Ties go to the smaller index. Departs from
 * SC17 (arXiv 1707.00164, section 2.2), which stops at p and q: on K02 with the angle distance the halves' boundaries
 * are shorter and the error of compression is five times smaller.
 */
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { view } from '../dense/matrix.js';
import { defineTask, type WorkerContext } from '../parallel/task.js';
import { openDistance, type DistanceState } from './distances/choose-distance.js';
import type { Distance } from './distances/distance.js';
import { SampleTable } from './distances/sample-table.js';
import { largest, requireFinite, splitAtMedian, visitInner, type Ranges } from './split.js';
import type { CutLevel, CutNodes } from './top-cut-tasks.js';

/** Members on which the centroids are found. */
export const SPLIT_SAMPLE = 512;
const ITERATIONS = 4;
/** Most members that stand for one centroid. */
export const CENTROID_MEMBERS = SPLIT_SAMPLE / 2;

/** What splitting reads and writes: of several ranks, each at its own positions. */
export interface SplitState {
  readonly distance: DistanceState;
  readonly ranges: Ranges;
  /** Members of the nodes, in one of two arrays by turns (top-cuts.ts). */
  readonly orders: readonly [Int32Array, Int32Array];
  /** One value per position: what nodes are cut by. */
  readonly values: Float64Array;
  /** First level whose nodes are split with all that lies below them, by one task each. */
  readonly top: number;
  /**
   * Of the level in work above it, the members that stand for both centroids of the node numbered k: counts[2k],
   * counts[2k + 1] of them, each in CENTROID_MEMBERS slots.
   */
  readonly centroids: Int32Array;
  readonly counts: Int32Array;
  readonly seed: number;
}

/** Nodes of a level, numbered within it, and the samples, SPLIT_SAMPLE members each, of those that ranks share. */
export interface CentroidArgs extends CutNodes {
  readonly samples: Int32Array;
}

const STREAM = 0xce47;

/** Positions of a node's sample, one from each of SPLIT_SAMPLE equal stretches; all where the cluster is small. */
function drawPlaces({ begin, end }: Ranges, ν: NodeId, random: RandomStream): Int32Array {
  const size = end[ν] - begin[ν];
  const count = Math.min(SPLIT_SAMPLE, size);
  const places = new Int32Array(count);
  for (let s = 0; s < count; s++) {
    const from = Math.floor((s * size) / count);
    places[s] = begin[ν] + from + random.integer(Math.floor(((s + 1) * size) / count) - from);
  }
  return places;
}

/** The positions at which the sample of a node stands that several ranks have. */
export const samplePlaces = ({ ranges, seed }: Pick<SplitState, 'ranges' | 'seed'>, ν: NodeId): Int32Array =>
  drawPlaces(ranges, ν, new RandomStream(seed, STREAM, ν));

/** Of own nodes, the samples of those that are shared. */
export const samplesOf = (slots: Int32Array, samples: Int32Array): Int32Array[] =>
  Array.from(slots)
    .filter((slot) => slot >= 0)
    .map((slot) => sampleOf(slot, samples));

const sampleOf = (slot: number, samples: Int32Array): Int32Array =>
  samples.subarray(slot * SPLIT_SAMPLE, (slot + 1) * SPLIT_SAMPLE);

/** The operations of a split, over one thread's distance. */
class Splitter {
  readonly #state: SplitState;
  readonly #distance: Distance;
  /** The distances of a sample, where they are kept: then the sample is of ranks, and the distance is between these. */
  readonly #table: SampleTable | undefined;
  readonly #within: Distance;
  readonly #one = new Int32Array(1);
  readonly #sample = new Int32Array(SPLIT_SAMPLE);
  readonly #values = new Float64Array(SPLIT_SAMPLE);
  #toSecond = new Float64Array(SPLIT_SAMPLE);

  constructor(state: SplitState, context: WorkerContext) {
    this.#state = state;
    this.#distance = openDistance(state.distance, context);
    this.#table = this.#distance.tabulated ? new SampleTable(this.#distance) : undefined;
    this.#within = this.#table ?? this.#distance;
  }

  /**
   * Members that stand for the centroids of node ν, the first centroid's and the second's; `members` where its sample
   * is known already.
   */
  findCentroids(ν: NodeId, order: Int32Array, members?: Int32Array): readonly [Int32Array, Int32Array] {
    const random = new RandomStream(this.#state.seed, STREAM, ν);
    const centroids = this.#centroidsOf(this.#draw(ν, order, random, members), random);
    const ids = this.#table?.ids;
    if (ids !== undefined) for (const members of centroids) members.forEach((rank, s) => (members[s] = ids[rank]));
    return centroids;
  }

  /** One member from each of SPLIT_SAMPLE equal stretches: distinct, and all of them where the cluster is small. */
  #draw(ν: NodeId, order: Int32Array, random: RandomStream, members?: Int32Array): Int32Array {
    const places = drawPlaces(this.#state.ranges, ν, random);
    const sample = this.#sample.subarray(0, places.length);
    for (let s = 0; s < places.length; s++) sample[s] = members === undefined ? order[places[s]] : members[s];
    this.#table?.take(sample);
    return sample;
  }

  /** The members of the sample that stand for the two centroids; the sample is reordered. */
  #centroidsOf(sample: Int32Array, random: RandomStream): readonly [Int32Array, Int32Array] {
    const count = sample.length;
    this.#halveByFarthest(sample);
    const middle = (count + 1) >> 1;
    const members = Math.min(this.#within.sampleSize, middle);
    for (let iteration = 0; ; iteration++) {
      // Halves come out of the median in no particular order, so a shuffled prefix stands for its half.
      if (members < middle) {
        random.shuffle(sample.subarray(0, middle));
        random.shuffle(sample.subarray(middle));
      }
      const first = sample.slice(0, members);
      const second = sample.slice(middle, Math.min(count, middle + members));
      if (iteration === ITERATIONS) return [first, second];
      this.#toCentroids(this.#within, [first, second], sample, this.#values, 0);
      splitAtMedian(sample, this.#values, 0, count);
    }
  }

  /** values ← distance to the first centroid less that to the second, over positions [from, to). */
  project(centroids: readonly [Int32Array, Int32Array], order: Int32Array, from: number, to: number): void {
    this.#toCentroids(this.#distance, centroids, order.subarray(from, to), this.#state.values, from);
  }

  /** The whole split of one node. */
  split(ν: NodeId, order: Int32Array): void {
    const { values, ranges } = this.#state;
    const begin = ranges.begin[ν];
    const end = ranges.end[ν];
    if (this.#table !== undefined && end - begin <= SPLIT_SAMPLE) {
      const random = new RandomStream(this.#state.seed, STREAM, ν);
      const sample = this.#draw(ν, order, random);
      const members = sample.slice();
      this.#toCentroids(this.#table, this.#centroidsOf(sample, random), members, values, begin);
    } else {
      this.project(this.findCentroids(ν, order), order, begin, end);
    }
    splitAtMedian(order, values, begin, end);
  }

  #halveByFarthest(sample: Int32Array): void {
    const distance = this.#within;
    const count = sample.length;
    const values = this.#values;
    distance.fromMean(sample.subarray(0, Math.min(count, distance.sampleSize)), sample, values, 0);
    const p = sample[largest(sample, values, 0, count)];
    this.#one[0] = p;
    distance.load(sample, this.#one);
    distance.between(0, 0, view(values, 0, count, 1));
    distance.toTwo(p, sample[largest(sample, values, 0, count)], sample, values, 0);
    splitAtMedian(sample, values, 0, count);
  }

  #toCentroids(
    distance: Distance,
    [first, second]: readonly [Int32Array, Int32Array],
    members: Int32Array,
    out: Float64Array,
    at: number,
  ): void {
    const count = members.length;
    if (this.#toSecond.length < count) this.#toSecond = new Float64Array(count);
    distance.fromMean(first, members, out, at);
    distance.fromMean(second, members, this.#toSecond, 0);
    for (let a = 0; a < count; a++) out[at + a] -= this.#toSecond[a];
  }
}

/** Per node of a level: the members that stand for its centroids. */
export const chooseCentroids = defineTask<SplitState, CentroidArgs>(
  import.meta.url,
  'chooseCentroids',
  (state, context) => {
    const splitter = new Splitter(state, context);
    return (task, { level, turn, nodes, slots, samples }) => {
      const [node, slot] = [nodes[task], slots[task]];
      const members = slot < 0 ? undefined : sampleOf(slot, samples);
      splitter.findCentroids(firstOfLevel(level) + node, state.orders[turn], members).forEach((found, side) => {
        state.centroids.set(found, (2 * node + side) * CENTROID_MEMBERS);
        state.counts[2 * node + side] = found.length;
      });
    };
  },
);

/** Per chunk: how much nearer its members are to their node's second centroid than to the first. */
export const projectToCentroids = defineTask<SplitState, CutLevel>(
  import.meta.url,
  'projectToCentroids',
  (state, context) => {
    const splitter = new Splitter(state, context);
    const { ranges, top, orders, values, centroids, counts } = state;
    return (task, { level, turn, firstChunk }) => {
      const node = (firstChunk + task) >> (top - level);
      const [first, second] = [0, 1].map((side) => {
        const at = 2 * node + side;
        return centroids.subarray(at * CENTROID_MEMBERS, at * CENTROID_MEMBERS + counts[at]);
      });
      const ν = firstOfLevel(top) + firstChunk + task;
      splitter.project([first, second], orders[turn], ranges.begin[ν], ranges.end[ν]);
      requireFinite(orders[turn], values, ranges.begin[ν], ranges.end[ν]);
    };
  },
);

/** Per subtree: its splits; leaves end in ascending order of their indices. */
export const splitSubtree = defineTask<SplitState, Omit<CutLevel, 'level'>>(
  import.meta.url,
  'splitSubtree',
  (state, context) => {
    const splitter = new Splitter(state, context);
    const { ranges, top, orders } = state;
    return (task, { turn, firstChunk }) => {
      const order = orders[turn];
      const subtree = firstChunk + task;
      visitInner(firstOfLevel(top) + subtree, top, ranges.depth, (ν) => splitter.split(ν, order));
      const leaves = 2 ** (ranges.depth - top);
      const first = firstOfLevel(ranges.depth) + subtree * leaves;
      for (let leaf = first; leaf < first + leaves; leaf++) order.subarray(ranges.begin[leaf], ranges.end[leaf]).sort();
    };
  },
);
