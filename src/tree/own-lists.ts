/**
 * Lists of neighbors to the ranks that have their indices in a cluster tree: each has the lists of its own leaves, and
 * no others.
 */
import { ShapeError } from '../core/errors.js';
import { sharedInt32, toShared } from '../core/shared-array.js';
import type { Communicator } from '../distributed/communicator.js';
import { exchangeParts, partsOf, type Parts } from '../distributed/exchange-parts.js';
import { awaitTogether } from '../distributed/together.js';
import type { TeamControl } from '../parallel/team-control.js';
import { firstLeaf, leavesOf, type ClusterTree } from './cluster-tree.js';
import { alike, runCopy, type RowsState } from './copy-rows.js';
import { leafOfIndices } from './leaf-of-indices.js';
import type { NeighborRows } from './neighbors.js';
import { rowsOfIndices } from './row-of.js';
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

/** Lists of other ranks' indices are not here, wherever they are. */
const isHere = (ranges: readonly PositionRange[], others: readonly PositionRange[] | undefined): boolean =>
  others?.every(({ begin, end }, r) => begin === ranges[r].begin && end === ranges[r].end) === true;

/**
 * Collective: the lists of the indices at this rank's positions of the tree. Nothing is sent where they are there
 * already, or one process has all. `keeps` says that what is given is read later, too; else lists that come may take
 * its place. Cost: O(N) of all workers; three alltoalls of 4κ + 4 bytes a list that moves.
 */
export async function ownLists(
  neighbors: NeighborRows,
  tree: ClusterTree,
  { ranges, keeps }: { readonly ranges: readonly PositionRange[]; readonly keeps: boolean },
  control: TeamControl,
): Promise<NeighborRows> {
  const { communicator } = control.team;
  const { indices: from, members, count } = neighbors;
  if (members === undefined || communicator.size === 1 || isHere(ranges, neighbors.ranges)) return neighbors;
  const rankOf = rankOfLeaves(tree, ranges);
  const { begin, end } = ranges[communicator.rank];
  const leafOf = await awaitTogether(communicator, () => {
    requireCounted(count * Math.max(members.length, end - begin));
    return leafOfIndices(tree, control);
  });
  const going = partsOf(communicator.size, 1, (put) => {
    for (let row = 0; row < members.length; row++) put(rankOf[leafOf[members[row]]], row);
  });
  const coming = exchangeParts(communicator, { ...going, numbers: going.numbers.map((row) => members[row]) });
  const numbers = count * coming.numbers.length;
  const to = keeps || numbers > from.length ? alike(from, numbers) : from.subarray(0, numbers);
  await moveLists({ capacity: count, from, to }, going, coming, control);
  // What they were packed in.
  control.team.collect(from.byteLength);
  const own = toShared(coming.numbers);
  const rowOf = await awaitTogether(communicator, () => rowsOfIndices(tree.size, own, control));
  return { ...neighbors, indices: to, rowOf, members: own, ranges };
}

/** Rows of `from` that go, and as they come, in `to`. Collective. */
async function moveLists(
  { capacity, from, to }: { readonly capacity: number; readonly from: Int32Array; readonly to: Int32Array },
  going: Parts,
  coming: Parts,
  { team }: TeamControl,
): Promise<void> {
  const packed = alike(from, from.length);
  const state = { capacity, order: toShared(going.numbers), from, rowOf: sharedInt32(0), to: from, packed };
  const shared = await team.share<RowsState>(state);
  try {
    const pieces = [{ row: 0, position: 0, count: going.numbers.length }];
    await awaitTogether(team.communicator, () => runCopy(team, shared, pieces, true));
  } finally {
    team.release(shared);
  }
  const width = (counts: Int32Array): Int32Array => counts.map((lists) => capacity * lists);
  team.communicator.alltoall(packed, width(going.counts), to, width(coming.counts));
}

/**
 * Collective: the lists of the indices of some nodes on every rank, whoever has them; all that there are where one
 * process has all. 4κ + 4 bytes a list are gathered.
 */
export function listsOfAll(
  { indices, rowOf, members, count }: NeighborRows,
  tree: ClusterTree,
  nodes: Iterable<number>,
  communicator: Communicator,
): Pick<NeighborRows, 'indices' | 'rowOf'> {
  const { size } = communicator;
  if (members === undefined || size === 1) return { indices, rowOf };
  const own = new Set<number>();
  for (const ν of nodes)
    for (let p = tree.begin[ν]; p < tree.end[ν]; p++) if (rowOf[tree.order[p]] >= 0) own.add(tree.order[p]);
  const counts = new Int32Array(size);
  communicator.allgather(Int32Array.of(own.size), counts, new Array<number>(size).fill(1));
  const rows = counts.reduce((sum, some) => sum + some, 0);
  const all = { members: new Int32Array(rows), indices: sharedInt32(rows * count), rowOf: sharedInt32(tree.size) };
  communicator.allgather(Int32Array.from(own), all.members, counts);
  const lists = new Int32Array(own.size * count);
  let at = 0;
  for (const i of own) lists.set(indices.subarray(rowOf[i] * count, (rowOf[i] + 1) * count), count * at++);
  communicator.allgather(
    lists,
    all.indices,
    counts.map((some) => some * count),
  );
  all.rowOf.fill(-1);
  all.members.forEach((i, row) => {
    all.rowOf[i] = row;
  });
  return all;
}
