/** Ranks that compress together have the lists of neighbors of their own indices alone, and no diagonal; same bits. */
import { beforeAll, describe, expect, it } from 'vitest';
import { runInTurn } from './in-turn.js';

interface Held {
  /** Rows of the largest array of each name. */
  readonly rows: Readonly<Record<string, number>>;
  /** Arrays of all indices that are touched everywhere. */
  readonly whole: readonly string[];
  /** What a pilot found, and chose. */
  readonly chosen: unknown;
  /** Rows of pools while skeletons are found. */
  readonly pooled: number;
  /** Of how many indices leaves are known, and how many stand in lists or are own. */
  readonly known: readonly [number, number];
  readonly own: number;
  readonly wholeDiagonals: number;
  readonly y: readonly number[];
  /** Whether a product with own rows gave those of y. */
  readonly isPart: boolean;
  /** Indices whose place in their leaf is known: when compressed, after a product with own rows, with whole vectors. */
  readonly laidOut: readonly number[];
}

const module = new URL('own-lists-ranks.mjs', import.meta.url);
const heldBy = (ranks: number, cases: readonly object[]): Promise<Held[][]> =>
  runInTurn(ranks, { module, name: 'held' }, cases);

interface Searched {
  /** Numbers that stand in each array while neighbors are searched. */
  readonly numbers: Readonly<Record<string, number>>;
  /** The most numbers of an array of a thread's own. */
  readonly most: number;
}

const searchedBy = (ranks: number, cases: readonly object[]): Promise<Searched[][]> =>
  runInTurn(ranks, { module, name: 'searched' }, cases);

/** Searches, the part of all that a rank of eight may have, and arrays that one process has of all. */
const SEARCHES = {
  'by boxes': [{ size: 2 ** 18, dimension: 2, neighbors: 6 }, 0.4, ['order', 'sorted', 'low', 'high', 'indices']],
  'by projection trees': [{ size: 2 ** 14, dimension: 6, neighbors: 6 }, 0.2, ['orders.0', 'nearest.indices']],
  exhaustively: [{ size: 4096, dimension: 6, neighbors: 128 }, 0.3, ['nearest.indices', 'nearest.distances']],
} as const;

/** Ranks; by boxes, by projection trees, exhaustively; with near leaves of others; with fewer leaves than ranks. */
const CASES = {
  'in two dimensions': [5, { size: 2611, dimension: 2, leafSize: 40, maxRank: 24, neighbors: 16 }],
  'in six dimensions': [2, { size: 2311, dimension: 6, leafSize: 80, maxRank: 24, neighbors: 8 }],
  'of a basis that is not nested': [3, { size: 2050, dimension: 2, leafSize: 80, maxRank: 16, format: 'hodlr' }],
  'with near leaves': [3, { size: 801, dimension: 2, leafSize: 40, maxRank: 16, format: 'fmm', budget: 0.2 }],
  'far from most clusters': [4, { size: 2 ** 17 + 1, dimension: 1, leafSize: 512, maxRank: 4, neighbors: 4 }],
  'far from most, by a pilot': [4, { size: 2 ** 17 + 1, dimension: 1, neighbors: 4 }],
  'with ranks without leaves': [5, { size: 55, dimension: 2, leafSize: 30, maxRank: 10 }],
} as const;

describe('lists of neighbors on several ranks', () => {
  const [names, cases] = [Object.keys(CASES), Object.values(CASES)];
  let alone: Held[][];
  const several = new Map<number, Held[][]>();
  beforeAll(async () => {
    alone = await heldBy(
      1,
      cases.map(([, data]) => data),
    );
    for (const ranks of new Set(cases.map(([count]) => count))) {
      const some = await heldBy(
        ranks,
        cases.filter(([count]) => count === ranks).map(([, data]) => data),
      );
      several.set(ranks, some);
    }
  });

  it.each(Object.entries(CASES))('are_on_the_ranks_that_have_their_indices_%s', (name, [ranks, data]) => {
    const [one] = alone[names.indexOf(name)];
    expect(one.rows['neighbors']).toBe(data.size);
    const found = several.get(ranks)![cases.filter(([count]) => count === ranks).findIndex(([, of]) => of === data)];
    for (const { rows, whole, pooled, chosen, known, own, y, isPart, laidOut, wholeDiagonals } of found) {
      expect(isPart).toBe(true);
      expect(y).toEqual(one.y);
      expect(wholeDiagonals).toBe(0);
      expect(known[0]).toBe(known[1]);
      // Of pages of 64, two may be others' in part.
      const ofOwn = own + (name === 'with near leaves' ? data.size : 128);
      for (const some of laidOut.slice(0, 2)) expect(some).toBeLessThanOrEqual(ofOwn);
      expect(laidOut[2]).toBe(data.size);
      // Where parts are large enough to be told from all.
      if (data.size > 1000) expect(['order', 'tree.order']).toEqual(expect.arrayContaining(whole as string[]));
      // Of few indices all are near to own ones; of many, pools tell of the others.
      if (name.startsWith('far from most')) expect([whole, pooled > 0]).toEqual([[], true]);
      expect(chosen).toEqual(one.chosen);
      // Near leaves of others have lists here, too.
      const near = name === 'with near leaves' ? data.size / 2 : 0;
      expect(rows['neighbors']).toBeLessThanOrEqual(own + near);
      expect(rows['nearestBegin']).toBeLessThanOrEqual(own + near + 1);
      for (const of of ['reach', 'known', 'next', 'marks']) expect(rows[of]).toBe(own);
    }
    expect(found.reduce((sum, { own }) => sum + own, 0)).toBe(data.size);
  });

  it('are_searched_without_numbers_of_all_indices', async () => {
    const searches = Object.values(SEARCHES);
    const data = searches.map(([search]) => search);
    const [one, eight] = [await searchedBy(1, data), await searchedBy(8, data)];
    for (const [k, [{ size }, part, known]] of searches.entries()) {
      const large = Object.entries(one[k][0].numbers).filter(([, numbers]) => numbers > size / 16);
      expect(large.map(([name]) => name)).toEqual(expect.arrayContaining([...known]));
      expect(eight[k]).toHaveLength(8);
      for (const { numbers, most } of eight[k]) {
        expect(Object.keys(numbers)).toEqual(expect.arrayContaining([...known]));
        expect(large.filter(([name, all]) => numbers[name] > part * all)).toEqual([]);
        expect(most).toBeLessThan(size / 2);
      }
    }
  });
});
