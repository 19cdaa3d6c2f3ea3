/**
 * Products with a Kronecker sum over rotated vectors: Z_row += S_j·Z_column·M_jᵀ, Z_column += S_jᵀ·Z_row·M_j.
 * Of a panel (data.ts), P of (g·r) × c: Y = P·Z_column(columns), then Z_row(rows) += [Y_1 … Y_g]·[M_1 … M_g]ᵀ; and W =
 * Z_row(rows)·[M_1 … M_g], whose numbers lie as those of (g·r) × units, then Z_column(columns) += Pᵀ·W: four GEMMs, and
 * P is read once. Panels are divided among a fixed number of lanes, each with sums of its own, which are added in
 * order: the same bits for any team.
 */
import { floats, precisionOf, sharedFloats, type FloatArray } from '../../core/floats.js';
import { sharedInt32 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { combine } from '../../operator/block-arithmetic.js';
import type { LinearOperator } from '../../operator/linear-operator.js';
import { defineTask } from '../../parallel/task.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { Shared, Team } from '../../parallel/team.js';
import { diagonalTerms, panelAt, panelCount, panelFlops, type KroneckerSumData, type Panel } from './data.js';

/** Vectors multiplied at a time, and sums that panels are divided among. */
const WIDTH = 8;
const LANES = 8;

/** What a product's tasks work on. */
interface ProductState {
  readonly data: KroneckerSumData;
  /** First panel of each lane, and the count. */
  readonly lanes: Int32Array;
  /** How many vectors there are now. */
  readonly vectors: Int32Array;
  /** By layer, directions × (units·vectors): layer ℓ begins at base·vectors. */
  readonly incoming: FloatArray;
  /** A lane's sums after the other's, each as `incoming`. */
  readonly outgoing: FloatArray;
}

/** Vectors by layer in an array, from some place on. */
interface Block {
  readonly array: FloatArray;
  readonly from: number;
  readonly count: number;
}

class PanelProducts {
  readonly #state: ProductState;
  readonly #blas: Blas;
  readonly #stacked: FloatArray;

  constructor(state: ProductState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    const { data } = state;
    let most = 1;
    for (let k = 0; k < panelCount(data); k++) {
      const { modes, rows, pair } = panelAt(data, k);
      most = Math.max(most, modes * rows * data.layers[pair.column].units);
    }
    const room = (state.incoming.length / Math.max(1, data.size)) * most;
    this.#stacked = floats(room, precisionOf(data.values));
  }

  run(lane: number): void {
    const { data, lanes, vectors, incoming, outgoing } = this.#state;
    const count = vectors[0];
    const from = lane * data.size * count;
    outgoing.fill(0, from, from + data.size * count);
    const x: Block = { array: incoming, from: 0, count };
    const sums: Block = { array: outgoing, from, count };
    for (let k = lanes[lane]; k < lanes[lane + 1]; k++) {
      const panel = panelAt(data, k);
      this.#toRows(panel, x, sums);
      this.#toColumns(panel, x, sums);
    }
  }

  /** Some directions of a layer, all units of all vectors. */
  #part({ array, from, count }: Block, ℓ: number, first: number, rows: number): Matrix {
    const { base, directions, units } = this.#state.data.layers[ℓ];
    return view(array, from + base * count + first, rows, units * count, directions);
  }

  /** A panel's rows of vector v alone. */
  #rowsOf({ array, from, count }: Block, { pair, rowBegin, rows }: Panel, v: number): Matrix {
    const { base, directions, units } = this.#state.data.layers[pair.row];
    return view(array, from + base * count + v * directions * units + rowBegin, rows, units, directions);
  }

  #toRows(panel: Panel, x: Block, sums: Block): void {
    const { data } = this.#state;
    const { count } = x;
    const { modes, rows, columns, columnBegin, pair } = panel;
    const stacked = modes * rows;
    const { units } = data.layers[pair.column];
    const y = view(this.#stacked, 0, stacked, units * count);
    this.#blas.gemm(
      'N',
      'N',
      1,
      view(data.values, panel.values, stacked, columns),
      this.#part(x, pair.column, columnBegin, columns),
      0,
      y,
    );
    if (pair.diagonal) {
      this.#addScaled(panel, sums);
      return;
    }
    const mixing = view(data.mixing, panel.mixing, data.layers[pair.row].units, modes * units);
    for (let v = 0; v < count; v++)
      this.#blas.gemm(
        'N',
        'T',
        1,
        view(this.#stacked, v * stacked * units, rows, modes * units),
        mixing,
        1,
        this.#rowsOf(sums, panel, v),
      );
  }

  #toColumns(panel: Panel, x: Block, sums: Block): void {
    const { data } = this.#state;
    const { count } = x;
    const { modes, rows, pair } = panel;
    const skipped = pair.row === pair.column ? rows : 0;
    const columns = panel.columns - skipped;
    if (columns <= 0) return;
    const stacked = modes * rows;
    const { units } = data.layers[pair.column];
    if (pair.diagonal) this.#scale(panel, x);
    else {
      const mixing = view(data.mixing, panel.mixing, data.layers[pair.row].units, modes * units);
      for (let v = 0; v < count; v++)
        this.#blas.gemm(
          'N',
          'N',
          1,
          this.#rowsOf(x, panel, v),
          mixing,
          0,
          view(this.#stacked, v * stacked * units, rows, modes * units),
        );
    }
    this.#blas.gemm(
      'T',
      'N',
      1,
      view(data.values, panel.values + skipped * stacked, stacked, columns),
      view(this.#stacked, 0, stacked, units * count),
      1,
      this.#part(sums, pair.column, panel.columnBegin + skipped, columns),
    );
  }

  /** Z_row(rows, p) += Σ_j Y_j(:, p)·M_j(p, p). */
  #addScaled({ modes, rows, pair, rowBegin, mixing }: Panel, { array, from, count }: Block): void {
    const { data } = this.#state;
    const { base, directions, units } = data.layers[pair.row];
    const y = this.#stacked;
    for (let column = 0, at = 0; column < units * count; column++) {
      const to = from + base * count + column * directions + rowBegin;
      const m = mixing + modes * (column % units);
      for (let j = 0; j < modes; j++) {
        const factor = data.mixing[m + j];
        for (let i = 0; i < rows; i++, at++) array[to + i] += factor * y[at];
      }
    }
  }

  /** W_j(:, p) ← Z_row(rows, p)·M_j(p, p). */
  #scale({ modes, rows, pair, rowBegin, mixing }: Panel, { array, count }: Block): void {
    const { data } = this.#state;
    const { base, directions, units } = data.layers[pair.row];
    const w = this.#stacked;
    for (let column = 0, at = 0; column < units * count; column++) {
      const x = base * count + column * directions + rowBegin;
      const m = mixing + modes * (column % units);
      for (let j = 0; j < modes; j++) {
        const factor = data.mixing[m + j];
        for (let i = 0; i < rows; i++, at++) w[at] = factor * array[x + i];
      }
    }
  }
}

/** Task t: the panels of lane t. */
export const multiplyPanels = defineTask<ProductState>(import.meta.url, 'multiplyPanels', (state, { blas }) => {
  const products = new PanelProducts(state, blas);
  return (lane) => products.run(lane);
});

/** Releases what workers hold for sums that have been garbage-collected; `release` does it at once. */
const abandoned = new FinalizationRegistry<() => void>((letGo) => letGo());

/** Panels of nearly equal work for each lane, in their order. */
function divide(data: KroneckerSumData): Int32Array {
  const count = panelCount(data);
  const lanes = sharedInt32(LANES + 1);
  let total = 0;
  for (let k = 0; k < count; k++) total += panelFlops(data, panelAt(data, k));
  let done = 0;
  for (let k = 0, lane = 0; k < count; k++) {
    while (lane + 1 < LANES && done >= ((lane + 1) * total) / LANES) lanes[++lane] = k;
    done += panelFlops(data, panelAt(data, k));
    if (k === count - 1) lanes.fill(count, lane + 1);
  }
  return lanes;
}

/** The sum of all layers' terms, in the order of a rotated vector; null where there are none. */
function diagonalOf(data: KroneckerSumData): Float64Array | null {
  let out: Float64Array | null = null;
  data.layers.forEach(({ base, directions, units }, ℓ) => {
    for (const { inputs, units: factors } of diagonalTerms(data, ℓ)) {
      out ??= new Float64Array(data.size);
      for (let p = 0, at = base; p < units; p++)
        for (let q = 0; q < directions; q++, at++) out[at] += inputs[q] * factors[p];
    }
  });
  return out;
}

/** H̃ as an operator over rotated vectors, symmetric; its workspaces grow on demand. */
export class KroneckerSumCore implements LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric = true;
  readonly data: KroneckerSumData;
  readonly #team: Team;
  readonly #lanes: Int32Array;
  /** Of all terms and the shift; null where there are none. */
  readonly #diagonal: Float64Array | null;
  readonly #graph = independentTasks(LANES);
  #shared: Shared<ProductState> | undefined;

  constructor(data: KroneckerSumData, team: Team) {
    this.rows = data.size;
    this.cols = data.size;
    this.data = data;
    this.#team = team;
    this.#lanes = divide(data);
    this.#diagonal = diagonalOf(data);
  }

  /** out ← α·H̃·X + β·out, shapes taken on trust. */
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void {
    for (let first = 0; first < x.cols; first += WIDTH) {
      const count = Math.min(WIDTH, x.cols - first);
      const shared = this.#prepare(count);
      const { incoming, outgoing, vectors } = shared.state;
      vectors[0] = count;
      this.#stage(incoming, x, first, count);
      this.#team.runSync(multiplyPanels, shared, this.#graph, undefined);
      this.#collect(outgoing, incoming, count);
      const { layers } = this.data;
      for (const { base, directions, units } of layers)
        for (let v = 0; v < count; v++)
          combine(
            view(out.data, out.offset + (first + v) * out.ld + base, directions * units, 1),
            alpha,
            view(incoming, base * count + v * directions * units, directions * units, 1),
            beta,
          );
    }
  }

  /** Four flops a number of S_j off the layers' diagonals and unit, and those of the M_j. */
  flops(vectors: number): number {
    let sum = 0;
    for (let k = 0; k < panelCount(this.data); k++) sum += panelFlops(this.data, panelAt(this.data, k));
    return sum * vectors;
  }

  /** Frees what the workers hold; it is made anew by the next product. */
  release(): void {
    if (this.#shared !== undefined) this.#team.release(this.#shared);
    abandoned.unregister(this);
    this.#shared = undefined;
  }

  #stage(incoming: FloatArray, x: Matrix, first: number, count: number): void {
    for (const { base, directions, units } of this.data.layers) {
      const numbers = directions * units;
      for (let v = 0; v < count; v++) {
        const from = x.offset + (first + v) * x.ld + base;
        incoming.set(x.data.subarray(from, from + numbers), base * count + v * numbers);
      }
    }
  }

  /** incoming ← the diagonal's product with it and the lanes' sums, added in order. */
  #collect(outgoing: FloatArray, incoming: FloatArray, count: number): void {
    const numbers = this.data.size * count;
    if (this.#diagonal === null) incoming.set(outgoing.subarray(0, numbers));
    else
      for (const { base, directions, units } of this.data.layers)
        for (let v = 0, i = base * count; v < count; v++)
          for (let k = base; k < base + directions * units; k++, i++)
            incoming[i] = this.#diagonal[k] * incoming[i] + outgoing[i];
    for (let lane = 1, at = numbers; lane < LANES; lane++)
      for (let i = 0; i < numbers; i++, at++) incoming[i] += outgoing[at];
  }

  #prepare(count: number): Shared<ProductState> {
    const width = count === 1 ? 1 : WIDTH;
    if (this.#shared !== undefined && this.#shared.state.incoming.length >= this.rows * width) return this.#shared;
    this.release();
    const precision = precisionOf(this.data.values);
    const shared = this.#team.shareNow<ProductState>({
      data: this.data,
      lanes: this.#lanes,
      vectors: sharedInt32(1),
      incoming: sharedFloats(this.rows * width, precision),
      outgoing: sharedFloats(LANES * this.rows * width, precision),
    });
    const team = this.#team;
    abandoned.register(this, () => team.release(shared), this);
    this.#shared = shared;
    return shared;
  }
}
