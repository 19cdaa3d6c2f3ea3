/**
 * Where a ULV elimination broke down, from the status of its nodes.
 */
import { firstOfLevel, leftChild, levelOf } from '../../../core/indices.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import type { HierarchicalData } from '../../matrix/data.js';
import type { Breakdown } from '../engine.js';

/**
 * The deepest, leftmost failure, of several ranks of the nodes that this one holds: which nodes fail does not depend on
 * who eliminates. `status` holds the pivot of each node that failed.
 */
export function deepestBreakdown(data: HierarchicalData, status: ArrayLike<number>): Breakdown | undefined {
  const { tree, share } = data;
  for (let level = tree.depth; level >= 0; level--) {
    for (let ν = firstOfLevel(level); ν < firstOfLevel(level + 1); ν++)
      if (status[ν] > 0 && share?.held[ν] !== 0) return breakdownAt(data, ν, status[ν]);
  }
  return undefined;
}

function breakdownAt(
  { tree, skeletons: { begin, indices, picked } }: HierarchicalData,
  ν: number,
  pivot: number,
): Breakdown {
  let index: number;
  if (ν >= firstLeaf(tree)) {
    index = tree.order[tree.begin[ν] + begin[ν + 1] - begin[ν] + pivot - 1];
  } else {
    const l = leftChild(ν);
    const left = begin[l + 1] - begin[l] - picked[l];
    index =
      pivot <= left
        ? indices[begin[l] + picked[l] + pivot - 1]
        : indices[begin[l + 1] + picked[l + 1] + pivot - 1 - left];
  }
  return { node: ν, level: levelOf(ν), pivot, index };
}
