/**
 * Where the factorization of a HODLR matrix broke down, from the status of its nodes.
 */
import { leftChild } from '../../../core/indices.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import type { HierarchicalData } from '../../matrix/data.js';
import { deepestBreakdown } from '../deepest-breakdown.js';
import type { Breakdown } from '../engine.js';

/**
 * The deepest, leftmost failure. At an inner node a pivot is a combination of the right child's basis vectors; its
 * first skeleton stands for them.
 */
export const breakdownOfHodlr = (data: HierarchicalData, status: ArrayLike<number>): Breakdown | undefined =>
  deepestBreakdown(data, status, (ν, pivot) => {
    const { tree, skeletons } = data;
    return ν >= firstLeaf(tree)
      ? tree.order[tree.begin[ν] + pivot - 1]
      : skeletons.indices[skeletons.begin[leftChild(ν) + 1]];
  });
