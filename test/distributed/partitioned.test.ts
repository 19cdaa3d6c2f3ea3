/** Ranks that have some points each, and no rank all of them: the bits of one process that has. */
import { beforeAll, describe, expect, it } from 'vitest';
import { runInTurn } from './in-turn.js';

const module = new URL('partitioned-ranks.mjs', import.meta.url);

interface Compressed {
  /** Points that the team was given at once, at most, by the name of an array that it was given besides. */
  readonly held: Readonly<Record<string, number>>;
  readonly found: object;
}

/** On how many ranks: boxes, projection trees, all with all; every argument of kernels; orders without a distance. */
const CASES = {
  'in the plane, with near leaves': [
    3,
    {
      size: 2611,
      dimension: 2,
      kernel: 'matern32',
      uneven: true,
      leafSize: 40,
      neighbors: 16,
      format: 'fmm',
      budget: 0.1,
    },
  ],
  'by projection trees': [5, { size: 2311, dimension: 6, kernel: 'matern32', leafSize: 80, maxRank: 24, neighbors: 8 }],
  'by products, far from the origin': [
    3,
    { size: 2151, dimension: 20, from: 4, kernel: 'gaussian', uneven: true, leafSize: 90, maxRank: 24, neighbors: 8 },
  ],
  'by products, about the origin': [
    3,
    { size: 700, dimension: 17, from: -0.5, kernel: 'gaussian', leafSize: 90, maxRank: 24, neighbors: 8 },
  ],
  'of a basis that is not nested': [
    5,
    { size: 2050, dimension: 2, kernel: 'matern32', leafSize: 80, maxRank: 16, neighbors: 8, format: 'hodlr' },
  ],
  'with a pilot': [3, { size: 5001, dimension: 1, kernel: 'matern32', neighbors: 8 }],
  'of inner products': [3, { size: 601, dimension: 3, kernel: 'polynomial', leafSize: 40, uneven: true }],
  'of cosines': [3, { size: 501, dimension: 3, from: 0.5, kernel: 'cosine', leafSize: 40 }],
  'of points that are mapped': [3, { size: 501, dimension: 2, kernel: 'periodic', leafSize: 40, uneven: true }],
  'of several arguments': [3, { size: 601, dimension: 2, kernel: 'sum', leafSize: 40, uneven: true }],
  'with a nugget': [3, { size: 601, dimension: 2, kernel: 'matern32', noise: true, leafSize: 40, uneven: true }],
  'of a kernel that workers cannot build': [3, { size: 301, dimension: 2, kernel: 'own', leafSize: 40 }],
  'in the order in which they come': [
    3,
    { size: 401, dimension: 1, kernel: 'matern32', leafSize: 40, distance: 'lexicographic' },
  ],
  'of more ranks than points': [5, { size: 3, dimension: 2, kernel: 'matern32' }],
  'of one point': [3, { size: 1, dimension: 2, kernel: 'matern32' }],
  'of large clusters': [
    5,
    { size: 12_001, dimension: 1, kernel: 'matern32', leafSize: 256, maxRank: 8, neighbors: 4, uneven: true },
  ],
} as const;

describe('points that ranks have parts of', () => {
  const found = new Map<string, Compressed[]>();
  const alone = new Map<string, Compressed>();
  beforeAll(async () => {
    const compressed = (ranks: number, cases: readonly object[]): Promise<Compressed[][]> =>
      runInTurn(ranks, { module, name: 'compressed' }, cases);
    const all = Object.entries(CASES);
    const one = await compressed(
      1,
      all.map(([, [, data]]) => data),
    );
    all.forEach(([name], k) => alone.set(name, one[k][0]));
    for (const ranks of new Set(all.map(([, [count]]) => count))) {
      const some = all.filter(([, [count]]) => count === ranks);
      const several = await compressed(
        ranks,
        some.map(([, [, data]]) => data),
      );
      some.forEach(([name], k) => found.set(name, several[k]));
    }
  }, 120_000);

  it.each(Object.keys(CASES))('make_the_matrix_of_one_process_%s', (name) => {
    for (const { found: one } of found.get(name)!) expect(one).toEqual(alone.get(name)!.found);
  });

  it('are_held_in_part_by_each_rank', () => {
    const name = 'of large clusters';
    const [ranks, { size }] = CASES[name];
    // While boxes are cut and searched, the tree is cut, blocks are evaluated, and columns compared.
    const most = { orders: 1.3, subtrees: 2.1, centroids: 1.3, tasks: 1.3, products: 1.3 };
    // 16 subtrees are dealt out; and samples of two nodes that several ranks have.
    const samples = 2 * 512;
    // Samples may read most of so few points.
    for (const { held } of found.get(name)!) expect(held['pools']).toBeLessThanOrEqual(size);
    for (const [phase, times] of Object.entries(most))
      for (const { held } of found.get(name)!) {
        expect(alone.get(name)!.held[phase]).toBe(size);
        expect(held[phase], phase).toBeGreaterThan(0.9 * (size / ranks));
        expect(held[phase], phase).toBeLessThan(times * (size / ranks) + samples);
      }
  });

  it('have_the_neighbors_and_the_tree_of_one_process', async () => {
    // By boxes, by projection trees, all with all.
    const cases = [
      { size: 2500, dimension: 2, neighbors: 5 },
      { size: 2500, dimension: 5, neighbors: 5 },
      { size: 900, dimension: 5, neighbors: 5 },
    ];
    const one = await runInTurn(1, { module, name: 'ordered' }, cases);
    const three = await runInTurn(3, { module, name: 'ordered' }, cases);
    three.forEach((ranks, k) => {
      for (const rank of ranks) expect(rank).toEqual(one[k][0]);
    });
  });

  it('come_by_rows_of_any_partition_and_sums_have_the_bits_of_one_process', async () => {
    const cases = Array.from({ length: 12 }, (_, seed) => ({ seed }));
    for (const ranks of [1, 2, 5])
      for (const of of await runInTurn(ranks, { module, name: 'brought' }, cases))
        expect(of).toEqual(of.map(() => ({ wrong: 0, all: true, sum: true })));
    // So many that the team counts and lists them.
    const [many] = await runInTurn(2, { module, name: 'brought' }, [{ seed: 1, least: 300_000 }]);
    expect(many).toEqual(many.map(() => ({ wrong: 0, all: true, sum: true })));
  });

  it('are_refused_on_all_ranks_where_one_errs', async () => {
    const expected = {
      'a point that is no number': /^NonFiniteError: Point 2 has coordinate 1 = NaN/,
      'another dimension': /^CommunicationError: .* different dimensions/,
      'a short nugget': /^ShapeError: The nugget has 3 numbers for 11 points/,
      'a nugget on one rank': /^CommunicationError: .* different ridges/,
      'entries of it': /^OptionError: .* on another rank/,
      'products with it': /^OptionError: .* Give kernelSource all points/,
      'distances of entries': /^OptionError: The distance 'angle' needs entries of any pair/,
      'entries that are held no more': /^RangeError: Points of other indices are held by now/,
      'entries that are not held': /^OptionError: Entries of index 3 .* on another rank/,
    };
    const cases = Object.keys(expected).map((misuse) => ({ misuse }));
    const thrown = await runInTurn<object, string>(2, { module, name: 'misused' }, cases);
    Object.values(expected).forEach((message, k) => {
      for (const one of thrown[k]) expect(one).toMatch(message);
    });
  });
});
