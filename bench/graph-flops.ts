/**
 * Flops of the tasks of a compression, a product, a factorization and a solve, by stated models.
 *
 *   skeletonize   a node of c candidate columns and rank k, sampled in m rows (the first sample of row-sampler.ts):
 *                 m·c entries of ENTRY_FLOPS, c²·m for the Gram matrix, c²·k for its pivoted factorization, (c − k)·k²
 *                 for the interpolation; of nodes that are worked on in parts each part its own (split-sample.ts):
 *                 it waits for all that were offered before
 *   product       2 for each number of the matrix that a task reads, one vector: it is bound by memory
 *   factor        r³/3 + 4r²k + 3rk² − r²k, r variables eliminated at a node of rank k (ulv/plan.ts); of split nodes
 *                 each step its own (ulv/split-elimination.ts)
 *   solve         as the product, of the numbers of the factors: r²/2 + 2rk a node and direction
 *
 * Transpositions count as nothing.
 */
import { leftChild, rightChild } from '../src/core/indices.js';
import { PANEL } from '../src/dense/interpolative.js';
import { firstRowCount } from '../src/hierarchical/from-entries/skeletonize.js';
import { TILE } from '../src/hierarchical/from-entries/split-products.js';
import { ENTRY_COLUMNS, SPLIT_COLUMNS } from '../src/hierarchical/from-entries/split-sample.js';
import { passGraph } from '../src/hierarchical/factor/pass.js';
import { taskNodes, walkUp } from '../src/hierarchical/factor/tree.js';
import { planUlv } from '../src/hierarchical/factor/ulv/plan.js';
import { eliminationGraph, splitFlops, TASK_NUMBERS, WHOLE } from '../src/hierarchical/factor/ulv/split-elimination.js';
import { applyGraph } from '../src/hierarchical/matrix/apply.js';
import type { HierarchicalData } from '../src/hierarchical/matrix/data.js';
import { taskGraph, type TaskGraph } from '../src/parallel/task-graph.js';
import { firstLeaf, nodesOf } from '../src/tree/cluster-tree.js';

/** A graph as the library runs it, and the flops of its tasks. */
export interface WeightedGraph {
  readonly graph: TaskGraph;
  readonly flops: Float64Array;
}

/** Flops of a kernel's entry, its exponential among them. */
const ENTRY_FLOPS = 30;

const rankOf =
  ({ skeletons: { begin } }: HierarchicalData) =>
  (ν: number): number =>
    begin[ν + 1] - begin[ν];

/** Indices of a leaf, skeletons of both children elsewhere. */
function candidatesOf(data: HierarchicalData): (ν: number) => number {
  const rank = rankOf(data);
  const { tree } = data;
  return (ν) => (ν < firstLeaf(tree) ? rank(leftChild(ν)) + rank(rightChild(ν)) : tree.end[ν] - tree.begin[ν]);
}

/** Skeletons of all nodes but the root, without the ranks' forecast before and the blocks after. */
export function compressGraph(data: HierarchicalData): WeightedGraph {
  const [rank, candidates] = [rankOf(data), candidatesOf(data)];
  const tasks: number[] = [];
  const edges: number[] = [];
  /** Adds tasks of so many flops that wait for those. */
  const add = (flops: readonly number[], after: readonly number[]): readonly number[] =>
    flops.map((one) => {
      const task = tasks.push(one) - 1;
      for (const before of after) edges.push(before, task);
      return task;
    });
  const last: (readonly number[])[] = [];
  for (let ν = nodesOf(data.tree) - 1; ν >= 0; ν--) {
    const c = candidates(ν);
    const k = rank(ν);
    const below = ν < firstLeaf(data.tree) ? [...last[leftChild(ν)], ...last[rightChild(ν)]] : [];
    const m = Math.min(firstRowCount(c), data.tree.size - (data.tree.end[ν] - data.tree.begin[ν]));
    const steps =
      k === 0
        ? [[0]]
        : c < SPLIT_COLUMNS
          ? [[m * c * ENTRY_FLOPS + c * c * (m + k) + (c - k) * k * k]]
          : stepsOfParts(c, m, k);
    last[ν] = steps.reduce((after, parts) => add(parts, after), below);
  }
  return { graph: taskGraph(tasks.length, edges), flops: Float64Array.from(tasks) };
}

/** Flops of the parts of a split node, step by step; between two steps its own worker does one alone. */
function stepsOfParts(c: number, m: number, k: number): readonly (readonly number[])[] {
  const cut = (size: number, most: number): number[] =>
    Array.from({ length: Math.ceil(size / most) }, (_, part) => Math.min(most, size - part * most));
  const tiles = cut(c, TILE);
  const triangle = (inner: number): number[] =>
    tiles.flatMap((width, j) => tiles.slice(j).map((height, i) => (i === 0 ? 1 : 2) * height * width * inner));
  return [
    cut(c, ENTRY_COLUMNS).map((columns) => m * columns * ENTRY_FLOPS),
    triangle(m),
    // A pivot's column of the Gram matrix, and what the panel has taken from it.
    ...cut(k, PANEL).flatMap((width, panel) => [
      [c * width * (width + 4)],
      (panel + 1) * PANEL < k ? triangle(PANEL) : [0],
    ]),
    cut(c - k, TILE).map((rows) => rows * k * k),
    // What joins the parts of the node.
    [0],
  ];
}

/** A product with one vector. */
export function productGraph(data: HierarchicalData): WeightedGraph {
  const graph = applyGraph(data);
  const flops = new Float64Array(graph.count);
  const nodes = nodesOf(data.tree);
  const { tree, lists } = data;
  const [rank, candidates] = [rankOf(data), candidatesOf(data)];
  const leaf0 = firstLeaf(tree);
  for (let ν = 0; ν < nodes; ν++) {
    const basis = (candidates(ν) - rank(ν)) * rank(ν);
    flops[ν] = 2 * basis;
    if (ν >= leaf0) flops[nodes + ν] += 2 * basis + (tree.end[ν] - tree.begin[ν]) ** 2;
    // A node fetches what its parent passes down.
    else for (const child of [leftChild(ν), rightChild(ν)]) flops[nodes + child] += basis;
  }
  for (let f = 0; f < lists.far.length; f += 2) {
    const [α, β] = [lists.far[f], lists.far[f + 1]];
    flops[nodes + α] += 2 * rank(α) * rank(β);
    flops[nodes + β] += 2 * rank(α) * rank(β);
  }
  for (let α = 0; α < lists.nearBegin.length - 1; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++)
      if (lists.near[e] !== α)
        flops[nodes + leaf0 + α] += 2 * candidates(leaf0 + α) * candidates(leaf0 + lists.near[e]);
  }
  return { graph, flops };
}

/** A ULV factorization. */
export function factorGraph(data: HierarchicalData): WeightedGraph {
  const plan = planUlv(data, 'f64');
  const { graph, tasks } = eliminationGraph(data, plan, true);
  const flops = new Float64Array(graph.count);
  for (let task = 0; task < graph.count; task++) {
    const [step, top, part, columns] = tasks.subarray(TASK_NUMBERS * task, TASK_NUMBERS * (task + 1));
    const sizes = (ν: number): readonly [number, number] => [plan.begin[ν + 1] - plan.begin[ν], plan.rank[ν]];
    if (step !== WHOLE) flops[task] = splitFlops(step, ...sizes(top), { part, columns });
    else
      walkUp(data, top, (ν) => {
        const [r, k] = sizes(ν);
        flops[task] += r ** 3 / 3 + 4 * r * r * k + 3 * r * k * k - r * r * k;
      });
  }
  return { graph, flops };
}

/** A solve with one vector. */
export function solveGraph(data: HierarchicalData): WeightedGraph {
  const [rank, candidates] = [rankOf(data), candidatesOf(data)];
  const graph = passGraph(data);
  const nodes = taskNodes(data);
  const flops = new Float64Array(graph.count);
  for (let task = 0; task < nodes; task++) {
    walkUp(data, task, (ν) => {
      const k = rank(ν);
      const r = candidates(ν) - k;
      flops[task] += r * r + 4 * r * k;
    });
    flops[nodes + task] = flops[task];
  }
  return { graph, flops };
}
