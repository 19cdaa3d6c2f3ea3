/**
 * Distances from entries and the diagonal alone.
 * Each is a function of K_ij, K_ii, K_jj, so a block of distances is a block of entries and one pass over it.
 */
import { NonFiniteError } from '../../core/errors.js';
import type { Indices } from '../../core/indices.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import type { Distance, SearchedDistance } from './distance.js';

/**
 * Members whose mean distance stands for the distance from the centroid: each costs an entry per member of the cluster.
 */
const SAMPLE = 64;
/** Members whose block of distances to a sample is formed at a time: it stays in the second-level cache. */
const PANEL = 256;
/** In place: K(rows[a], cols[b]) → δ; weights[i] is the weight of index i. */
type Transform = (weights: Float64Array, rows: Indices, cols: Indices, out: Matrix) => void;

/** What tells one distance by entries from another. */
export interface EntryForm extends Pick<SearchedDistance, 'description' | 'fromDissimilarity'> {
  /** The weight of an index with this entry on the diagonal. */
  weight(diagonal: number): number;
  /** In place: entries → δ. */
  readonly transform: Transform;
}

/** What distances from entries are evaluated from. */
export interface EntryData {
  readonly handle: SourceHandle;
  readonly diagonal: Float64Array;
}

/** A distance that is a function of K_ij, K_ii and K_jj. */
export const entryDistance = ({
  description,
  weight,
  transform,
  fromDissimilarity,
}: EntryForm): SearchedDistance<EntryData> => ({
  description,
  needs: 'entries',
  prepare(source) {
    const { handle, modules, solo } = sourceState(source);
    return { data: { handle, diagonal: sharedDiagonal(source) }, modules, solo };
  },
  open: ({ handle, diagonal }, context) =>
    new EntryDistance(openHandle(handle, context), diagonal.map(weight), transform),
  fromDissimilarity,
});

function sharedDiagonal(source: EntrySource): Float64Array {
  const diagonal = sharedFloat64(source.size);
  source.diagonal(diagonal);
  const bad = diagonal.findIndex((d) => !Number.isFinite(d));
  if (bad >= 0)
    throw new NonFiniteError(
      `The diagonal entry ${bad} of the source is ${diagonal[bad]}: distances need finite entries.`,
      { index: bad, value: diagonal[bad] },
    );
  return diagonal;
}

class EntryDistance implements Distance {
  readonly tabulated = true;
  readonly sampleSize = SAMPLE;
  readonly #source: EntrySource;
  readonly #weights: Float64Array;
  readonly #transform: Transform;
  readonly #pair = new Int32Array(2);
  #rows: Indices = this.#pair;
  #cols: Indices = this.#pair;
  #scratch = new Float64Array(0);

  constructor(source: EntrySource, weights: Float64Array, transform: Transform) {
    this.#source = source;
    this.#weights = weights;
    this.#transform = transform;
  }

  load(rows: Indices, cols: Indices): void {
    this.#rows = rows;
    this.#cols = cols;
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    const rows = this.#rows.subarray(firstRow, firstRow + out.rows);
    const cols = this.#cols.subarray(firstCol, firstCol + out.cols);
    this.#source.entries(rows, cols, out);
    this.#transform(this.#weights, rows, cols, out);
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    this.#pair[0] = p;
    this.#pair[1] = q;
    const n = indices.length;
    const block = this.#block(indices, this.#pair);
    for (let a = 0; a < n; a++) out[at + a] = block[a] - block[n + a];
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    const scale = 1 / sample.length;
    out.fill(0, at, at + indices.length);
    for (let from = 0; from < indices.length; from += PANEL) {
      const rows = indices.subarray(from, from + PANEL);
      const block = this.#block(rows, sample);
      for (let s = 0, p = 0; s < sample.length; s++)
        for (let a = at + from; a < at + from + rows.length; a++) out[a] += scale * block[p++];
    }
  }

  #block(rows: Indices, cols: Indices): Float64Array {
    const length = rows.length * cols.length;
    if (this.#scratch.length < length) this.#scratch = new Float64Array(length);
    this.load(rows, cols);
    this.between(0, 0, view(this.#scratch, 0, rows.length, cols.length));
    return this.#scratch;
  }
}
