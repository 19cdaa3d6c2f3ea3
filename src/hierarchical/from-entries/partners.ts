/**
 * Rows outside a node that single columns of its sample are coupled to unnoticed.
 */
import { placeOf } from '../../core/index-places.js';
import { view } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { RowSampler } from './row-sampler.js';
import { PARTNERS, type SharedNode, type SkeletonState } from './skeleton-state.js';

/** A coupling is worth a look where it is more than this share of all that the sample holds of its column, squared. */
const NEGLECTED = 1 / 100;

/** A node's candidate columns, how much an error in each counts, and what its sample holds of each, squared. */
export interface SampledColumns {
  readonly candidates: Int32Array;
  readonly amplification: Float64Array;
  square(j: number): number;
}

/** Looks for partners of columns among their nearest neighbors. Holds scratch: one per thread. */
export class Partners {
  readonly #state: Pick<SkeletonState, 'neighbors' | 'places' | 'rowAt' | 'neighborCount'>;
  readonly #source: EntrySource;
  readonly #free = { indices: new Int32Array(PARTNERS), leaves: new Int32Array(PARTNERS) };
  readonly #couplings = new Float64Array(PARTNERS);

  constructor(state: Pick<SkeletonState, 'neighbors' | 'places' | 'rowAt' | 'neighborCount'>, source: EntrySource) {
    this.#state = state;
    this.#source = source;
  }

  /**
   * Takes rows that a column is coupled to more than its sampled rows make believe, and by more than what is allowed,
   * squared: about `most`. The column's nearest neighbors are asked, those that are `known` or else listed here.
   */
  take(
    sampler: RowSampler,
    { candidates, amplification, square }: SampledColumns,
    {
      allowed,
      most,
      known,
    }: { readonly allowed: number; readonly most: number; readonly known?: SharedNode | undefined },
  ): void {
    const { neighbors: indices, places, rowAt, neighborCount } = this.#state;
    const nearest = Math.min(PARTNERS, neighborCount);
    const first = sampler.count;
    for (let j = 0; j < candidates.length && sampler.count - first < most; j++) {
      const from = known === undefined ? rowAt[placeOf(places, candidates[j])] * neighborCount : j * nearest;
      const count = sampler.freeAmong(known?.partners ?? { indices }, from, from + nearest, this.#free);
      if (count === 0) continue;
      const rows = this.#free.indices.subarray(0, count);
      this.#source.entries(rows, candidates.subarray(j, j + 1), view(this.#couplings, 0, count, 1));
      const least = Math.max(allowed, NEGLECTED * square(j));
      for (let r = 0; r < count; r++)
        if ((this.#couplings[r] * amplification[j]) ** 2 > least) sampler.takeRow(rows[r], this.#free.leaves[r]);
    }
  }
}
