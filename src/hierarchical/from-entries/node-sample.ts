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
import type { Batch } from './row-sampler.js';
import { weightedEntries, type SplitSample } from './split-sample.js';

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
  readonly #products: Pick<Blas, 'syrk'>;
  readonly #source: EntrySource;
  readonly #split: SplitSample | undefined;
  #certainGram: Float64Array = new Float64Array(0);
  #spreadGram: Float64Array = new Float64Array(0);
  /** Shared with other workers as long as the sample has room there, else `#local`. */
  #entries: Float64Array = new Float64Array(0);
  #local = new Float64Array(0);
  #formed: Float64Array = new Float64Array(0);
  #used = 0;
  /** Numbers of batches that were evaluated and are not kept yet. */
  #pending = 0;
  readonly #batches: Stored[] = [];
  /** Rows of certain batches, and of the others. */
  #certain = 0;
  #spread = 0;
  #columns: Int32Array = new Int32Array(0);
  #scale: Float64Array = new Float64Array(0);

  /** With `split`, samples of large nodes are evaluated and multiplied by several workers. */
  constructor(source: EntrySource, blas: Blas, split?: SplitSample) {
    this.#source = source;
    this.#products = split?.products ?? blas;
    this.#split = split;
    if (split !== undefined) [this.#certainGram, this.#spreadGram] = split.grams;
  }

  /** Begins with the candidates C and their amplifications D: no rows yet. */
  begin(columns: Int32Array, scale: Float64Array): void {
    this.#columns = columns;
    this.#scale = scale;
    this.cols = columns.length;
    this.#certainGram = withRoom(this.#certainGram, this.cols ** 2);
    this.#spreadGram = withRoom(this.#spreadGram, this.cols ** 2);
    this.#entries = this.#split?.entries ?? this.#local;
    this.rows = 0;
    this.#used = 0;
    this.#pending = 0;
    this.#batches.length = 0;
    this.#certain = 0;
    this.#spread = 0;
  }

  /** W·K(R, C) of new rows, which are not part of the sample until they are kept. */
  evaluate(batch: Batch): Matrix {
    const n = this.cols;
    const m = batch.rows.length;
    const offset = this.#used + this.#pending;
    this.#makeRoom(offset, offset + m * n);
    const a = view(this.#entries, offset, m, n);
    if (this.#split === undefined) weightedEntries(this.#source, batch, this.#columns, a);
    else this.#split.evaluate(batch, this.#columns, a);
    this.#pending += m * n;
    return a;
  }

  /** Room for `length` numbers, shared where there is some beside the sample and `beside`, else from `other`. */
  scratch(length: number, other: () => Float64Array, beside?: Matrix): Matrix['data'] {
    const first = this.#used + this.#pending;
    const last = beside?.data === this.#entries && beside.offset >= first ? beside.offset : this.#entries.length;
    return this.#split?.entries === this.#entries && first + length <= last
      ? this.#entries.subarray(first, first + length)
      : other();
  }

  /** Has room for so many entries, of which the first `kept` stay. */
  #makeRoom(kept: number, length: number): void {
    if (this.#entries.length >= length) return;
    const larger = this.#local.length >= length ? this.#local : new Float64Array(Math.ceil(1.5 * length));
    larger.set(this.#entries.subarray(0, kept));
    this.#local = larger;
    this.#entries = larger;
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
      this.#products.syrk('L', 'T', 1, a, this.#certain === 0 ? 0 : 1, view(this.#certainGram, 0, n, n));
      this.#certain += m;
    } else {
      const all = this.#spread + m;
      this.#products.syrk('L', 'T', m / all, a, this.#spread / all, view(this.#spreadGram, 0, n, n));
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
      this.#products.syrk('L', 'T', 1, view(data, offset, rows, n), this.#certain === 0 ? 0 : 1, gram);
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
    // At the end of what is shared, beyond what `scratch` gives.
    const shared = this.#entries.length - m * n;
    const inside = this.#split?.entries === this.#entries && shared >= this.#used + this.#pending;
    if (!inside) this.#formed = withRoom(this.#formed, m * n);
    const to = inside ? this.#entries : this.#formed;
    const from = this.#entries;
    let first = inside ? shared : 0;
    const formed = view(to, first, m, n);
    for (const { offset, rows, certain } of this.#batches) {
      const share = certain ? 1 : Math.sqrt(rows / this.#spread);
      for (let j = 0, p = offset; j < n; j++) {
        const factor = share * this.#scale[j];
        for (let q = first + j * m; q < first + j * m + rows; q++, p++) to[q] = from[p] * factor;
      }
      first += rows;
    }
    return formed;
  }
}

/** An array of at least `length` numbers, of no values. */
const withRoom = <A extends Float64Array>(array: A, length: number): A | Float64Array<ArrayBuffer> =>
  array.length >= length ? array : new Float64Array(Math.ceil(1.5 * length));
