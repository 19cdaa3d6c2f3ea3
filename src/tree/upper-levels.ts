/**
 * The upper levels of a cluster tree.
 */
import { sharedInt32 } from '../core/shared-array.js';
import { type ClusterTree, firstLeaf, nodesOf } from './cluster-tree.js';

/**
 * The tree down to level `depth` ≤ tree.depth. Indices of a leaf stand in ascending order, as `buildClusterTree` leaves
 * them, so that this is the tree that it builds of that depth; or, where they are `placed`, stay where they are, as in
 * orders that do not come from distances. The tree itself is not changed.
 */
export function upperLevels(tree: ClusterTree, depth: number, placed: boolean): ClusterTree {
  if (depth === tree.depth) return tree;
  const nodes = 2 ** (depth + 1) - 1;
  const copyOf = (array: Int32Array, length: number): Int32Array => {
    const copy = sharedInt32(length);
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
  for (let ν = firstLeaf(cut); ν < nodesOf(cut); ν++) cut.order.subarray(cut.begin[ν], cut.end[ν]).sort();
  return cut;
}
