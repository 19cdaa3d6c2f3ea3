/**
 * Rows around a row: those of its leaf that the matrix couples it to most, |K_ij| largest. No list of neighbors is
 * read, which of several ranks another one may have, and no distance: a column of entries of one leaf tells them.
 */
import { placesOfLargest } from '../../core/largest.js';
import { view } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import { firstLeaf } from '../../tree/cluster-tree.js';
import type { RowSampler, RowSamplerState } from './row-sampler.js';

/** Takes rows around others into a sample. Holds scratch: one per thread. */
export class Surroundings {
  readonly #state: Pick<RowSamplerState, 'tree'>;
  readonly #source: EntrySource;
  readonly #start = new Int32Array(1);
  #couplings = new Float64Array(0);

  constructor(state: Pick<RowSamplerState, 'tree'>, source: EntrySource) {
    this.#state = state;
    this.#source = source;
  }

  /**
   * Takes the `most` rows around each of these, which the sample has, those that lie outside and are not taken yet:
   * they count once. Returns how many. Cost: as many entries a row as its leaf has indices.
   */
  take(sampler: RowSampler, starts: readonly number[], most: number): number {
    const first = sampler.count;
    const { tree } = this.#state;
    for (const i of starts) {
      const leaf = sampler.leafOfTaken(i);
      const ν = firstLeaf(tree) + leaf;
      const members = tree.order.subarray(tree.begin[ν], tree.end[ν]);
      const count = members.length;
      if (this.#couplings.length < count) this.#couplings = new Float64Array(count);
      const squares = this.#couplings.subarray(0, count);
      this.#start[0] = i;
      this.#source.entries(members, this.#start, view(squares, 0, count, 1));
      // The row itself is taken already.
      for (let r = 0; r < count; r++) squares[r] = members[r] === i ? 0 : squares[r] ** 2;
      for (const r of placesOfLargest(squares, most)) sampler.takeRow(members[r], leaf);
    }
    return sampler.count - first;
  }
}
