/**
 * Nodes that are skeletonized before the others: their ranks, and how these grow from level to level, are a forecast.
 * Nothing is computed twice: nodes that are done are passed over later.
 */
import { firstOfLevel } from '../../core/indices.js';
import { taskGraph, type TaskGraph } from '../../parallel/task-graph.js';
import type { Communicator } from '../../distributed/communicator.js';
import { type ClusterTree, leavesOf } from '../../tree/cluster-tree.js';
import type { SkeletonState } from './skeleton-state.js';

/** Leaves whose ranks tell how many rows the others begin with. */
export const LEAVES = 8;
/** Subtrees, and their levels above the leaves, whose ranks tell how much memory is needed. */
const SUBTREES = 4;
const HEIGHT = 3;
/** Levels that subtrees leave above them where the tree is small: at least twice as many nodes as subtrees. */
const LEVELS_ABOVE = 3;

/** So many nodes of a level, evenly spread over it. */
export const spreadOver = (level: number, count: number): Int32Array =>
  Int32Array.from({ length: count }, (_, q) => firstOfLevel(level) + Math.floor(((q + 0.5) * 2 ** level) / count));

/** A few leaves, evenly spread over the tree. */
export const pilotLeaves = (tree: ClusterTree): Int32Array => spreadOver(tree.depth, Math.min(LEAVES, leavesOf(tree)));

/** What each of several ranks found of the nodes of a list, each of which one has done, to all of them. Collective. */
export function tellTried(
  communicator: Communicator,
  list: Int32Array,
  { ranks, done }: Pick<SkeletonState, 'ranks' | 'done'>,
): void {
  if (communicator.size === 1) return;
  const found = Int32Array.from(list, (ν) => (done[ν] === 1 ? ranks[ν] : 0));
  communicator.allreduce(found, 'sum');
  list.forEach((ν, t) => {
    ranks[ν] = found[t];
    done[ν] = 1;
  });
}

/** Nodes, children before parents, and the graph of their tasks: task t is node nodes[t]. */
export interface PilotTasks {
  readonly nodes: Int32Array;
  readonly graph: TaskGraph;
}

/** All nodes of a few subtrees, evenly spread over the tree; none where that would be half of it or more. */
export function pilotSubtrees(tree: ClusterTree): PilotTasks {
  const top = Math.max(tree.depth - HEIGHT, Math.min(tree.depth, LEVELS_ABOVE));
  const roots = 2 ** top >= 2 * SUBTREES ? SUBTREES : 0;
  const nodes: number[] = [];
  const edges: number[] = [];
  for (let q = 0; q < roots; q++) {
    const root = Math.floor(((q + 0.5) * 2 ** top) / SUBTREES);
    let below: number[] = [];
    for (let level = tree.depth; level >= top; level--) {
      const first = firstOfLevel(level) + root * 2 ** (level - top);
      const tasks = Array.from({ length: 2 ** (level - top) }, (_, i) => nodes.push(first + i) - 1);
      below.forEach((child, i) => edges.push(child, tasks[i >> 1]));
      below = tasks;
    }
  }
  return { nodes: Int32Array.from(nodes), graph: taskGraph(nodes.length, edges) };
}
