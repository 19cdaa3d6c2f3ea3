/**
 * The chosen blocks of a rotated Gauss–Newton Hessian, evaluated into a hierarchical matrix.
 * A task is a leaf β of columns: for each unit p of a layer, the rows that chosen leaves have there are multiplied with
 * diag m(p, p′)·x_{q′}, (q′, p′) ∈ β: 2n flops a stored entry. Units that want the same directions share a GEMM. Blocks
 * stand above the diagonal, so a task writes what no other does.
 */
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import { diagonalOrder, type BlockOffsets } from '../../hierarchical/matrix/data.js';
import { defineTask } from '../../parallel/task.js';
import { type ClusterTree, firstLeaf } from '../../tree/cluster-tree.js';
import type { InteractionLists } from '../../tree/interaction-lists.js';
import { gramOffset, gramsOf, type RotatedTables } from './energies.js';

/** What filling the blocks reads and writes. */
export interface BlockState {
  readonly tables: RotatedTables;
  readonly tree: ClusterTree;
  readonly lists: InteractionLists;
  readonly offsets: BlockOffsets;
  readonly values: Float64Array;
  /**
   * Layer, direction and unit at each position of the tree, in the tables' numbering; isolated positions are not read.
   */
  readonly layerAt: Int32Array;
  readonly directionAt: Int32Array;
  readonly unitAt: Int32Array;
}

/** Columns of a GEMM, about. */
const COLUMNS = 256;

class BlockFiller {
  readonly #state: BlockState;
  readonly #blas: Blas;
  readonly #scaled: Matrix;
  readonly #gathered: Float64Array;
  readonly #tiles: Float64Array;
  /** By layer and unit (unitBegin[ℓ] + p): how many rows are wanted there, and where they begin. */
  readonly #unitBegin: number[];
  readonly #counts: Int32Array;
  readonly #starts: Int32Array;
  /** The wanted rows, unit by unit: direction, where the row's first entry goes, and the step from column to column. */
  #directions = new Int32Array(0);
  #targets = new Float64Array(0);
  #steps = new Int32Array(0);

  constructor(state: BlockState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    const {
      tables: { samples, layers },
      tree,
    } = state;
    let most = 0;
    for (let ν = firstLeaf(tree); ν < tree.end.length; ν++) most = Math.max(most, tree.end[ν] - tree.begin[ν]);
    const directions = Math.max(...layers.map((layer) => layer.directions));
    const columns = Math.max(most, COLUMNS);
    this.#scaled = zeros(samples, columns);
    this.#gathered = new Float64Array(samples * directions);
    this.#tiles = new Float64Array(directions * columns);
    this.#unitBegin = [0];
    for (const { units } of layers) this.#unitBegin.push(this.#unitBegin[this.#unitBegin.length - 1] + units);
    this.#counts = new Int32Array(this.#unitBegin[layers.length] + 1);
    this.#starts = new Int32Array(this.#unitBegin[layers.length] + 1);
  }

  run(β: number): void {
    const {
      tables: { layers },
    } = this.#state;
    this.#wantRows(β);
    const { begin, end } = this.#state.tree;
    const leaf = firstLeaf(this.#state.tree) + β;
    const together = Math.max(1, Math.floor(COLUMNS / (end[leaf] - begin[leaf])));
    for (let ℓ = 0; ℓ < layers.length; ℓ++) {
      for (let p = 0, count = 1; p < layers[ℓ].units; p += count) {
        count = 1;
        const unit = this.#unitBegin[ℓ] + p;
        if (this.#counts[unit] === 0) continue;
        while (count < together && p + count < layers[ℓ].units && this.#sameDirections(unit, unit + count)) count++;
        this.#fillUnits(β, ℓ, p, count);
      }
    }
  }

  /** Lists the rows of the chosen blocks of columns β, the diagonal's included, by unit. */
  #wantRows(β: number): void {
    const { layerAt, unitAt } = this.#state;
    const unitBegin = this.#unitBegin;
    const counts = this.#counts.fill(0);
    let total = 0;
    this.#eachRow(β, (position) => {
      counts[unitBegin[layerAt[position]] + unitAt[position]]++;
      total++;
    });
    for (let u = 0, next = 0; u < counts.length; u++) {
      this.#starts[u] = next;
      next += counts[u];
    }
    if (this.#directions.length < total) {
      this.#directions = new Int32Array(2 * total);
      this.#targets = new Float64Array(2 * total);
      this.#steps = new Int32Array(2 * total);
    }
    const places = this.#starts.slice();
    this.#eachRow(β, (position, target, step) => {
      const to = places[unitBegin[layerAt[position]] + unitAt[position]]++;
      this.#directions[to] = this.#state.directionAt[position];
      this.#targets[to] = target;
      this.#steps[to] = step;
    });
  }

  /**
   * Every row of the chosen blocks (α, β), α ≤ β: its position, where its first entry goes and the step to the next. Of
   * the diagonal block only a triangle is kept: target −1 − row.
   */
  #eachRow(β: number, visit: (position: number, target: number, step: number) => void): void {
    const {
      tree,
      lists: { nearBegin, near },
      offsets,
    } = this.#state;
    const leaf0 = firstLeaf(tree);
    for (let e = nearBegin[β]; e < nearBegin[β + 1] && near[e] <= β; e++) {
      const first = tree.begin[leaf0 + near[e]];
      const size = tree.end[leaf0 + near[e]] - first;
      for (let i = 0; i < size; i++) visit(first + i, near[e] < β ? offsets.near[e] + i : -1 - i, size);
    }
  }

  /** Units p … p + count of layer ℓ, which want the same directions: one GEMM. */
  #fillUnits(β: number, ℓ: number, p: number, count: number): void {
    const unit = this.#unitBegin[ℓ] + p;
    const rows = this.#counts[unit];
    const {
      tables: { samples: n },
      tree,
    } = this.#state;
    const leaf = firstLeaf(tree) + β;
    const columns = tree.end[leaf] - tree.begin[leaf];
    for (let k = 0; k < count; k++) this.#scale(tree.begin[leaf], columns, ℓ, p + k, k * columns * n);
    this.#blas.gemm(
      'T',
      'N',
      1,
      this.#rowsOf(ℓ, this.#starts[unit], rows),
      view(this.#scaled.data, 0, n, columns * count),
      0,
      view(this.#tiles, 0, rows, columns * count),
    );
    for (let k = 0; k < count; k++)
      this.#scatter(β, this.#starts[unit + k], view(this.#tiles, k * columns * rows, rows, columns));
  }

  /** Whether two units want the same directions. */
  #sameDirections(unit: number, other: number): boolean {
    const rows = this.#counts[unit];
    if (this.#counts[other] !== rows) return false;
    const directions = this.#directions;
    const a = this.#starts[unit];
    const b = this.#starts[other];
    for (let i = 0; i < rows; i++) if (directions[a + i] !== directions[b + i]) return false;
    return true;
  }

  /** scaled ← the columns diag m(p, p′)·x_{q′} of the leaf's indices, from entry `to` on. */
  #scale(first: number, columns: number, ℓ: number, p: number, to: number): void {
    const { tables, layerAt, directionAt, unitAt } = this.#state;
    const n = tables.samples;
    const out = this.#scaled.data;
    for (let c = 0; c < columns; c++) {
      const other = layerAt[first + c];
      const m = gramsOf(tables, ℓ, other);
      const at = gramOffset(tables, ℓ, p, other, unitAt[first + c]);
      if (at < 0) {
        out.fill(0, to, to + n);
        to += n;
        continue;
      }
      const x = tables.layers[other].activations;
      let from = directionAt[first + c] * n;
      for (let i = at; i < at + n; i++) out[to++] = m[i] * x[from++];
    }
  }

  /** X's columns for the wanted directions, where they lie if they are neighbors. */
  #rowsOf(ℓ: number, start: number, rows: number): Matrix {
    const { samples: n, layers } = this.#state.tables;
    const x = layers[ℓ].activations;
    const directions = this.#directions;
    let contiguous = true;
    for (let i = start + 1; i < start + rows; i++) if (directions[i] !== directions[i - 1] + 1) contiguous = false;
    if (contiguous) return view(x, directions[start] * n, n, rows);
    for (let i = 0; i < rows; i++)
      this.#gathered.set(x.subarray(directions[start + i] * n, (directions[start + i] + 1) * n), i * n);
    return view(this.#gathered, 0, n, rows);
  }

  #scatter(β: number, start: number, tile: Matrix): void {
    const { tree, offsets, values } = this.#state;
    const m = diagonalOrder(tree, β >> 1);
    const upper = (β & 1) === 1;
    const diagonal = offsets.diagonal[β >> 1] + (upper ? m : 0);
    for (let i = 0; i < tile.rows; i++) {
      const target = this.#targets[start + i];
      if (target >= 0) {
        const step = this.#steps[start + i];
        for (let c = 0, from = tile.offset + i, to = target; c < tile.cols; c++, from += tile.rows, to += step)
          values[to] = tile.data[from];
      } else {
        const row = -1 - target;
        const [begin, end] = upper ? [row, tile.cols] : [0, row + 1];
        for (let c = begin; c < end; c++) values[diagonal + row + c * m] = tile.data[tile.offset + i + c * tile.rows];
      }
    }
  }
}

/** Task β: the blocks above and on the diagonal in the columns of leaf β. */
export const fillRotatedBlocks = defineTask<BlockState>(import.meta.url, 'fillRotatedBlocks', (state, { blas }) => {
  const filler = new BlockFiller(state, blas);
  return (β) => filler.run(β);
});
