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
  /** n × count: c_ij. */
  readonly coefficients: Float64Array;
  /** σ_j². */
  readonly energies: Float64Array;
}

interface ModesState {
  readonly tables: RotatedTables;
  readonly pairs: readonly PairModes[];
}

/** Numbers of an m_i. */
export const gramSize = ({ vectors }: UnitGrams, samples: number): number => vectors.length / samples;

/** x_i·x_j of all samples. */
function sampleGram({ samples, layers }: RotatedTables, ℓ: number, blas: Blas): Matrix {
  const { directions, activations } = layers[ℓ];
  const x = view(activations, 0, samples, directions);
  const gram = zeros(samples, samples);
  blas.gemm('N', 'T', 1, x, x, 0, gram);
  return gram;
}

/** √2 on what stands for two entries of a symmetric m_i: then the inner product of the stored numbers is ⟨·, ·⟩_F. */
function scaleTriangle({ form, units, vectors }: UnitGrams, samples: number): void {
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

  /** Writes M over the Gram vectors of the pair (n·D numbers hold D·count), c and σ². */
  run({ lower, upper, numbers, count, matrices, coefficients, energies }: PairModes): void {
    const { tables } = this.#state;
    const { samples: n, grams } = tables;
    const blas = this.#blas;
    const stored = grams[pairIndex(lower, upper)];
    scaleTriangle(stored, n);
    const k2 = sampleGram(tables, lower, blas);
    const other = lower === upper ? k2 : sampleGram(tables, upper, blas);
    for (let at = 0; at < k2.data.length; at++) k2.data[at] *= other.data[at];
    const m = view(stored.vectors, 0, n, numbers);
    // B ᵀ: n × count.
    const tall = numbers > n;
    const factor = tall ? zeros(numbers, n) : null;
    const tau = new Float64Array(count);
    let coordinates: Matrix = m;
    if (factor !== null) {
      transposeInto(factor, m);
      blas.geqrf(factor, tau);
      coordinates = zeros(n, n);
      for (let j = 0; j < n; j++)
        for (let i = 0; i <= j; i++) coordinates.data[j + i * n] = factor.data[i + j * numbers];
    }
    const product = zeros(n, count);
    blas.gemm('N', 'N', 1, k2, coordinates, 0, product);
    const moments = zeros(count, count);
    blas.gemm('T', 'N', 1, coordinates, product, 0, moments);
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

/** Task t: the modes of pair t. About 2n²(D + 2·count) + 4·D·n·count flops and 8(D·n + 5n²) bytes each. */
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
