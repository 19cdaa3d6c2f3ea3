/**
 * Blocks of a Gauss–Newton Hessian over one batch of samples: Σ_i ā_i(q) ā_i(q′) m_i(u, u′).
 * After C. Chen, S. Reiz, C. Yu, H.-J. Bungartz, G. Biros, arXiv 1910.12184, whose factor r (outputs) never appears
 * here. Per pair of layers, by predicted time:
 *   products      where m is a sum of κ(p, p′)·x_p∘y_p′: Σ κ ∘ (X·Yᵀ), X's rows ā(q)∘x_p, one GEMM of n columns a term,
 *   whatever the order of the weights; scaled rows   for each unit p′ of the columns: rows ā(q)∘m(p, p′), one GEMM with
 *   the inputs of p′'s weights; scaled columns  the same with rows and columns exchanged;
 *   tiles         each pair of units A_Q·diag(m)·A_Q′ᵀ, the smaller side scaled.
 */
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { GramArrays } from './unit-gram-arrays.js';
import { GramVectors, type GramTerm, type UnitVectors } from './unit-gram-vectors.js';
import { weightPanels, type WeightList, type WeightPanel } from './weight-list.js';

/** The ways to form a block of entries that the file's head names. */
export type EntryStrategy = 'products' | 'scaled rows' | 'scaled columns' | 'tiles';
/** All values of {@link EntryStrategy}. */
export const ENTRY_STRATEGIES: readonly EntryStrategy[] = ['products', 'scaled rows', 'scaled columns', 'tiles'];

/** Weights of a side taken at a time, and samples: the operands of a GEMM stay near 4 MB. */
const LARGEST_PANEL = 512;
const LARGEST_CHUNK = 1024;
/** Nanoseconds: an elementwise product, a copied number, a flop of GEMM, a call of it. Only their ratios matter. */
const ELEMENTWISE = 1.3;
const COPIED = 0.25;
const FLOP = 1 / 40;
const CALL = 1500;
/** Below this many rows or columns GEMM is slower in proportion. */
const SMALLEST_EFFICIENT = 8;

/** Samples at … at + size of the batch. */
interface Chunk {
  readonly at: number;
  readonly size: number;
}

/** `count` weights from number `first` of a list. */
interface Run {
  readonly first: number;
  readonly count: number;
}

/** Adds up blocks of entries over one batch, with scratch that is kept between blocks. */
export class EntryBlocks {
  readonly #vectors: GramVectors;
  readonly #blas: Blas;
  readonly #strategy: EntryStrategy | undefined;
  readonly #uniform: boolean;
  #left: Float64Array = new Float64Array(0);
  #right: Float64Array = new Float64Array(0);
  #block: Float64Array = new Float64Array(0);
  #rowMap: Int32Array = new Int32Array(LARGEST_PANEL);
  #colMap: Int32Array = new Int32Array(LARGEST_PANEL);

  /** `strategy` forces one (products only where there are such terms); by default each block takes the fastest. */
  constructor(arrays: GramArrays, uniform: boolean, blas: Blas, strategy?: EntryStrategy) {
    this.#vectors = new GramVectors(arrays);
    this.#uniform = uniform;
    this.#blas = blas;
    this.#strategy = strategy;
  }

  /**
   * out += scale·(the block); without that of the last layer with itself where the Hessian of the loss is a multiple of
   * I (see `addUniformBlock`).
   */
  add(rows: WeightList, cols: WeightList, scale: number, out: Matrix): void {
    const { length } = this.#vectors.arrays.network.layers;
    for (let μ = 0; μ < length; μ++) {
      for (const columns of weightPanels(cols, μ, LARGEST_PANEL)) {
        for (let λ = 0; λ < length; λ++) {
          if (this.#uniform && λ === length - 1 && μ === λ) continue;
          for (const panel of weightPanels(rows, λ, LARGEST_PANEL)) this.#addPanel(panel, columns, scale, out);
        }
      }
    }
  }

  #addPanel(rows: WeightPanel, cols: WeightPanel, scale: number, out: Matrix): void {
    const strategy = this.#choose(rows, cols);
    if (strategy !== 'products') {
      this.#byGramVectors(strategy, rows, cols, scale, out);
      return;
    }
    const low = Math.min(rows.layer, cols.layer);
    const terms = this.#vectors.terms(low, Math.max(rows.layer, cols.layer))!;
    const sum = terms.terms.length > 2 && terms.terms.every(({ kappa }) => kappa.data === null && kappa.constant === 1);
    if (sum) this.#byProducts(terms.terms, rows, cols, scale, out);
    else for (const term of terms.terms) this.#byProducts([term], rows, cols, scale, out);
    if (terms.delta) this.#addDelta(rows, cols, scale, out);
  }

  #choose(rows: WeightPanel, cols: WeightPanel): EntryStrategy {
    const low = Math.min(rows.layer, cols.layer);
    const high = Math.max(rows.layer, cols.layer);
    const terms = this.#vectors.terms(low, high);
    if (this.#strategy !== undefined && (this.#strategy !== 'products' || terms !== null)) return this.#strategy;
    const n = this.#vectors.arrays.count;
    const r = rows.end - rows.begin;
    const c = cols.end - cols.begin;
    const unitsR = rows.groups.length - 1;
    const unitsC = cols.groups.length - 1;
    const work = 2 * r * c * n * FLOP;
    const slow = (side: number): number => Math.max(1, SMALLEST_EFFICIENT / side);
    const vectors = unitsR * unitsC * n * this.#vectors.cost(low, high) * ELEMENTWISE;
    const byRows = vectors + unitsC * r * n * ELEMENTWISE + c * n * COPIED + work * slow(c / unitsC) + unitsC * CALL;
    const byCols = vectors + unitsR * c * n * ELEMENTWISE + r * n * COPIED + work * slow(r / unitsR) + unitsR * CALL;
    const tiles =
      vectors +
      Math.min(unitsC * r, unitsR * c) * n * ELEMENTWISE +
      (r + c) * n * COPIED +
      work * slow(c / unitsC) * slow(r / unitsR) +
      unitsR * unitsC * CALL;
    const products =
      terms === null
        ? Infinity
        : terms.terms.length * ((r + c) * n * ELEMENTWISE + work + CALL) +
          (terms.delta ? Math.min(unitsR, unitsC) * CALL : 0);
    const best = Math.min(byRows, byCols, tiles, products);
    return best === products
      ? 'products'
      : best === byRows
        ? 'scaled rows'
        : best === byCols
          ? 'scaled columns'
          : 'tiles';
  }

  /** Σ over terms of κ ∘ (X·Yᵀ); several terms only where κ = 1 for all of them. */
  #byProducts(terms: readonly GramTerm[], rows: WeightPanel, cols: WeightPanel, scale: number, out: Matrix): void {
    const { count: n } = this.#vectors.arrays;
    const exchanged = rows.layer > cols.layer;
    let c: Matrix = view(this.#block, 0, 0, 0);
    for (let at = 0, size = chunkOf(n); at < n; at += size) {
      for (const term of terms) {
        const count = Math.min(size, n - at) | 0;
        const x = this.#operand(rows, exchanged ? term.upper : term.lower, at, count, true);
        const y = this.#operand(cols, exchanged ? term.lower : term.upper, at, count, false);
        const accumulate = at > 0 || term !== terms[0];
        if (!accumulate) c = this.#blockView(x.cols, y.cols);
        this.#blas.gemm('T', 'N', 1, x, y, accumulate ? 1 : 0, c);
      }
    }
    const { kappa } = terms[0];
    const rowStep = exchanged ? kappa.upperStep : kappa.lowerStep;
    const colStep = exchanged ? kappa.lowerStep : kappa.upperStep;
    scatter(
      c,
      { panel: rows, map: this.#rowMap, step: rowStep },
      { panel: cols, map: this.#colMap, step: colStep },
      { kappa: kappa.data, scale: kappa.data === null ? scale * kappa.constant : scale },
      out,
    );
  }

  /**
   * n-vectors ā(q)∘x_p of a panel's weights as columns, and in the side's map which column is whose: without x, weights
   * of equal inputs share one.
   */
  #operand(panel: WeightPanel, vectors: UnitVectors, at: number, size: number, left: boolean): Matrix {
    const { list, begin, end } = panel;
    const map = left ? this.#rowMap : this.#colMap;
    const { count: n } = this.#vectors.arrays;
    const inputs = this.#vectors.arrays.inputs[panel.layer];
    if (vectors.data === null) return this.#sharedInputs(panel, map, at, size, left);
    const { data, first, step } = vectors;
    const into = this.#side(left, size * (end - begin));
    for (let a = begin; a < end; a++) map[a - begin] = a - begin;
    scaleInputs(into, 0, size, list, begin, end, inputs, n, at, data, first * n + at, step * n);
    return view(into, 0, size, end - begin);
  }

  /**
   * The inputs' n-vectors where they lie if most between the first and the last are wanted, else gathered, each once.
   */
  #sharedInputs(
    { list, layer, begin, end }: WeightPanel,
    map: Int32Array,
    at: number,
    size: number,
    left: boolean,
  ): Matrix {
    const { count: n } = this.#vectors.arrays;
    const inputs = this.#vectors.arrays.inputs[layer];
    let lowest = list.input[begin];
    let highest = lowest;
    for (let a = begin + 1; a < end; a++) {
      lowest = Math.min(lowest, list.input[a]);
      highest = Math.max(highest, list.input[a]);
    }
    const rank = new Int32Array(highest - lowest + 1).fill(-1);
    let distinct = 0;
    for (let a = begin; a < end; a++) if (rank[list.input[a] - lowest] < 0) rank[list.input[a] - lowest] = distinct++;
    if (rank.length <= 1.25 * distinct) {
      for (let a = begin; a < end; a++) map[a - begin] = list.input[a] - lowest;
      return view(inputs, lowest * n + at, size, rank.length, n);
    }
    const into = this.#side(left, size * distinct);
    for (let q = 0; q < rank.length; q++)
      if (rank[q] >= 0) copyVector(into, rank[q] * size, inputs, (lowest + q) * n + at, size);
    for (let a = begin; a < end; a++) map[a - begin] = rank[list.input[a] - lowest];
    return view(into, 0, size, distinct);
  }

  /** δ_pp′·σ_p: units that are in both panels. */
  #addDelta(rows: WeightPanel, cols: WeightPanel, scale: number, out: Matrix): void {
    const { count: n, sigma } = this.#vectors.arrays;
    if (typeof sigma === 'number') throw new Error('A uniform block is added by addUniformBlock.');
    const c = this.#blockView(rows.end - rows.begin, cols.end - cols.begin);
    for (let g = 0, h = 0; g < rows.groups.length - 1 && h < cols.groups.length - 1;) {
      const p = rows.list.unit[rows.groups[g]];
      const q = cols.list.unit[cols.groups[h]];
      if (p === q) {
        const [a, m] = [rows.groups[g], rows.groups[g + 1] - rows.groups[g]];
        const [b, k] = [cols.groups[h], cols.groups[h + 1] - cols.groups[h]];
        const tile = view(c.data, 0, m, k);
        for (let at = 0, size = chunkOf(n); at < n; at += size) {
          const count = Math.min(size, n - at) | 0;
          const chunk: Chunk = { at, size: count };
          const x = this.#scaled(rows, { first: a, count: m }, { data: sigma, offset: p * n + at }, chunk, true);
          const y = this.#gathered(cols, { first: b, count: k }, chunk, false);
          this.#blas.gemm('T', 'N', 1, x, y, at > 0 ? 1 : 0, tile);
        }
        for (let j = 0; j < k; j++) {
          for (let i = 0; i < m; i++)
            out.data[out.offset + rows.list.position[a + i] + cols.list.position[b + j] * out.ld] +=
              scale * c.data[i + j * m];
        }
      }
      if (p <= q) g++;
      if (q <= p) h++;
    }
  }

  #byGramVectors(strategy: EntryStrategy, rows: WeightPanel, cols: WeightPanel, scale: number, out: Matrix): void {
    const { count: n } = this.#vectors.arrays;
    const c = this.#blockView(rows.end - rows.begin, cols.end - cols.begin);
    for (let at = 0, size = chunkOf(n); at < n; at += size) {
      const count = Math.min(size, n - at) | 0;
      const chunk: Chunk = { at, size: count };
      if (strategy === 'scaled rows') this.#scaleSide(rows, cols, true, chunk, c);
      else if (strategy === 'scaled columns') this.#scaleSide(cols, rows, false, chunk, c);
      else this.#tiles(rows, cols, chunk, c);
    }
    for (let a = 0; a < c.rows; a++) this.#rowMap[a] = a;
    for (let b = 0; b < c.cols; b++) this.#colMap[b] = b;
    scatter(
      c,
      { panel: rows, map: this.#rowMap, step: 0 },
      { panel: cols, map: this.#colMap, step: 0 },
      { kappa: null, scale },
      out,
    );
  }

  /**
   * For each unit of `other`, all of `side` scaled by its Gram vectors with it; `rows` tells which of the two the rows
   * are.
   */
  #scaleSide(side: WeightPanel, other: WeightPanel, rows: boolean, chunk: Chunk, c: Matrix): void {
    const { at, size } = chunk;
    const { list, begin, end, groups } = side;
    const { count: n } = this.#vectors.arrays;
    const inputs = this.#vectors.arrays.inputs[side.layer];
    const scaled = this.#side(true, size * (end - begin));
    for (let h = 0; h < other.groups.length - 1; h++) {
      const first = other.groups[h];
      const count = other.groups[h + 1] - first;
      const unit = other.list.unit[first];
      for (let g = 0; g < groups.length - 1; g++) {
        this.#vectors.select(side.layer, list.unit[groups[g]], other.layer, unit);
        const nonzero = this.#vectors.load(at, size);
        const to = (groups[g] - begin) * size;
        if (nonzero)
          scaleInputs(
            scaled,
            to,
            size,
            list,
            groups[g],
            groups[g + 1],
            inputs,
            n,
            at,
            this.#vectors.data,
            this.#vectors.offset,
            0,
          );
        else scaled.fill(0, to, (groups[g + 1] - begin) * size);
      }
      const x = view(scaled, 0, size, end - begin);
      const y = this.#gathered(other, { first, count }, chunk, false);
      const from = first - other.begin;
      if (rows) this.#blas.gemm('T', 'N', 1, x, y, at > 0 ? 1 : 0, view(c.data, from * c.ld, c.rows, count, c.ld));
      else this.#blas.gemm('T', 'N', 1, y, x, at > 0 ? 1 : 0, view(c.data, from, count, c.cols, c.ld));
    }
  }

  #tiles(rows: WeightPanel, cols: WeightPanel, chunk: Chunk, c: Matrix): void {
    const { at, size } = chunk;
    for (let h = 0; h < cols.groups.length - 1; h++) {
      const b = cols.groups[h];
      const k = cols.groups[h + 1] - b;
      for (let g = 0; g < rows.groups.length - 1; g++) {
        const a = rows.groups[g];
        const m = rows.groups[g + 1] - a;
        const tile = view(c.data, a - rows.begin + (b - cols.begin) * c.ld, m, k, c.ld);
        this.#vectors.select(rows.layer, rows.list.unit[a], cols.layer, cols.list.unit[b]);
        if (!this.#vectors.load(at, size)) {
          if (at === 0)
            for (let j = 0; j < k; j++) tile.data.fill(0, tile.offset + j * c.ld, tile.offset + j * c.ld + m);
          continue;
        }
        const [left, right]: [Run, Run] = [
          { first: a, count: m },
          { first: b, count: k },
        ];
        const x =
          m <= k ? this.#scaled(rows, left, this.#vectors, chunk, true) : this.#gathered(rows, left, chunk, true);
        const y =
          m <= k ? this.#gathered(cols, right, chunk, false) : this.#scaled(cols, right, this.#vectors, chunk, false);
        this.#blas.gemm('T', 'N', 1, x, y, at > 0 ? 1 : 0, tile);
      }
    }
  }

  /** Inputs of a run of weights of the panel's list, scaled by the vector that begins at `offset`. */
  #scaled(
    { list, layer }: WeightPanel,
    { first, count }: Run,
    { data: by, offset: byAt }: { readonly data: Float64Array; readonly offset: number },
    { at, size }: Chunk,
    left: boolean,
  ): Matrix {
    const { count: n } = this.#vectors.arrays;
    const inputs = this.#vectors.arrays.inputs[layer];
    const into = this.#side(left, size * count);
    scaleInputs(into, 0, size, list, first, first + count, inputs, n, at, by, byAt, 0);
    return view(into, 0, size, count);
  }

  /** Inputs of a run of weights of the panel's list: where they lie if they follow each other, else copied. */
  #gathered({ list, layer }: WeightPanel, { first, count }: Run, { at, size }: Chunk, left: boolean): Matrix {
    const { count: n } = this.#vectors.arrays;
    const inputs = this.#vectors.arrays.inputs[layer];
    let consecutive = true;
    for (let a = 1; a < count && consecutive; a++) consecutive = list.input[first + a] === list.input[first] + a;
    if (consecutive) return view(inputs, list.input[first] * n + at, size, count, n);
    const into = this.#side(left, size * count);
    for (let a = 0; a < count; a++) copyVector(into, a * size, inputs, list.input[first + a] * n + at, size);
    return view(into, 0, size, count);
  }

  #side(left: boolean, length: number): Float64Array {
    if (left) return (this.#left = this.#left.length >= length ? this.#left : new Float64Array(length));
    return (this.#right = this.#right.length >= length ? this.#right : new Float64Array(length));
  }

  #blockView(rows: number, cols: number): Matrix {
    if (this.#block.length < rows * cols) this.#block = new Float64Array(rows * cols);
    return view(this.#block, 0, rows, cols);
  }
}

/**
 * The block of the last layer with itself for uniform σ = c: G = δ_pp′·A(q, q′), with A = (c/n)·Σ āāᵀ computed once,
 * column-major width × width.
 */
export function addUniformBlock(
  network: GramArrays['network'],
  a: Float64Array,
  rows: WeightList,
  cols: WeightList,
  out: Matrix,
): void {
  const last = network.layers.length - 1;
  const { width } = network.layers[last];
  const begin = rows.layerBegin[last];
  const end = rows.layerBegin[last + 1];
  let first = begin;
  for (let j = cols.layerBegin[last]; j < cols.layerBegin[last + 1]; j++) {
    const p = cols.unit[j];
    const column = cols.input[j] * width;
    const to = out.offset + cols.position[j] * out.ld;
    while (first < end && rows.unit[first] < p) first++;
    for (let i = first; i < end && rows.unit[i] === p; i++)
      out.data[to + rows.position[i]] += a[column + rows.input[i]];
  }
}

/**
 * Samples taken at a time: as equal parts as they can be. `| 0` here and below tells the engine that indices made of it
 * are integers, not doubles.
 */
const chunkOf = (n: number): number => Math.ceil(n / Math.ceil(n / LARGEST_CHUNK)) | 0;

/**
 * Inputs ā(q) of weights begin … end − 1 of a list, each times the vector at yAt + yStep·p of its unit p, one after the
 * other into `out`. Eight numbers at a time, so that the engine loads the arrays' addresses and lengths once a round:
 * 1.3 ns a number on 1000 samples, the plain loop 2.5.
 */
// eslint-disable-next-line max-params -- one loop over raw arrays, called for each pair of units
function scaleInputs(
  out: Float64Array,
  to: number,
  size: number,
  { input, unit }: WeightList,
  begin: number,
  end: number,
  x: Float64Array,
  n: number,
  at: number,
  y: Float64Array,
  yAt: number,
  yStep: number,
): void {
  for (let a = begin, t = to; a < end; a++) {
    let p = input[a] * n + at;
    let q = yAt + unit[a] * yStep;
    const last = t + size;
    for (; t < last - 7; t += 8, p += 8, q += 8) {
      out[t] = x[p] * y[q];
      out[t + 1] = x[p + 1] * y[q + 1];
      out[t + 2] = x[p + 2] * y[q + 2];
      out[t + 3] = x[p + 3] * y[q + 3];
      out[t + 4] = x[p + 4] * y[q + 4];
      out[t + 5] = x[p + 5] * y[q + 5];
      out[t + 6] = x[p + 6] * y[q + 6];
      out[t + 7] = x[p + 7] * y[q + 7];
    }
    for (; t < last; t++, p++, q++) out[t] = x[p] * y[q];
  }
}

function copyVector(out: Float64Array, to: number, x: Float64Array, from: number, size: number): void {
  out.set(x.subarray(from, from + size), to);
}

/** The weights of one side of a block, which row or column of C is whose, and the step between units in κ. */
interface BlockSide {
  readonly panel: WeightPanel;
  readonly map: Int32Array;
  readonly step: number;
}

/** out += scale·κ∘C, rows and columns of C to where the caller wants them; κ = 1 where null. */
function scatter(
  c: Matrix,
  { panel: rows, map: rowMap, step: rowStep }: BlockSide,
  { panel: cols, map: colMap, step: colStep }: BlockSide,
  { kappa, scale }: { readonly kappa: Float64Array | null; readonly scale: number },
  out: Matrix,
): void {
  const x = c.data as Float64Array;
  const y = out.data as Float64Array;
  const count = rows.end - rows.begin;
  const position = rows.list.position.subarray(rows.begin, rows.end);
  const inKappa = rows.list.unit.subarray(rows.begin, rows.end).map((p) => p * rowStep);
  for (let b = cols.begin; b < cols.end; b++) {
    const from = colMap[b - cols.begin] * c.ld;
    const to = out.offset + cols.list.position[b] * out.ld;
    if (kappa === null) {
      for (let a = 0; a < count; a++) y[to + position[a]] += scale * x[from + rowMap[a]];
    } else {
      const κ = cols.list.unit[b] * colStep;
      for (let a = 0; a < count; a++) y[to + position[a]] += scale * kappa[κ + inKappa[a]] * x[from + rowMap[a]];
    }
  }
}
