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
import { chunkOf, largest, splitAtMedian, visitInner, type Ranges } from './split.js';

/** Members on which the centroids are found. */
const SAMPLE = 512;
const ITERATIONS = 4;
/** Most members that stand for one centroid. */
export const CENTROID_MEMBERS = SAMPLE / 2;

/** What splitting the nodes of a level reads and writes. */
export interface SplitState {
  readonly distance: DistanceState;
  readonly ranges: Ranges;
  readonly order: Int32Array;
  /** One value per position: scratch of the node that is being split. */
  readonly values: Float64Array;
  /**
   * The members that stand for both centroids of node ν of the level in work: counts[2n], counts[2n + 1] of them,
   * CENTROID_MEMBERS slots each, n the node's number in its level.
   */
  readonly centroids: Int32Array;
  readonly counts: Int32Array;
  readonly seed: number;
}

/** A level in work. */
export interface LevelArgs {
  readonly level: number;
  readonly perNode: number;
}

const STREAM = 0xce47;

/** The operations of a split, over one thread's distance. */
class Splitter {
  readonly #state: SplitState;
  readonly #distance: Distance;
  /** The distances of a sample, where they are kept: then the sample is of ranks, and the distance is between these. */
  readonly #table: SampleTable | undefined;
  readonly #within: Distance;
  readonly #one = new Int32Array(1);
  readonly #sample = new Int32Array(SAMPLE);
  readonly #values = new Float64Array(SAMPLE);
  #toSecond = new Float64Array(SAMPLE);

  constructor(state: SplitState, context: WorkerContext) {
    this.#state = state;
    this.#distance = openDistance(state.distance, context);
    this.#table = this.#distance.tabulated ? new SampleTable(this.#distance) : undefined;
    this.#within = this.#table ?? this.#distance;
  }

  /** Members that stand for the centroids of node ν, the first centroid's and the second's. */
  findCentroids(ν: NodeId): readonly [Int32Array, Int32Array] {
    const random = new RandomStream(this.#state.seed, STREAM, ν);
    const centroids = this.#centroidsOf(this.#draw(ν, random), random);
    const ids = this.#table?.ids;
    if (ids !== undefined) for (const members of centroids) members.forEach((rank, s) => (members[s] = ids[rank]));
    return centroids;
  }

  /** One member from each of SAMPLE equal stretches: distinct, and all of them where the cluster is small. */
  #draw(ν: NodeId, random: RandomStream): Int32Array {
    const { order, ranges } = this.#state;
    const begin = ranges.begin[ν];
    const size = ranges.end[ν] - begin;
    const count = Math.min(SAMPLE, size);
    const sample = this.#sample.subarray(0, count);
    for (let s = 0; s < count; s++) {
      const from = Math.floor((s * size) / count);
      sample[s] = order[begin + from + random.integer(Math.floor(((s + 1) * size) / count) - from)];
    }
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
  project(centroids: readonly [Int32Array, Int32Array], from: number, to: number): void {
    const { order, values } = this.#state;
    this.#toCentroids(this.#distance, centroids, order.subarray(from, to), values, from);
  }

  /** The whole split of one node. */
  split(ν: NodeId): void {
    const { order, values, ranges } = this.#state;
    const begin = ranges.begin[ν];
    const end = ranges.end[ν];
    if (this.#table !== undefined && end - begin <= SAMPLE) {
      const random = new RandomStream(this.#state.seed, STREAM, ν);
      const sample = this.#draw(ν, random);
      const members = sample.slice();
      this.#toCentroids(this.#table, this.#centroidsOf(sample, random), members, values, begin);
    } else {
      this.project(this.findCentroids(ν), begin, end);
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

/** Per node: its centroids, for `projectChunk`. */
export const chooseCentroids = defineTask<SplitState, LevelArgs>(
  import.meta.url,
  'chooseCentroids',
  (state, context) => {
    const splitter = new Splitter(state, context);
    return (task, { level }) => {
      splitter.findCentroids(firstOfLevel(level) + task).forEach((members, side) => {
        state.centroids.set(members, (2 * task + side) * CENTROID_MEMBERS);
        state.counts[2 * task + side] = members.length;
      });
    };
  },
);

/** Per chunk: the distance to one centroid less that to the other. */
export const projectChunk = defineTask<SplitState, LevelArgs>(import.meta.url, 'projectChunk', (state, context) => {
  const splitter = new Splitter(state, context);
  return (task, { level, perNode }) => {
    const { node, from, to } = chunkOf(state.ranges, level, perNode, task);
    const slot = 2 * (node - firstOfLevel(level));
    const members = (side: number): Int32Array =>
      state.centroids.subarray(
        (slot + side) * CENTROID_MEMBERS,
        (slot + side) * CENTROID_MEMBERS + state.counts[slot + side],
      );
    splitter.project([members(0), members(1)], from, to);
  };
});

/** Per node: the cut at the median of the values. */
export const cutNode = defineTask<Pick<SplitState, 'ranges' | 'order' | 'values'>, { readonly level: number }>(
  import.meta.url,
  'cutNode',
  ({ ranges, order, values }) =>
    (task, { level }) => {
      const node = firstOfLevel(level) + task;
      splitAtMedian(order, values, ranges.begin[node], ranges.end[node]);
    },
);

/** Per node: all splits of its subtree; leaves end in ascending order of their indices. */
export const splitSubtree = defineTask<SplitState, { readonly level: number }>(
  import.meta.url,
  'splitSubtree',
  (state, context) => {
    const splitter = new Splitter(state, context);
    const {
      ranges: { begin, end, depth },
      order,
    } = state;
    return (task, { level }) => {
      const node = firstOfLevel(level) + task;
      visitInner(node, level, depth, (ν) => splitter.split(ν));
      const leaves = 2 ** (depth - level);
      const first = firstOfLevel(depth) + task * leaves;
      for (let leaf = first; leaf < first + leaves; leaf++) order.subarray(begin[leaf], end[leaf]).sort();
    };
  },
);
