/**
 * Places of many indices at a time, in memory that grows.
 */
import { placeOf, type IndexPlaces } from './index-places.js';
import type { Indices } from './indices.js';

/** Looks up places of indices all of which are in. */
export class PlacesAmong {
  readonly #places: IndexPlaces;
  readonly #missing: (index: number) => Error;
  #found = new Int32Array(0);

  /** `missing` makes the error for an index that is not in. */
  constructor(places: IndexPlaces, missing: (index: number) => Error) {
    this.#places = places;
    this.#missing = missing;
  }

  /** The place of each, until it is called again. */
  of(indices: Indices): Int32Array {
    if (this.#found.length < indices.length) this.#found = new Int32Array(2 * indices.length);
    const found = this.#found.subarray(0, indices.length);
    for (let a = 0; a < indices.length; a++) {
      const place = placeOf(this.#places, indices[a]);
      if (place < 0) throw this.#missing(indices[a]);
      found[a] = place;
    }
    return found;
  }
}
