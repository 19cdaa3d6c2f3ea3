/**
 * Energies of the blocks of a Kronecker sum: ‖S_j(a, b)‖_F² summed over the modes of a group, no S_j kept.
 * S_j = Xᵀ diag(c_j) X′ by strips of rows, GEMMs of 2n flops an entry; within a layer from the diagonal on.
 */
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { defineTask } from '../../parallel/task.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import type { SumGrid, SumPair } from './grid.js';
import type { PairModes } from './modes.js';

/** Blocks of rows that a GEMM forms at a time. */
const STRIP = 6;

/** Strips of S_j, formed from the samples or read where they are stored. */
export class ModeStrips {
  readonly #tables: RotatedTables;
  readonly #blas: Blas;
  readonly #most: number;
  readonly #rows: number;
  #scaled = new Float64Array(0);
  #strip = new Float64Array(0);
  #mode: { readonly row: number; readonly stored: Float64Array | undefined; readonly begin: number } | undefined;

  /** `rows`: the most rows of a strip. */
  constructor(tables: RotatedTables, rows: number, blas: Blas) {
    this.#tables = tables;
    this.#blas = blas;
    this.#most = Math.max(1, ...tables.layers.map(({ directions }) => directions));
    this.#rows = rows;
  }

  /** Takes mode j of a pair; `columns` of them will be asked for. */
  take({ row, column }: SumPair, { coefficients, stored }: PairModes, j: number, columns: number): void {
    const { samples: n, layers } = this.#tables;
    this.#mode = { row, stored, begin: j * layers[row].directions * layers[column].directions };
    if (stored !== undefined) return;
    if (this.#scaled.length === 0) {
      this.#scaled = new Float64Array(n * this.#most);
      this.#strip = new Float64Array(this.#rows * this.#most);
    }
    const x = layers[column].activations;
    const out = this.#scaled;
    const c = coefficients.subarray(j * n, (j + 1) * n);
    for (let q = 0, at = 0; q < columns; q++) for (let i = 0; i < n; i++, at++) out[at] = c[i] * x[at];
  }

  /** S_j(rows … , columns …) of the mode taken last. */
  strip([firstRow, lastRow]: readonly [number, number], first: number, last: number): Matrix {
    const { samples: n, layers } = this.#tables;
    const { row, stored, begin } = this.#mode!;
    if (stored !== undefined) {
      const { directions } = layers[row];
      return view(stored, begin + firstRow + first * directions, lastRow - firstRow, last - first, directions);
    }
    const out = view(this.#strip, 0, lastRow - firstRow, last - first);
    this.#blas.gemm(
      'T',
      'N',
      1,
      view(layers[row].activations, firstRow * n, n, lastRow - firstRow),
      view(this.#scaled, first * n, n, last - first),
      0,
      out,
    );
    return out;
  }
}

/** Rows of the tallest strip of `blocks` blocks. */
export function tallestStrip(bounds: readonly Int32Array[], blocks: number): number {
  let most = 1;
  for (const begin of bounds)
    for (let a = 0; a + 1 < begin.length; a += blocks)
      most = Math.max(most, begin[Math.min(begin.length - 1, a + blocks)] - begin[a]);
  return most;
}

interface EnergyState {
  readonly tables: RotatedTables;
  readonly modes: readonly PairModes[];
  readonly grid: SumGrid;
  /** Group of task 0. */
  readonly first: number;
}

/** Task t: the energies of group first + t. */
export const addBlockEnergies = defineTask<EnergyState>(import.meta.url, 'addBlockEnergies', (state, { blas }) => {
  const { tables, modes, grid, first } = state;
  const strips = new ModeStrips(tables, tallestStrip(grid.blocks, STRIP), blas);
  return (task) => {
    const group = grid.groups[first + task];
    const { row, column } = grid.pairs[group.pair];
    const [rowBegin, columnBegin] = [grid.blocks[row], grid.blocks[column]];
    const [rows, columns] = [rowBegin.length - 1, columnBegin.length - 1];
    for (let j = group.first; j < group.first + group.count; j++) {
      strips.take(grid.pairs[group.pair], modes[group.pair], j, columnBegin[columns]);
      for (let a = 0; a < rows; a += STRIP) {
        const end = Math.min(rows, a + STRIP);
        const begin = row === column ? a : 0;
        const s = strips.strip([rowBegin[a], rowBegin[end]], columnBegin[begin], columnBegin[columns]);
        for (let b = begin; b < columns; b++) {
          for (let q = columnBegin[b]; q < columnBegin[b + 1]; q++) {
            let at = s.offset + (q - columnBegin[begin]) * s.ld;
            for (let r = a; r < end; r++) {
              let sum = 0;
              for (let p = rowBegin[r]; p < rowBegin[r + 1]; p++, at++) sum += s.data[at] ** 2;
              if (row !== column || b >= r)
                grid.energies[group.begin + r + rows * b] += row === column && b === r ? sum : 2 * sum;
            }
          }
        }
      }
    }
  };
});
