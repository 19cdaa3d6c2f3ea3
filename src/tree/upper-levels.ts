/**
 * The upper levels of a cluster tree.
 */
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { gatherPortions, ownPortion } from '../distributed/portion.js';
import { awaitTogether } from '../distributed/together.js';
import { runOnceWith } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { type ClusterTree, firstLeaf, leavesOf } from './cluster-tree.js';

/** A tree whose leaves are put in order, and the first of those that this rank does. */
export interface LeavesState {
  readonly tree: ClusterTree;
  readonly first: number;
}

/** Per leaf: its indices in ascending order. */
export const sortLeaf = defineTask<LeavesState>(import.meta.url, 'sortLeaf', ({ tree, first }) => (task) => {
  const ν = firstLeaf(tree) + first + task;
  tree.order.subarray(tree.begin[ν], tree.end[ν]).sort();
});

/**
 * The tree down to level `depth` ≤ tree.depth. Indices of a leaf stand in ascending order, as `buildClusterTree` leaves
 * them, so that this is the tree that it builds of that depth; or, where they are `placed`, stay where they are, as in
 * orders that do not come from distances. The tree itself is not changed. Leaves are put in order by all workers, of
 * several ranks in shares: these gather 4N bytes. Throws AbortedError.
 */
export async function upperLevels(
  tree: ClusterTree,
  depth: number,
  placed: boolean,
  { team, signal }: TeamControl,
): Promise<ClusterTree> {
  if (depth === tree.depth) return tree;
  const nodes = 2 ** (depth + 1) - 1;
  const copyOf = (array: Int32Array, length: number): Int32Array => {
    const copy = inLargePages(sharedInt32(length));
    copy.set(array.subarray(0, length));
    return copy;
  };
  const cut: ClusterTree = {
    size: tree.size,
    depth,
    order: copyOf(tree.order, tree.size),
    begin: copyOf(tree.begin, nodes),
    end: copyOf(tree.end, nodes),
  };
  if (placed) return cut;
  const { communicator } = team;
  const leaves = leavesOf(cut);
  const { first, end } = ownPortion(communicator, leaves);
  const state = { tree: cut, first };
  await awaitTogether(communicator, () =>
    runOnceWith('tree', sortLeaf, { state }, independentTasks(end - first), { team, signal }),
  );
  const endOf = (leaf: number): number => cut.end[firstLeaf(cut) + leaf];
  gatherPortions(communicator, cut.order, leaves, { begin: cut.begin[0], endOf });
  return cut;
}
