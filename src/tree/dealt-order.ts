/**
 * The order of a cluster tree of which each of several ranks has the part at its own positions, and what it has asked
 * others for: in place, in an array of all positions of which no other page is touched.
 */
import { firstWhere } from '../core/first-where.js';
import type { Communicator } from '../distributed/communicator.js';
import { exchangeParts, partsOf } from '../distributed/exchange-parts.js';
import { rankOfTask } from '../core/portion.js';
import { ownPortion } from '../distributed/portion.js';
import { together } from '../distributed/together.js';
import { firstLeaf, leavesOf, type ClusterTree } from './cluster-tree.js';
import type { PositionRange } from './split.js';

/** Who has which part of an order, and where to ask for the leaf of an index. */
export interface DealtOrder {
  /** The positions of each rank. */
  readonly ranges: readonly PositionRange[];
  /** The leaves of this rank's portion of all indices (distributed/portion.ts), in a tree cut to level `depth`. */
  readonly leaves: Int32Array;
  readonly depth: number;
}

/** Whether two of these deal positions out alike. */
export const sameRanges = (some: readonly PositionRange[], others: readonly PositionRange[]): boolean =>
  some.every(({ begin, end }, r) => begin === others[r].begin && end === others[r].end);

/** How many positions two ranges share. */
export const overlap = (a: PositionRange, b: PositionRange): number =>
  Math.max(0, Math.min(a.end, b.end) - Math.max(a.begin, b.begin));

/**
 * Collective: moves the order of which each rank has the part at its positions `from` to those at `to`, in place. One
 * alltoall of the positions that change ranks; nothing where none does. Throws MemoryError.
 */
export function moveOrder(
  order: Int32Array,
  from: readonly PositionRange[],
  to: readonly PositionRange[],
  communicator: Communicator,
): void {
  if (sameRanges(from, to)) return;
  const [had, has] = [from[communicator.rank], to[communicator.rank]];
  const going = together(communicator, () => order.slice(had.begin, had.end));
  communicator.alltoall(
    going,
    to.map((range) => overlap(had, range)),
    order.subarray(has.begin, has.end),
    from.map((range) => overlap(has, range)),
  );
}

/**
 * Collective: of an order of which each rank has the part at its positions `built` that at `ranges`, and who knows the
 * leaf of each index: the rank in whose portion of all indices it stands. Three alltoalls, the last of 8 bytes for each
 * own index. Throws MemoryError.
 */
export function dealOrder(
  tree: ClusterTree,
  built: readonly PositionRange[],
  ranges: readonly PositionRange[],
  communicator: Communicator,
): DealtOrder {
  const { size, order } = tree;
  moveOrder(order, built, ranges, communicator);
  const parts = together(communicator, () => {
    const { first, end } = ownLeaves(tree, ranges[communicator.rank]);
    return partsOf(communicator.size, 2, (put) => {
      for (let leaf = first, ν = firstLeaf(tree) + leaf; leaf < end; leaf++, ν++)
        for (let p = tree.begin[ν]; p < tree.end[ν]; p++) put(rankOfTask(communicator, order[p], size), order[p], leaf);
    });
  });
  const { numbers } = exchangeParts(communicator, parts);
  return together(communicator, () => {
    const { first, end } = ownPortion(communicator, size);
    const leaves = new Int32Array(end - first);
    for (let k = 0; k < numbers.length; k += 2) leaves[numbers[k] - first] = numbers[k + 1];
    return { ranges, leaves, depth: tree.depth };
  });
}

/** The leaves at these positions, whole ones. */
export function ownLeaves(tree: ClusterTree, { begin, end }: PositionRange): { readonly first: number; end: number } {
  const leaf0 = firstLeaf(tree);
  const at = (position: number): number =>
    firstWhere(0, leavesOf(tree), (leaf) => tree.begin[leaf0 + leaf] >= position);
  return begin === end ? { first: 0, end: 0 } : { first: at(begin), end: at(end) };
}

/**
 * Collective: the leaf of each of these indices, ascending ones, in the tree cut to level `depth`. Three alltoalls: 4
 * bytes to and fro for each index of another rank's portion. Throws MemoryError.
 */
export function leavesOfIndices(
  { leaves, depth: known }: DealtOrder,
  indices: Int32Array,
  { depth, size }: Pick<ClusterTree, 'depth' | 'size'>,
  communicator: Communicator,
): Int32Array {
  const parts = together(communicator, () =>
    partsOf(communicator.size, 1, (put) => {
      for (const i of indices) put(rankOfTask(communicator, i, size), i);
    }),
  );
  const asked = exchangeParts(communicator, parts);
  const { first } = ownPortion(communicator, size);
  const { answers, found } = together(communicator, () => ({
    answers: asked.numbers.map((i) => leaves[i - first] >> (known - depth)),
    found: new Int32Array(indices.length),
  }));
  communicator.alltoall(answers, asked.counts, found, parts.counts);
  return found;
}
