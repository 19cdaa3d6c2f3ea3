/**
 * Where a factorization broke down, from the status of its nodes.
 */
import { firstOfLevel, levelOf } from '../../core/indices.js';
import type { HierarchicalData } from '../matrix/data.js';
import type { Breakdown } from './engine.js';

/**
 * The deepest, leftmost failure, of several ranks of the nodes that this one holds: which nodes fail does not depend on
 * who eliminates. `status` holds the pivot of each node that failed, which `indexOf` tells the index of.
 */
export function deepestBreakdown(
  { tree, share }: Pick<HierarchicalData, 'tree' | 'share'>,
  status: ArrayLike<number>,
  indexOf: (ν: number, pivot: number) => number,
): Breakdown | undefined {
  for (let level = tree.depth; level >= 0; level--) {
    for (let ν = firstOfLevel(level); ν < firstOfLevel(level + 1); ν++)
      if (status[ν] > 0 && share?.held[ν] !== 0)
        return { node: ν, level: levelOf(ν), pivot: status[ν], index: indexOf(ν, status[ν]) };
  }
  return undefined;
}
