/**
 * Interaction lists from a cluster tree and neighbors.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { firstOfLevel } from '../core/indices.js';
import { selfCommunicator } from '../distributed/self.js';
import type { ClusterTree } from './cluster-tree.js';
import { farCover } from './far-cover.js';
import type { InteractionLists } from './interaction-lists.js';
import { nearLeaves, type ListedNeighbors } from './near-leaves.js';

/** How much of the matrix may be near. */
export interface InteractionOptions {
  /**
   * Share of a row's leaves that may be near besides the leaf itself, in [0, 1]: at most ⌊budget · leaves⌋, held by
   * every row.
   */
  readonly budget: number;
}

/**
 * Near and far lists. With budget 0, or one below 1/leaves, near is the diagonal and far the pairs of siblings (HSS,
 * HODLR). Else near pairs are those with the most votes of neighbors that leave both rows within the budget, and far
 * is the smallest cover of the rest by pairs of nodes (far-cover.ts). What the near blocks use is reported in
 * `budgetUsed`. Cost O(κN + leaves²) up to 2,048 leaves. Of several ranks that each have the lists of their own leaves
 * the votes are gathered, 8 bytes for each pair of leaves with any: collective.
 */
export function interactionLists(
  tree: ClusterTree,
  neighbors: ListedNeighbors,
  options: InteractionOptions,
  communicator = selfCommunicator(),
): InteractionLists {
  const { budget } = options;
  if (!(budget >= 0 && budget <= 1))
    throw new OptionError(
      `budget must be in [0, 1], the share of a row that may be stored dense, not ${describe(budget)}.`,
      {
        budget,
      },
    );
  // 0.3 · 10 is 3 also where rounding makes it a little less.
  const most = Math.floor(budget * 2 ** tree.depth * (1 + 4 * Number.EPSILON));
  const near = nearLeaves(tree, neighbors, most, communicator);
  return { ...near, far: farCover(tree.depth, near), budgetUsed: shareOfNear(tree, near) };
}

function shareOfNear(
  { size, depth, begin, end }: ClusterTree,
  { nearBegin, near }: { nearBegin: Int32Array; near: Int32Array },
): number {
  const first = firstOfLevel(depth);
  let entries = 0;
  for (let α = 0; α < 2 ** depth; α++) {
    for (let k = nearBegin[α]; k < nearBegin[α + 1]; k++) {
      const β = near[k];
      if (β !== α) entries += (end[first + α] - begin[first + α]) * (end[first + β] - begin[first + β]);
    }
  }
  return entries / size / size;
}
