/** Cuts near the root: exact halves, on any team, whatever the values are. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Traffic } from '#hmatrix/distributed/recorded.js';
import { cutAll, SIZE, VALUES, type CutFound, type ValuesName } from '../distributed/cut-values.mjs';
import { runInTurn } from '../distributed/in-turn.js';
import { sharedTeam } from '../teams.js';

type Found = CutFound & { readonly traffic: Readonly<Record<string, Traffic>> };

/** By case, then by rank. */
const cutsOf = (ranks: number, cases: readonly object[]): Promise<Found[][]> =>
  runInTurn(ranks, { module: new URL('../distributed/cut-ranks.mjs', import.meta.url), name: 'cuts' }, cases);

/** By definition: each half of a node holds its smallest and its largest, in the order in which they stood. */
function expected(size: number, values: ValuesName, top: number): number[] {
  let nodes = [Array.from({ length: size }, (_, i) => i)];
  for (let level = 0; level < top; level++)
    nodes = nodes.flatMap((members) => {
      const value = (i: number): number => VALUES[values](i, level);
      const sorted = [...members].sort((a, b) => value(a) - value(b) || a - b);
      const left = new Set(sorted.slice(0, Math.ceil(members.length / 2)));
      return [members.filter((i) => left.has(i)), members.filter((i) => !left.has(i))];
    });
  return nodes.flat();
}

describe('cuts near the root', () => {
  it.each(Object.keys(VALUES) as ValuesName[])(
    'are_at_the_median_and_keep_the_order_of_either_side_%s',
    async (values) => {
      for (const workers of [1, 2]) {
        const { order, top } = await cutAll(await sharedTeam(workers), { size: SIZE, values, carries: false });
        expect(top).toBeGreaterThan(2);
        expect(order).toEqual(expected(SIZE, values, top));
      }
    },
  );

  describe.each([3, 8])('on %i ranks', (ranks) => {
    const names = Object.keys(VALUES) as ValuesName[];
    let found: Found[][];
    beforeAll(async () => {
      found = await cutsOf(
        ranks,
        names.map((values) => ({ size: SIZE, values, carries: true })),
      );
    });

    it.each(names)('are_the_same_%s', (values) => {
      const parts = found[names.indexOf(values)];
      const order = parts.flatMap((one) => one.order);
      expect(order).toEqual(expected(SIZE, values, parts[0].top));
      expect(parts.flatMap(({ carried }) => carried)).toEqual(order.map((i) => 3 * i));
    });
  });

  it('send_a_rank_its_share_a_level', async () => {
    const [ranks, size] = [4, 262_144];
    const [found] = await cutsOf(ranks, [{ size, values: 'mixed', carries: false }]);
    for (const { traffic } of found) {
      const received = Object.values(traffic).reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
      // Of all N indices, 4 bytes each: half a rank's own on each of two levels, samples, and what brackets hold.
      expect(received).toBeLessThan(4 * size);
    }
  });
});
