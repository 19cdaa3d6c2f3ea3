/**
 * Groups of slices: sums over a batch's slices are sums of groups, added by the tree of ../../core/sum-tree.ts. They
 * depend on the number of slices alone, and ranks that have some of the groups each make the same bits.
 */
import { nodesWithin, rankFirst, sumNodes, leavesOf, type SumNode } from '../../core/sum-tree.js';
import { graphSliceFirst, graphSlices } from '../../layers/slices.js';
import type { RankPlace } from '../objective/group-sums.js';
import type { Shares } from '../objective/sample-ranks.js';

const MOST_GROUPS = 16;

/** Groups of so many slices: a power of two. */
export function graphGroups(slices: number): number {
  let groups = 1;
  while (2 * groups <= Math.min(MOST_GROUPS, slices)) groups *= 2;
  return groups;
}

/** First slice of group g; that of group g + 1 ends it. */
export const graphGroupSlice = (slices: number, g: number): number => Math.floor((g * slices) / graphGroups(slices));

/** The nodes of groups that are a rank's own. */
export function graphNodes(slices: number, { rank, ranks }: RankPlace): readonly SumNode[] {
  const groups = graphGroups(slices);
  return nodesWithin(rankFirst(groups, ranks, rank), rankFirst(groups, ranks, rank + 1));
}

/** First slice of a rank; that of the next one ends its slices. */
export const graphRankSlice = (slices: number, { rank, ranks }: RankPlace): number =>
  graphGroupSlice(slices, rankFirst(graphGroups(slices), ranks, rank));

/** Most slices that are a rank's own, of batches of up to `slices` of them. */
export function mostRankSlices(slices: number, { rank, ranks }: RankPlace): number {
  if (ranks === 1) return slices;
  let most = 1;
  for (let s = 1; s <= slices; s++)
    most = Math.max(most, graphRankSlice(s, { rank: rank + 1, ranks }) - graphRankSlice(s, { rank, ranks }));
  return most;
}

/** How batches of slices of at most `most` samples are shared out. */
export const graphShares = (most: number): Shares => ({
  nodes: (count, place) => graphNodes(graphSlices(count, most), place),
  firstSlice: (count, place) => graphRankSlice(graphSlices(count, most), place),
  firstSample: (count, slice) => graphSliceFirst(count, most, slice),
});

/** A group within a node of groups: where it is summed, and the additions that follow, place `to` ← it + the next. */
export interface GroupStep {
  readonly group: number;
  readonly place: number;
  readonly adds: readonly number[];
}

/** The groups of a node, in order. */
export function groupSteps(node: SumNode): readonly GroupStep[] {
  const steps: { group: number; place: number; adds: number[] }[] = [];
  sumNodes(leavesOf(node), {
    take: (k, place) => steps.push({ group: node.first + k, place, adds: [] }),
    add: (to) => steps.at(-1)!.adds.push(to),
  });
  return steps;
}
