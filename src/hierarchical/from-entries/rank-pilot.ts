/**
 * What ranks a matrix has, by the size of nodes, before leaf size and rank limit are chosen: a few nodes of every size
 * are skeletonized from all of their indices, small ones first, and larger ones extrapolated (memory-estimate.ts).
 */
import { placeOf } from '../../core/index-places.js';
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import { ownPortion } from '../../distributed/portion.js';
import { awaitTogether } from '../../distributed/together.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { type ClusterTree, leavesOf, mostInLeaf, nodesOf } from '../../tree/cluster-tree.js';
import type { DealtOrder } from '../../tree/dealt-order.js';
import { knownIndices, type KnownIndices } from '../../tree/known-indices.js';
import { interactionLists } from '../../tree/lists.js';
import { listsOfAll } from '../../tree/own-lists.js';
import type { NeighborRows } from '../../tree/neighbors.js';
import type { MeasuredRank } from '../matrix/chosen-options.js';
import { BroughtClusters } from '../ranks/brought-clusters.js';
import { HeldEntries } from './held-entries.js';
import { forecastRanks } from './memory-estimate.js';
import { spreadOver, tellTried } from './pilot.js';
import { rowPools } from './row-pools.js';
import type { Skeletons } from './skeleton-state.js';
import { skeletonizeNode } from './skeletonize-node.js';
import { leavesBelow } from './votes.js';

/** Indices of the largest nodes that are tried; and where ranks are high, of which smaller ones tell too little. */
const LARGEST = 512;
const LARGEST_HIGH = 2048;
/** Small enough to be tried: so small a share of all indices; where ranks are high, larger ones. */
const SMALL_SHARE = 1 / 12;
const HIGH_SMALL_SHARE = 1 / 6;
/** Of so many nodes of a level one is tried, and so many at most of the smallest; of each next level up half of it. */
const NODES_PER_TRIED = 16;
const MOST_TRIED = 16;
/** The rank that a node's first sample is made for, of its indices. */
const GUESSED_SHARE = 1 / 4;
/** Ranks below this share of a node grow little from level to level: two levels tell the others. */
const LOW_SHARE = 1 / 8;
/** Ranks above this share are high, and above that one full: nodes of any size have ranks of that share. */
const HIGH_SHARE = 0.7;
const FULL_SHARE = 0.9;

/** What the pilot is run on. */
export interface PilotInput {
  /** Its leaves are the smallest nodes that are tried. */
  readonly tree: ClusterTree;
  readonly dealt?: DealtOrder | undefined;
  readonly neighbors: NeighborRows;
  /** ‖K‖_F². */
  readonly normSquared: number;
  readonly tolerance: number;
  readonly seed: number;
}

/** Ranks by level of the tree: those that were measured, and all of them. */
export interface PilotRanks {
  /** The mean of each level that was tried. */
  readonly measured: readonly MeasuredRank[];
  /** By level, the root's 0. */
  readonly ranks: Float64Array;
}

/** Nodes of a level that are tried, evenly spread over it. */
function nodesToTry({ depth }: ClusterTree, level: number): Int32Array {
  const most = Math.max(1, MOST_TRIED >> (depth - level));
  return spreadOver(level, Math.min(most, Math.ceil(2 ** level / NODES_PER_TRIED)));
}

/** Most indices of a node that is tried, of so many in all, beyond the two deepest levels. */
const mostTried = (all: number): number => Math.min(LARGEST_HIGH, HIGH_SMALL_SHARE * all);

/** All nodes that may be tried. */
function* nodesThatMay(tree: ClusterTree): Iterable<number> {
  const all = tree.end[0] - tree.begin[0];
  for (let level = tree.depth; level > 0; level--)
    if (level > tree.depth - 2 || all / 2 ** level <= mostTried(all)) yield* nodesToTry(tree, level);
}

/** What is known of lists of neighbors. */
interface Listed extends KnownIndices, Pick<NeighborRows, 'indices' | 'members' | 'count'> {
  readonly tree: ClusterTree;
}

/** The leaves of the neighbors of these nodes' indices, whose lists are here. */
function* leavesOfNeighbors(
  nodes: Int32Array,
  { tree, places, leafAt, indices, members, count }: Listed,
): Iterable<number> {
  const inside = new Uint8Array(leavesOf(tree) + 1);
  for (const ν of nodes) {
    const { first, last } = leavesBelow(tree, ν);
    inside.fill(1, first, last + 1);
  }
  if (members === undefined) return;
  for (const [row, i] of members.entries()) {
    if (inside[leafAt[placeOf(places, i)]] === 0) continue;
    for (let q = row * count; q < (row + 1) * count; q++) yield leafAt[placeOf(places, indices[q])];
  }
}

/** Throws NonFiniteError, AbortedError, what the source throws. */
export async function pilotRanks(
  source: EntrySource,
  { tree, dealt, neighbors, normSquared, tolerance, seed }: PilotInput,
  control: TeamControl,
): Promise<PilotRanks> {
  const nodes = nodesOf(tree);
  const { communicator } = control.team;
  const { nearBegin, near } = interactionLists(tree, neighbors, { budget: 0 });
  const listed = listsOfAll(neighbors, tree, { nodes: nodesThatMay(tree), dealt }, communicator);
  const largest = Math.max(LARGEST_HIGH + 1, mostInLeaf(tree));
  const known = await knownIndices(tree, listed, [listed.indices], control, { dealt });
  const clusters = new BroughtClusters(
    { tree, nearBegin, near },
    rowPools(tree, 0, { seed, round: 0 }),
    dealt,
    communicator,
  );
  const state: Skeletons = {
    tree,
    ...known,
    neighbors: listed.indices,
    neighborCount: neighbors.count,
    // Neighbors alone vote: who is whose one-sidedly is not found for a pilot.
    nearestBegin: sharedInt32(listed.indices.length / Math.max(1, neighbors.count) + 1),
    nearestOf: sharedInt32(0),
    reach: sharedInt32(0),
    first: 0,
    loners: sharedInt32(0),
    nearBegin,
    near,
    pools: clusters.pools,
    witnesses: sharedInt32(0),
    maxRank: largest,
    leafSize: largest,
    seed,
    needed: sharedInt32(nodes).fill(1),
    preserve: undefined,
    thresholdPerIndex: (tolerance * tolerance * normSquared) / (2 * Math.max(1, tree.depth) * tree.size),
    ranks: sharedInt32(nodes),
    choice: sharedInt32(0),
    skeletons: sharedInt32(0),
    amplification: sharedFloat64(0),
    slotBegin: sharedFloat64(0),
    slots: sharedFloat64(0),
    missed: sharedFloat64(nodes),
    variance: sharedFloat64(nodes),
    attempts: sharedInt32(nodes),
    forecast: sharedInt32(2),
    ranksOnly: true,
    done: sharedInt32(nodes),
  };
  const all = tree.end[0] - tree.begin[0];
  const measured: MeasuredRank[] = [];
  const entries = new HeldEntries(source, state, control);
  try {
    for (let level = tree.depth; level > 0; level--) {
      const ofLevel = 2 ** level;
      const size = all / ofLevel;
      const last = measured.at(-1);
      if (last !== undefined && measured.length > 1) {
        const share = last.rank / last.size;
        const high = share > HIGH_SHARE;
        const limit = high ? mostTried(all) : Math.min(LARGEST, SMALL_SHARE * all);
        if (size > limit || share <= LOW_SHARE) break;
      }
      const list = nodesToTry(tree, level);
      const tried = list.length;
      state.forecast[0] = Math.ceil(GUESSED_SHARE * size);
      const { first, end } = ownPortion(communicator, tried);
      const nodes = list.slice(first, end);
      clusters.bring(nodes, leavesOfNeighbors(nodes, { tree, ...known, ...listed, count: neighbors.count }));
      const { pools } = clusters;
      const shared = await entries.among(
        () => [...Array.from(nodes, (ν) => tree.order.subarray(tree.begin[ν], tree.end[ν])), ...clusters.brought],
        [clusters.own, listed.indices],
      );
      await awaitTogether(communicator, () =>
        control.team.run(
          'try ranks',
          skeletonizeNode,
          shared,
          independentTasks(nodes.length),
          { nodes, pools },
          control,
        ),
      );
      tellTried(communicator, list, state);
      const ranks = Array.from(list, (ν) => state.ranks[ν]);
      const indices = list.reduce((sum, ν) => sum + tree.end[ν] - tree.begin[ν], 0);
      measured.push({ level, size: indices / tried, rank: ranks.reduce((sum, rank) => sum + rank, 0) / tried });
    }
  } finally {
    entries.release();
  }
  const ranks = forecastRanks(tree, state, tree.size);
  const last = measured.at(-1);
  if (last !== undefined && last.rank > FULL_SHARE * last.size)
    for (let level = last.level - 1; level > 0; level--) ranks[level] = last.rank * 2 ** (last.level - level);
  return { measured, ranks };
}
