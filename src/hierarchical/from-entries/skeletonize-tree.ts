/**
 * Skeletonization of a whole tree: its state, a few nodes first, by whose ranks the others begin and memory is counted,
 * then all.
 */
import { visitPlaces } from '../../core/index-places.js';
import { firstOfLevel, leftChild, parentOf, rightChild } from '../../core/indices.js';
import { requireMemory } from '../../core/memory.js';
import { sharedFloat64, sharedInt32, toShared } from '../../core/shared-array.js';
import { awaitTogether, together } from '../../distributed/together.js';
import { availableMemory } from '../../io/machine.js';
import { independentTasks, upwardTasks } from '../../parallel/task-graph.js';
import type { Shared } from '../../parallel/team.js';
import type { TeamControl } from '../../parallel/team-control.js';
import type { EntrySource } from '../../source/entry-source.js';
import { type ClusterTree, firstLeaf, nodesOf } from '../../tree/cluster-tree.js';
import type { DealtOrder } from '../../tree/dealt-order.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import type { KnownIndices } from '../../tree/known-indices.js';
import type { NeighborRows } from '../../tree/neighbors.js';
import { COMPRESSION_NEED } from '../matrix/memory.js';
import { BroughtClusters } from '../ranks/brought-clusters.js';
import { withNearLists } from '../ranks/near-lists.js';
import { SkeletonExchange } from '../ranks/skeleton-exchange.js';
import { heldNodes, shareOfLeaves, type Share } from '../ranks/share.js';
import { VoteExchange } from '../ranks/vote-exchange.js';
import { interpolationLimit } from './cost.js';
import { HeldEntries } from './held-entries.js';
import { estimateCompression, forecastRanks } from './memory-estimate.js';
import type { Card } from './device/card.js';
import { LevelSkeletonizer } from './device/skeletonize-levels.js';
import type { ResolvedOptions } from './options.js';
import { rowPools } from './row-pools.js';
import { pilotLeaves, pilotSubtrees, tellTried, type PilotTasks } from './pilot.js';
import { skeletonOf, type SkeletonState, type Skeletons } from './skeleton-state.js';
import { basisLevels, candidateLimit, evenRanks, leastPool } from './skeletonize.js';
import { skeletonizeNode } from './skeletonize-node.js';
import { splitMemory } from './split-sample.js';
import { findVoters } from './voters.js';
import type { GivenVotes } from './votes.js';

/** Most candidate columns of an inner node: its children's skeletons. */
function candidates(tree: ClusterTree, ν: number, maxRank: number): number {
  return [leftChild(ν), rightChild(ν)].reduce(
    (sum, child) => sum + Math.min(maxRank, tree.end[child] - tree.begin[child]),
    0,
  );
}

/** What a round of a compression is to do better than the one before. */
export interface Round {
  /** How many there were before. */
  readonly number: number;
  /** Rows that every sample is to have. */
  readonly witnesses: Int32Array;
  /** What is allowed to a node, of its share of the tolerance. */
  readonly allowed: number;
}

/** What skeletonization needs beside entries. */
export interface SkeletonInput {
  readonly tree: ClusterTree;
  /** Where each of several ranks has its part of the tree's order; undefined where it has all. */
  readonly dealt?: DealtOrder | undefined;
  readonly lists: InteractionLists;
  readonly neighbors: NeighborRows;
  /** What is known of the indices that stand in them, and of those that the round wants in samples. */
  readonly known: KnownIndices;
  /** Bytes that the search took for each of them. */
  readonly perNeighbor: number;
  /** 1 for every node that needs a basis. */
  readonly needed: Int32Array;
  readonly round: Round;
  /** Of several ranks, what this one holds. */
  readonly share?: Share | undefined;
  /** Where samples are evaluated and interpolated; undefined: by the team. */
  readonly card?: Card | undefined;
}

/** Throws MemoryError, NonFiniteError, AbortedError, WorkerError, what the source throws, and what a card refuses. */
export async function skeletonizeTree(
  source: EntrySource,
  options: ResolvedOptions,
  { tree, dealt, lists: interactions, neighbors, known, perNeighbor, needed, round, share, card }: SkeletonInput,
  normSquared: number,
  control: TeamControl,
): Promise<Skeletons> {
  const nodes = nodesOf(tree);
  const { maxRank, leafSize, seed, tolerance } = options;
  const { communicator } = control.team;
  const voters = await findVoters(tree, known, neighbors, { share, dealt }, control);
  const own = { tree, neighbors: neighbors.indices, neighborCount: neighbors.count, ...voters };
  const lists = share === undefined ? own : { ...own, ...(await withNearLists(own, share, neighbors, control, dealt)) };
  const pools = rowPools(tree, leastPool(candidateLimit(tree.size, leafSize, maxRank)), { seed, round: round.number });
  const clusters = new BroughtClusters({ tree, ...interactions }, pools, dealt, communicator);
  if (share !== undefined) clusters.bring(heldNodes(share, share.level), lists.leafAt);
  const state = together(communicator, (): Skeletons => {
    const due = share === undefined ? needed : ownBases(needed, share);
    const slotBegin = sharedFloat64(nodes);
    let slots = 0;
    for (let ν = 0; ν < nodes; ν++) {
      slotBegin[ν] = slots;
      const size = tree.end[ν] - tree.begin[ν];
      if (due[ν] !== 0)
        slots += interpolationLimit(ν >= firstLeaf(tree) ? size : candidates(tree, ν, maxRank), maxRank);
    }
    return {
      ...lists,
      nearBegin: interactions.nearBegin,
      near: interactions.near,
      pools: clusters.pools,
      witnesses: round.witnesses,
      maxRank,
      leafSize,
      seed,
      needed: due,
      preserve: options.preserve ? options.dtype : undefined,
      thresholdPerIndex: (round.allowed * tolerance * tolerance * normSquared) / (2 * basisLevels(needed) * tree.size),
      ranks: sharedInt32(nodes),
      choice: sharedInt32(nodes * maxRank),
      skeletons: sharedInt32(nodes * maxRank),
      amplification: sharedFloat64(nodes * maxRank),
      slotBegin,
      slots: sharedFloat64(slots),
      missed: sharedFloat64(nodes),
      variance: sharedFloat64(nodes),
      attempts: sharedInt32(nodes),
      forecast: sharedInt32(2),
      ranksOnly: false,
      done: sharedInt32(nodes),
      split:
        card === undefined
          ? splitMemory(control.team.workers, candidateLimit(tree.size, leafSize, maxRank), maxRank)
          : undefined,
    };
  });
  const due = state.needed;
  const entries = new HeldEntries(source, state, control);
  const shared = await entries.among(() => [
    clusters.own,
    ...clusters.brought,
    listedIndices(state),
    state.loners,
    state.witnesses,
  ]);
  let levels: LevelSkeletonizer | undefined;
  const run = (phase: string, { nodes, graph }: Partial<PilotTasks> & Pick<PilotTasks, 'graph'>): Promise<void> =>
    levels === undefined
      ? control.team.run(phase, skeletonizeNode, shared, graph, { nodes }, control)
      : levels.run(phase, nodes ?? due.keys(), control);
  // Nodes that several ranks hold wait for what others find.
  const above = due.slice(0, firstOfLevel(share?.level ?? 0));
  due.fill(0, 0, above.length);
  // A few leaves first: their ranks are the forecast for the others, on every rank the same.
  const pilot = pilotLeaves(tree);
  const tried = pilot.filter((ν) => share?.held[ν] !== 0);
  const tryLeaves = (): Promise<void> => run('forecast ranks', { nodes: tried, graph: independentTasks(tried.length) });
  /** Everything but what several ranks share, in which nothing is communicated. */
  const begin = async (): Promise<void> => {
    const least = pilot.reduce((size, ν) => Math.min(size, tree.end[ν] - tree.begin[ν]), Infinity);
    const ranks = Array.from(pilot, (ν) => state.ranks[ν]);
    state.forecast[0] = Math.max(...ranks);
    state.forecast[1] = evenRanks(ranks, least) ? 1 : 0;
    // Then a few subtrees: whether what all need is there.
    await run('forecast ranks', pilotSubtrees(tree));
    const expected = {
      lists: interactions,
      needed: due,
      ranks: forecastRanks(tree, state, maxRank),
      bytesOfNeighbor: perNeighbor,
      slotBytes: state.slots.byteLength,
      share: share === undefined ? 1 : shareOfLeaves(share),
      onCard: card !== undefined,
    };
    requireMemory(
      estimateCompression(tree, expected, options, control.team.workers),
      options.memoryLimit ?? availableMemory(),
      COMPRESSION_NEED,
    );
  };
  try {
    if (card !== undefined) levels = await LevelSkeletonizer.open(shared.state, card);
    await awaitTogether(communicator, tryLeaves);
    tellTried(communicator, pilot, state);
    await awaitTogether(communicator, begin);
    if (share === undefined) await run('skeletonize', { graph: upwardTasks(nodes) });
    else await skeletonizeShare(shared, { share, clusters, entries }, above, control);
  } finally {
    levels?.release();
    entries.release();
  }
  return state;
}

/** What this rank's own nodes need. */
function ownBases(needed: Int32Array, { held }: Share): Int32Array {
  const own = sharedInt32(needed.length);
  for (let ν = 0; ν < own.length; ν++) own[ν] = needed[ν] & held[ν];
  return own;
}

/** A rank's own subtrees, then the nodes above them, for which siblings of other ranks are asked for. */
async function skeletonizeShare(
  shared: Shared<SkeletonState>,
  {
    share,
    clusters,
    entries,
  }: { readonly share: Share; readonly clusters: BroughtClusters; readonly entries: HeldEntries },
  neededAbove: Int32Array,
  control: TeamControl,
): Promise<void> {
  const { state } = shared;
  const { team } = control;
  await awaitTogether(team.communicator, () =>
    team.run('skeletonize', skeletonizeNode, shared, upwardTasks(state.needed.length), {}, control),
  );
  state.needed.set(neededAbove);
  const exchange = new SkeletonExchange(team.communicator, share, state);
  const votes = new VoteExchange(team.communicator, share, state);
  for (let level = share.level; level > 0; level--) {
    exchange.run(level);
    // The root has no basis.
    if (level === 1) break;
    const nodes = heldNodes(share, level - 1);
    const given = votes.run(level - 1);
    const partners = Array.from(nodes, (ν) => exchange.partnersOf(ν));
    clusters.bring(nodes, leavesOfVotes(given));
    const { pools } = clusters;
    const above = await entries.among(() => [
      ...clusters.brought,
      ...Array.from(nodes).flatMap((ν) => [skeletonOf(state, leftChild(ν)), skeletonOf(state, rightChild(ν))]),
      ...Array.from(given.values(), ({ indices }) => indices),
      ...partners.map(({ indices }) => indices),
    ]);
    await awaitTogether(team.communicator, () => {
      const known = Array.from(nodes, (ν, t) => ({ votes: sharedVotes(given.get(ν)!), partners: partners[t] }));
      return team.run(
        'skeletonize',
        skeletonizeNode,
        above,
        independentTasks(nodes.length),
        { nodes, known, pools },
        control,
      );
    });
    nodes.forEach((ν, t) => {
      exchange.keepPartners(ν, partners[t]);
    });
  }
  exchange.gather();
}

/** Indices that are known, as they stand in lists. */
function listedIndices({ places, leafAt }: Skeletons): Int32Array {
  const known = new Int32Array(leafAt.length);
  visitPlaces(places, (i, place) => {
    known[place] = i;
  });
  return known;
}

/** The leaves that have votes of any node. */
function* leavesOfVotes(given: ReadonlyMap<number, GivenVotes>): Iterable<number> {
  for (const { leaves } of given.values()) yield* leaves;
}

/** Votes for a team to read. */
const sharedVotes = ({ indices, votes, leaves }: GivenVotes): GivenVotes => ({
  indices: toShared(indices),
  votes: toShared(votes),
  leaves: toShared(leaves),
});

/** 1 for every node that stands in a far pair or below one that does: those need a basis. */
export function neededBases(tree: ClusterTree, lists: InteractionLists): Int32Array {
  const needed = sharedInt32(nodesOf(tree));
  for (const ν of lists.far) needed[ν] = 1;
  for (let ν = 1; ν < needed.length; ν++) needed[ν] |= needed[parentOf(ν)];
  return needed;
}
