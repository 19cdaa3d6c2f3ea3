/**
 * Distances from entries and the diagonal alone.
 * Each is a function of K_ij, K_ii, K_jj, so a block of distances is a block of entries and one pass over it.
 */
import { NonFiniteError } from '../../core/errors.js';
import { copyAt } from '../../core/floats.js';
import type { Indices } from '../../core/indices.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { findOnDiagonal, readDiagonal, type Diagonal } from '../../source/diagonal.js';
import type { EntrySource } from '../../source/entry-source.js';
import { openHandle, sourceState, type SourceHandle } from '../../source/share-source.js';
import type { Distance, SearchedDistance } from './distance.js';

/**
 * Members whose mean distance stands for the distance from the centroid: each costs an entry per member of the cluster.
 */
const SAMPLE = 64;
/** Members whose block of distances to a sample is formed at a time: it stays in the second-level cache. */
const PANEL = 256;
/** In place: K(i, j) → δ; ofRows[a] is the weight of the index of row a, ofCols[b] that of column b. */
type Transform = (ofRows: Float64Array, ofCols: Float64Array, out: Matrix) => void;

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
  /** Of a source that does not give entries anywhere on its diagonal. */
  readonly diagonal: Float64Array | undefined;
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
  prepare(source, known = {}) {
    const { handle, modules, solo } = sourceState(source);
    const diagonal = readDiagonal(source, sharedFloat64);
    if (known.isFinite !== true) requireFinite(diagonal);
    const stored = source.diagonalAt === undefined ? diagonal.part(0, source.size) : undefined;
    return { data: { handle, diagonal: stored }, modules, solo };
  },
  open: ({ handle, diagonal }, context) => new EntryDistance(openHandle(handle, context), diagonal, weight, transform),
  fromDissimilarity,
});

function requireFinite(diagonal: Diagonal): void {
  const bad = findOnDiagonal(diagonal, (d) => !Number.isFinite(d));
  if (bad === undefined) return;
  const { index, value } = bad;
  throw new NonFiniteError(`The diagonal entry ${index} of the source is ${value}: distances need finite entries.`, {
    index,
    value,
  });
}

class EntryDistance implements Distance {
  readonly tabulated = true;
  readonly sampleSize = SAMPLE;
  readonly #source: EntrySource;
  readonly #diagonal: Float64Array | undefined;
  readonly #weight: EntryForm['weight'];
  readonly #transform: Transform;
  readonly #pair = new Int32Array(2);
  #rows: Indices = this.#pair;
  #cols: Indices = this.#pair;
  /** Their weights. */
  #ofRows: Float64Array = new Float64Array(0);
  #ofCols: Float64Array = new Float64Array(0);
  #scratch = new Float64Array(0);

  constructor(
    source: EntrySource,
    diagonal: Float64Array | undefined,
    weight: EntryForm['weight'],
    transform: Transform,
  ) {
    this.#source = source;
    // A worker's copy may lack what the caller's source has.
    this.#diagonal =
      diagonal ?? (source.diagonalAt === undefined ? readDiagonal(source).part(0, source.size) : undefined);
    this.#weight = weight;
    this.#transform = transform;
  }

  load(rows: Indices, cols: Indices): void {
    this.#ofRows = this.#weigh(rows, this.#ofRows);
    this.#ofCols = this.#weigh(cols, this.#ofCols);
    this.#rows = rows;
    this.#cols = cols;
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    const rows = this.#rows.subarray(firstRow, firstRow + out.rows);
    const cols = this.#cols.subarray(firstCol, firstCol + out.cols);
    this.#source.entries(rows, cols, out);
    this.#transform(this.#ofRows.subarray(firstRow), this.#ofCols.subarray(firstCol), out);
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

  /** The weights of these indices, in `into` or a larger array. */
  #weigh(indices: Indices, into: Float64Array): Float64Array {
    const weights = into.length < indices.length ? new Float64Array(indices.length) : into;
    if (this.#diagonal !== undefined) copyAt(this.#diagonal, indices, weights);
    else this.#source.diagonalAt!(indices, weights);
    for (let k = 0; k < indices.length; k++) weights[k] = this.#weight(weights[k]);
    return weights;
  }

  #block(rows: Indices, cols: Indices): Float64Array {
    const length = rows.length * cols.length;
    if (this.#scratch.length < length) this.#scratch = new Float64Array(length);
    this.load(rows, cols);
    this.between(0, 0, view(this.#scratch, 0, rows.length, cols.length));
    return this.#scratch;
  }
}
