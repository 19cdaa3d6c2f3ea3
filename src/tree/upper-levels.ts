/**
 * The upper levels of a cluster tree.
 */
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import { awaitTogether } from '../distributed/together.js';
import { runOnceWith } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { type ClusterTree, firstLeaf } from './cluster-tree.js';
import { ownLeaves } from './dealt-order.js';
import type { PositionRange } from './split.js';

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

/** How leaves are put in order, or not. */
export interface UpperLevels {
  /** The level of the leaves, at most that of the tree's. */
  readonly depth: number;
  /** Whether indices stay where they are, as in orders that do not come from distances. */
  readonly placed: boolean;
  /** The positions of this rank, where each of several has a part of the order. */
  readonly own?: PositionRange | undefined;
}

/**
 * The tree down to level `depth`. Indices of a leaf stand in ascending order, as `buildClusterTree` leaves them, so
 * that this is the tree that it builds of that depth; or stay where they are. The tree itself is not changed. Leaves
 * are put in order by all workers, of several ranks that each have a part of the order those of its own. Throws
 * AbortedError.
 */
export async function upperLevels(
  tree: ClusterTree,
  { depth, placed, own }: UpperLevels,
  { team, signal }: TeamControl,
): Promise<ClusterTree> {
  if (depth === tree.depth) return tree;
  const nodes = 2 ** (depth + 1) - 1;
  const copyOf = (array: Int32Array): Int32Array => {
    const copy = sharedInt32(array.length);
    copy.set(array);
    return copy;
  };
  const order = sharedInt32(tree.size);
  const from = own?.begin ?? 0;
  // Of several ranks each touches its own part.
  (own === undefined ? inLargePages(order) : order).set(tree.order.subarray(from, own?.end), from);
  const cut: ClusterTree = {
    size: tree.size,
    depth,
    order,
    begin: copyOf(tree.begin.subarray(0, nodes)),
    end: copyOf(tree.end.subarray(0, nodes)),
  };
  if (placed) return cut;
  const { communicator } = team;
  const { first, end } = ownLeaves(cut, own ?? { begin: cut.begin[0], end: cut.end[0] });
  const state = { tree: cut, first };
  await awaitTogether(communicator, () =>
    runOnceWith('tree', sortLeaf, { state }, independentTasks(end - first), { team, signal }),
  );
  return cut;
}
