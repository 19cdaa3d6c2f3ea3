/**
 * Distances among the members of a sample, each pair's evaluated once and kept.
 * A split asks for them some times over, and from entries each of them costs more than a look-up.
 */
import type { Indices } from '../../core/indices.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { Distance } from './distance.js';

/** Columns of the table that are evaluated at a time. */
const PANEL = 64;

/** A distance between ranks: 0 … count − 1 are the members of the sample by ascending index. */
export class SampleTable implements Distance {
  readonly tabulated = false;
  readonly sampleSize: number;
  /** The members' indices, ascending: ties between ranks are those between indices. */
  ids: Int32Array = new Int32Array(0);
  readonly #distance: Distance;
  /** δ between ranks a and b at a + b·count. */
  #table = new Float64Array(0);
  #sum = new Float64Array(0);
  #rows: Indices = this.ids;
  #cols: Indices = this.ids;

  constructor(distance: Distance) {
    this.#distance = distance;
    this.sampleSize = distance.sampleSize;
  }

  /** Takes the distances of a sample; in place, its indices become their ranks. About count²/2 distances. */
  take(sample: Int32Array): void {
    const count = sample.length;
    if (this.#sum.length < count) {
      this.#table = new Float64Array(count * count);
      this.#sum = new Float64Array(count);
    }
    this.ids = sample.slice().sort();
    for (let s = 0; s < count; s++) sample[s] = rankOf(sample[s], this.ids);
    const table = this.#table;
    this.#distance.load(this.ids, this.ids);
    for (let from = 0; from < count; from += PANEL) {
      const to = Math.min(count, from + PANEL);
      this.#distance.between(from, from, view(table, from + from * count, count - from, to - from, count));
      // Below the panel's own square, by blocks that stay in the cache.
      for (let first = to; first < count; first += PANEL)
        for (let a = first; a < Math.min(count, first + PANEL); a++)
          for (let b = from; b < to; b++) table[b + a * count] = table[a + b * count];
    }
  }

  load(rows: Indices, cols: Indices): void {
    this.#rows = rows;
    this.#cols = cols;
  }

  between(firstRow: number, firstCol: number, { data, offset, rows, cols, ld }: Matrix): void {
    const count = this.ids.length;
    for (let b = 0; b < cols; b++) {
      const column = this.#cols[firstCol + b] * count;
      for (let a = 0; a < rows; a++) data[offset + a + b * ld] = this.#table[this.#rows[firstRow + a] + column];
    }
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    const count = this.ids.length;
    const table = this.#table;
    for (let a = 0; a < indices.length; a++)
      out[at + a] = table[indices[a] + p * count] - table[indices[a] + q * count];
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    const count = this.ids.length;
    const table = this.#table;
    const sum = this.#sum;
    const scale = 1 / sample.length;
    sum.fill(0);
    for (let s = 0; s < sample.length; s++)
      for (let a = 0, p = sample[s] * count; a < count; a++) sum[a] += scale * table[p++];
    for (let a = 0; a < indices.length; a++) out[at + a] = sum[indices[a]];
  }
}

/** Where an index stands among ascending ones. */
function rankOf(index: number, ids: Int32Array): number {
  let low = 0;
  for (let high = ids.length - 1; low < high;) {
    const middle = (low + high) >> 1;
    if (ids[middle] < index) low = middle + 1;
    else high = middle;
  }
  return low;
}
