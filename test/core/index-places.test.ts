/** Places of some indices, against their list in ascending order. */
import { describe, expect, it } from 'vitest';
import { countPlaces, placeOf, placesLength, putIndex } from '#hmatrix/core/index-places.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { sharedInt32 } from '#hmatrix/core/shared-array.js';

describe('places of indices', () => {
  it.each([
    [1, 1],
    [1000, 1],
    [1000, 0.5],
    [4097, 0.03],
    [64, 0],
  ])('of_%i_are_those_in_ascending_order_of_a_share_of_%f', (size, share) => {
    const random = new RandomStream(size);
    const some = Array.from({ length: size }, (_, i) => i).filter(() => random.uniform() < share);
    for (const alone of [true, false]) {
      const places = sharedInt32(placesLength(size));
      for (const i of [...some, ...some].reverse()) putIndex(places, i, alone);
      expect(countPlaces(places)).toBe(some.length);
      for (let i = 0; i < size; i++) expect(placeOf(places, i)).toBe(some.indexOf(i));
    }
  });

  it('are_the_indices_themselves_where_all_are_known', () => {
    for (const i of [0, 5, 2 ** 31 - 1]) expect(placeOf(new Int32Array(0), i)).toBe(i);
  });
});
