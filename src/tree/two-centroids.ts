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
import { firstOfLevel, levelOf, parentOf, type NodeId } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { toShared } from '../core/shared-array.js';
import { view } from '../dense/matrix.js';
import type { Portion } from '../distributed/portion.js';
import { defineTask, type WorkerContext } from '../parallel/task.js';
import { middleOfNode, taskGraph, type TaskGraph } from '../parallel/task-graph.js';
import { openDistance, type DistanceState } from './distances/choose-distance.js';
import type { Distance } from './distances/distance.js';
import { SampleTable } from './distances/sample-table.js';
import { chunkOf, chunksPerNode, largest, nodesAbove, splitAtMedian, visitInner, type Ranges } from './split.js';

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
  /** First level whose nodes are split with all that lies below them, by one task each. */
  readonly top: number;
  /**
   * Above it, the members that stand for both centroids of node ν: counts[2ν], counts[2ν + 1] of them, each in
   * CENTROID_MEMBERS slots.
   */
  readonly centroids: Int32Array;
  readonly counts: Int32Array;
  /** Of each task of the graph: its kind, its node and its chunk of that. */
  readonly tasks: Int32Array;
  readonly seed: number;
}

/** Choose a node's centroids, project a chunk of it, cut it; split a whole subtree. */
const [CHOOSE, PROJECT, CUT, SUBTREE] = [0, 1, 2, 3];

/**
 * The whole split as one graph, and its tasks: a node above level `top` waits for its parent's cut, its chunks for its
 * centroids, its cut for its chunks; then the subtrees of that level. Of several ranks, each has its own subtrees and
 * what stands above them.
 */
export function splitGraph(
  ranges: Ranges,
  top: number,
  subtrees: Portion,
): { readonly graph: TaskGraph; readonly tasks: Int32Array } {
  const tasks: number[] = [];
  const edges: number[] = [];
  const places: number[] = [];
  const cuts: number[] = [];
  const add = (kind: number, node: NodeId, chunk: number, place: number): number => {
    places.push(place);
    return tasks.push(kind, node, chunk) / 3 - 1;
  };
  for (let level = 0; level <= top; level++) {
    const perNode = chunksPerNode(ranges, level);
    const { first: from, end } = nodesAbove(subtrees, level, top);
    for (let ν = firstOfLevel(level) + from; ν < firstOfLevel(level) + end; ν++) {
      const middle = middleOfNode(ν);
      const first = add(level < top ? CHOOSE : SUBTREE, ν, 0, middle);
      if (level > 0) edges.push(cuts[parentOf(ν)], first);
      if (level === top) continue;
      const chunks = Array.from({ length: perNode }, (_, chunk) =>
        add(PROJECT, ν, chunk, middle + ((chunk + 0.5) / perNode - 0.5) / 2 ** level),
      );
      cuts[ν] = add(CUT, ν, 0, middle);
      for (const chunk of chunks) edges.push(first, chunk, chunk, cuts[ν]);
    }
  }
  return { graph: taskGraph(places.length, edges, places), tasks: toShared(Int32Array.from(tasks)) };
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

/** Runs task t of `splitGraph`; leaves end in ascending order of their indices. */
export const splitTask = defineTask<SplitState>(import.meta.url, 'splitTask', (state, context) => {
  const splitter = new Splitter(state, context);
  const { ranges, order, values, centroids, counts, tasks, top } = state;
  const { begin, end, depth } = ranges;
  const slots = (ν: NodeId, side: number, count: number): Int32Array =>
    centroids.subarray((2 * ν + side) * CENTROID_MEMBERS, (2 * ν + side) * CENTROID_MEMBERS + count);
  const run = (kind: number, ν: NodeId, chunk: number): void => {
    if (kind === CHOOSE) {
      splitter.findCentroids(ν).forEach((members, side) => {
        slots(ν, side, members.length).set(members);
        counts[2 * ν + side] = members.length;
      });
    } else if (kind === PROJECT) {
      const perNode = chunksPerNode(ranges, levelOf(ν));
      const { from, to } = chunkOf(ranges, levelOf(ν), perNode, (ν - firstOfLevel(levelOf(ν))) * perNode + chunk);
      splitter.project([slots(ν, 0, counts[2 * ν]), slots(ν, 1, counts[2 * ν + 1])], from, to);
    } else if (kind === CUT) splitAtMedian(order, values, begin[ν], end[ν]);
    else {
      visitInner(ν, top, depth, (below) => splitter.split(below));
      const leaves = 2 ** (depth - top);
      const first = (ν + 1) * leaves - 1;
      for (let leaf = first; leaf < first + leaves; leaf++) order.subarray(begin[leaf], end[leaf]).sort();
    }
  };
  return (task) => run(tasks[3 * task], tasks[3 * task + 1], tasks[3 * task + 2]);
});
