/**
 * κ nearest neighbors of every index, approximately, with a measured recall.
 * Exactly where there are points in few dimensions (point-neighbors.ts). Else by
 * randomized projection trees, one after the other, until the recall on a sample of rows exceeds its target (the scheme
 * of SC17, arXiv 1707.00164, section 2.2, with leaves searched by blocks and lists kept by partial selection);
 * exhaustively where that is no dearer.
 */
import { throwIfAborted } from '../core/context.js';
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import { countPlaces, placesLength, putIndex } from '../core/index-places.js';
import { sharedInt32 } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import { portionOf, type Portion } from '../core/portion.js';
import { ownPortion } from '../distributed/portion.js';
import { awaitTogether, together } from '../distributed/together.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { taskGraph } from '../parallel/task-graph.js';
import type { TeamControl } from '../parallel/team-control.js';
import { type EntrySource, type Points, requireSource } from '../source/entry-source.js';
import { chooseDistance, resolvedDistance } from './distances/choose-distance.js';
import type { KnownEntries } from './distances/distance.js';
import type { DistanceName } from './distances/table.js';
import { ListsOnDevice, type NoLists, type PointCard } from './device/lists-on-device.js';
import { listsByIndex, type FoundLists } from './gather-lists.js';
import { NONE_KNOWN, type ListedIndices } from './known-indices.js';
import { neighborsOnLine } from './line-neighbors.js';
import { emptyLists, roomForLists } from './nearest-lists.js';
import { finishLists, searchTiles, TILE, type SearchState } from './neighbor-search.js';
import { MOST_DIMENSIONS, neighborsOfPoints } from './point-neighbors.js';
import { finishTasks, searchTrees, stateOf, type NeighborSearch } from './projection-trees.js';
import { rowsOfIndices } from './row-of.js';
import { halvedRanges, type PositionRange } from './split.js';

/** Options of {@link findNeighbors}. */
export interface NeighborOptions {
  /** Neighbors per index, κ; at most N − 1 are found. */
  readonly neighbors: number;
  /** Default 0. Seeds the projection trees and the sample of rows. */
  readonly seed?: number | undefined;
  /** Share of the true neighbors to be found, measured on a sample; 1 asks for an exhaustive search. Default 0.9. */
  readonly targetRecall?: number | undefined;
  /** Projection trees to try at most; default 24. */
  readonly maxIterations?: number | undefined;
}
/** The keys of {@link NeighborOptions}. */
const NEIGHBOR_KEYS: KeysOf<NeighborOptions> = {
  neighbors: 'number',
  seed: 'number',
  targetRecall: 'number',
  maxIterations: 'number',
};

const DEFAULTS = { targetRecall: 0.9, maxIterations: 24 } as const;
/** Options with their defaults. */
type Resolved = Required<{ [K in keyof NeighborOptions]: number }>;

/** Neighbors of every index, and how many of the true ones they are. */
export interface Neighbors {
  /** Neighbors per index: min(κ, N − 1). */
  readonly count: number;
  /**
   * count × N: the neighbors of i are indices[i·count … (i + 1)·count), nearest first (ties: smaller index first), i
   * itself excluded.
   */
  readonly indices: Int32Array;
  /** count × N: their distances, as `distance.ts` defines them. */
  readonly distances: Float64Array;
  /** Share of the true neighbors found, on a sample of rows; 1 where the search was exhaustive. */
  readonly recall: number;
  /** Projection trees searched; 0 where the search was exhaustive from the start. */
  readonly iterations: number;
}

/**
 * Where neighbors were searched while a card was there: on it ('device'), or why the team did it. 'distance': other
 * than that of points; 'few-dimensions': exactly, by boxes; 'few-points': all with all; 'memory': lists and points took
 * more than half of what was free on the card, or than a buffer may hold; 'many-points': more than it counts;
 * 'low-recall': projection trees on it missed their target, and all were compared with all here.
 */
export type NeighborSearchPlace = 'device' | 'distance' | 'few-dimensions' | 'few-points' | 'low-recall' | NoLists;

/**
 * Leaves of projection trees hold at least this many indices, and at least LEAF_PER_NEIGHBOR·κ; less than twice as
 * many.
 */
const LEAF = 256;
const LEAF_PER_NEIGHBOR = 4;
/**
 * Up to so many leaves' worth of indices everything is compared with everything: that is exact, and no dearer than as
 * many trees.
 */
const EXHAUSTIVE_LEAVES = 8;
const INDEX_BYTES = Int32Array.BYTES_PER_ELEMENT;
const DISTANCE_BYTES = Float64Array.BYTES_PER_ELEMENT;
/**
 * The κ nearest neighbors of every index of `source` by `distance`. Of points in up to four dimensions they are exact
 * (point-neighbors.ts). Else the cost is about N·(leaf size)/2 distances a tree (N²/2 where exhaustive) plus N log N
 * for the tree. Memory 12·κ·N bytes. The same lists for any team. Where `maxIterations` trees miss the target, the
 * recall says so. Throws OptionError, NonFiniteError where distances are not finite, AbortedError.
 */
export async function findNeighbors(
  source: EntrySource,
  distance: DistanceName,
  options: NeighborOptions,
  given: Control = {},
): Promise<Neighbors> {
  requireSource(source, 'findNeighbors');
  const {
    neighbors,
    seed = 0,
    targetRecall = DEFAULTS.targetRecall,
    maxIterations = DEFAULTS.maxIterations,
  } = requireKnownOptions(options, NEIGHBOR_KEYS, 'findNeighbors');
  const control = await onTeam(given, 'findNeighbors');
  if (!Number.isInteger(neighbors) || neighbors < 0)
    throw new OptionError(`neighbors must be a whole number of at least 0, not ${describe(neighbors)}.`, { neighbors });
  if (!(targetRecall > 0 && targetRecall <= 1))
    throw new OptionError(`targetRecall must be in (0, 1], not ${describe(targetRecall)}.`, { targetRecall });
  if (!Number.isInteger(maxIterations) || maxIterations < 1)
    throw new OptionError(`maxIterations must be a whole number of at least 1, not ${describe(maxIterations)}.`, {
      maxIterations,
    });
  const resolved = { neighbors, seed, targetRecall, maxIterations };
  const { lists, count, recall, iterations } = await search(source, distance, resolved, true, control);
  return { count, recall, iterations, ...(await listsByIndex(lists, count, control)) };
}

/**
 * Neighbors in lists that stand in any order: those of i are indices[rowOf[i]·count … (rowOf[i] + 1)·count). Of several
 * ranks each has the lists of some indices, its members, and `rowOf` is empty (known-indices.ts).
 */
export interface NeighborRows extends Pick<Neighbors, 'count' | 'indices' | 'recall' | 'iterations'>, ListedIndices {
  /** Of several ranks the positions of a tree whose indices' lists each has, once they have moved (own-lists.ts). */
  readonly ranges?: readonly PositionRange[] | undefined;
  /** Undefined without a card, and of no neighbors. */
  readonly searchedOn?: NeighborSearchPlace | undefined;
}

/**
 * As `findNeighbors`, for callers inside who do not ask for distances: of points in few dimensions none are stored, and
 * lists stay in the order in which they were found, in which those of near points stand near each other. Of several
 * ranks each has the lists that it found, and no others.
 */
export async function findNeighborRows(
  source: EntrySource,
  distance: DistanceName,
  { neighbors, seed, isFinite, card }: Pick<Resolved, 'neighbors' | 'seed'> & KnownSource,
  control: TeamControl,
): Promise<NeighborRows> {
  const found = await search(source, distance, { neighbors, seed, isFinite, card, ...DEFAULTS }, false, control);
  const { lists, searchedOn, ...counted } = found;
  const rest = { ...counted, searchedOn: card === undefined || counted.count === 0 ? undefined : searchedOn };
  const { communicator } = control.team;
  const { indices, members } = lists;
  if (communicator.size > 1) return { ...rest, indices, rowOf: sharedInt32(0), members };
  const { places } = NONE_KNOWN;
  const rowOf = await rowsOfIndices({ places, count: source.size }, members, control);
  return { ...rest, indices, rowOf };
}

/** What is known of a source, and a card that its points' distances may be computed on, in one process. */
interface KnownSource extends KnownEntries {
  readonly card?: PointCard | undefined;
}

/** Lists, and what is to be said of them; where they are searched if there is a card. */
type Found = Pick<Neighbors, 'count' | 'recall' | 'iterations'> & {
  readonly lists: FoundLists;
  readonly searchedOn: NeighborSearchPlace;
};

async function search(
  source: EntrySource,
  distance: DistanceName,
  { neighbors, seed, targetRecall, maxIterations, isFinite, card }: Resolved & KnownSource,
  wantsDistances: boolean,
  control: TeamControl,
): Promise<Found> {
  const chosen = together(control.team.communicator, () => {
    throwIfAborted(control.signal);
    return chooseDistance(distance, source, seed, { isFinite });
  });
  const { size, state, points, parts, place, modules, solo } = chosen;
  const capacity = Math.min(neighbors, size - 1);
  const boxed = points ?? parts?.points;
  if (boxed !== undefined && areBoxed(boxed, capacity)) {
    const lists = await neighborsOfPoints(boxed, capacity, wantsDistances, control);
    return { count: capacity, lists, recall: 1, iterations: 0, searchedOn: 'few-dimensions' };
  }
  if (capacity === 0 || place !== undefined) {
    const lists = listsOnLine(place, size, capacity, control);
    return { count: capacity, lists, recall: 1, iterations: 0, searchedOn: 'distance' };
  }
  const leaf = leafFor(capacity);
  const search = { distance: state ?? parts, size, capacity, seed, sharing: { modules, solo } };
  let iterations = 0;
  let searchedOn: NeighborSearchPlace = boxed === undefined ? 'distance' : 'few-points';
  if (targetRecall < 1 && size > EXHAUSTIVE_LEAVES * leaf) {
    const limits = { leaf, targetRecall, maxIterations };
    const opened =
      card === undefined || points === undefined ? 'distance' : await ListsOnDevice.open(card, points, capacity);
    const there = opened instanceof ListsOnDevice ? opened : undefined;
    searchedOn = opened instanceof ListsOnDevice ? 'device' : opened;
    const found = await searchTrees({ ...search, there }, limits, control).finally(() => there?.release());
    if (found.lists !== undefined) {
      const { recall, iterations, lists } = found;
      return { count: capacity, lists, recall, iterations, searchedOn };
    }
    iterations = found.iterations;
    if (there !== undefined) searchedOn = 'low-recall';
  }
  const lists = await searchEverything(search, control);
  return { count: capacity, lists, recall: 1, iterations, searchedOn };
}

/** A part of lists that each of several ranks has. */
interface ListPart extends Portion, Pick<FoundLists, 'members' | 'counts'> {}

/** The lists of this rank where each has those of as many stretches of `width` indices, in their order. */
function partOfIndices(size: number, communicator: Communicator, width = 1): ListPart {
  if (communicator.size === 1) return { first: 0, end: size };
  const at = (stretch: number): number => Math.min(size, stretch * width);
  const portions = Array.from({ length: communicator.size }, (_, r) => {
    const { first, end } = portionOf(communicator, r, Math.ceil(size / width));
    return { first: at(first), end: at(end) };
  });
  const { first, end } = portions[communicator.rank];
  const members = sharedInt32(end - first);
  for (let i = first; i < end; i++) members[i - first] = i;
  return { first, end, members, counts: portions.map((one) => one.end - one.first) };
}

/** Lists of indices on a line, or empty ones. */
function listsOnLine(place: Int32Array | undefined, size: number, capacity: number, { team }: TeamControl): FoundLists {
  const { first, end, ...part } = partOfIndices(size, team.communicator);
  const lists = roomForLists(capacity, end - first);
  if (place !== undefined) neighborsOnLine(place, lists, first);
  return { ...lists, ...part };
}

/** Fewest indices of a leaf of a projection tree. */
export const leafFor = (capacity: number): number => Math.max(LEAF, LEAF_PER_NEIGHBOR * capacity);

/** Whether the points are of few dimensions and too many to compare all of them: they are searched by boxes. */
const areBoxed = (points: Pick<Points, 'dimension' | 'count'>, capacity: number): boolean =>
  points.dimension <= MOST_DIMENSIONS && points.count > EXHAUSTIVE_LEAVES * leafFor(capacity) && capacity > 0;

/** Bytes that `findNeighborRows` takes for each neighbor: with its distance, where it is needed for the search. */
export function bytesOfNeighbor(source: EntrySource, distance: DistanceName, neighbors: number): number {
  const points = source.points ?? source.parts?.points;
  const isBoxed =
    points !== undefined &&
    resolvedDistance(distance, source) === 'geometric' &&
    areBoxed(points, Math.min(neighbors, source.size - 1));
  return isBoxed ? INDEX_BYTES : INDEX_BYTES + DISTANCE_BYTES;
}

/**
 * Every pair of indices, tile by tile. Two tiles that share rows never run at the same time, and always in the same
 * order. Of several ranks each has the lists of some tiles, and compares these with all: fewer than twice as many
 * distances as its part of all pairs.
 */
async function searchEverything(search: NeighborSearch, control: TeamControl): Promise<FoundLists> {
  const { size, capacity, sharing } = search;
  const { team, signal } = control;
  const { first, end, ...part } = partOfIndices(size, team.communicator, TILE);
  const { state: searched, table } = stateOf(search, halvedRanges(1, 0), size);
  await table?.hold(() => [Int32Array.from({ length: size }, (_, i) => i)], control);
  return awaitTogether(team.communicator, async () => {
    const state: SearchState = {
      ...searched,
      ...(part.members === undefined ? {} : rowsOfMembers(part.members, size)),
      nearest: emptyLists(capacity, end - first),
      orders: [sharedInt32(0), sharedInt32(0)],
    };
    const shared = await team.share(state, sharing);
    try {
      const tiles = Math.ceil(size / TILE);
      const { pairs, edges } = roundRobin(tiles, ownPortion(team.communicator, tiles));
      await team.run('neighbors', searchTiles, shared, taskGraph(pairs.length / 2, edges), { pairs }, control);
      await team.run('neighbors', finishLists, shared, finishTasks(state), undefined, { signal });
    } finally {
      team.release(shared);
    }
    return { ...state.nearest, ...part };
  });
}

/** Lists in the order of these indices, which ascend. */
function rowsOfMembers(members: Int32Array, size: number): Pick<SearchState, 'places' | 'rowAt'> {
  const places = sharedInt32(placesLength(size));
  for (const i of members) putIndex(places, i, true);
  countPlaces(places);
  const rowAt = sharedInt32(members.length);
  for (let row = 0; row < rowAt.length; row++) rowAt[row] = row;
  return { places, rowAt };
}

/**
 * All unordered pairs of tiles of which one is `own`, a tile with itself first, in rounds of disjoint pairs (circle
 * method); each waits for the last ones of its own tiles.
 */
function roundRobin(tiles: number, own: Portion): { pairs: Int32Array; edges: number[] } {
  const pairs: number[] = [];
  const edges: number[] = [];
  const last = new Int32Array(tiles).fill(-1);
  for (let t = own.first; t < own.end; t++) {
    last[t] = pairs.length / 2;
    pairs.push(t, t);
  }
  const seats = tiles + (tiles & 1);
  for (let round = 0; round < seats - 1; round++) {
    for (let k = 0; k < seats / 2; k++) {
      const a = k === 0 ? seats - 1 : (round + k) % (seats - 1);
      const b = (round - k + seats - 1) % (seats - 1);
      if (a >= tiles || b >= tiles || (last[a] < 0 && last[b] < 0)) continue;
      const task = pairs.length / 2;
      pairs.push(Math.min(a, b), Math.max(a, b));
      for (const before of new Set([last[a], last[b]])) if (before >= 0) edges.push(before, task);
      for (const tile of [a, b]) if (last[tile] >= 0) last[tile] = task;
    }
  }
  return { pairs: Int32Array.from(pairs), edges };
}
