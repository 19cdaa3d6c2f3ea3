/**
 * Rows around a row: those of its leaf that the matrix couples it to most, |K_ij| largest. No list of neighbors is
 * read, which of several ranks another one may have, and no distance: a column of entries of one leaf tells them. Where
 * a pool is read (row-pools.ts), they are those of the pool that stand near to it.
 */
import { placesOfLargest } from '../../core/largest.js';
import { view } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { RowSampler } from './row-sampler.js';

/** Takes rows around others into a sample. Holds scratch: one per thread. */
export class Surroundings {
  readonly #source: EntrySource;
  readonly #start = new Int32Array(1);
  /** Rows around one, their leaves, and what it is coupled to them by. */
  #members = new Int32Array(0);
  #leaves = new Int32Array(0);
  #couplings = new Float64Array(0);

  constructor(source: EntrySource) {
    this.#source = source;
  }

  /**
   * Takes the `most` rows around each of these, which the sample has, those that lie outside and are not taken yet:
   * they count once. Returns how many. Cost: as many entries a row as its leaf has indices.
   */
  take(sampler: RowSampler, starts: readonly number[], most: number): number {
    const first = sampler.count;
    for (const i of starts) {
      const count = this.#find(sampler, i);
      const members = this.#members.subarray(0, count);
      const squares = this.#couplings.subarray(0, count);
      this.#start[0] = i;
      this.#source.entries(members, this.#start, view(squares, 0, count, 1));
      // The row itself is taken already.
      for (let r = 0; r < count; r++) squares[r] = members[r] === i ? 0 : squares[r] ** 2;
      for (const r of placesOfLargest(squares, most)) sampler.takeRow(members[r], this.#leaves[r]);
    }
    return sampler.count - first;
  }

  /** The rows around row i; returns how many. */
  #find(sampler: RowSampler, i: number): number {
    let count = 0;
    sampler.around(i, (j, leaf) => {
      if (count === this.#members.length) this.#grow();
      this.#members[count] = j;
      this.#leaves[count++] = leaf;
    });
    return count;
  }

  #grow(): void {
    const length = 2 * this.#members.length + 64;
    const [members, leaves] = [new Int32Array(length), new Int32Array(length)];
    members.set(this.#members);
    leaves.set(this.#leaves);
    [this.#members, this.#leaves, this.#couplings] = [members, leaves, new Float64Array(length)];
  }
}
