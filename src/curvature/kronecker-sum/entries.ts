/**
 * Entries of a Kronecker sum without products: G̃[(ℓ,p,q), (ℓ′,p′,q′)] = Σ_j M̂_j(p, p′)·(u_qᵀS_j u′_q′), u_q row q of
 * U_A and M̂_j = U_Γ M_j U_Γ′ᵀ, plus what the terms on the diagonal and the complement give.
 * Pairs of layers that have tables (tables.ts) give an entry by one dot product over their modes. Of others,
 * u_QᵀS_jU′_Q′ is formed for the inputs Q and Q′ that occur in a block, by two GEMMs a panel, and M̂_j for the units
 * that occur: a block costs a pass over the stored numbers of the pair, and a single entry as much.
 */
import { copyAt } from '../../core/floats.js';
import type { Indices } from '../../core/indices.js';
import { asIndices } from '../../core/numbers.js';
import type { Blas } from '../../dense/blas.js';
import { fill, view, zeros, type Matrix } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { builtIn } from '../../parallel/built-in.js';
import type { EntrySource, SourceContext, SourceDescriptor } from '../../source/entry-source.js';
import { SymmetricBlocks } from '../../source/symmetric-block.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import {
  diagonalTerms,
  GROUP,
  panelAt,
  panelCount,
  wideView,
  type DiagonalTerm,
  type KroneckerSumData,
  type Panel,
} from './data.js';
import { pickRows, tableBytes, TabledEntries, type SumTables } from './tables.js';

/** What entries are evaluated from; structured-cloneable. */
export interface SumEntryData {
  readonly size: number;
  readonly layers: readonly BasisLayer[];
  readonly data: KroneckerSumData;
  readonly tables: SumTables;
  readonly diagonal: Float64Array;
}

/** Indices of a list that lie in one layer: their places in the list, their inputs and their units. */
interface LayerPart {
  readonly places: number[];
  readonly inputs: number[];
  readonly units: number[];
}

/** A part with U_A and U_Γ in the rows that occur, and which of them each index has. */
interface LayerRows extends LayerPart {
  readonly input: readonly number[];
  readonly unit: readonly number[];
  readonly inputRows: Matrix;
  readonly unitRows: Matrix;
}

/** The distinct numbers of a list, and where among them each of it is. */
function distinct(numbers: readonly number[]): { readonly of: number[]; readonly places: number[] } {
  const placeOf = new Map<number, number>();
  const places = numbers.map((number) => {
    const place = placeOf.get(number) ?? placeOf.size;
    placeOf.set(number, place);
    return place;
  });
  return { of: [...placeOf.keys()], places };
}

function partOf({ offset, width, outputs }: BasisLayer, indices: Indices): LayerPart {
  const part: LayerPart = { places: [], inputs: [], units: [] };
  for (let a = 0; a < indices.length; a++) {
    const local = indices[a] - offset;
    if (local < 0 || local >= width * outputs) continue;
    part.places.push(a);
    part.inputs.push(local % width);
    part.units.push(Math.floor(local / width));
  }
  return part;
}

function rowsOf({ inputVectors, outputVectors, units }: BasisLayer, part: LayerPart): LayerRows {
  const [inputs, outputs] = [distinct(part.inputs), distinct(part.units)];
  return {
    ...part,
    input: inputs.places,
    unit: outputs.places,
    inputRows: pickRows(inputVectors, inputs.of, inputVectors.cols),
    unitRows: pickRows(outputVectors, outputs.of, units),
  };
}

type Add = (place: number, other: number, value: number) => void;

class SumEntries {
  readonly #of: SumEntryData;
  readonly #blas: Blas;
  readonly #tabled: TabledEntries;

  constructor(of: SumEntryData, blas: Blas) {
    this.#of = of;
    this.#blas = blas;
    this.#tabled = new TabledEntries(of.layers, of.data, of.tables, blas);
  }

  /** out ← G̃(rows, cols). */
  block(rows: Indices, cols: Indices, out: Matrix): void {
    fill(out, 0);
    const { layers, data } = this.#of;
    const left = layers.map((layer) => partOf(layer, rows));
    const right = layers.map((layer) => partOf(layer, cols));
    const add: Add = (place, other, value) => {
      out.data[out.offset + place + other * out.ld] += value;
    };
    const addTransposed: Add = (place, other, value) => {
      add(other, place, value);
    };
    data.pairs.forEach(({ row, column }, pair) => {
      if (!this.#tabled.has(pair)) return;
      this.#addTabled(pair, left[row], right[column], add);
      if (row !== column) this.#addTabled(pair, right[row], left[column], addTransposed);
    });
    if (data.pairs.some((_, pair) => !this.#tabled.has(pair))) this.#addPasses(left, right, add, addTransposed);
    layers.forEach((layer, ℓ) => {
      if (layer.complement !== null) addComplement(layer, left[ℓ], right[ℓ], add);
    });
  }

  /** Adds what a pair of layers that has tables gives for the rows of `part` and the columns of `other`. */
  #addTabled(pair: number, part: LayerPart, other: LayerPart, add: Add): void {
    for (let b = 0; b < other.places.length; b++)
      for (let a = 0; a < part.places.length; a++)
        add(
          part.places[a],
          other.places[b],
          this.#tabled.entry(pair, part.inputs[a], part.units[a], other.inputs[b], other.units[b]),
        );
  }

  /** Adds what pairs of layers without tables give, by a pass over their panels. */
  #addPasses(left: readonly LayerPart[], right: readonly LayerPart[], add: Add, addTransposed: Add): void {
    const { layers, data } = this.#of;
    const rows = layers.map((layer, ℓ) => rowsOf(layer, left[ℓ]));
    const cols = layers.map((layer, ℓ) => rowsOf(layer, right[ℓ]));
    for (let k = 0; k < panelCount(data);) {
      const { pair, group } = panelAt(data, k);
      const panels: Panel[] = [];
      for (; k < panelCount(data) && panelAt(data, k).group === group; k++) panels.push(panelAt(data, k));
      if (this.#tabled.has(data.groups[GROUP.words * group + GROUP.pair])) continue;
      this.#add(panels, rows[pair.row], cols[pair.column], add);
      if (pair.row !== pair.column) this.#add(panels, cols[pair.row], rows[pair.column], addTransposed);
    }
    data.pairs.forEach(({ row, column }, pair) => {
      if (row !== column || this.#tabled.has(pair)) return;
      for (const term of diagonalTerms(data, row)) this.#addTerm(term, rows[row], cols[row], add);
    });
  }

  /** Adds (U_A diag(d) U_Aᵀ)(q, q′)·(U_Γ diag(e) U_Γᵀ)(p, p′). */
  #addTerm({ inputs: d, units: e }: DiagonalTerm, part: LayerRows, other: LayerRows, add: Add): void {
    const form = (a: Matrix, factors: Float64Array, b: Matrix): Float64Array => {
      const [scaled, out] = [zeros(a.rows, a.cols), zeros(a.rows, b.rows)];
      for (let k = 0; k < a.data.length; k++) scaled.data[k] = a.data[k] * factors[Math.floor(k / a.rows)];
      this.#blas.gemm('N', 'T', 1, scaled, b, 0, out);
      return out.data;
    };
    const [inputs, units] = [form(part.inputRows, d, other.inputRows), form(part.unitRows, e, other.unitRows)];
    for (let b = 0; b < other.places.length; b++)
      for (let a = 0; a < part.places.length; a++)
        add(
          part.places[a],
          other.places[b],
          inputs[part.input[a] + part.inputRows.rows * other.input[b]] *
            units[part.unit[a] + part.unitRows.rows * other.unit[b]],
        );
  }

  /** Adds what the panels of one group give for the rows of `part` and the columns of `other`. */
  #add(panels: readonly Panel[], part: LayerRows, other: LayerRows, add: Add): void {
    if (part.places.length === 0 || other.places.length === 0) return;
    const { modes, pair } = panels[0];
    const [q, r] = [part.inputRows.rows, other.inputRows.rows];
    const mixed = this.#mixed(panels[0], part.unitRows, other.unitRows);
    const sums = zeros(q * r, modes);
    const sumOf = (j: number): Matrix => view(sums.data, j * q * r, q, r);
    for (const panel of panels) {
      this.#addPanel(panel, part.inputRows, other.inputRows, 0, sumOf, false);
      if (pair.row === pair.column && panel.columns > panel.rows)
        this.#addPanel(panel, part.inputRows, other.inputRows, panel.rows, sumOf, true);
    }
    for (let b = 0; b < other.places.length; b++) {
      for (let a = 0; a < part.places.length; a++) {
        let value = 0;
        const s = part.input[a] + q * other.input[b];
        const m = part.unit[a] + part.unitRows.rows * other.unit[b];
        for (let j = 0; j < modes; j++)
          value += sums.data[s + q * r * j] * mixed[m + part.unitRows.rows * other.unitRows.rows * j];
        add(part.places[a], other.places[b], value);
      }
    }
  }

  /**
   * sums_j += u(:, rows)·S_j·u′(:, columns)ᵀ from column `skipped` of the panel on; transposed,
   * u(:, columns)·S_jᵀ·u′(:, rows)ᵀ.
   */
  // eslint-disable-next-line max-params -- a panel, two bases, what is left out, where to, which way
  #addPanel(
    { modes, rows, columns, rowBegin, columnBegin, values }: Panel,
    left: Matrix,
    right: Matrix,
    skipped: number,
    sumOf: (j: number) => Matrix,
    transposed: boolean,
  ): void {
    const blas = this.#blas;
    const stacked = modes * rows;
    const far = transposed ? left : right;
    const near = transposed ? right : left;
    const part = wideView(this.#of.data.values, values + skipped * stacked, stacked, columns - skipped);
    const product = zeros(stacked, far.rows);
    const u = view(far.data, (columnBegin + skipped) * far.rows, far.rows, columns - skipped);
    blas.gemm('N', 'T', 1, part, u, 0, product);
    const v = view(near.data, rowBegin * near.rows, near.rows, rows);
    for (let j = 0; j < modes; j++) {
      const y = view(product.data, j * rows, rows, far.rows, stacked);
      if (transposed) blas.gemm('T', 'T', 1, y, v, 1, sumOf(j));
      else blas.gemm('N', 'N', 1, v, y, 1, sumOf(j));
    }
  }

  /** M̂_j(p, p′) of the units that occur, whose rows of U_Γ are given: u.rows × v.rows numbers a mode. */
  #mixed({ modes, pair, mixing }: Panel, u: Matrix, v: Matrix): Float64Array {
    const { data } = this.#of;
    const out = new Float64Array(u.rows * v.rows * modes);
    const half = zeros(u.rows, v.cols);
    for (let j = 0; j < modes; j++) {
      if (pair.diagonal) {
        for (let p = 0, at = 0; p < v.cols; p++)
          for (let a = 0; a < u.rows; a++, at++) half.data[at] = u.data[at] * data.mixing[mixing + j + modes * p];
      } else {
        const m = wideView(data.mixing, mixing + j * u.cols, u.cols, v.cols, u.cols * modes);
        this.#blas.gemm('N', 'N', 1, u, m, 0, half);
      }
      this.#blas.gemm('N', 'T', 1, half, v, 0, view(out, j * u.rows * v.rows, u.rows, v.rows));
    }
    return out;
  }
}

/** Adds c·A(q, q′)·(δ_pp′ − U_Γ(p, :)·U_Γ(p′, :)). */
function addComplement(
  { complement, outputVectors, units }: BasisLayer,
  left: LayerPart,
  right: LayerPart,
  add: Add,
): void {
  const { data: gram, ld } = complement!;
  const { data: u, rows } = outputVectors!;
  for (let b = 0; b < right.places.length; b++) {
    const [p, q] = [right.units[b], right.inputs[b]];
    for (let a = 0; a < left.places.length; a++) {
      const own = left.units[a];
      let factor = own === p ? 1 : 0;
      for (let k = 0; k < units; k++) factor -= u[own + k * rows] * u[p + k * rows];
      add(left.places[a], right.places[b], factor * gram[left.inputs[a] + q * ld]);
    }
  }
}

/** What tables a source has. */
export interface SumTableReport {
  /** Bytes that they take once all of their rows were asked for. */
  readonly bytes: number;
  /** Pairs of layers with tables, of how many; entries of others cost a pass over the pair's stored numbers. */
  readonly pairs: number;
  readonly of: number;
}

/** G̃ as a source of entries; `operator` gives its exact products. */
export class KroneckerSumSource implements EntrySource {
  readonly size: number;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor: SourceDescriptor;
  readonly tables: SumTableReport;
  readonly #of: SumEntryData;
  readonly #blocks: SymmetricBlocks;

  constructor(of: SumEntryData, { blas }: SourceContext, operator?: LinearOperator) {
    this.size = of.size;
    this.operator = operator;
    this.descriptor = { ...WORKERS_COPY, data: of };
    this.tables = {
      bytes: tableBytes(of.tables),
      pairs: of.tables.filter((one) => one !== null).length,
      of: of.tables.length,
    };
    this.#of = of;
    const entries = new SumEntries(of, blas);
    this.#blocks = new SymmetricBlocks((rows, cols, out) => {
      entries.block(rows, cols, out);
    });
  }

  entries(rows: Indices, cols: Indices, out: Matrix): void {
    this.#blocks.fill(asIndices(rows, 'rows'), asIndices(cols, 'cols'), out);
  }

  diagonal(out: Float64Array): void {
    out.set(this.#of.diagonal);
  }

  diagonalAt(indices: Indices, out: Float64Array): void {
    copyAt(this.#of.diagonal, indices, out);
  }
}

/** A worker's copy of a source. */
export const openKroneckerSumSource = (of: SumEntryData, context: SourceContext): KroneckerSumSource =>
  new KroneckerSumSource(of, context);

const WORKERS_COPY = builtIn(import.meta.url, 'openKroneckerSumSource', openKroneckerSumSource);
