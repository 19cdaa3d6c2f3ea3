/**
 * Lists of neighbors to the ranks that have their indices in a cluster tree: each has the lists of its own leaves, and
 * no others.
 */
import { ShapeError } from '../core/errors.js';
import { placeOf, placesLength, putIndex } from '../core/index-places.js';
import { sharedInt32, toShared } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import { exchangeParts, partsOf, type Parts } from '../distributed/exchange-parts.js';
import { awaitTogether, together } from '../distributed/together.js';
import type { TeamControl } from '../parallel/team-control.js';
import { firstLeaf, leavesOf, type ClusterTree } from './cluster-tree.js';
import { alike, runCopy, type RowsState } from './copy-rows.js';
import { sameRanges, type DealtOrder } from './dealt-order.js';
import { knownIndices } from './known-indices.js';
import type { NeighborRows } from './neighbors.js';
import type { PositionRange } from './split.js';

/** The rank of each leaf, and of isolated indices behind them: who has a leaf has it whole. */
export function rankOfLeaves(tree: ClusterTree, ranges: readonly PositionRange[]): Int32Array {
  const leaves = leavesOf(tree);
  const rankOf = new Int32Array(leaves + 1);
  let rank = 0;
  for (let leaf = 0; leaf < leaves; leaf++) {
    const at = tree.begin[firstLeaf(tree) + leaf];
    while (at < ranges[rank].begin || at >= ranges[rank].end) rank++;
    rankOf[leaf] = rank;
  }
  rankOf[leaves] = rankOf[0];
  return rankOf;
}

/** Numbers of lists are counted in 32 bits, as MPI counts them. Throws ShapeError. */
function requireCounted(numbers: number): void {
  if (numbers >= 2 ** 31)
    throw new ShapeError(
      `Lists of neighbors of one rank have ${numbers} numbers, and fewer than 2³¹ can move: take more ranks, or ` +
        'fewer neighbors.',
      { numbers },
    );
}

/** Whose positions have which lists, and how lists move. */
interface Moving {
  readonly ranges: readonly PositionRange[];
  /** Whether what is given is read later, too; else lists that come may take its place. */
  readonly keeps: boolean;
  /** Where each of several ranks has its part of the tree's order. */
  readonly dealt?: DealtOrder | undefined;
}

/**
 * Collective: the lists of the indices at this rank's positions of the tree. Nothing is sent where they are there
 * already, or one process has all. Cost: O(N) of all workers; three alltoalls of 4κ + 4 bytes a list that moves.
 */
export async function ownLists(
  neighbors: NeighborRows,
  tree: ClusterTree,
  { ranges, keeps, dealt }: Moving,
  control: TeamControl,
): Promise<NeighborRows> {
  const { communicator } = control.team;
  const { indices: from, members, count } = neighbors;
  if (members === undefined || communicator.size === 1) return neighbors;
  // Lists of other ranks' indices are not here, wherever they are.
  if (neighbors.ranges !== undefined && sameRanges(neighbors.ranges, ranges)) return neighbors;
  const rankOf = rankOfLeaves(tree, ranges);
  const { begin, end } = ranges[communicator.rank];
  const { places, leafAt } = await knownIndices(tree, neighbors, [], control, { dealt });
  const { going, goingMembers } = together(communicator, () => {
    requireCounted(count * Math.max(members.length, end - begin));
    const going = partsOf(communicator.size, 1, (put) => {
      for (let row = 0; row < members.length; row++) put(rankOf[leafAt[placeOf(places, members[row])]], row);
    });
    return { going, goingMembers: { ...going, numbers: going.numbers.map((row) => members[row]) } };
  });
  const coming = exchangeParts(communicator, goingMembers);
  const to = await moveLists({ capacity: count, from, keeps }, going, coming, control);
  // What they were packed in.
  control.team.collect(from.byteLength);
  return { ...neighbors, indices: to, members: toShared(coming.numbers), ranges };
}

/** Rows of `from` that go; returns those that come, which take its place where it is large enough. Collective. */
async function moveLists(
  { capacity, from, keeps }: { readonly capacity: number; readonly from: Int32Array; readonly keeps: boolean },
  going: Parts,
  coming: Parts,
  { team }: TeamControl,
): Promise<Int32Array> {
  const numbers = capacity * coming.numbers.length;
  const { to, packed } = await awaitTogether(team.communicator, async () => {
    const packed = alike(from, from.length);
    const state = { capacity, order: toShared(going.numbers), from, rowOf: sharedInt32(0), to: from, packed };
    const shared = await team.share<RowsState>(state);
    try {
      await runCopy(team, shared, [{ row: 0, position: 0, count: going.numbers.length }], true);
    } finally {
      team.release(shared);
    }
    return { to: keeps || numbers > from.length ? alike(from, numbers) : from.subarray(0, numbers), packed };
  });
  const width = (counts: Int32Array): Int32Array => counts.map((lists) => capacity * lists);
  team.communicator.alltoall(packed, width(going.counts), to, width(coming.counts));
  return to;
}

/**
 * Collective: the lists of the indices of some nodes on every rank, whoever has them; all that there are where one
 * process has all. 4κ + 4 bytes a list are gathered.
 */
export function listsOfAll(
  { indices, rowOf, members, count }: NeighborRows,
  tree: ClusterTree,
  { nodes, dealt }: { readonly nodes: Iterable<number>; readonly dealt?: DealtOrder | undefined },
  communicator: Communicator,
): Pick<NeighborRows, 'indices' | 'rowOf' | 'members'> {
  const { size } = communicator;
  if (members === undefined || size === 1) return { indices, rowOf };
  const own = together(communicator, () => {
    const places = new Int32Array(placesLength(tree.size));
    const here = dealt?.ranges[communicator.rank] ?? { begin: 0, end: tree.size };
    for (const ν of nodes) {
      const end = Math.min(tree.end[ν], here.end);
      for (let p = Math.max(tree.begin[ν], here.begin); p < end; p++) putIndex(places, tree.order[p], true);
    }
    const rows = members.map((_, row) => row).filter((row) => placeOf(places, members[row]) >= 0);
    const lists = new Int32Array(rows.length * count);
    rows.forEach((row, at) => {
      lists.set(indices.subarray(row * count, (row + 1) * count), at * count);
    });
    return { members: rows.map((row) => members[row]), lists };
  });
  const counts = new Int32Array(size);
  communicator.allgather(Int32Array.of(own.members.length), counts, new Array<number>(size).fill(1));
  const all = together(communicator, () => {
    const rows = counts.reduce((sum, some) => sum + some, 0);
    return { members: sharedInt32(rows), indices: sharedInt32(rows * count), rowOf };
  });
  communicator.allgather(own.members, all.members, counts);
  communicator.allgather(
    own.lists,
    all.indices,
    counts.map((some) => some * count),
  );
  return all;
}
