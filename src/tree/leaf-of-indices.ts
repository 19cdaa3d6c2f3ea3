/**
 * Which leaf of a cluster tree each index stands in.
 */
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { runOnce } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { firstLeaf, leavesOf, type ClusterTree } from './cluster-tree.js';

/** Leaves of a task. */
const LEAVES = 64;

/** What is read, and filled. */
interface LeafState {
  readonly tree: ClusterTree;
  readonly leafOf: Int32Array;
}

/** Per few leaves: their numbers, at their indices; the first task's are the isolated ones, too. */
export const markLeaves = defineTask<LeafState>(import.meta.url, 'markLeaves', ({ tree, leafOf }) => (task) => {
  const { order, begin, end } = tree;
  const leaves = leavesOf(tree);
  if (task === 0) for (let p = 0; p < begin[0]; p++) leafOf[order[p]] = leaves;
  for (let leaf = task * LEAVES; leaf < Math.min(leaves, (task + 1) * LEAVES); leaf++) {
    const ν = firstLeaf(tree) + leaf;
    for (let p = begin[ν]; p < end[ν]; p++) leafOf[order[p]] = leaf;
  }
});

/** The leaf number of each index; 2^depth for isolated indices. Cost O(N), shared by workers. Throws AbortedError. */
export async function leafOfIndices(tree: ClusterTree, { team, signal }: TeamControl): Promise<Int32Array> {
  const leafOf = inLargePages(sharedInt32(tree.size));
  const graph = independentTasks(Math.ceil(leavesOf(tree) / LEAVES));
  await runOnce('leaves', markLeaves, { tree, leafOf }, graph, { team, signal });
  return leafOf;
}
