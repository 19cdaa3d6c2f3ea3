/**
 * What is known of indices by their numbers: the leaf that each stands in, and where its list of neighbors lies. A
 * process that is alone knows all of them. One of several ranks knows those whose lists it has, and those that stand in
 * these lists: nothing else asks for an index.
 */
import { countPlaces, placeOf, placesLength, visitPlaces, type IndexPlaces } from '../core/index-places.js';
import { sharedInt32 } from '../core/shared-array.js';
import { inLargePages } from '../dense/large-pages.js';
import type { Communicator } from '../distributed/communicator.js';
import { awaitTogether, together } from '../distributed/together.js';
import { putIndices } from '../parallel/put-indices.js';
import { runOnce } from '../parallel/run-once.js';
import { independentTasks } from '../parallel/task-graph.js';
import { defineTask } from '../parallel/task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { firstLeaf, leavesOf, type ClusterTree } from './cluster-tree.js';
import { leavesOfIndices, ownLeaves, type DealtOrder } from './dealt-order.js';
import { rowsOfIndices } from './row-of.js';

/** Leaf and list of index i: leafAt[placeOf(places, i)], rowAt[placeOf(places, i)]. Over shared memory. */
export interface KnownIndices {
  /** Which indices are known; empty where all are. */
  readonly places: IndexPlaces;
  /** Leaf number by place; 2^depth of isolated indices. */
  readonly leafAt: Int32Array;
  /** Row of the list by place; −1 where another rank has it. */
  readonly rowAt: Int32Array;
}

/** Nothing is known of any. */
export const NONE_KNOWN: Pick<KnownIndices, 'places'> = { places: sharedInt32(0) };

/** The leaf of an index that has not been told. */
const UNTOLD = -1;
/** Leaves of a task. */
const LEAVES = 64;

/** What leaves are told from, and where. */
interface LeafState extends Pick<KnownIndices, 'places' | 'leafAt'> {
  readonly tree: ClusterTree;
  /** Leaves first … end − 1 are told. */
  readonly first: number;
  readonly end: number;
}

/** The numbers of leaves first … end − 1, at the places of their indices; the first one has the isolated ones, too. */
function markSome({ tree, places, leafAt }: Omit<LeafState, 'first' | 'end'>, first: number, end: number): void {
  const { order } = tree;
  const mark = (from: number, to: number, leaf: number): void => {
    for (let p = from; p < to; p++) {
      const place = placeOf(places, order[p]);
      if (place >= 0) leafAt[place] = leaf;
    }
  };
  if (first === 0) mark(0, tree.begin[0], leavesOf(tree));
  for (let leaf = first, ν = firstLeaf(tree) + first; leaf < end; leaf++, ν++) mark(tree.begin[ν], tree.end[ν], leaf);
}

/** Per few leaves: their numbers. */
export const markLeaves = defineTask<LeafState>(import.meta.url, 'markLeaves', (state) => (task) => {
  const first = state.first + task * LEAVES;
  markSome(state, first, Math.min(state.end, first + LEAVES));
});

/** The leaf number of each of all indices, by one thread. Cost: O(N). */
export function leavesOfAll(tree: ClusterTree): Int32Array {
  const leafAt = new Int32Array(tree.size);
  markSome({ tree, ...NONE_KNOWN, leafAt }, 0, leavesOf(tree));
  return leafAt;
}

/** Lists that are here: the row of each index, or on one of several ranks the index of each row. */
export interface ListedIndices {
  readonly rowOf: Int32Array;
  readonly members?: Int32Array | undefined;
}

/** What is known already, and of an order that several ranks have parts of, who has which. */
export interface KnownBefore {
  readonly before?: Pick<KnownIndices, 'places' | 'leafAt'> | undefined;
  readonly dealt?: DealtOrder | undefined;
}

/**
 * Collective: what is known of all indices, or of several ranks of those with lists here, of those that stand in some
 * arrays, `named`, and of those that were known `before`. Cost: O(N), and a step for each number, shared by workers:
 * the order of the tree is read once. Of an order that was dealt out the leaves of other ranks' indices are asked for
 * (dealt-order.ts). Throws MemoryError, AbortedError.
 */
export async function knownIndices(
  tree: ClusterTree,
  { rowOf, members }: ListedIndices,
  named: readonly Int32Array[],
  control: TeamControl,
  { before, dealt }: KnownBefore = {},
): Promise<KnownIndices> {
  const { team, signal } = control;
  const { communicator } = team;
  const known = await awaitTogether(communicator, async () => {
    const places = sharedInt32(members === undefined ? 0 : placesLength(tree.size));
    let count = tree.size;
    if (members !== undefined) {
      if (before !== undefined) places.set(before.places);
      await putIndices(places, [members, ...named], 'leaves', control);
      count = countPlaces(places);
    }
    const leafAt = inLargePages(sharedInt32(count));
    const told =
      dealt === undefined ? { first: 0, end: leavesOf(tree) } : ownLeaves(tree, dealt.ranges[communicator.rank]);
    if (dealt !== undefined) leafAt.fill(UNTOLD);
    const graph = independentTasks(Math.ceil((told.end - told.first) / LEAVES));
    await runOnce('leaves', markLeaves, { tree, places, leafAt, ...told }, graph, { team, signal });
    const rowAt = members === undefined ? rowOf : await rowsOfIndices({ places, count }, members, control);
    return { places, leafAt, rowAt };
  });
  if (dealt !== undefined) askLeaves(known, { before, dealt }, tree, communicator);
  return known;
}

/** Collective: the leaves of indices that are not this rank's, but for those that were known before. */
function askLeaves(
  { places, leafAt }: Pick<KnownIndices, 'places' | 'leafAt'>,
  { before, dealt }: KnownBefore & { readonly dealt: DealtOrder },
  tree: ClusterTree,
  communicator: Communicator,
): void {
  const asked = together(communicator, () => {
    let count = 0;
    visitPlaces(places, (i, place) => {
      if (leafAt[place] !== UNTOLD) return;
      const known = before === undefined ? -1 : placeOf(before.places, i);
      if (before !== undefined && known >= 0) leafAt[place] = before.leafAt[known];
      else count++;
    });
    const indices = new Int32Array(count);
    let next = 0;
    visitPlaces(places, (i, place) => {
      if (leafAt[place] === UNTOLD) indices[next++] = i;
    });
    return indices;
  });
  const leaves = leavesOfIndices(dealt, asked, tree, communicator);
  asked.forEach((i, k) => {
    leafAt[placeOf(places, i)] = leaves[k];
  });
}
