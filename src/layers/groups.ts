/**
 * Groups of slices: sums over a batch's slices are sums of groups, added by the tree of ../core/sum-tree.ts. They
 * depend on the number of slices alone, and ranks that have some of the groups each make the same bits.
 */
import { groupsOf, nodesOfRank, rankFirst, type RankPlace, type SumNode } from '../core/sum-tree.js';
import type { Shares } from '../distributed/sample-ranks.js';
import { graphSliceFirst, graphSlices } from './slices.js';

/** Groups of so many slices: a power of two. */
export const graphGroups = (slices: number): number => groupsOf(slices, 1);

/** First slice of group g; that of group g + 1 ends it. */
export const graphGroupSlice = (slices: number, g: number): number => Math.floor((g * slices) / graphGroups(slices));

/** The nodes of groups that are a rank's own. */
export const graphNodes = (slices: number, place: RankPlace): readonly SumNode[] =>
  nodesOfRank(graphGroups(slices), place);

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
