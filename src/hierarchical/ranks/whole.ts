/**
 * What of a matrix that several ranks have is known to all of them, and what each leaves to others.
 */
import type { FloatArray } from '../../core/floats.js';
import { sharedInt32, toShared } from '../../core/shared-array.js';
import type { Communicator } from '../../distributed/communicator.js';
import type { Team } from '../../parallel/team.js';
import { firstLeaf, nodesOf, type ClusterTree } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { PositionRange } from '../../tree/split.js';
import { skeletonOf, type SkeletonState } from '../from-entries/skeleton-state.js';
import type { HierarchicalData } from '../matrix/data.js';
import { FORMAT_TABLE, type HierarchicalFormat } from '../matrix/format.js';
import type { Layout } from '../matrix/layout.js';
import { blockLevel } from '../matrix/row-blocks.js';
import { exchangeHalo, haloOf } from './halo.js';
import { dealing, dealOut, positionsOf, rangesOf, type Share } from './share.js';

/**
 * What the team's rank has of a matrix; undefined where it is alone. Of bases that are not nested, which have rows of
 * all ranks near the root, it has those of its own leaves (matrix/row-blocks.ts).
 */
export function shareOnTeam(
  tree: ClusterTree,
  lists: InteractionLists,
  format: HierarchicalFormat,
  { communicator: { rank, size } }: Team,
): Share | undefined {
  if (size === 1) return undefined;
  const nodes = dealOut(tree, rank, size, deepestLevel(tree, format));
  const halo = haloOf(tree, lists, nodes);
  return {
    ...nodes,
    lists,
    halo,
    skeletonRanks: sharedInt32(nodesOf(tree)),
    zeroPairs: sharedInt32(lists.far.length / 2),
    orderIsWhole: sharedInt32(1),
  };
}

/** The deepest level whose nodes are dealt out. */
const deepestLevel = (tree: ClusterTree, format: HierarchicalFormat): number =>
  FORMAT_TABLE[format].nested ? tree.depth : blockLevel(tree);

/** The positions of the tree that each of several ranks has indices of (`rangesOf`). */
export const rangesOnTeam = (
  tree: ClusterTree,
  format: HierarchicalFormat,
  { communicator: { size } }: Team,
): PositionRange[] => rangesOf(tree, dealing(deepestLevel(tree, format), size));

/** Of the lists the pairs with a node that this rank holds, whose blocks it stores; and every leaf with itself. */
export function ownInteractions(tree: ClusterTree, lists: InteractionLists, { held }: Share): InteractionLists {
  const leaf0 = firstLeaf(tree);
  const far: number[] = [];
  for (let f = 0; f < lists.far.length; f += 2)
    if (held[lists.far[f]] === 1 || held[lists.far[f + 1]] === 1) far.push(lists.far[f], lists.far[f + 1]);
  const near: number[] = [];
  const nearBegin = sharedInt32(lists.nearBegin.length);
  for (let α = 0; α < nearBegin.length - 1; α++) {
    for (let e = lists.nearBegin[α]; e < lists.nearBegin[α + 1]; e++) {
      const β = lists.near[e];
      if (α === β || held[leaf0 + α] === 1 || held[leaf0 + β] === 1) near.push(β);
    }
    nearBegin[α + 1] = near.length;
  }
  const shared = (numbers: number[]): Int32Array => toShared(Int32Array.from(numbers));
  return { ...lists, far: shared(far), near: shared(near), nearBegin };
}

/** Skeletons of halo nodes, and their ranks, to those who need them. */
export function exchangeSkeletons(
  state: Pick<SkeletonState, 'ranks' | 'skeletons' | 'maxRank'>,
  { halo, skeletonRanks }: Share,
  communicator: Communicator,
): void {
  for (const { receives } of halo.peers) for (const ν of receives) state.ranks[ν] = skeletonRanks[ν];
  exchangeHalo(communicator, halo.peers, (ν) => skeletonOf(state, ν));
}

/**
 * The same in the order in which vectors are multiplied, which the holders of a node's parent decide; and the order of
 * near leaves.
 */
export function exchangeOrders(
  { tree, skeletons: { begin, indices } }: Pick<Layout, 'tree' | 'skeletons'>,
  { halo }: Share,
  communicator: Communicator,
): void {
  exchangeHalo(communicator, halo.peers, (ν) => indices.subarray(begin[ν], begin[ν + 1]));
  exchangeHalo(communicator, halo.leaves, (ν) => tree.order.subarray(tree.begin[ν], tree.end[ν]));
}

/** Positions of every rank times `width`: what a gathering of numbers by position takes. */
export const positionCounts = (tree: ClusterTree, share: Share, width: number): number[] =>
  Array.from({ length: share.ranks }, (_, r) => {
    const { begin, end } = positionsOf(tree, share, r);
    return (end - begin) * width;
  });

/**
 * Numbers by position, `width` each, of which every rank has those of its own leaves: all of them to every rank, in
 * place. One gathering.
 */
export function gatherPositions(
  values: FloatArray | Int32Array,
  width: number,
  {
    tree,
    share,
    communicator,
  }: { readonly tree: ClusterTree; readonly share: Share; readonly communicator: Communicator },
): void {
  const all = values.subarray(tree.begin[0] * width, tree.end[0] * width);
  communicator.allgather(undefined, all, positionCounts(tree, share, width));
}

/**
 * The order of all leaves, as they are laid out: whoever needs that of other ranks' leaves calls this first. Where it
 * is not whole yet: collective, one gathering of 4N bytes.
 */
export function wholeOrder(
  { tree, share }: Pick<HierarchicalData, 'tree' | 'share'>,
  communicator: Communicator,
): Int32Array {
  if (share !== undefined && share.orderIsWhole[0] === 0) {
    gatherPositions(tree.order, 1, { tree, share, communicator });
    share.orderIsWhole[0] = 1;
  }
  return tree.order;
}

/** Elements that all ranks store, by kind; what several hold counts for each. */
export function elementsOfAll(elements: Layout['elements'], communicator: Communicator): Layout['elements'] {
  const { total, basis, coupling, near, diagonal } = elements;
  const sums = Float64Array.of(total, basis, coupling, near, diagonal);
  communicator.allreduce(sums, 'sum');
  return { total: sums[0], basis: sums[1], coupling: sums[2], near: sums[3], diagonal: sums[4] };
}
