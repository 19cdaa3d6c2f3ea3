/**
 * K-FAC's diagonal as what stands for a layer's own blocks that are not kept: diag(d) ⊗ diag(e) in the eigenbases.
 * Of the entries of H on the diagonal, Σ_j S_j(q, q)·M_j(p, p), those that a choice keeps are left out; the rest, E,
 * directions × units, is approximated by the best multiple of one product, σ·d eᵀ, d and e the singular vectors of its
 * positive part: the error's square falls by σ², exactly. In the eigenbases A ⊗ Γ (J. Martens, R. Grosse, ICML 2015) is
 * diagonal too.
 */
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import type { SumChoice } from './choice.js';
import type { DiagonalTerm } from './data.js';
import type { SumGrid } from './grid.js';
import type { PairModes } from './modes.js';

/** Steps of the power method: how near d and e come to singular vectors does not matter to the stated gain. */
const STEPS = 30;

/** A layer's product, by how much it lowers ‖G − G̃‖_F², and what it stands for. */
export interface Remainder {
  readonly term: DiagonalTerm | null;
  readonly gain: number;
  /** tr(H − H̃) over the layer's kept directions, the product not counted. */
  readonly trace: number;
}

/** M_j(p, p), units × modes. */
function unitDiagonals({ form, count, numbers, matrices }: PairModes, units: number): Matrix {
  const out = zeros(units, count);
  for (let j = 0; j < count; j++)
    // Columns of a symmetric one end with their diagonal entries.
    for (let p = 0, at = j * numbers; p < units; p++, at += form === 'diagonal' ? 1 : p + 1)
      out.data[p + j * units] = matrices[at];
  return out;
}

/** S_j(q, q), directions × modes. */
function inputDiagonals(
  { samples: n, layers }: RotatedTables,
  { lower, count, coefficients }: PairModes,
  blas: Blas,
): Matrix {
  const { directions, activations } = layers[lower];
  const out = zeros(directions, count);
  const squares = zeros(n, directions);
  for (let k = 0; k < squares.data.length; k++) squares.data[k] = activations[k] ** 2;
  blas.gemm('T', 'N', 1, squares, view(coefficients, 0, n, count), 0, out);
  return out;
}

/** What a choice among modes with coefficients leaves of each layer's diagonal, and products that stand for it. */
export function remaindersOf(
  tables: RotatedTables,
  modes: readonly PairModes[],
  { groups, pairs, blocks }: SumGrid,
  { ends, directions }: SumChoice,
  blas: Blas,
): Remainder[] {
  return tables.layers.map(({ directions: all, units }, ℓ) => {
    const own = pairs.findIndex(({ row, column }) => row === ℓ && column === ℓ);
    const kept = directions[ℓ];
    if (own < 0 || kept === 0) return { term: null, gain: 0, trace: 0 };
    const s = inputDiagonals(tables, modes[own], blas);
    groups.forEach(({ pair, first, count }, g) => {
      const end = ends[g];
      if (pair !== own || end === null) return;
      for (let j = first; j < first + count; j++)
        for (let a = 0; a < end.length; a++)
          if (end[a] > a) s.data.fill(0, j * all + blocks[ℓ][a], j * all + blocks[ℓ][a + 1]);
    });
    const left = zeros(kept, units);
    const m = unitDiagonals(modes[own], units);
    blas.gemm('N', 'T', 1, view(s.data, 0, kept, s.cols, all), m, 0, left);
    return { ...productOf(left), trace: left.data.reduce((sum, value) => sum + value, 0) };
  });
}

/** Bytes of a remainder's product. */
export const termBytes = ({ term }: Remainder): number =>
  term === null ? 0 : term.inputs.byteLength + term.units.byteLength;

/** σ·d eᵀ, and σ². */
function productOf({ data, rows, cols }: Matrix): Omit<Remainder, 'trace'> {
  const [d, e] = [sharedFloat64(rows), sharedFloat64(cols).fill(1)];
  const unit = (vector: Float64Array): boolean => {
    const length = Math.hypot(...vector);
    if (length > 0) for (let k = 0; k < vector.length; k++) vector[k] /= length;
    return length > 0;
  };
  for (let step = 0; step < STEPS; step++) {
    d.fill(0);
    for (let p = 0, at = 0; p < cols; p++) for (let q = 0; q < rows; q++, at++) d[q] += Math.max(0, data[at]) * e[p];
    if (!unit(d)) return { term: null, gain: 0 };
    e.fill(0);
    for (let p = 0, at = 0; p < cols; p++) for (let q = 0; q < rows; q++, at++) e[p] += Math.max(0, data[at]) * d[q];
    if (!unit(e)) return { term: null, gain: 0 };
  }
  let σ = 0;
  for (let p = 0, at = 0; p < cols; p++) for (let q = 0; q < rows; q++, at++) σ += data[at] * d[q] * e[p];
  if (!(σ > 0)) return { term: null, gain: 0 };
  for (let q = 0; q < rows; q++) d[q] *= σ;
  return { term: { inputs: d, units: e }, gain: σ ** 2 };
}
