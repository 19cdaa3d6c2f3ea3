/**
 * Points that a rank of a plan holds where each rank has a part of them: those that it works on, phase by phase, which
 * it brings from those who have them (distributed/row-parts.ts). Which rank has which is taken to have nothing to do
 * with where they lie: of any P points it has one.
 */
import { comparisonBatches } from '../../hierarchical/measure/columns-error.js';
import { NORM_COLUMNS } from '../../hierarchical/measure/norm-estimate.js';
import { SAMPLE_SIZE as LOOKED_AT } from '../../source/validate.js';
import { LARGEST_DIRECT_DIMENSION } from '../../source/points.js';
import { CANDIDATES } from '../../tree/neighbor-search.js';
import { SAMPLE as RECALL_ROWS } from '../../tree/projection-trees.js';
import { subtreeLevelFor } from '../../tree/split.js';
import { SPLIT_SAMPLE } from '../../tree/two-centroids.js';
import { plannedClusters } from './clusters.js';
import type { PlannedTree } from './levels.js';
import { NO_TRAFFIC, PlannedOperations, times, totalTraffic, type PlannedTraffic } from './operations.js';
import type { PlanSetup } from './options.js';
import { plannedSearch } from './searches.js';

/** Points that are held at one time, by a rank that has most of them. */
export interface HeldPoints {
  readonly points: number;
  /** Those of them that are brought, but for those that were held before. */
  readonly fresh: number;
  /** Those of these that other ranks have, and how many ranks these are. */
  readonly asked: number;
  readonly askedRanks: number;
  /** Points of its own that other ranks hold, and how many ranks these are. */
  readonly given: number;
  readonly givenRanks: number;
}

/** Holdings of each phase, one after the other. */
export type HeldByPhase = Readonly<
  Record<'neighbors' | 'tree' | 'norm' | 'skeletonization' | 'blocks' | 'check', readonly HeldPoints[]>
>;

/** A tree that is cut by ranks that have the members at their positions: level by level above `top`. */
interface HeldCuts {
  /** Ranks with members. */
  readonly searching: number;
  readonly top: number;
  /** Members of each node beside own ones, that all ranks of it hold. */
  readonly sample: number;
  /** Whether members begin as they are dealt out, or as another tree has left them. */
  readonly fresh: boolean;
}

/** Numbers of 8 bytes of a point, as distances and kernels take it: beyond some dimensions with its squared norm. */
const arraysOf = ({ dimension }: PlanSetup): number[] =>
  dimension <= LARGEST_DIRECT_DIMENSION ? [dimension] : [dimension, 1];

/** Bytes of a point. */
export const bytesOfPoint = (setup: PlanSetup): number => 8 * arraysOf(setup).reduce((sum, width) => sum + width, 0);

/** Points that a rank holds in each phase; none where every rank has all. */
export function heldPoints(setup: PlanSetup, tree: PlannedTree): HeldByPhase {
  const { size, parts, depth } = setup;
  if (!parts) return { neighbors: [], tree: [], norm: [], skeletonization: [], blocks: [], check: [] };
  const { shareLevel, levels, most } = tree;
  const own = (size * most) / 2 ** shareLevel;
  const top = subtreeLevelFor(size, depth);
  const told = levels.reduce((sum, { receives, rank }) => sum + receives * rank, 0);
  const leaves = levels[depth];
  return {
    neighbors: ofSearch(setup),
    tree: ofCuts(setup, { searching: Math.min(setup.ranks, 2 ** top), top, sample: SPLIT_SAMPLE, fresh: true }),
    norm: [spread(setup, Math.min(size, 2 * LOOKED_AT)), beside(setup, Math.min(size, NORM_COLUMNS))],
    skeletonization: ofSkeletons(setup, tree, own),
    blocks: [spread(setup, leaves.nodes * leaves.rank + told), spread(setup, own + told)],
    check: comparisonBatches(size).map((batches) => spread(setup, own + batches.reduce((sum, one) => sum + one, 0))),
  };
}

/** Points of which each rank has as many, held by so many of the ranks. */
function spread({ size, ranks }: PlanSetup, some: number, holding = ranks): HeldPoints {
  const points = Math.min(size, some);
  const asked = points * (1 - 1 / ranks);
  const given = (asked * (holding - 1)) / (ranks - 1);
  return {
    points,
    fresh: points,
    asked,
    askedRanks: Math.min(ranks - 1, Math.ceil(asked)),
    given,
    givenRanks: Math.min(holding - 1, Math.ceil(given)),
  };
}

/** A rank's own points, and a few others that all hold, each rank having as many of these. */
function beside(setup: PlanSetup, some: number): HeldPoints {
  const held = spread(setup, some);
  const points = setup.size / setup.ranks + held.asked;
  return { ...held, points, fresh: points };
}

/** While a tree is cut, level by level, and then each subtree by the rank that has it. */
function ofCuts(setup: PlanSetup, cuts: HeldCuts): HeldPoints[] {
  const { size, ranks } = setup;
  const { searching, top, sample, fresh } = cuts;
  const members = size / searching;
  const levels = Array.from({ length: Math.min(top, Math.ceil(Math.log2(ranks))) }, (_, level) => {
    const others = sample * Math.max(0, 1 - 2 ** level / searching);
    return fresh && 2 ** level < searching
      ? inStretches(setup, cuts, { level, others })
      : spread(setup, members + others, searching);
  });
  return [...levels, spread(setup, members, searching)];
}

/**
 * Members of a rank at a level of a tree that begins with its own ones, and others of a sample. Members go to either
 * side in the order in which they stand: after l levels those of a rank come from a stretch of 2^l ranks, and from a
 * straggler. Of the rank that has most none of them is its own, until they come from all.
 */
function inStretches(
  setup: PlanSetup,
  { searching }: HeldCuts,
  { level, others }: { readonly level: number; readonly others: number },
): HeldPoints {
  const { size, ranks } = setup;
  const members = size / searching;
  const own = size / ranks;
  const root = level === 0;
  // Of the root's sample what is not at own positions is no own one either.
  const more = root ? others : spread(setup, others, searching).asked;
  const given = (more * (searching - 1)) / (ranks - 1);
  const [from, to] = root ? [ranks / searching - 1, 0] : [(ranks / searching) * 2 ** level + 1, 2 ** level];
  return {
    points: members + others,
    fresh: members + others,
    asked: more + (root ? members - own : members),
    askedRanks: Math.min(ranks - 1, Math.ceil(from) + Math.ceil(more)),
    given: given + (root ? 0 : own),
    givenRanks: Math.min(searching - 1, to + Math.ceil(more)),
  };
}

/** While neighbors are searched: boxes, and then points near own ones; or a sample, and then tree after tree. */
function ofSearch(setup: PlanSetup): HeldPoints[] {
  const { size, ranks, neighbors } = setup;
  if (neighbors === 0) return [];
  const { boxed, trees, top, searching, near } = plannedSearch(setup);
  const cuts = { searching, top };
  if (boxed) {
    const around = (near * searching) / 2 ** top;
    const placed = spread(setup, (size / searching) * (1 + around), searching);
    return [...ofCuts(setup, { ...cuts, sample: 0, fresh: true }), placed];
  }
  // All hold the sample, and beside it the members at their positions, which are their own ones at first.
  const sampled = spread(setup, Math.min(size, RECALL_ROWS));
  const members = size / searching;
  const others = sampled.points * (1 - 1 / searching);
  const points = members + others;
  const compared = { ...sampled, points, fresh: points, asked: members - size / ranks + others };
  const grown = Array.from({ length: trees }, (_, tree) =>
    ofCuts(setup, { ...cuts, sample: CANDIDATES, fresh: tree === 0 }),
  );
  return [compared, ...grown.flat()];
}

/**
 * Around own nodes, and around those above them but the root, for which nothing is let go: own points and those of the
 * clusters that are read.
 */
function ofSkeletons(setup: PlanSetup, tree: PlannedTree, own: number): HeldPoints[] {
  let held = 0;
  return plannedClusters(setup, tree).map(({ distinct }) => {
    const points = Math.max(held, own + distinct);
    const fresh = spread(setup, points - held);
    held = points;
    return { ...fresh, points };
  });
}

/** The most that a rank holds at one time. */
export const mostHeld = (held: HeldByPhase): number =>
  Object.values(held).reduce((most, some) => some.reduce((sum, { points }) => Math.max(sum, points), most), 0);

/** What it takes to bring the points of each phase. */
export function broughtPoints(setup: PlanSetup, held: HeldByPhase): Record<keyof HeldByPhase, PlannedTraffic> {
  const among = new PlannedOperations(setup.ranks);
  // Neighbors are searched and trees cut with tables, whose points are replaced; entries have one, made anew after
  // entries are looked at and after skeletons are found.
  const brought = (phase: keyof HeldByPhase, tables: number): PlannedTraffic =>
    held[phase].length === 0
      ? NO_TRAFFIC
      : totalTraffic([times(tables, among.agreed()), ...held[phase].map((some) => ofHolding(setup, among, some))]);
  return {
    neighbors: brought('neighbors', plannedSearch(setup).boxed ? 2 : 1),
    tree: brought('tree', 1),
    norm: brought('norm', 2),
    skeletonization: brought('skeletonization', 0),
    blocks: brought('blocks', 1),
    check: brought('check', 0),
  };
}

/**
 * How many points are asked for, to each rank; 4 bytes a point to who has it, and 8 for each number of it back. Before
 * each step all hear whether there is room.
 */
function ofHolding(
  setup: PlanSetup,
  among: PlannedOperations,
  { asked, askedRanks, given, givenRanks }: HeldPoints,
): PlannedTraffic {
  const peers = setup.ranks - 1;
  const arrays = arraysOf(setup).map((width) => ({
    messages: givenRanks,
    sentBytes: 8 * width * given,
    receivedBytes: 8 * width * asked,
  }));
  return totalTraffic([
    times(2 + arrays.length, among.agreed()),
    among.alltoall(peers, 4 * peers),
    { messages: askedRanks, sentBytes: 4 * asked, receivedBytes: 4 * given },
    ...arrays,
  ]);
}
