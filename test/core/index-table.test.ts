/** A table of indices against a Map, as it grows and is emptied. */
import { describe, expect, it } from 'vitest';
import { IndexTable } from '#hmatrix/core/index-table.js';
import { RandomStream } from '#hmatrix/core/random.js';

describe('a table of indices', () => {
  it.each([
    ['that_follow_each_other', (k: number) => k],
    ['far_apart', (k: number) => 2 ** 31 - 1 - k * 4096],
    ['at_random', (_: number, random: RandomStream) => random.integer(3000)],
  ] as const)('has_each_once_in_the_order_in_which_they_came_%s', (_, index) => {
    const table = new IndexTable();
    for (const count of [3, 5000, 700]) {
      const random = new RandomStream(count);
      const places = new Map<number, number>();
      for (let k = 0; k < count; k++) {
        const i = index(k, random);
        expect(table.placeOf(i)).toBe(places.get(i) ?? -1);
        if (!places.has(i)) places.set(i, places.size);
        expect(table.add(i)).toBe(places.get(i));
      }
      expect(table.count).toBe(places.size);
      expect([...table.list.subarray(0, table.count)]).toEqual([...places.keys()]);
      for (let k = 0; k < count; k++) expect(table.placeOf(k)).toBe(places.get(k) ?? -1);
      table.clear();
      for (const i of places.keys()) expect(table.placeOf(i)).toBe(-1);
    }
  });

  it('keeps_no_room_for_very_many_when_they_are_taken_out', () => {
    const table = new IndexTable();
    for (let k = 0; k < 70_000; k++) table.add(3 * k);
    expect(table.list.length).toBeGreaterThanOrEqual(70_000);
    table.clear();
    expect(table.list.length).toBeLessThan(1000);
    expect([table.placeOf(6), table.add(9), table.add(6), table.placeOf(6)]).toEqual([-1, 0, 1, 1]);
  });
});
