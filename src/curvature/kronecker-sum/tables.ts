/**
 * Tables of a Kronecker sum, with which an entry is one dot product over the modes of a pair of layers:
 *
 *   G̃[(ℓ,p,q), (ℓ′,p′,q′)] = Σ_j Ŝ_j(q, q′)·M̂_j(p, p′),   Ŝ_j = U_A S_j U_A′ᵀ,   M̂_j = U_Γ M_j U_Γ′ᵀ
 *
 * A table holds of every (q, q′), or (p, p′), the numbers of all modes side by side; within a layer those with q ≤ q′.
 * Rows are filled some at a time when they are first asked for: a pass over the stored numbers of the pair and
 * 2·modes·directions′·width′ flops a row. Threads share the memory, which is committed as it is written; two that fill
 * the same rows write the same bits.
 */
import { sharedFloat64, sharedInt32 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import {
  diagonalTerms,
  GROUP,
  panelAt,
  panelCount,
  wideView,
  type DiagonalTerm,
  type KroneckerSumData,
} from './data.js';
import type { SumPair } from './grid.js';

/** Rows that are filled together. */
const BATCH = 16;
/** Modes that a GEMM turns at a time. */
const CHUNK = 64;

/** Forms u_iᵀX_ju′_k of all modes j, k of a row side by side. */
interface FormTable {
  readonly modes: number;
  readonly rows: number;
  readonly columns: number;
  /** full: all i and k; upper: i ≤ k; diagonal: i = k, all others are zero. */
  readonly shape: 'full' | 'upper' | 'diagonal';
  readonly values: Float64Array;
  /** By batch of rows: whether they are filled. */
  readonly filled: Int32Array;
}

/** The tables of a pair of layers. */
interface PairTables {
  readonly inputs: FormTable;
  readonly units: FormTable;
}

/** By pair of layers; null where a pair has none. Structured-cloneable, its memory shared. */
export type SumTables = readonly (PairTables | null)[];

/**
 * Modes of a pair in its tables, and by group where its modes begin among them; the terms on a layer's diagonal come
 * last.
 */
function modesOfPairs(data: KroneckerSumData): {
  readonly counts: number[];
  readonly begin: Int32Array;
} {
  const { pairs, groups } = data;
  const counts = pairs.map(() => 0);
  const begin = new Int32Array(groups.length / GROUP.words);
  for (let g = 0; g < begin.length; g++) {
    const pair = groups[GROUP.words * g + GROUP.pair];
    begin[g] = counts[pair];
    counts[pair] += groups[GROUP.words * g + GROUP.modes];
  }
  pairs.forEach(({ row, column }, pair) => {
    if (row === column) counts[pair] += diagonalTerms(data, row).length;
  });
  return { counts, begin };
}

type Shape = Omit<FormTable, 'values' | 'filled'>;

/** Where row i begins. */
const rowBegin = ({ modes, columns, shape }: Shape, i: number): number =>
  modes * (shape === 'full' ? i * columns : shape === 'diagonal' ? i : i * columns - (i * (i - 1)) / 2);

function shapesOf(layers: readonly BasisLayer[], { row, column, diagonal }: SumPair, modes: number): [Shape, Shape] {
  const [a, b] = [layers[row], layers[column]];
  const shape = row === column ? 'upper' : 'full';
  return [
    { modes, rows: a.width, columns: b.width, shape },
    {
      modes,
      rows: a.outputs,
      columns: b.outputs,
      shape: diagonal && a.outputVectors === null ? 'diagonal' : shape,
    },
  ];
}

/** Bytes of tables once all of their rows are filled. */
export const tableBytes = (tables: SumTables): number =>
  tables.reduce((sum, one) => sum + (one === null ? 0 : one.inputs.values.byteLength + one.units.values.byteLength), 0);

/**
 * Empty tables for the pairs of layers whose tables fit in `limit` bytes together, those with the smallest first.
 * Throws MemoryError.
 */
export function sumTables(layers: readonly BasisLayer[], data: KroneckerSumData, limit: number): SumTables {
  const { counts } = modesOfPairs(data);
  const wanted = data.pairs
    .map((pair, k) => {
      const shapes = shapesOf(layers, pair, counts[k]);
      return { k, shapes, bytes: shapes.reduce((sum, shape) => sum + 8 * rowBegin(shape, shape.rows), 0) };
    })
    .sort((a, b) => a.bytes - b.bytes || a.k - b.k);
  const tables = new Array<PairTables | null>(wanted.length).fill(null);
  const empty = (shape: Shape): FormTable => ({
    ...shape,
    values: sharedFloat64(rowBegin(shape, shape.rows)),
    filled: sharedInt32(Math.ceil(shape.rows / BATCH)),
  });
  let total = 0;
  for (const { k, shapes, bytes } of wanted) {
    if (total + bytes > limit) break;
    total += bytes;
    tables[k] = { inputs: empty(shapes[0]), units: empty(shapes[1]) };
  }
  return tables;
}

/** Rows of a matrix; of the identity where there is none. */
export function pickRows(matrix: Matrix | null, rows: readonly number[], columns: number): Matrix {
  const out = zeros(rows.length, columns);
  rows.forEach((row, k) => {
    for (let j = 0; j < columns; j++)
      out.data[k + j * rows.length] =
        matrix === null ? (j === row ? 1 : 0) : matrix.data[matrix.offset + row + j * matrix.ld];
  });
  return out;
}

/** Evaluates entries by tables, and fills their rows. */
export class TabledEntries {
  readonly #layers: readonly BasisLayer[];
  readonly #data: KroneckerSumData;
  readonly #tables: SumTables;
  readonly #blas: Blas;
  readonly #modeBegin: Int32Array;

  constructor(layers: readonly BasisLayer[], data: KroneckerSumData, tables: SumTables, blas: Blas) {
    this.#layers = layers;
    this.#data = data;
    this.#tables = tables;
    this.#blas = blas;
    this.#modeBegin = modesOfPairs(data).begin;
  }

  /** Whether a pair of layers has tables. */
  has(pair: number): boolean {
    return this.#tables[pair] !== null;
  }

  /** Σ_j Ŝ_j(q, q′)·M̂_j(p, p′) of a pair that has tables: (q, p) of its row layer, (q′, p′) of its column layer. */
  entry(pair: number, q: number, p: number, q2: number, p2: number): number {
    const { inputs, units } = this.#tables[pair]!;
    if (units.shape === 'diagonal' && p !== p2) return 0;
    let s = this.#place(pair, inputs, q, q2);
    let m = this.#place(pair, units, p, p2);
    let sum = 0;
    for (const end = s + inputs.modes; s < end; s++, m++) sum += inputs.values[s] * units.values[m];
    return sum;
  }

  /** Where the numbers of (i, k) begin; their row is filled. */
  #place(pair: number, table: FormTable, i: number, k: number): number {
    const { modes, shape, filled, rows: all } = table;
    const [row, column] = shape === 'full' || i <= k ? [i, k] : [k, i];
    const batch = Math.floor(row / BATCH);
    if (Atomics.load(filled, batch) === 0) {
      const first = batch * BATCH;
      const rows = Array.from({ length: Math.min(BATCH, all - first) }, (_, place) => first + place);
      if (table === this.#tables[pair]!.inputs) this.#fillInputs(pair, table, rows);
      else this.#fillUnits(pair, table, rows);
      Atomics.store(filled, batch, 1);
    }
    return rowBegin(table, row) + modes * (shape === 'full' ? column : column - row);
  }

  /**
   * From X_j(i, c) of the rows, j + modes·c, one row after the other, to the table: times the columns' basis, some
   * modes at a time, of which no more columns than they `reach`.
   */
  #finish(table: FormTable, rows: readonly number[], sums: Float64Array, far: Matrix | null, reach: Int32Array): void {
    const { modes, columns, shape, values } = table;
    const size = sums.length / rows.length;
    rows.forEach((row, r) => {
      const first = shape === 'full' ? 0 : row;
      const count = shape === 'diagonal' ? 1 : columns - first;
      const to = rowBegin(table, row);
      if (far === null) {
        const from = r * size + modes * first;
        values.set(sums.subarray(from, from + modes * count), to);
        return;
      }
      for (let j = 0; j < modes; j += CHUNK) {
        const some = Math.min(CHUNK, modes - j);
        const width = reach.subarray(j, j + some).reduce((most, one) => Math.max(most, one), 0);
        if (width === 0) continue;
        const own = view(sums, r * size + j, some, width, modes);
        const basis = view(far.data, far.offset + first, count, width, far.ld);
        this.#blas.gemm('N', 'T', 1, own, basis, 0, view(values, to + j, some, count, modes));
      }
    });
  }

  /** Calls `visit` with the terms on the diagonal of a layer's own pair, and which modes they are. */
  #eachTerm(pair: number, { modes }: FormTable, visit: (term: DiagonalTerm, mode: number) => void): void {
    const { row, column } = this.#data.pairs[pair];
    if (row !== column) return;
    const terms = diagonalTerms(this.#data, row);
    terms.forEach((term, k) => {
      visit(term, modes - terms.length + k);
    });
  }

  #fillInputs(pair: number, table: FormTable, rows: readonly number[]): void {
    const data = this.#data;
    const { row, column } = data.pairs[pair];
    const [near, far] = [this.#layers[row].inputVectors, this.#layers[column].inputVectors];
    const u = pickRows(near, rows, near.cols);
    const sums = new Float64Array(rows.length * table.modes * far.cols);
    // By mode, how many columns of S_j are kept.
    const reach = new Int32Array(table.modes);
    for (let k = 0; k < panelCount(data); k++) {
      const panel = panelAt(data, k);
      if (panel.pair !== data.pairs[pair]) continue;
      const { modes, rows: height, columns, rowBegin: from, columnBegin, values } = panel;
      const first = this.#modeBegin[panel.group];
      const across = view(u.data, from * rows.length, rows.length, height);
      const right = zeros(modes * columns, rows.length);
      this.#blas.gemm('T', 'T', 1, wideView(data.values, values, height, modes * columns), across, 0, right);
      for (let r = 0, at = 0; r < rows.length; r++)
        for (let c = 0, to = first + table.modes * (columnBegin + far.cols * r); c < columns; c++, to += table.modes)
          for (let j = to; j < to + modes; j++, at++) sums[j] += right.data[at];
      reach.fill(Math.max(reach[first], columnBegin + columns), first, first + modes);
      if (row !== column || columns === height) continue;
      // Below the diagonal S_j is the transpose of what is above it.
      const stacked = modes * height;
      const below = wideView(data.values, values + height * stacked, stacked, columns - height);
      const beyond = view(u.data, (columnBegin + height) * rows.length, rows.length, columns - height);
      const down = zeros(stacked, rows.length);
      this.#blas.gemm('N', 'T', 1, below, beyond, 0, down);
      for (let r = 0, at = 0; r < rows.length; r++)
        for (let j = 0; j < modes; j++)
          for (
            let c = 0, to = first + j + table.modes * (from + far.cols * r);
            c < height;
            c++, to += table.modes, at++
          )
            sums[to] += down.data[at];
    }
    this.#eachTerm(pair, table, ({ inputs }, mode) => {
      for (let c = 0, at = 0; c < far.cols; c++)
        for (let r = 0; r < rows.length; r++, at++)
          sums[mode + table.modes * (c + far.cols * r)] = inputs[c] * u.data[at];
      reach[mode] = far.cols;
    });
    this.#finish(table, rows, sums, far, reach);
  }

  #fillUnits(pair: number, table: FormTable, rows: readonly number[]): void {
    const { groups, mixing, mixingBegin, pairs, layers } = this.#data;
    const { row, column, diagonal } = pairs[pair];
    const { units } = layers[column];
    const u = pickRows(this.#layers[row].outputVectors, rows, layers[row].units);
    const sums = new Float64Array(rows.length * table.modes * units);
    for (let g = 0; g < mixingBegin.length; g++) {
      if (groups[GROUP.words * g + GROUP.pair] !== pair) continue;
      const modes = groups[GROUP.words * g + GROUP.modes];
      const products = zeros(modes * units, rows.length);
      if (diagonal) {
        for (let r = 0, at = 0; r < rows.length; r++)
          for (let p = 0; p < units; p++)
            for (let j = 0; j < modes; j++, at++)
              products.data[at] = u.data[r + rows.length * p] * mixing[mixingBegin[g] + j + modes * p];
      } else {
        const m = wideView(mixing, mixingBegin[g], layers[row].units, modes * units);
        this.#blas.gemm('T', 'T', 1, m, u, 0, products);
      }
      for (let r = 0, at = 0; r < rows.length; r++)
        for (let p = 0; p < units; p++)
          for (let j = 0; j < modes; j++, at++)
            sums[this.#modeBegin[g] + j + table.modes * (p + units * r)] = products.data[at];
    }
    this.#eachTerm(pair, table, ({ units: factors }, mode) => {
      for (let p = 0, at = 0; p < units; p++)
        for (let r = 0; r < rows.length; r++, at++)
          sums[mode + table.modes * (p + units * r)] = factors[p] * u.data[at];
    });
    const reach = new Int32Array(table.modes).fill(units);
    this.#finish(table, rows, sums, this.#layers[column].outputVectors, reach);
  }
}
