/**
 * The two-centroid split of the cluster tree, node by node. Layer 4.
 * p is the member farthest from the cluster's centroid, q the one farthest from p; the cluster is cut at the exact median of
 * δ(·, p) − δ(·, q). The centroid is the mean of all members (geometric) or of a seeded sample of them, seen through mean distances
 * (SC17, arXiv 1707.00164, section 2.2, with an exact median). Ties go to the smaller index.
 */
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { view } from '../dense/matrix.js';
import { phaseKernel, type WorkerContext } from '../parallel/kernel.js';
import { openDistance, type DistanceState } from './choose-distance.js';
import type { Distance } from './distance.js';
import { chunkOf, largest, splitAtMedian, visitInner, type Ranges } from './split.js';

export interface SplitState {
  readonly distance: Exclude<DistanceState, { kind: 'line' }>;
  readonly ranges: Ranges;
  readonly order: Int32Array;
  /** One value per position: scratch of the node that is being split. */
  readonly values: Float64Array;
  /** p and q of node ν at 2ν and 2ν + 1. */
  readonly poles: Int32Array;
  /** Farthest member of each chunk of the level in work, and how far. */
  readonly farthest: Int32Array;
  readonly reach: Float64Array;
  readonly seed: number;
}

/** A level in work. */
export interface LevelArgs { readonly level: number; readonly perNode: number }

const CENTROID = 0xce47;

/** The operations of a split, over one thread's distance. */
class Splitter {
  readonly #state: SplitState;
  readonly #distance: Distance;
  readonly #one = new Int32Array(1);

  constructor(state: SplitState, context: WorkerContext) {
    this.#state = state;
    this.#distance = openDistance(state.distance, context);
  }

  /** values ← distance from the node's centroid, over positions [from, to). */
  fromCentroid(node: NodeId, from: number, to: number): void {
    const { order, values, ranges, seed } = this.#state;
    const begin = ranges.begin[node];
    const size = ranges.end[node] - begin;
    const count = this.#distance.sampleSize;
    let sample = order.subarray(begin, begin + size);
    if (size > count) {
      // With replacement: a member drawn twice only weighs twice.
      const random = new RandomStream(seed, CENTROID, node);
      sample = new Int32Array(count);
      for (let s = 0; s < count; s++) sample[s] = order[begin + random.integer(size)];
    }
    this.#distance.fromMean(sample, order.subarray(from, to), values, from);
  }

  /** values ← distance from one member, over positions [from, to). */
  fromMember(member: number, from: number, to: number): void {
    const { order, values } = this.#state;
    this.#one[0] = member;
    this.#distance.load(order.subarray(from, to), this.#one);
    this.#distance.between(0, 0, view(values, from, to - from, 1));
  }

  /** values ← δ(·, p) − δ(·, q) with the node's poles, over positions [from, to). */
  project(node: NodeId, from: number, to: number): void {
    const { order, values, poles } = this.#state;
    this.#distance.toTwo(poles[2 * node], poles[2 * node + 1], order.subarray(from, to), values, from);
  }

  /** The whole split of one node. */
  split(node: NodeId): void {
    const { order, values, poles, ranges } = this.#state;
    const begin = ranges.begin[node];
    const end = ranges.end[node];
    this.fromCentroid(node, begin, end);
    poles[2 * node] = order[largest(order, values, begin, end)];
    this.fromMember(poles[2 * node], begin, end);
    poles[2 * node + 1] = order[largest(order, values, begin, end)];
    this.project(node, begin, end);
    splitAtMedian(order, values, begin, end);
  }
}

/** Per chunk: the member farthest from its node's centroid. */
export const farthestFromCentroid = phaseKernel<SplitState, LevelArgs>(import.meta.url, 'farthestFromCentroid', (state, context) => {
  const splitter = new Splitter(state, context);
  return (task, { level, perNode }) => {
    const { node, from, to } = chunkOf(state.ranges, level, perNode, task);
    splitter.fromCentroid(node, from, to);
    keepFarthest(state, task, from, to);
  };
});

/** Per chunk: the member farthest from p. */
export const farthestFromFirst = phaseKernel<SplitState, LevelArgs>(import.meta.url, 'farthestFromFirst', (state, context) => {
  const splitter = new Splitter(state, context);
  return (task, { level, perNode }) => {
    const { node, from, to } = chunkOf(state.ranges, level, perNode, task);
    splitter.fromMember(state.poles[2 * node], from, to);
    keepFarthest(state, task, from, to);
  };
});

function keepFarthest(state: SplitState, task: number, from: number, to: number): void {
  const best = largest(state.order, state.values, from, to);
  state.farthest[task] = state.order[best];
  state.reach[task] = state.values[best];
}

/** Per chunk: δ(·, p) − δ(·, q). */
export const projectChunk = phaseKernel<SplitState, LevelArgs>(import.meta.url, 'projectChunk', (state, context) => {
  const splitter = new Splitter(state, context);
  return (task, { level, perNode }) => {
    const { node, from, to } = chunkOf(state.ranges, level, perNode, task);
    splitter.project(node, from, to);
  };
});

/** Per node: the cut at the median of the values. */
export const cutNode = phaseKernel<Pick<SplitState, 'ranges' | 'order' | 'values'>, { readonly level: number }>(import.meta.url, 'cutNode', ({ ranges, order, values }) => (task, { level }) => {
  const node = firstOfLevel(level) + task;
  splitAtMedian(order, values, ranges.begin[node], ranges.end[node]);
});

/** Per node: all splits of its subtree; leaves end in ascending order of their indices. */
export const splitSubtree = phaseKernel<SplitState, { readonly level: number }>(import.meta.url, 'splitSubtree', (state, context) => {
  const splitter = new Splitter(state, context);
  const { ranges: { begin, end, depth }, order } = state;
  return (task, { level }) => {
    const node = firstOfLevel(level) + task;
    visitInner(node, level, depth, (ν) => splitter.split(ν));
    const leaves = 2 ** (depth - level);
    const first = firstOfLevel(depth) + task * leaves;
    for (let leaf = first; leaf < first + leaves; leaf++) order.subarray(begin[leaf], end[leaf]).sort();
  };
});
