/** Sums over ranks: the same bits whoever has which part, and the sum that they should be. */
import { describe, expect, it } from 'vitest';
import { RandomStream } from '#hmatrix/core/random.js';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import { numberOf, wholeSum, type TreeSum } from './tree-sums.mjs';

interface Case extends TreeSum {
  readonly counts: readonly number[];
  readonly exchange: number;
}

const module = new URL('thread-ranks.mjs', import.meta.url);
const sumsOn = (size: number, cases: readonly Case[]): Promise<(Float64Array | Float32Array)[][]> =>
  runOnThreads(size, { module, name: 'sums', data: { cases } });

const random = new RandomStream(5);
const upTo = (most: number): number => Math.floor(random.uniform() * (most + 1));
const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);

/** Parts 0 … slices − 1 among the ranks at random places: some have none, most parts of the tree are cut. */
function randomCounts(slices: number, ranks: number): number[] {
  const cuts = Array.from({ length: ranks - 1 }, () => upTo(slices)).sort((a, b) => a - b);
  return Array.from({ length: ranks }, (_, r) => (cuts[r] ?? slices) - (r === 0 ? 0 : cuts[r - 1]));
}

describe('sums of nodes', () => {
  it.each([1, 2, 3, 4, 5])('have_the_bits_of_the_tree_on_%i_ranks_whoever_has_which_part', async (ranks) => {
    const cases = Array.from({ length: 24 }, (_, i): Case => ({
      counts: randomCounts(1 + upTo(33), ranks),
      length: upTo(23),
      single: i % 3 === 0,
      seed: i,
      // Whole, and by pieces.
      exchange: i % 2 === 0 ? 1000 : 1 + upTo(40),
    }));
    const found = await sumsOn(ranks, cases);
    cases.forEach((one, i) => {
      const wanted = Array.from(wholeSum(total(one.counts), one));
      for (const sums of found) expect(Array.from(sums[i]), JSON.stringify(one)).toEqual(wanted);
    });
  });

  it('have_an_order_that_shows_in_the_bits', () => {
    // The check above can fail: parts that are added one after another give other bits.
    const inTurn = Array.from({ length: 8 }, (_, k) =>
      Array.from({ length: 20 }, (__, slice) => numberOf(3, slice, k)).reduce((a, b) => a + b),
    );
    expect(Array.from(wholeSum(20, { length: 8, single: false, seed: 3 }))).not.toEqual(inTurn);
  });
});
