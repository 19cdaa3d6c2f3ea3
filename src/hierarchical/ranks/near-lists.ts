/**
 * Lists of neighbors of the leaves of other ranks that are near to a rank's own: what their indices vote for.
 */
import { placeOf } from '../../core/index-places.js';
import { sharedInt32 } from '../../core/shared-array.js';
import { inLargePages } from '../../dense/large-pages.js';
import { exchangeParts, partsOf } from '../../distributed/exchange-parts.js';
import { together } from '../../distributed/together.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { leavesOf } from '../../tree/cluster-tree.js';
import type { DealtOrder } from '../../tree/dealt-order.js';
import { knownIndices, type ListedIndices } from '../../tree/known-indices.js';
import type { VotesState } from '../from-entries/votes.js';
import { exchangeHalo } from './halo.js';
import type { Share } from './share.js';

/** Lists, who knows their indices one-sidedly, and what is known of all that stand in them. */
type Lists = Pick<VotesState, 'neighbors' | 'places' | 'leafAt' | 'rowAt' | 'nearestBegin' | 'nearestOf'>;

/**
 * Collective: own lists, of the indices that are `listed`, and behind them those of near leaves of others; what is
 * given is not changed. Nothing is sent where no leaf is near to another one. Else, where the order was dealt out, that
 * of these leaves, 4 bytes an index, in place; then two alltoalls of 4κ + 4 bytes a list and 4 for each number of
 * `nearestOf`, and all lists are copied. Throws MemoryError.
 */
export async function withNearLists(
  { tree, neighborCount: κ, ...state }: Pick<VotesState, 'tree' | 'neighborCount'> & Lists,
  { halo, ranks, lists }: Share,
  listed: ListedIndices,
  control: TeamControl,
  dealt: DealtOrder | undefined,
): Promise<Lists> {
  const { communicator } = control.team;
  const { neighbors, places, leafAt, rowAt, nearestBegin, nearestOf } = state;
  const own: Lists = { neighbors, places, leafAt, rowAt, nearestBegin, nearestOf };
  // Every leaf lists itself.
  if (lists.near.length === leavesOf(tree)) return own;
  if (dealt !== undefined)
    exchangeHalo(communicator, halo.leaves, (ν) => tree.order.subarray(tree.begin[ν], tree.end[ν]));
  /** Lists of the leaves that go to others, each with the number of those that it is near to, and these. */
  const parts = together(communicator, () =>
    partsOf(ranks, 1, (put) => {
      for (const { peer, sends } of halo.leaves)
        for (const leaf of sends)
          for (let p = tree.begin[leaf]; p < tree.end[leaf]; p++) {
            const row = rowAt[placeOf(places, tree.order[p])];
            for (let q = row * κ; q < (row + 1) * κ; q++) put(peer, neighbors[q]);
            put(peer, nearestBegin[row + 1] - nearestBegin[row]);
            for (let q = nearestBegin[row]; q < nearestBegin[row + 1]; q++) put(peer, nearestOf[q]);
          }
    }),
  );
  const { numbers } = exchangeParts(communicator, parts);
  const { members, ...all } = together(communicator, () => {
    const indices = halo.leaves.flatMap(({ receives }) =>
      Array.from(receives, (leaf) => tree.order.subarray(tree.begin[leaf], tree.end[leaf])),
    );
    const rows = nearestBegin.length - 1;
    const more = indices.reduce((sum, some) => sum + some.length, 0);
    const copyOf = (array: Int32Array, room: number): Int32Array => {
      const copy = inLargePages(sharedInt32(array.length + room));
      copy.set(array);
      return copy;
    };
    const all = {
      members: copyOf(listed.members!, more),
      neighbors: copyOf(neighbors, κ * more),
      nearestBegin: copyOf(nearestBegin, more),
      nearestOf: copyOf(nearestOf, numbers.length - more * (κ + 1)),
    };
    let at = 0;
    let row = rows;
    for (const some of indices)
      for (const i of some) {
        all.members[row] = i;
        all.neighbors.set(numbers.subarray(at, at + κ), κ * row);
        const voters = numbers.subarray(at + κ + 1, at + κ + 1 + numbers[at + κ]);
        all.nearestOf.set(voters, all.nearestBegin[row]);
        all.nearestBegin[row + 1] = all.nearestBegin[row] + voters.length;
        at += κ + 1 + voters.length;
        row++;
      }
    return all;
  });
  const known = await knownIndices(tree, { ...listed, members }, [all.neighbors, all.nearestOf], control, {
    before: own,
    dealt,
  });
  return { ...all, ...known };
}
