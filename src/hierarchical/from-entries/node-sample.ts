/**
 * The rows that one node's skeleton is found from, W·K(R, C)·D, grown batch by batch, and its Gram matrix.
 *
 * Certain rows count once. Every other batch is an unbiased sample of all other rows by itself, and those of m₁, m₂, …
 * rows are averaged in these proportions, so that a new batch costs its own entries and one syrk:
 *
 *   G = A_cᵀA_c + U,   U ← (m·U + m_b·A_bᵀA_b)/(m + m_b).
 */
import type { Blas } from '../../dense/blas.js';
import type { GramMatrix } from '../../dense/interpolative.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';

/** Rows of a batch: their numbers, their weights, all 1 where the batch is certain. */
export interface Batch {
  readonly rows: Int32Array;
  readonly weights: Float64Array;
}

interface Stored {
  readonly offset: number;
  readonly rows: number;
  readonly weights: Float64Array;
  readonly certain: boolean;
}

/** One node's sample at a time; memory is kept between nodes and grows as it is needed. */
export class NodeSample implements GramMatrix {
  rows = 0;
  cols = 0;
  readonly #blas: Blas;
  readonly #source: EntrySource;
  #certainGram = new Float64Array(0);
  #spreadGram = new Float64Array(0);
  #entries = new Float64Array(0);
  #formed = new Float64Array(0);
  #used = 0;
  /** Numbers of batches that were evaluated and are not kept yet. */
  #pending = 0;
  readonly #batches: Stored[] = [];
  /** Rows of certain batches, and of the others. */
  #certain = 0;
  #spread = 0;
  #columns: Int32Array = new Int32Array(0);
  #scale: Float64Array = new Float64Array(0);

  constructor(source: EntrySource, blas: Blas) {
    this.#source = source;
    this.#blas = blas;
  }

  /** Begins with the candidates C and their amplifications D: no rows yet. */
  begin(columns: Int32Array, scale: Float64Array): void {
    this.#columns = columns;
    this.#scale = scale;
    this.cols = columns.length;
    this.#certainGram = withRoom(this.#certainGram, 0, this.cols ** 2);
    this.#spreadGram = withRoom(this.#spreadGram, 0, this.cols ** 2);
    this.rows = 0;
    this.#used = 0;
    this.#pending = 0;
    this.#batches.length = 0;
    this.#certain = 0;
    this.#spread = 0;
  }

  /** W·K(R, C) of new rows, which are not part of the sample until they are kept. */
  evaluate({ rows, weights }: Batch): Matrix {
    const n = this.cols;
    const m = rows.length;
    const offset = this.#used + this.#pending;
    this.#entries = withRoom(this.#entries, offset, offset + m * n);
    const a = view(this.#entries, offset, m, n);
    this.#source.entries(rows, this.#columns, a);
    this.#pending += m * n;
    const data = this.#entries;
    for (let j = 0, p = offset; j < n; j++) for (let i = 0; i < m; i++, p++) data[p] *= weights[i];
    return a;
  }

  /**
   * Makes rows that were evaluated part of the sample, batch after batch as they were evaluated: `a` is what `evaluate`
   * returned.
   */
  keep({ rows, weights }: Batch, a: Matrix, certain: boolean): void {
    const m = rows.length;
    if (m === 0) return;
    const n = this.cols;
    if (certain) {
      this.#blas.syrk('L', 'T', 1, a, this.#certain === 0 ? 0 : 1, view(this.#certainGram, 0, n, n));
      this.#certain += m;
    } else {
      const all = this.#spread + m;
      this.#blas.syrk('L', 'T', m / all, a, this.#spread / all, view(this.#spreadGram, 0, n, n));
      this.#spread = all;
    }
    this.#batches.push({ offset: this.#used, rows: m, weights: weights.slice(), certain });
    this.#used += m * n;
    this.#pending -= m * n;
    this.rows += m;
  }

  /** All rows outside were taken: every one counts once. */
  countOnce(): void {
    const n = this.cols;
    this.#batches.forEach(({ offset, rows, weights, certain }, b) => {
      if (certain) return;
      const data = this.#entries;
      for (let j = 0, p = offset; j < n; j++) for (let i = 0; i < rows; i++, p++) data[p] /= weights[i];
      const gram = view(this.#certainGram, 0, n, n);
      this.#blas.syrk('L', 'T', 1, view(data, offset, rows, n), this.#certain === 0 ? 0 : 1, gram);
      this.#certain += rows;
      this.#batches[b] = { offset, rows, weights, certain: true };
    });
    this.#spread = 0;
  }

  gram(out: Matrix): void {
    const n = this.cols;
    const scale = this.#scale;
    const c = this.#certainGram;
    const u = this.#spreadGram;
    const to = out.data;
    const [certain, spread] = [this.#certain > 0, this.#spread > 0];
    for (let j = 0; j < n; j++) {
      const own = scale[j];
      const end = (j + 1) * n;
      const d = j - end + n;
      if (certain && spread) for (let p = j + j * n; p < end; p++) to[p] = (c[p] + u[p]) * own * scale[p - end + n];
      else if (certain) for (let p = j + j * n; p < end; p++) to[p] = c[p] * own * scale[p - end + n];
      else if (spread) for (let p = j + j * n; p < end; p++) to[p] = u[p] * own * scale[p - end + n];
      else to.fill(0, d + j * n, end);
    }
  }

  form(): Matrix {
    const n = this.cols;
    const m = this.rows;
    this.#formed = withRoom(this.#formed, 0, m * n);
    const to = this.#formed;
    const from = this.#entries;
    let first = 0;
    for (const { offset, rows, certain } of this.#batches) {
      const share = certain ? 1 : Math.sqrt(rows / this.#spread);
      for (let j = 0, p = offset; j < n; j++) {
        const factor = share * this.#scale[j];
        for (let q = first + j * m; q < first + j * m + rows; q++, p++) to[q] = from[p] * factor;
      }
      first += rows;
    }
    return view(to, 0, m, n);
  }
}

/** An array of at least `length` numbers that begins with the first `kept` of this one. */
function withRoom(array: Float64Array<ArrayBuffer>, kept: number, length: number): Float64Array<ArrayBuffer> {
  if (array.length >= length) return array;
  const larger = new Float64Array(Math.ceil(1.5 * length));
  larger.set(array.subarray(0, kept));
  return larger;
}
