/**
 * Modes of a pair of layers: the best sums of Kronecker products for a block of a Gauss–Newton Hessian.
 *
 *   G_ℓℓ′ = Σ_i (x_i x′_iᵀ) ⊗ m_i,   R = Σ_i vec(m_i) vec(x_i x′_iᵀ)ᵀ = Σ_j vec(M_j) vec(S_j)ᵀ,
 *   ⟨M_j, M_k⟩ = δ_jk,   S_j = Σ_i c_ij x_i x′_iᵀ,   c_ij = ⟨M_j, m_i⟩,   ⟨S_j, S_k⟩ = σ_j² δ_jk
 *
 * (C. F. Van Loan, N. Pitsianis, *Approximation with Kronecker products*, 1993: the block rearranged is R, and the best
 * sum of k products is R's truncated singular value decomposition; K-FAC's A ⊗ Γ is a guess at its first term.) Neither
 * R nor a block is formed: with Q an orthonormal basis of the m_i and B = QᵀM, QᵀRRᵀQ = B K₂ Bᵀ with K₂(i, j) =
 * (x_i·x_j)(x′_i·x′_j), of the order min(D, n), D the numbers of an m_i. Where D ≤ n, Q is the identity. Whatever
 * rounding does to the small singular values, the M_j are orthonormal, so that all of them together give the block
 * exactly, and what is left out of an S_j is the error.
 */
import type { Blas } from '../../dense/blas.js';
import { view, zeros, type Matrix } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import { transposeInto } from '../../dense/transpose.js';
import { defineTask } from '../../parallel/task.js';
import { runOnce } from '../../parallel/run-once.js';
import { independentTasks } from '../../parallel/task-graph.js';
import type { TeamControl } from '../../parallel/team-control.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { pairIndex } from '../entries/unit-gram-plan.js';
import type { RotatedTables } from '../eigenbasis/energies.js';
import type { UnitGrams } from '../eigenbasis/unit-grams.js';

/** The modes of layers `lower` ≤ `upper`, by falling σ_j. */
export interface PairModes {
  readonly lower: number;
  readonly upper: number;
  /** As the m_i are stored: all of M_j, its upper triangle, or its diagonal alone. */
  readonly form: UnitGrams['form'];
  /** min(D, n). */
  readonly count: number;
  /** D: numbers of an M_j. */
  readonly numbers: number;
  /**
   * D × count: column j is M_j in the order of `UnitGrams`; of a symmetric one, √2·M_j(p, p′) stands for both of its
   * halves.
   */
  readonly matrices: Float64Array;
  /** n × count: c_ij. Empty where the S_j are stored. */
  readonly coefficients: Float64Array;
  /** S_j as they are, directions of the row layer × those of the column layer (grid.ts), where they were summed up. */
  readonly stored?: Float64Array | undefined;
  /** σ_j². */
  readonly energies: Float64Array;
}

interface ModesState {
  readonly tables: RotatedTables;
  readonly pairs: readonly PairModes[];
}

/** Numbers of an m_i. */
export const gramSize = ({ vectors }: UnitGrams, samples: number): number => vectors.length / samples;

/** Samples whose rows of K₂ are formed at a time. */
const PANEL = 512;

/** √2 on what stands for two entries of a symmetric m_i: then the inner product of the stored numbers is ⟨·, ·⟩_F. */
export function scaleTriangle({ form, units, vectors }: UnitGrams, samples: number): void {
  if (form !== 'symmetric') return;
  for (let q = 0, at = 0; q < units; q++)
    for (let p = 0; p <= q; p++) for (let i = 0; i < samples; i++, at++) if (p < q) vectors[at] *= Math.SQRT2;
}

class ModeFinder {
  readonly #state: ModesState;
  readonly #blas: Blas;

  constructor(state: ModesState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
  }

  /** B K₂ Bᵀ, count × count, K₂ by panels of rows. */
  #moments(lower: number, upper: number, coordinates: Matrix): Matrix {
    const { samples: n, layers } = this.#state.tables;
    const blas = this.#blas;
    const count = coordinates.cols;
    const moments = zeros(count, count);
    const width = Math.min(PANEL, n);
    const [k2, other, product] = [zeros(width, n), zeros(width, n), zeros(width, count)];
    const gram = (ℓ: number, first: number, rows: number, out: Matrix): Matrix => {
      const { directions, activations } = layers[ℓ];
      const panel = view(out.data, 0, rows, n);
      blas.gemm(
        'N',
        'T',
        1,
        view(activations, first, rows, directions, n),
        view(activations, 0, n, directions),
        0,
        panel,
      );
      return panel;
    };
    for (let first = 0; first < n; first += width) {
      const rows = Math.min(width, n - first);
      const k = gram(lower, first, rows, k2);
      const l = lower === upper ? k : gram(upper, first, rows, other);
      for (let at = 0; at < rows * n; at++) k.data[at] *= l.data[at];
      const p = view(product.data, 0, rows, count);
      blas.gemm('N', 'N', 1, k, coordinates, 0, p);
      blas.gemm('T', 'N', 1, view(coordinates.data, first, rows, count, n), p, 1, moments);
    }
    return moments;
  }

  /** Writes M over the Gram vectors of the pair (n·D numbers hold D·count), c and σ². */
  run({ lower, upper, numbers, count, matrices, coefficients, energies }: PairModes): void {
    const { tables } = this.#state;
    const { samples: n, grams } = tables;
    const blas = this.#blas;
    const stored = grams[pairIndex(lower, upper)];
    scaleTriangle(stored, n);
    const m = view(stored.vectors, 0, n, numbers);
    const factor = numbers > n ? zeros(numbers, n) : null;
    const tau = new Float64Array(count);
    // Bᵀ: n × count.
    let coordinates: Matrix = m;
    if (factor !== null) {
      transposeInto(factor, m);
      blas.geqrf(factor, tau);
      coordinates = zeros(n, n);
      for (let j = 0; j < n; j++)
        for (let i = 0; i <= j; i++) coordinates.data[j + i * n] = factor.data[i + j * numbers];
    }
    const moments = this.#moments(lower, upper, coordinates);
    const values = symmetricEigen(blas, moments, 'the modes of a pair of layers');
    const vectors = zeros(count, count);
    for (let j = 0; j < count; j++) {
      energies[j] = Math.max(0, values[count - 1 - j]);
      vectors.data.set(moments.data.subarray((count - 1 - j) * count, (count - j) * count), j * count);
    }
    blas.gemm('N', 'N', 1, coordinates, vectors, 0, view(coefficients, 0, n, count));
    if (factor === null) {
      matrices.set(vectors.data);
    } else {
      for (let j = 0; j < count; j++) {
        matrices.set(vectors.data.subarray(j * count, (j + 1) * count), j * numbers);
        matrices.fill(0, j * numbers + count, (j + 1) * numbers);
      }
      blas.ormqr('L', 'N', factor, tau, view(matrices, 0, numbers, count));
    }
  }
}

/**
 * Task t: the modes of pair t. About 2n²(width + width′ + count) + 2n·count² + 9·count³ flops, and, where D > n, 4·D·n²
 * more; 8(1024·n + 3·count²) bytes each, and 8(D·n + n²) more.
 */
export const findModes = defineTask<ModesState>(import.meta.url, 'findModes', (state, { blas }) => {
  const finder = new ModeFinder(state, blas);
  return (task) => finder.run(state.pairs[task]);
});

/** M_j(p, p′) of the pair, p a unit of the lower layer, written out: lower units × upper units, by columns. */
export function writeMode(
  { form, matrices, numbers }: Pick<PairModes, 'form' | 'matrices' | 'numbers'>,
  j: number,
  [lowerUnits, upperUnits]: readonly [number, number],
  out: Float64Array,
): void {
  const from = j * numbers;
  if (form === 'full') {
    out.set(matrices.subarray(from, from + numbers));
  } else if (form === 'diagonal') {
    out.fill(0, 0, lowerUnits * upperUnits);
    for (let p = 0; p < numbers; p++) out[p * (lowerUnits + 1)] = matrices[from + p];
  } else {
    for (let q = 0, at = from; q < upperUnits; q++)
      for (let p = 0; p <= q; p++, at++) {
        const value = p < q ? matrices[at] * Math.SQRT1_2 : matrices[at];
        out[p + q * lowerUnits] = value;
        out[q + p * lowerUnits] = value;
      }
  }
}

/** The modes of all pairs of layers; the Gram vectors of the tables are overwritten by them. */
export async function modesOf(tables: RotatedTables, control: TeamControl): Promise<PairModes[]> {
  const { samples: n, layers, grams } = tables;
  const pairs: PairModes[] = [];
  for (let upper = 0; upper < layers.length; upper++) {
    for (let lower = 0; lower <= upper; lower++) {
      const stored = grams[pairIndex(lower, upper)];
      const numbers = gramSize(stored, n);
      if (numbers === 0 || layers[lower].directions === 0 || layers[upper].directions === 0) continue;
      const count = Math.min(numbers, n);
      pairs.push({
        lower,
        upper,
        form: stored.form,
        count,
        numbers,
        matrices: stored.vectors.subarray(0, numbers * count),
        coefficients: sharedFloat64(n * count),
        energies: sharedFloat64(count),
      });
    }
  }
  // The most work first.
  pairs.sort((a, b) => b.numbers - a.numbers || a.upper - b.upper || a.lower - b.lower);
  await runOnce('find modes', findModes, { tables, pairs }, independentTasks(pairs.length), control);
  return pairs.sort((a, b) => pairIndex(a.lower, a.upper) - pairIndex(b.lower, b.upper));
}
