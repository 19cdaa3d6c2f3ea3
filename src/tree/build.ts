/**
 * Building the cluster tree: level by level near the root, where nodes are large, subtree by subtree below.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { awaitTogether, together } from '../distributed/together.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { independentTasks } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import { readDiagonal, RUN, runOf, runsOf, type Diagonal, type DiagonalSource } from '../source/diagonal.js';
import { type EntrySource, requireSource } from '../source/entry-source.js';
import type { ClusterTree } from './cluster-tree.js';
import { chooseDistance, distanceOf, type DistanceState } from './distances/choose-distance.js';
import type { DistanceParts } from './distances/geometric-parts.js';
import type { DistanceName } from './distances/table.js';
import { halvedRanges, positionsOfRanks, subtreeLevel, type PositionRange, type Ranges } from './split.js';
import { cutState, TopCuts } from './top-cuts.js';
import {
  CENTROID_MEMBERS,
  chooseCentroids,
  projectToCentroids,
  samplePlaces,
  samplesOf,
  SPLIT_SAMPLE,
  splitSubtree,
  type SplitState,
} from './two-centroids.js';

/** Options of {@link buildClusterTree}. */
export interface ClusterTreeOptions {
  /** Most indices a leaf may hold, at least 2. */
  readonly leafSize: number;
  /** Default 0. Seeds the samples that clusters are split by. */
  readonly seed?: number | undefined;
}
/** The keys of {@link ClusterTreeOptions}. */
const CLUSTER_TREE_KEYS: KeysOf<ClusterTreeOptions> = { leafSize: 'number', seed: 'number' };

/**
 * Orders the source's indices into a complete binary tree of depth ⌈log₂(N / leafSize)⌉ (0 where N ≤ leafSize): every
 * node is cut at the exact median by the distances to two far-apart centroids (two-centroids.ts), the left child taking
 * ⌈n/2⌉ of its n indices, whatever the distances are. `lexicographic` gives the identity, `random` a seeded shuffle.
 * Indices with a zero on the diagonal, whose rows a positive semidefinite matrix cannot fill, are isolated in front
 * (unless all are). Cost O(N log N) distances; the same tree for any team. Throws OptionError, NonFiniteError where a
 * distance is not a number, AbortedError.
 */
export async function buildClusterTree(
  source: EntrySource,
  distance: DistanceName,
  options: ClusterTreeOptions,
  given: Control = {},
): Promise<ClusterTree> {
  requireSource(source, 'buildClusterTree');
  const { leafSize, seed = 0 } = requireKnownOptions(options, CLUSTER_TREE_KEYS, 'buildClusterTree');
  const control = await onTeam(given, 'buildClusterTree');
  if (!Number.isInteger(leafSize) || leafSize < 2)
    throw new OptionError(`leafSize must be a whole number of at least 2, not ${describe(leafSize)}.`, { leafSize });
  const { tree, ranges } = await treeOf(source, distance, { leafSize, seed }, control);
  if (ranges !== undefined) gatherParts(tree, ranges, control.team.communicator);
  return tree;
}

/** A tree, and of several ranks that each have a part of its order the positions of each. */
export interface BuiltTree {
  readonly tree: ClusterTree;
  readonly ranges?: readonly PositionRange[] | undefined;
}

/** Options with their defaults. */
type Resolved = { readonly [K in keyof ClusterTreeOptions]-?: number };

/** What is known of a source's diagonal: its entries, and how many are not zero. */
interface KnownDiagonal {
  readonly diagonal?: Diagonal | undefined;
  readonly nonzero?: number | undefined;
}

/**
 * `buildClusterTree`, its options checked; pass the source's diagonal where it is known already. Several ranks have
 * all of the order where it does not come from distances, or some indices are isolated; else each has its own part.
 */
export async function treeOf(
  source: EntrySource,
  distance: DistanceName,
  { leafSize, seed, diagonal, nonzero }: Resolved & KnownDiagonal,
  control: TeamControl,
): Promise<BuiltTree> {
  const { communicator } = control.team;
  const { chosen, order } = together(communicator, () => {
    throwIfAborted(control.signal);
    // Whose zeros are counted is finite.
    const chosen = chooseDistance(distance, source, seed, { isFinite: nonzero !== undefined });
    const order = sharedInt32(source.size);
    // Of several ranks each touches its own part.
    return { chosen, order: communicator.size === 1 ? inLargePages(order) : order };
  });
  const { size, state, parts, place, modules, solo } = chosen;
  let isolated = 0;
  // Without zeros each rank begins with the indices of its own positions.
  const isWhole = place !== undefined || nonzero !== size;
  if (isWhole) {
    for (let i = 0; i < size; i++) order[place === undefined ? i : place[i]] = i;
    isolated = moveZeros(order, diagonal ?? readDiagonal(source));
  }
  const ranges = halvedRanges(size - isolated, depthFor(size - isolated, leafSize), isolated);
  if (place !== undefined) return { tree: { size, ...ranges, order } };
  const split = await splitTop(
    order,
    ranges,
    { isWhole, distance: state ?? parts, seed, sharing: { modules, solo } },
    control,
  );
  const tree = { size, ...ranges, order: split.order };
  if (communicator.size === 1) return { tree };
  const dealt = positionsOfRanks(ranges, split.top, communicator);
  if (!isWhole) return { tree, ranges: dealt };
  gatherParts(tree, dealt, communicator);
  return { tree };
}

/** All of an order of which each rank has a part, to every rank. Collective. */
function gatherParts(tree: ClusterTree, parts: readonly PositionRange[], communicator: Communicator): void {
  const counts = parts.map(({ begin, end }) => end - begin);
  communicator.allgather(undefined, tree.order.subarray(tree.begin[0], tree.end[0]), counts);
}

/** What is split by, and what `Team.share` needs to know of it. */
interface Splitting {
  /** Whether the order is filled already; else each index stands at its own position. */
  readonly isWhole: boolean;
  readonly distance: DistanceState | DistanceParts;
  readonly seed: number;
  readonly sharing: { readonly modules?: readonly string[] | undefined; readonly solo?: boolean | undefined };
}

/**
 * Splits all nodes, level by level down to `top`, then subtree by subtree. Of several ranks each has the order of its
 * own subtrees.
 */
async function splitTop(
  order: Int32Array,
  ranges: Ranges,
  { isWhole, distance, seed, sharing }: Splitting,
  control: TeamControl,
): Promise<{ readonly order: Int32Array; readonly top: number }> {
  const { team, signal } = control;
  const top = subtreeLevel(ranges);
  const cut = cutState(ranges, top, { order });
  const { orders, values } = cut;
  const nodes = 2 ** top;
  const { begin, end } = positionsOfRanks(ranges, top, team.communicator)[team.communicator.rank];
  // Two nodes at most are shared with others.
  const { state: known, table } = distanceOf(distance, end - begin + 2 * SPLIT_SAMPLE);
  const state: SplitState = {
    distance: known,
    ranges,
    orders,
    values,
    top,
    centroids: sharedInt32(nodes * CENTROID_MEMBERS),
    counts: sharedInt32(nodes),
    seed,
  };
  const sharedCut = await team.share(cut);
  const shared = await team.share(state, sharing);
  try {
    const cuts = new TopCuts(team, 'tree', sharedCut);
    const { first: firstChunk } = cuts.own;
    if (!isWhole) for (let p = begin; p < end; p++) order[p] = p;
    const act = async (level: number): Promise<void> => {
      const samples = cuts.membersAt(level, (ν) => samplePlaces(state, ν));
      const { nodes, slots } = cuts.ownNodes(level);
      if (samples.length > 0) await table?.hold(() => [cuts.members, ...samplesOf(slots, samples)], control);
      const args = { level, turn: cuts.turn, firstChunk, nodes, slots, samples };
      await cuts.together(level, async () => {
        await team.run('tree', chooseCentroids, shared, independentTasks(nodes.length), args, { signal });
        await team.run('tree', projectToCentroids, shared, cuts.chunkTasks, args, { signal });
      });
      await cuts.cut(level);
    };
    await cuts.eachLevel(act, async () => table?.hold(() => [cuts.members], control));
    await awaitTogether(team.communicator, () =>
      team.run('tree', splitSubtree, shared, cuts.chunkTasks, { turn: cuts.turn, firstChunk }, control),
    );
    return { order: cuts.order, top };
  } finally {
    team.release(shared);
    team.release(sharedCut);
    team.collect(table?.bytes ?? 0);
  }
}

/**
 * Moves the indices whose diagonal entry is zero to the front, the order kept otherwise; returns how many, 0 where all
 * are zero.
 */
export function isolateZeros(order: Int32Array, source: DiagonalSource): number {
  return moveZeros(order, readDiagonal(source));
}

function moveZeros(order: Int32Array, diagonal: Diagonal): number {
  const isZero = new Uint8Array(diagonal.size);
  for (let run = 0; run < runsOf(diagonal.size); run++)
    runOf(diagonal, run).forEach((d, k) => {
      if (d === 0) isZero[run * RUN + k] = 1;
    });
  const zeros = order.filter((i) => isZero[i] === 1);
  if (zeros.length === 0 || zeros.length === order.length) return 0;
  const rest = order.filter((i) => isZero[i] === 0);
  order.set(zeros);
  order.set(rest, zeros.length);
  return zeros.length;
}

/** Levels below the root: the fewest whose leaves hold at most leafSize indices. */
export function depthFor(size: number, leafSize: number): number {
  let depth = 0;
  while (size > leafSize * 2 ** depth) depth++;
  return depth;
}
