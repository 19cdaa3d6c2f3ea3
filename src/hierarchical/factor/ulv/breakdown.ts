/**
 * Where a ULV elimination broke down, from the status of its nodes.
 */
import { leftChild } from '../../../core/indices.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { deepestBreakdown } from '../deepest-breakdown.js';
import type { Breakdown } from '../engine.js';

/** The deepest, leftmost failure. `status` holds the pivot of each node that failed. */
export const breakdownOfUlv = (data: HierarchicalData, status: ArrayLike<number>): Breakdown | undefined =>
  deepestBreakdown(data, status, (ν, pivot) => indexOf(data, ν, pivot));

function indexOf({ tree, skeletons: { begin, indices, picked } }: HierarchicalData, ν: number, pivot: number): number {
  if (ν >= firstLeaf(tree)) return tree.order[tree.begin[ν] + begin[ν + 1] - begin[ν] + pivot - 1];
  const l = leftChild(ν);
  const left = begin[l + 1] - begin[l] - picked[l];
  return pivot <= left
    ? indices[begin[l] + picked[l] + pivot - 1]
    : indices[begin[l + 1] + picked[l + 1] + pivot - 1 - left];
}
