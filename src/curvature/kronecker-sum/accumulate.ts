/**
 * Sums over batches of samples of Σ_i c_ij x_i x_i′ᵀ, and their turn into modes.
 */
import { sharedFloat64, toShared } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import { defineTask } from '../../parallel/task.js';

/** The sums of a pair of layers: row directions × column directions × modes; within a layer, symmetric in the end. */
export interface Accumulated {
  readonly row: number;
  readonly column: number;
  readonly modes: number;
  readonly values: Float64Array;
}

interface AccumulateState {
  readonly samples: number;
  readonly directions: readonly number[];
  /** By layer, samples × directions, and by pair, samples × modes. */
  readonly activations: readonly Float64Array[];
  readonly coefficients: readonly Float64Array[];
  readonly sums: readonly Accumulated[];
  /** Three words a task: pair, first mode, last + 1. */
  readonly tasks: Int32Array;
}

/** Modes of a task, and rows that a GEMM forms at a time. */
const CHUNK = 4;
const STRIP = 96;

/** The modes of all pairs, in chunks. */
export function accumulationTasks(sums: readonly Accumulated[]): Int32Array {
  const words: number[] = [];
  sums.forEach(({ modes }, pair) => {
    for (let first = 0; first < modes; first += CHUNK) words.push(pair, first, Math.min(modes, first + CHUNK));
  });
  return toShared(Int32Array.from(words));
}

/** Task t: adds the batch to some modes of a pair; within a layer from the diagonal's strip on. */
export const accumulateModes = defineTask<AccumulateState>(import.meta.url, 'accumulateModes', (state, { blas }) => {
  const { samples: n, directions, activations, coefficients, sums, tasks } = state;
  const scaled = new Float64Array(n * Math.max(1, ...directions));
  return (task) => {
    const [pair, begin, end] = tasks.subarray(3 * task, 3 * task + 3);
    const { row, column, values } = sums[pair];
    const [rows, columns] = [directions[row], directions[column]];
    for (let j = begin; j < end; j++) {
      const c = coefficients[pair].subarray(j * n, (j + 1) * n);
      const x = activations[column];
      for (let q = 0, at = 0; q < columns; q++) for (let i = 0; i < n; i++, at++) scaled[at] = c[i] * x[at];
      for (let first = 0; first < rows; first += STRIP) {
        const count = Math.min(STRIP, rows - first);
        const from = row === column ? first : 0;
        blas.gemm(
          'T',
          'N',
          1,
          view(activations[row], first * n, n, count),
          view(scaled, from * n, n, columns - from),
          1,
          view(values, j * rows * columns + first + from * rows, count, columns - from, rows),
        );
      }
    }
  };
});

/** Rows of the sums that are turned at a time. */
const PANEL = 4096;

/**
 * Turns the sums into S_j with ⟨S_j, S_k⟩ = σ_j²δ_jk by falling σ_j, and the basis (null: of unit vectors) with them
 * into the M_j. About 4·modes² flops a number of a sum.
 */
export function rotateStored(
  { row, column, modes, values }: Accumulated,
  layers: readonly { readonly directions: number }[],
  basis: Matrix | null,
  blas: Blas,
): { readonly energies: Float64Array; readonly matrices: Float64Array } {
  const energies = sharedFloat64(modes);
  if (modes === 0) return { energies, matrices: sharedFloat64(0) };
  const [rows, columns] = [layers[row].directions, layers[column].directions];
  const numbers = rows * columns;
  if (row === column) for (let j = 0; j < modes; j++) mirrorUpper(values, j * numbers, rows);
  const gram = zeros(modes, modes);
  blas.gemm('T', 'N', 1, view(values, 0, numbers, modes), view(values, 0, numbers, modes), 0, gram);
  const ascending = symmetricEigen(blas, gram, 'the modes of a pair of layers');
  const turn = zeros(modes, modes);
  for (let j = 0; j < modes; j++) {
    energies[j] = Math.max(0, ascending[modes - 1 - j]);
    turn.data.set(gram.data.subarray((modes - 1 - j) * modes, (modes - j) * modes), j * modes);
  }
  const turned = zeros(Math.min(PANEL, numbers), modes);
  for (let first = 0; first < numbers; first += PANEL) {
    const count = Math.min(PANEL, numbers - first);
    const out = view(turned.data, 0, count, modes);
    blas.gemm('N', 'N', 1, view(values, first, count, modes, numbers), turn, 0, out);
    for (let j = 0; j < modes; j++) values.set(turned.data.subarray(j * count, (j + 1) * count), first + j * numbers);
  }
  if (basis === null) {
    const matrices = sharedFloat64(modes * modes);
    matrices.set(turn.data);
    return { energies, matrices };
  }
  const matrices = sharedFloat64(basis.rows * modes);
  blas.gemm('N', 'N', 1, basis, turn, 0, view(matrices, 0, basis.rows, modes));
  return { energies, matrices };
}

/** The lower triangle ← the upper one. */
function mirrorUpper(values: Float64Array, from: number, order: number): void {
  for (let q = 0; q < order; q++)
    for (let p = 0; p < q; p++) values[from + q + p * order] = values[from + p + q * order];
}
