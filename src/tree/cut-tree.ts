/**
 * A cluster tree over an order that is given: where to cut it.
 * Where the order has borders of its own (layers, units, directions), nodes are cut there, so that a block belongs to
 * few of them.
 */
import { firstOfLevel, leftChild, levelOf, rightChild } from '../core/indices.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { ClusterTree } from './cluster-tree.js';

/** A cut moves to a border that lies in this middle part of a node. */
const WINDOW = 1 / 3;

/**
 * The complete tree of `depth` levels below the root over `order`, its first `isolated` positions in no node.
 * borders[p] is the strength of the border before position p, 0 for none: each node is cut at the strongest border
 * between a third and two thirds of it, of these at the one nearest to the middle, else in the middle. Every leaf holds
 * an index at least: order.length − isolated ≥ 2^depth.
 */
export function cutTree(order: Int32Array, isolated: number, depth: number, borders: Uint8Array): ClusterTree {
  const size = order.length;
  const nodes = 2 ** (depth + 1) - 1;
  const begin = sharedInt32(nodes);
  const end = sharedInt32(nodes);
  begin[0] = isolated;
  end[0] = size;
  for (let ν = 0; ν < firstOfLevel(depth); ν++) {
    const below = 2 ** (depth - levelOf(ν) - 1);
    const cut = cutNear(begin[ν], end[ν], below, borders);
    begin[leftChild(ν)] = begin[ν];
    end[leftChild(ν)] = cut;
    begin[rightChild(ν)] = cut;
    end[rightChild(ν)] = end[ν];
  }
  return { size, depth, order, begin, end };
}

/** The strongest border in the window, of these the nearest to the middle; `least` indices stay on either side. */
function cutNear(begin: number, end: number, least: number, borders: Uint8Array): number {
  const middle = begin + ((end - begin + 1) >> 1);
  const reach = Math.floor((end - begin) * (0.5 - WINDOW));
  let best = middle;
  let strength = borders[middle];
  for (let step = 1; step <= reach; step++) {
    for (const p of [middle - step, middle + step]) {
      if (p - begin >= least && end - p >= least && borders[p] > strength) {
        best = p;
        strength = borders[p];
      }
    }
  }
  return best;
}
