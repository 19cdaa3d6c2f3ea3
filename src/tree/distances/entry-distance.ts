/**
 * Gram and angle distances: from entries and the diagonal alone.
 * Both are a function of K_ij, K_ii, K_jj, so a block of distances is a block of entries and one pass over it.
 */
import type { Indices } from '../../core/indices.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';
import type { Distance } from './distance.js';

/**
 * Members whose mean distance stands for the distance from the centroid: each costs an entry per member of the cluster.
 */
const SAMPLE = 64;
/** Members whose block of distances to a sample is formed at a time: it stays in the second-level cache. */
const PANEL = 256;
/** By angle: beyond every true value (at most 1). */
export const APART = 2;

/** In place: K(rows[a], cols[b]) → δ; `weights` as prepared by the constructor below. */
type Transform = (
  weights: Float64Array,
  rows: Indices,
  firstRow: number,
  cols: Indices,
  firstCol: number,
  out: Matrix,
) => void;

/** δ = K_ii + K_jj − 2K_ij; weights are the diagonal. */
const gram: Transform = (weights, rows, firstRow, cols, firstCol, out) => {
  const { data, rows: m, cols: n } = out;
  for (let b = 0; b < n; b++) {
    const own = weights[cols[firstCol + b]];
    const column = out.offset + b * out.ld;
    for (let a = 0; a < m; a++) data[column + a] = weights[rows[firstRow + a]] + own - 2 * data[column + a];
  }
};

/**
 * δ = 1 − |K_ij|/√(K_ii K_jj): monotone in the angle, and means of it tell clusters apart better than means of its
 * square do; weights are 1/√K_ii, or 0 where K_ii ≤ 0.
 */
const angle: Transform = (weights, rows, firstRow, cols, firstCol, out) => {
  const { data, rows: m, cols: n } = out;
  for (let b = 0; b < n; b++) {
    const own = weights[cols[firstCol + b]];
    const column = out.offset + b * out.ld;
    for (let a = 0; a < m; a++) {
      const weight = weights[rows[firstRow + a]];
      data[column + a] =
        weight > 0 && own > 0 ? 1 - Math.abs(data[column + a] * weight * own) : weight === own ? 0 : APART;
    }
  }
};

export class EntryDistance implements Distance {
  readonly sampleSize = SAMPLE;
  readonly #source: EntrySource;
  readonly #weights: Float64Array;
  readonly #transform: Transform;
  readonly #pair = new Int32Array(2);
  #rows: Indices = this.#pair;
  #cols: Indices = this.#pair;
  #scratch = new Float64Array(0);

  constructor(kind: 'gram' | 'angle', source: EntrySource, diagonal: Float64Array) {
    this.#source = source;
    this.#transform = kind === 'gram' ? gram : angle;
    this.#weights = kind === 'gram' ? diagonal : diagonal.map((d) => (d > 0 ? 1 / Math.sqrt(d) : 0));
  }

  load(rows: Indices, cols: Indices): void {
    this.#rows = rows;
    this.#cols = cols;
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    this.#source.entries(
      this.#rows.subarray(firstRow, firstRow + out.rows),
      this.#cols.subarray(firstCol, firstCol + out.cols),
      out,
    );
    this.#transform(this.#weights, this.#rows, firstRow, this.#cols, firstCol, out);
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
