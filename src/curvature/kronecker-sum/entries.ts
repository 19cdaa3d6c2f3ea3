/**
 * Entries of a Kronecker sum without products: G̃[(ℓ,p,q), (ℓ′,p′,q′)] = Σ_j M̂_j(p, p′)·(u_qᵀS_j u′_q′), u_q row q of
 * U_A and M̂_j = U_Γ M_j U_Γ′ᵀ, plus the complement's.
 * Of a block, u_QᵀS_jU′_Q′ is formed for the inputs Q and Q′ that occur, by two GEMMs a panel, and M̂_j for the units
 * that occur; so a block costs a pass over the stored numbers of its pairs of layers, and a single entry as much.
 */
import type { Indices } from '../../core/indices.js';
import { asIndices } from '../../core/numbers.js';
import type { Blas } from '../../dense/blas.js';
import { fill, view, zeros, type Matrix } from '../../dense/matrix.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { builtIn } from '../../parallel/built-in.js';
import type { EntrySource, SourceContext, SourceDescriptor } from '../../source/entry-source.js';
import { SymmetricBlocks } from '../../source/symmetric-block.js';
import type { BasisLayer } from '../eigenbasis/rotation.js';
import { panelAt, panelCount, wideView, type KroneckerSumData, type Panel } from './data.js';

/** What entries are evaluated from; structured-cloneable. */
export interface SumEntryData {
  readonly size: number;
  readonly layers: readonly BasisLayer[];
  readonly data: KroneckerSumData;
  readonly diagonal: Float64Array;
}

/** Indices of a list that lie in one layer: their places in the list, and their inputs and units among the distinct. */
interface LayerPart {
  readonly places: number[];
  readonly input: number[];
  readonly unit: number[];
  /** U_A and U_Γ in the rows that occur. */
  readonly inputs: Matrix;
  readonly units: Matrix;
  /** Distinct inputs and units themselves. */
  readonly inputNumbers: readonly number[];
  readonly unitNumbers: readonly number[];
}

/** Rows of a matrix; of the identity where there is none. */
function pickRows(matrix: Matrix | null, rows: readonly number[], columns: number): Matrix {
  const out = zeros(rows.length, columns);
  rows.forEach((row, k) => {
    for (let j = 0; j < columns; j++)
      out.data[k + j * rows.length] =
        matrix === null ? (j === row ? 1 : 0) : matrix.data[matrix.offset + row + j * matrix.ld];
  });
  return out;
}

function partOf(layer: BasisLayer, indices: Indices): LayerPart {
  const { offset, width, outputs, inputVectors, outputVectors, units } = layer;
  const part = { places: [] as number[], input: [] as number[], unit: [] as number[] };
  const [inputAt, unitAt] = [new Map<number, number>(), new Map<number, number>()];
  const numberOf = (of: Map<number, number>, key: number): number => {
    let number = of.get(key);
    if (number === undefined) of.set(key, (number = of.size));
    return number;
  };
  for (let a = 0; a < indices.length; a++) {
    const local = indices[a] - offset;
    if (local < 0 || local >= width * outputs) continue;
    part.places.push(a);
    part.input.push(numberOf(inputAt, local % width));
    part.unit.push(numberOf(unitAt, Math.floor(local / width)));
  }
  const inputNumbers = [...inputAt.keys()];
  const unitNumbers = [...unitAt.keys()];
  return {
    ...part,
    inputs: pickRows(inputVectors, inputNumbers, inputVectors.cols),
    units: pickRows(outputVectors, unitNumbers, units),
    inputNumbers,
    unitNumbers,
  };
}

class SumEntries {
  readonly #of: SumEntryData;
  readonly #blas: Blas;

  constructor(of: SumEntryData, blas: Blas) {
    this.#of = of;
    this.#blas = blas;
  }

  /** out ← G̃(rows, cols). */
  block(rows: Indices, cols: Indices, out: Matrix): void {
    fill(out, 0);
    const { layers, data } = this.#of;
    const left = layers.map((layer) => partOf(layer, rows));
    const right = layers.map((layer) => partOf(layer, cols));
    for (let k = 0; k < panelCount(data);) {
      const { pair, group } = panelAt(data, k);
      const panels: Panel[] = [];
      for (; k < panelCount(data) && panelAt(data, k).group === group; k++) panels.push(panelAt(data, k));
      this.#add(panels, left[pair.row], right[pair.column], (place, other, value) => {
        out.data[out.offset + place + other * out.ld] += value;
      });
      if (pair.row !== pair.column)
        this.#add(panels, right[pair.row], left[pair.column], (place, other, value) => {
          out.data[out.offset + other + place * out.ld] += value;
        });
    }
    layers.forEach((layer, ℓ) => {
      if (layer.complement !== null) addComplement(layer.complement, left[ℓ], right[ℓ], out);
    });
  }

  /** Adds what the panels of one group give for the rows of `part` and the columns of `other`. */
  #add(
    panels: readonly Panel[],
    part: LayerPart,
    other: LayerPart,
    add: (place: number, other: number, value: number) => void,
  ): void {
    if (part.places.length === 0 || other.places.length === 0) return;
    const { modes, pair } = panels[0];
    const [q, r] = [part.inputs.rows, other.inputs.rows];
    const mixed = this.#mixed(panels[0], part, other);
    const sums = zeros(q * r, modes);
    for (const panel of panels) {
      this.#addPanel(panel, part.inputs, other.inputs, 0, (j) => view(sums.data, j * q * r, q, r), false);
      if (pair.row === pair.column && panel.columns > panel.rows)
        this.#addPanel(panel, part.inputs, other.inputs, panel.rows, (j) => view(sums.data, j * q * r, q, r), true);
    }
    for (let b = 0; b < other.places.length; b++) {
      for (let a = 0; a < part.places.length; a++) {
        let value = 0;
        const s = part.input[a] + q * other.input[b];
        const m = part.unit[a] + part.units.rows * other.unit[b];
        for (let j = 0; j < modes; j++)
          value += sums.data[s + q * r * j] * mixed[m + part.units.rows * other.units.rows * j];
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

  /** M̂_j(p, p′) of the units that occur: part.units × other.units numbers a mode. */
  #mixed({ modes, pair, mixing }: Panel, part: LayerPart, other: LayerPart): Float64Array {
    const { data } = this.#of;
    const [u, v] = [part.units, other.units];
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

/** out += c·A(q, q′)·(δ_pp′ − U_Γ(p, :)·U_Γ(p′, :)). */
function addComplement(gram: Matrix, left: LayerPart, right: LayerPart, out: Matrix): void {
  const [u, v] = [left.units, right.units];
  for (let b = 0; b < right.places.length; b++) {
    const [p, q] = [right.unit[b], right.inputNumbers[right.input[b]]];
    for (let a = 0; a < left.places.length; a++) {
      const other = left.unit[a];
      let factor = left.unitNumbers[other] === right.unitNumbers[p] ? 1 : 0;
      for (let k = 0; k < u.cols; k++) factor -= u.data[other + k * u.rows] * v.data[p + k * v.rows];
      out.data[out.offset + left.places[a] + right.places[b] * out.ld] +=
        factor * gram.data[left.inputNumbers[left.input[a]] + q * gram.ld];
    }
  }
}

/** G̃ as a source of entries; `operator` gives its exact products. */
export class KroneckerSumSource implements EntrySource {
  readonly size: number;
  readonly operator?: LinearOperator | undefined;
  readonly descriptor: SourceDescriptor;
  readonly #of: SumEntryData;
  readonly #blocks: SymmetricBlocks;

  constructor(of: SumEntryData, { blas }: SourceContext, operator?: LinearOperator) {
    this.size = of.size;
    this.operator = operator;
    this.descriptor = { ...WORKERS_COPY, data: of };
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
}

/** A worker's copy of a source. */
export const openKroneckerSumSource = (of: SumEntryData, context: SourceContext): KroneckerSumSource =>
  new KroneckerSumSource(of, context);

const WORKERS_COPY = builtIn(import.meta.url, 'openKroneckerSumSource', openKroneckerSumSource);
