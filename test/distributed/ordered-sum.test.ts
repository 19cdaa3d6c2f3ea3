/** Sums over ranks: the same bits whoever has which part, and the sum that they should be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderedSum } from '#hmatrix/distributed/ordered-sum.js';
import { completedBy, largestNodes, sliceCounts, type Range } from '#hmatrix/distributed/sum-tree.js';
import { selfCommunicator } from '#hmatrix/distributed/self.js';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import { RandomStream } from '#hmatrix/core/random.js';

interface Case {
  readonly counts: readonly number[];
  readonly length: number;
  readonly single: boolean;
  readonly seed: number;
}

const module = new URL('thread-ranks.mjs', import.meta.url);
const sumsOn = (size: number, cases: readonly Case[]): Promise<(Float64Array | Float32Array)[][]> =>
  runOnThreads(size, { module, name: 'sums', data: { cases } });

const random = new RandomStream(5);
const upTo = (most: number): number => Math.floor(random.uniform() * (most + 1));
const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

/** Slices 0 … slices − 1 among the ranks at random places: some have none, most parts of the tree are cut. */
function randomCounts(slices: number, ranks: number): number[] {
  const cuts = Array.from({ length: ranks - 1 }, () => upTo(slices)).sort((a, b) => a - b);
  return Array.from({ length: ranks }, (_, r) => (cuts[r] ?? slices) - (r === 0 ? 0 : cuts[r - 1]));
}

/** The numbers of part `slice`, as thread-ranks.mjs has them. */
const numberOf = (seed: number, slice: number, k: number): number =>
  Math.sin(seed + 31 * slice + k) * 10 ** (((slice * 7 + k) % 9) - 4);

/** The tree's sum, from its definition. */
function treeSum(seed: number, single: boolean, k: number, { first, end }: Range): number {
  const round = single ? Math.fround : (value: number): number => value;
  if (end - first === 1) return round(numberOf(seed, first, k));
  const middle = first + Math.ceil((end - first) / 2);
  const left = treeSum(seed, single, k, { first, end: middle });
  return round(left + treeSum(seed, single, k, { first: middle, end }));
}

describe('orderedSum', () => {
  it.each([1, 2, 3, 4, 5])('has_the_bits_of_the_tree_on_%i_ranks_whoever_has_which_part', async (ranks) => {
    const cases = Array.from({ length: 24 }, (_, i): Case => {
      const slices = i === 0 ? 1 : i === 1 ? 0 : 1 + upTo(33);
      return { counts: randomCounts(slices, ranks), length: upTo(11), single: i % 3 === 0, seed: i };
    });
    const found = await sumsOn(ranks, cases);
    cases.forEach((one, i) => {
      const slices = total(one.counts);
      const wanted = Array.from({ length: one.length }, (_, k) =>
        slices === 0 ? 0 : treeSum(one.seed, one.single, k, { first: 0, end: slices }),
      );
      for (const sums of found) expect(Array.from(sums[i]), JSON.stringify(one)).toEqual(wanted);
    });
  });

  it('tells_orders_apart: other trees have other bits', async () => {
    // The check above can fail: adding one after another gives other bits for such numbers.
    const one: Case = { counts: [20], length: 8, single: false, seed: 3 };
    const [[sums]] = await sumsOn(1, [one]);
    const inTurn = Float64Array.from({ length: 8 }, (_, k) =>
      Array.from({ length: 20 }, (__, slice) => numberOf(3, slice, k)).reduce((a, b) => a + b),
    );
    expect(Array.from(sums)).not.toEqual(Array.from(inTurn));
  });

  it('refuses_counts_that_do_not_fit', () => {
    const world = selfCommunicator();
    const part = (): void => undefined;
    const sum = (counts: number[]) => () => orderedSum(world, { counts, part }, new Float64Array(1));
    expect(sum([1, 2])).toThrow(/There are 2 counts of parts for 1 ranks/);
    expect(sum([-1])).toThrow(/counts\[0\] must be a whole number ≥ 0, not -1/);
    expect(() => orderedSum(world, { counts: [1], part, order: 'slow' as never }, new Float64Array(1))).toThrow(
      /order of orderedSum is "slow"/,
    );
  });

  it('fast_is_the_sum_in_the_order_of_the_library', () => {
    const sum = new Float64Array(3);
    orderedSum(selfCommunicator(), { counts: [5], part: (slice, into) => into.fill(slice), order: 'fast' }, sum);
    expect(sum).toEqual(Float64Array.of(10, 10, 10));
  });
});

describe('the tree of a sum', () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 300 }), fc.nat(300), fc.nat(300)).map(([slices, a, b]) => ({
    slices,
    range: { first: Math.min(a, b, slices), end: Math.min(Math.max(a, b), slices) },
  }));

  it('cuts_a_range_into_few_nodes_that_tile_it_and_that_its_parts_complete', () => {
    fc.assert(
      fc.property(range, ({ slices, range: { first, end } }) => {
        const nodes = largestNodes(slices, { first, end });
        let at = first;
        for (const node of nodes) {
          expect(node.first).toBe(at);
          expect(node.end).toBeGreaterThan(node.first);
          at = node.end;
        }
        expect(at).toBe(end);
        expect(nodes.length).toBeLessThanOrEqual(Math.max(1, 2 * Math.ceil(Math.log2(slices))));
        // Each addition makes one sum of two.
        let sums = 0;
        for (let part = first; part < end; part++) sums += 1 - completedBy(part, slices, { first, end });
        expect(sums).toBe(nodes.length);
      }),
      { seed: 11 },
    );
  });

  it('gives_each_of_a_power_of_two_of_ranks_one_node_and_like_shares', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 12 }), (slices, ranks) => {
        const counts = sliceCounts(slices, ranks);
        expect([counts.length, total(counts)]).toEqual([ranks, slices]);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(
          Number.isInteger(Math.log2(ranks)) ? 1 : 2,
        );
        if (!Number.isInteger(Math.log2(ranks))) return;
        let first = 0;
        for (const count of counts) {
          if (count > 0) expect(largestNodes(slices, { first, end: first + count })).toHaveLength(1);
          first += count;
        }
      }),
      { seed: 12 },
    );
  });
});
