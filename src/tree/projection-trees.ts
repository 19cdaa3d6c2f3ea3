/**
 * Neighbors by projection trees, one after the other, until the recall on a sample of rows exceeds its target.
 *
 * Several ranks share the subtrees of each tree, and the lists of their indices move to where they are searched next
 * (held-lists.ts); there they stay in the end.
 */
import { throwIfAborted } from '../core/context.js';
import { firstOfLevel, type NodeId } from '../core/indices.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64, sharedInt32 } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import { gatherPortions, ownPortion } from '../distributed/portion.js';
import { awaitTogether, together } from '../distributed/together.js';
import { independentTasks, type TaskGraph } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Shared } from '../parallel/team.js';
import { distanceOf, type DistanceState } from './distances/choose-distance.js';
import type { DistanceParts, PointTable } from './distances/geometric-parts.js';
import type { FoundLists } from './gather-lists.js';
import type { ListsOnDevice } from './device/lists-on-device.js';
import { HeldLists } from './held-lists.js';
import { emptyLists, NearestLists, roomForLists } from './nearest-lists.js';
import {
  CANDIDATES,
  clearLists,
  FINISH_ROWS,
  finishLists,
  polePlaces,
  projectRandomly,
  rowOfList,
  SAMPLE_ROWS,
  searchSample,
  searchSubtree,
  type SearchState,
} from './neighbor-search.js';
import { halvedRanges, positionsOfRanks, subtreeLevel, type Ranges } from './split.js';
import { cutState, TopCuts } from './top-cuts.js';

/** Rows on which the recall is measured: its standard error is below 0.01 at 0.9 and κ = 32. */
export const SAMPLE = 128;
const SAMPLE_PURPOSE = 0x5a3e;

/** What is searched. */
export interface NeighborSearch {
  readonly distance: DistanceState | DistanceParts;
  readonly size: number;
  /** κ. */
  readonly capacity: number;
  readonly seed: number;
  /** What `Team.share` needs to know of the distance. */
  readonly sharing: { readonly modules?: readonly string[] | undefined; readonly solo?: boolean | undefined };
  /** Lists that lie on a card, where leaves are searched; undefined: by the team. */
  readonly there?: ListsOnDevice | undefined;
}

/** How long is searched. */
export interface TreeLimits {
  /** Fewest indices of a leaf. */
  readonly leaf: number;
  readonly targetRecall: number;
  readonly maxIterations: number;
}

/** Lists, sorted, their recall and the trees that it took; none where an exhaustive search is cheaper. */
export interface TreesFound {
  readonly recall: number;
  readonly iterations: number;
  readonly lists?: FoundLists | undefined;
}

/** What all searches have, but for their lists and an order; of points in parts, room for so many. */
export function stateOf(
  { distance, size, capacity, seed }: NeighborSearch,
  ranges: Ranges,
  points: number,
): { readonly state: Omit<SearchState, 'nearest' | 'orders'>; readonly table: PointTable | undefined } {
  const { state: known, table } = distanceOf(distance, points);
  const state = {
    distance: known,
    size,
    places: sharedInt32(0),
    rowAt: sharedInt32(0),
    ranges,
    values: sharedFloat64(0),
    sample: sharedInt32(0),
    exact: emptyLists(capacity, 0),
    seed,
  };
  return { state, table };
}

/** The tasks of `finishLists`. */
export const finishTasks = ({ nearest: { indices, capacity } }: SearchState): TaskGraph =>
  independentTasks(Math.ceil(indices.length / capacity / FINISH_ROWS));

/**
 * Projection trees until the target is reached, maxIterations are done, or the exhaustive search is cheaper than what
 * would still be needed. The same lists on all ranks.
 */
export async function searchTrees(
  search: NeighborSearch,
  limits: TreeLimits,
  control: TeamControl,
): Promise<TreesFound> {
  const { size, capacity, seed, sharing, there } = search;
  const ranges = halvedRanges(size, Math.floor(Math.log2(size / limits.leaf)));
  const { team, signal } = control;
  const { communicator } = team;
  const top = subtreeLevel(ranges);
  const isShared = communicator.size > 1;
  const { begin, end } = positionsOfRanks(ranges, top, communicator)[communicator.rank];
  // Two nodes at most are shared with others; rows of the sample are compared with own points.
  const { state: searched, table } = stateOf(search, ranges, end - begin + Math.max(2 * CANDIDATES, SAMPLE));
  const { cut, held, state } = together(communicator, () => {
    const cut = cutState(ranges, top, { carries: isShared });
    const nearest = roomForLists(capacity, end - begin);
    const held = isShared ? new HeldLists(team, nearest, { begin, end }, size) : undefined;
    const state: SearchState = {
      ...searched,
      nearest,
      ...held?.rows,
      orders: cut.orders,
      values: cut.values,
      sample: sampleRows(size, SAMPLE, seed),
      exact: emptyLists(capacity, SAMPLE),
    };
    for (let p = begin; p < end; p++) cut.orders[0][p] = p;
    return { cut, held, state };
  });
  const sharedCut = await team.share(cut);
  const shared = await team.share(state, sharing);
  try {
    const cuts = new TopCuts(team, 'neighbors', sharedCut);
    await awaitTogether(communicator, () =>
      team.run('neighbors', clearLists, shared, finishTasks(state), undefined, { signal }),
    );
    await (table === undefined ? searchSampleRows(shared, control) : searchSampleParts(shared, cuts, table, control));
    const found = await growTrees({ shared, cuts, top, held, table, there }, limits, control);
    if (found.recall < limits.targetRecall && found.iterations < limits.maxIterations) return found;
    await there?.bring(state.nearest);
    await awaitTogether(communicator, () =>
      team.run('neighbors', finishLists, shared, finishTasks(state), undefined, { signal }),
    );
    if (held === undefined) return { ...found, lists: state.nearest };
    const counts = cuts.positions.map(({ begin, end }) => end - begin);
    return { ...found, lists: { ...state.nearest, members: held.membersOf(cuts.order), counts } };
  } finally {
    held?.close();
    team.release(shared);
    team.release(sharedCut);
    team.collect(table?.bytes ?? 0);
  }
}

/** What trees are grown with. */
interface Growing {
  readonly shared: Shared<SearchState>;
  readonly cuts: TopCuts;
  readonly top: number;
  /** Lists that move between ranks, where there are several. */
  readonly held: HeldLists | undefined;
  /** Points of own members, where ranks have parts of them. */
  readonly table: PointTable | undefined;
  readonly there: ListsOnDevice | undefined;
}

/** Tree after tree. */
async function growTrees(
  growing: Growing,
  { targetRecall, maxIterations }: TreeLimits,
  control: TeamControl,
): Promise<TreesFound> {
  const { state } = growing.shared;
  const { ranges, size } = state;
  const leaf = size / 2 ** ranges.depth;
  let recall = 0;
  for (let iteration = 1; iteration <= maxIterations; iteration++) {
    await growTree(growing, iteration, control);
    const before = recall;
    recall = measureRecall(state, control.team.communicator);
    if (recall >= targetRecall) return { recall, iterations: iteration };
    if (iteration >= 2) {
      // The share missed shrinks by about the same factor with every tree.
      const factor = (1 - recall) / (1 - before);
      const needed =
        factor < 1 ? Math.log((1 - targetRecall) / (1 - recall)) / Math.log(factor) : Number.POSITIVE_INFINITY;
      if (Math.min(needed, maxIterations - iteration) * leaf > size) return { recall, iterations: iteration };
    }
  }
  return { recall, iterations: maxIterations };
}

/** One tree, and the search of its leaves. */
async function growTree(
  { shared, cuts, top, held, table, there }: Growing,
  iteration: number,
  control: TeamControl,
): Promise<void> {
  const { team, signal } = control;
  const { communicator } = team;
  const { begin, end } = cuts.positions[communicator.rank];
  const { first: firstChunk } = cuts.own;
  // Lists are where their indices stand before the tree.
  if (held !== undefined) cuts.carried.fill(communicator.rank, begin, end);
  const act = async (level: number): Promise<void> => {
    const { nodes, candidates } = candidatesOf(shared.state, cuts, iteration, level);
    if (cuts.sharedNodes(level).length > 0) await table?.hold(() => [cuts.members, candidates], control);
    const firstNode = nodes.length > 0 ? nodes[0] : 0;
    const args = { iteration, level, top, turn: cuts.turn, firstChunk, firstNode, candidates };
    await cuts.together(level, () => team.run('neighbors', projectRandomly, shared, cuts.chunkTasks, args, { signal }));
    await cuts.cut(level);
  };
  await cuts.eachLevel(act, async () => table?.hold(() => [cuts.members], control));
  const args = { iteration, level: top, turn: cuts.turn, firstChunk, searches: there === undefined };
  await held?.move(cuts.order, cuts.carried);
  await awaitTogether(communicator, () => team.run('neighbors', searchSubtree, shared, cuts.chunkTasks, args, control));
  if (there === undefined) return;
  const { sample, nearest, ranges } = shared.state;
  await there.search(cuts.order, ranges);
  await there.bringSome(sample, nearest);
  throwIfAborted(signal);
}

/** This rank's nodes of a level, and of each the members that may be poles. Collective. */
function candidatesOf(
  state: SearchState,
  cuts: TopCuts,
  iteration: number,
  level: number,
): { readonly nodes: Int32Array; readonly candidates: Int32Array } {
  const places = (ν: NodeId): Int32Array => polePlaces(state, iteration, ν);
  const ofShared = cuts.membersAt(level, places);
  const { nodes, slots } = cuts.ownNodes(level);
  const candidates = sharedInt32(CANDIDATES * nodes.length);
  const { order } = cuts;
  nodes.forEach((node, k) => {
    const slot = slots[k];
    const members =
      slot < 0
        ? places(firstOfLevel(level) + node).map((p) => order[p])
        : ofShared.subarray(slot * CANDIDATES, (slot + 1) * CANDIDATES);
    candidates.set(members, k * CANDIDATES);
  });
  return { nodes, candidates };
}

/** `rows` different indices, ascending. */
function sampleRows(size: number, rows: number, seed: number): Int32Array {
  const random = new RandomStream(seed, SAMPLE_PURPOSE);
  const drawn = new Set<number>();
  while (drawn.size < rows) drawn.add(random.integer(size));
  const sample = sharedInt32(rows);
  sample.set([...drawn].sort((a, b) => a - b));
  return sample;
}

/** The exact lists of the sample; each of several ranks finds those of some of its rows. */
async function searchSampleRows(shared: Shared<SearchState>, { team, signal }: TeamControl): Promise<void> {
  const { sample, exact } = shared.state;
  const { communicator } = team;
  const tasks = Math.ceil(sample.length / SAMPLE_ROWS);
  const { first, end } = ownPortion(communicator, tasks);
  const graph = independentTasks(end - first);
  await awaitTogether(communicator, () =>
    team.run('neighbors', searchSample, shared, graph, { firstTask: first, members: undefined }, { signal }),
  );
  const endOf = (task: number): number => exact.capacity * Math.min(sample.length, (task + 1) * SAMPLE_ROWS);
  for (const list of [exact.indices, exact.distances]) gatherPortions(communicator, list, tasks, { begin: 0, endOf });
}

/** The same where points are in parts: each rank compares all rows of the sample with own members; all merge them. */
async function searchSampleParts(
  shared: Shared<SearchState>,
  cuts: TopCuts,
  table: PointTable,
  { team, signal }: TeamControl,
): Promise<void> {
  const { sample, exact } = shared.state;
  const { communicator } = team;
  await table.hold(() => [cuts.members, sample], { team, signal });
  const graph = independentTasks(Math.ceil(sample.length / SAMPLE_ROWS));
  await awaitTogether(communicator, () =>
    team.run('neighbors', searchSample, shared, graph, { firstTask: 0, members: cuts.members }, { signal }),
  );
  const { indices, distances } = exact;
  const counts = new Array<number>(communicator.size).fill(indices.length);
  const all = together(communicator, () => ({
    indices: new Int32Array(communicator.size * indices.length),
    distances: new Float64Array(communicator.size * indices.length),
  }));
  communicator.allgather(indices.slice(), all.indices, counts);
  communicator.allgather(distances.slice(), all.distances, counts);
  const merged = new NearestLists(exact);
  merged.clear(0, sample.length);
  all.indices.forEach((index, k) => {
    if (index >= 0) merged.offer(Math.floor((k % indices.length) / exact.capacity), index, all.distances[k]);
  });
}

/** Share of the sample's true neighbors that the lists hold; one as near as the farthest true one counts as true. */
function measureRecall(state: SearchState, communicator: Communicator): number {
  const { nearest, exact, sample } = state;
  const { capacity, indices, distances } = nearest;
  const found = Float64Array.of(0);
  for (let s = 0; s < sample.length; s++) {
    const row = rowOfList(state, sample[s]);
    // Another rank has the list.
    if (row < 0) continue;
    const truth = new Set(exact.indices.subarray(s * capacity, (s + 1) * capacity));
    // Equal up to rounding: blocks of different shapes round differently.
    const limit = exact.distances[s * capacity] * (1 + 1e-9);
    for (let p = row * capacity; p < (row + 1) * capacity; p++)
      if (indices[p] >= 0 && (distances[p] <= limit || truth.has(indices[p]))) found[0]++;
  }
  communicator.allreduce(found, 'sum');
  return found[0] / (sample.length * capacity);
}
