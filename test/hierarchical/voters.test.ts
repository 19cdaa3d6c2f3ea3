/** Who votes for whom, against the definition, on teams of one and of two workers. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';
import { findVoters } from '#hmatrix/hierarchical/from-entries/voters.js';
import { Team } from '#hmatrix/parallel/team.js';
import { knownIndices } from '#hmatrix/tree/known-indices.js';
import { treeOfLeaves } from './trees.js';

/** More than two words of marks hold, and more than two chunks of positions. */
const [COUNT, SIZE, NEAREST] = [40, 9000, 4];

describe('voters', () => {
  const tree = treeOfLeaves(
    Array.from({ length: 8 }, () => SIZE / 8),
    3,
  );

  // Index 0 is the nearest of all others: many know it that it does not know. Squares make some indices lonely.
  const random = new RandomStream(5);
  const lists = Array.from({ length: SIZE }, (_, i) => {
    const list = new Set(i === 0 ? [] : [0]);
    while (list.size < COUNT) {
      const j = Math.floor(SIZE * random.uniform() ** 2);
      if (j !== i) list.add(j);
    }
    return [...list];
  });
  const known = new Int32Array(SIZE);
  for (const j of lists.flat()) known[j]++;
  const expected: number[][] = lists.map(() => []);
  lists.forEach((list, j) => {
    for (const i of list.slice(0, known[j] < COUNT / 2 ? COUNT : NEAREST))
      if (!lists[i].includes(j)) expected[i].push(j);
  });

  it('the_case_has_hubs_and_lonely_indices', () => {
    expect(expected[0].length).toBeGreaterThan(SIZE / 2);
    expect(known.filter((times) => times < COUNT / 2).length).toBeGreaterThan(SIZE / 8);
  });

  it.each([1, 2])('are_those_of_the_definition_in_ascending_order_on_%i_workers', async (workers) => {
    const team = await Team.open({ workers });
    try {
      const indices = sharedInt32(SIZE * COUNT);
      // Lists stand in another order than their indices.
      const rowOf = sharedInt32(SIZE);
      lists.forEach((list, i) => {
        rowOf[i] = (i * 7) % SIZE;
        indices.set(list, rowOf[i] * COUNT);
      });
      const neighbors = { indices, rowOf, count: COUNT };
      const known = await knownIndices(tree, neighbors, [], { team });
      const { nearestBegin, nearestOf } = await findVoters(tree, known, neighbors, {}, { team });
      const of = (row: number): number[] => [...nearestOf.subarray(nearestBegin[row], nearestBegin[row + 1])];
      const found = lists.map((_, i) => of(rowOf[i]));
      expect(found).toEqual(expected);
    } finally {
      await team.close();
    }
  });
});
