/** Sums by the tree: whoever has which leaves, the additions are the same ones. */
import { expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import {
  additions,
  leavesOf,
  nodesWithin,
  rankFirst,
  sumNodes,
  sumPlaces,
  type SumNode,
} from '#hmatrix/core/sum-tree.js';

/** The additions of nodes as a text, of what `text` says of each, and the places that were used. */
function written(nodes: readonly SumNode[], text: (node: SumNode) => string): { text: string; places: number } {
  const places: string[] = [];
  sumNodes(nodes, {
    take: (k, place) => (places[place] = text(nodes[k])),
    add: (to) => (places[to] = `(${places[to]}+${places[to + 1]})`),
  });
  return { text: places[0], places: places.length };
}

const whole = (leaves: number): string =>
  written(leavesOf({ first: 0, count: leaves }), ({ first }) => `${first}`).text;

it('halves_are_added_and_the_rest_from_the_smallest_on', () => {
  expect(whole(1)).toBe('0');
  expect(whole(5)).toBe('(((0+1)+(2+3))+4)');
  expect(whole(7)).toBe('(((0+1)+(2+3))+((4+5)+6))');
  expect(whole(8)).toBe('(((0+1)+(2+3))+((4+5)+(6+7)))');
});

it('any_partition_of_the_leaves_gives_the_same_additions', () => {
  const random = new RandomStream(5);
  for (let leaves = 1; leaves <= 40; leaves++)
    for (let trial = 0; trial < 5; trial++) {
      const cuts = Array.from({ length: 1 + (random.uint32() % 8) }, () => random.uint32() % (leaves + 1));
      const ends = [0, ...cuts.sort((a, b) => a - b), leaves];
      const nodes = ends.slice(1).flatMap((end, k) => nodesWithin(ends[k], end));
      expect(nodes.reduce((sum, { count }) => sum + count, 0)).toBe(leaves);
      const own = (node: SumNode): string => written(leavesOf(node), ({ first }) => `${first}`).text;
      expect(written(nodes, own).text).toBe(whole(leaves));
      // The same of nodes that stay where they are.
      const texts = nodes.map(own);
      for (const { to, from } of additions(nodes)) texts[to] = `(${texts[to]}+${texts[from]})`;
      expect(texts[0]).toBe(whole(leaves));
    }
});

it('a_sum_uses_no_more_places_than_it_says', () => {
  for (let leaves = 1; leaves <= 70; leaves++)
    expect(written(leavesOf({ first: 0, count: leaves }), () => '').places).toBeLessThanOrEqual(sumPlaces(leaves));
});

it('ranks_share_all_leaves_evenly_the_first_one_has_the_first', () => {
  for (const leaves of [1, 2, 5, 16])
    for (const ranks of [1, 2, 3, 4, 7, 20]) {
      const shares = Array.from(
        { length: ranks },
        (_, r) => rankFirst(leaves, ranks, r + 1) - rankFirst(leaves, ranks, r),
      );
      expect(rankFirst(leaves, ranks, 0)).toBe(0);
      expect(rankFirst(leaves, ranks, ranks)).toBe(leaves);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1);
      expect(shares[0]).toBeGreaterThan(0);
    }
});
