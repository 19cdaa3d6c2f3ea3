/** Cuts near the root: exact halves, on any team, whatever the values are. */
import { describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import type { Traffic } from '#hmatrix/distributed/recorded.js';
import { Team } from '#hmatrix/parallel/team.js';
import { cutAll, SIZE, VALUES, type CutFound, type ValuesName } from '../distributed/cut-values.mjs';

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
        const team = await Team.open({ workers });
        try {
          const { order, top } = await cutAll(team, { size: SIZE, values, carries: false });
          expect(top).toBeGreaterThan(2);
          expect(order).toEqual(expected(SIZE, values, top));
        } finally {
          await team.close();
        }
      }
    },
  );

  it.each(Object.keys(VALUES) as ValuesName[])('are_the_same_on_several_ranks_%s', async (values) => {
    for (const ranks of [3, 8]) {
      const data = { size: SIZE, values, carries: true };
      const found = await runOnThreads<object, CutFound>(ranks, {
        module: new URL('../distributed/cut-ranks.mjs', import.meta.url),
        name: 'cuts',
        data,
      });
      const order = found.flatMap((one) => one.order);
      expect(order).toEqual(expected(SIZE, values, found[0].top));
      expect(found.flatMap(({ carried }) => carried)).toEqual(order.map((i) => 3 * i));
    }
  });

  it('send_a_rank_its_share_a_level', async () => {
    const [ranks, size] = [4, 262_144];
    const found = await runOnThreads<object, CutFound & { readonly traffic: Readonly<Record<string, Traffic>> }>(
      ranks,
      {
        module: new URL('../distributed/cut-ranks.mjs', import.meta.url),
        name: 'cuts',
        data: { size, values: 'mixed', carries: false },
      },
    );
    for (const { traffic } of found) {
      const received = Object.values(traffic).reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
      // Of all N indices, 4 bytes each: half a rank's own on each of two levels, samples, and what brackets hold.
      expect(received).toBeLessThan(4 * size);
    }
  });
});
