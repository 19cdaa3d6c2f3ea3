/**
 * Energies ‖H_αβ‖_F² of all pairs of cells of a rotated Gauss–Newton Hessian, no entry of which is kept.
 *
 * A *tile* is what one pair of units (p, p′) of layers ℓ, ℓ′ has: X_ℓᵀ·diag m(p, p′)·X_ℓ′, directions × directions′.
 * Tiles of one p and several p′ are one GEMM, 2n flops an entry. Within a layer tiles are symmetric, and those of (p,
 * p′) and (p′, p) are equal: a quarter of them is formed. A task takes the columns of some directions of one layer, so
 * it alone adds to their cells, in a fixed order: same bits for any team.
 */
import { sharedFloat64, toShared } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { pairIndex } from '../entries/unit-gram-plan.js';
import type { Cells, LayerShape } from './cells.js';
import { gramNumber, type UnitGrams } from './unit-grams.js';
import type { RotatedModel } from './model.js';

/** What workers read entries of H from; structured-cloneable. */
export interface RotatedTables {
  readonly samples: number;
  readonly layers: readonly (LayerShape & { readonly activations: Float64Array })[];
  readonly grams: readonly UnitGrams[];
}

/** What workers need of a model: its sizes, activations and Gram vectors, nothing copied. */
export function tablesOf({ samples, layers, grams }: RotatedModel): RotatedTables {
  return {
    samples,
    layers: layers.map(({ directions, units, activations }) => ({ directions, units, activations })),
    grams,
  };
}

/**
 * Where the n-vector m(p, p′) of units of layers ℓ, ℓ′ in any order begins in `gramsOf(…).vectors`, or −1 where it is
 * zero.
 */
export function gramOffset({ samples, grams }: RotatedTables, ℓ: number, p: number, other: number, q: number): number {
  const number =
    ℓ <= other ? gramNumber(grams[pairIndex(ℓ, other)], p, q) : gramNumber(grams[pairIndex(other, ℓ)], q, p);
  return number < 0 ? -1 : number * samples;
}

/** The n-vectors of a pair of layers, in either order. */
export const gramsOf = ({ grams }: RotatedTables, ℓ: number, other: number): Float64Array =>
  grams[pairIndex(Math.min(ℓ, other), Math.max(ℓ, other))].vectors;

interface EnergyState {
  readonly tables: RotatedTables;
  readonly cells: Cells;
  /** cells × cells; column β belongs to the task of β's directions. */
  readonly energies: Float64Array;
  /** Four words a task: layer of the rows, layer of the columns, first and last + 1 of the columns' directions. */
  readonly tasks: Int32Array;
}

/** Columns of a GEMM, about, and directions of a task. */
const COLUMNS = 256;
const DIRECTIONS = 16;

/** The tile of units p and `other`: its columns are `width` directions from the first. */
interface Tile {
  readonly rowLayer: number;
  readonly p: number;
  readonly columnLayer: number;
  readonly other: number;
  readonly first: number;
  readonly width: number;
}

class EnergySum {
  readonly #state: EnergyState;
  readonly #blas: Blas;
  readonly #scaled: Matrix;
  readonly #tiles: Matrix;

  constructor(state: EnergyState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    const columns = mostColumns(state);
    this.#scaled = zeros(state.tables.samples, columns);
    this.#tiles = zeros(Math.max(1, ...state.tables.layers.map(({ directions }) => directions)), columns);
  }

  run(rowLayer: number, columnLayer: number, first: number, last: number): void {
    const { tables } = this.#state;
    const { samples, layers } = tables;
    const same = rowLayer === columnLayer;
    const rows = same ? last : layers[rowLayer].directions;
    const width = last - first;
    const units = layers[columnLayer].units;
    const together = Math.max(1, Math.floor(COLUMNS / width));
    const x = view(layers[rowLayer].activations, 0, samples, rows);
    const present: number[] = [];
    for (let p = 0; p < layers[rowLayer].units; p++) {
      for (let begin = same ? p : 0; begin < units; begin += together) {
        present.length = 0;
        for (let other = begin; other < Math.min(begin + together, units); other++)
          if (gramOffset(tables, rowLayer, p, columnLayer, other) >= 0) present.push(other);
        if (present.length === 0) continue;
        const columns = present.length * width;
        const tile = (other: number): Tile => ({ rowLayer, p, columnLayer, other, first, width });
        present.forEach((other, k) => this.#scale(tile(other), k * width * samples));
        this.#blas.gemm(
          'T',
          'N',
          1,
          x,
          view(this.#scaled.data, 0, samples, columns),
          0,
          view(this.#tiles.data, 0, rows, columns),
        );
        present.forEach((other, k) => this.#add(tile(other), rows, k * width * rows));
      }
    }
  }

  /** scaled ← diag m(p, p′)·X_ℓ′(:, first … first + width). */
  #scale({ rowLayer, p, columnLayer, other, first, width }: Tile, to: number): void {
    const { tables } = this.#state;
    const n = tables.samples;
    const m = gramsOf(tables, rowLayer, columnLayer);
    const at = gramOffset(tables, rowLayer, p, columnLayer, other);
    const x = tables.layers[columnLayer].activations;
    const out = this.#scaled.data;
    for (let q = 0, from = first * n; q < width; q++) for (let i = at; i < at + n; i++) out[to++] = m[i] * x[from++];
  }

  /** Adds the squares of the tile of (p, p′), and within a layer those of (p′, p), to their cells. */
  #add({ rowLayer, p, columnLayer, other, first, width }: Tile, rows: number, from: number): void {
    const {
      cells: { count, cellOf },
      energies,
      tables: { layers },
    } = this.#state;
    const tiles = this.#tiles.data;
    const ofRows = cellOf[rowLayer];
    const ofColumns = cellOf[columnLayer];
    const rowCells = p * layers[rowLayer].directions;
    const columnCells = other * layers[columnLayer].directions;
    const twice = rowLayer === columnLayer && p !== other;
    for (let q = first; q < first + width; q++) {
      const column = ofColumns[columnCells + q] * count;
      if (twice) {
        const mirrored = ofColumns[rowCells + q] * count;
        for (let row = 0; row < rows; row++) {
          const square = tiles[from++] ** 2;
          energies[column + ofRows[rowCells + row]] += square;
          energies[mirrored + ofRows[columnCells + row]] += square;
        }
      } else {
        for (let row = 0; row < rows; row++) energies[column + ofRows[rowCells + row]] += tiles[from++] ** 2;
      }
    }
  }
}

/** Widest GEMM of the tasks. */
function mostColumns({ tasks }: EnergyState): number {
  let most = COLUMNS;
  for (let t = 0; t < tasks.length; t += 4) most = Math.max(most, tasks[t + 3] - tasks[t + 2]);
  return most;
}

/** Task t adds its tiles' energies to the columns of its directions' cells. */
export const addEnergies = defineTask<EnergyState>(import.meta.url, 'addEnergies', (state, { blas }) => {
  const sum = new EnergySum(state, blas);
  return (task) =>
    sum.run(state.tasks[4 * task], state.tasks[4 * task + 1], state.tasks[4 * task + 2], state.tasks[4 * task + 3]);
});

/** The tasks, the most work first. */
function energyTasks({ layers }: RotatedTables, { group }: Cells): Int32Array {
  const tasks: { words: number[]; work: number }[] = [];
  for (let k = 0; k < layers.length; k++) {
    for (let ℓ = 0; ℓ <= k; ℓ++) {
      // The layer with more directions has the rows: few wide GEMMs.
      const [row, column] = layers[ℓ].directions >= layers[k].directions ? [ℓ, k] : [k, ℓ];
      if (layers[row].units === 0 || layers[column].units === 0) continue;
      const step = group[column] * Math.max(1, Math.round(DIRECTIONS / group[column]));
      for (let first = 0; first < layers[column].directions; first += step) {
        const last = Math.min(first + step, layers[column].directions);
        tasks.push({
          words: [row, column, first, last],
          work:
            (last - first) * layers[column].units * layers[row].units * (ℓ === k ? last / 2 : layers[row].directions),
        });
      }
    }
  }
  const sorted = tasks.sort((a, b) => b.work - a.work).flatMap(({ words }) => words);
  return toShared(Int32Array.from(sorted));
}

/**
 * ‖H_αβ‖_F² of cells α, β at α + count·β, symmetric to the bit. n·N_H² flops, less what symmetry saves; 8·count² bytes.
 * Throws what `Team.run` throws.
 */
export async function cellEnergies(tables: RotatedTables, cells: Cells, control: TeamControl): Promise<Float64Array> {
  const { count } = cells;
  const energies = sharedFloat64(count * count);
  const tasks = energyTasks(tables, cells);
  await runOnce(
    'measure blocks',
    addEnergies,
    { tables, cells, energies, tasks },
    independentTasks(tasks.length / 4),
    control,
  );
  // What was added of a pair stands above the diagonal within a layer, on either side of it across layers.
  const layerOf = (cell: number): number => cells.begin.findLastIndex((first) => first <= cell);
  for (let β = 0; β < count; β++) {
    const layerBegin = cells.begin[layerOf(β)];
    for (let α = 0; α < β; α++) {
      const sum = energies[α + β * count] + (α < layerBegin ? energies[β + α * count] : 0);
      energies[α + β * count] = sum;
      energies[β + α * count] = sum;
    }
  }
  return energies;
}
