/**
 * Interpolation that keeps a matrix positive semidefinite: scale and compress.
 *
 * A node with skeleton S and redundant candidates R, and its own block factored with S first,
 *
 *   [K_SS K_SR; K_RS K_RR] = L·Lᵀ,   L = [L_S 0; K_RS·L_S⁻ᵀ L_R].
 *
 * In coordinates scaled by these factors all diagonal blocks are identities, and of the coupling C_νμ =
 * L_ν⁻¹·K_νμ·L_μ⁻ᵀ with other nodes only its part between skeletons, L_S⁻¹·K(ν̃, μ̃)·L_S⁻ᵀ, is kept: C ← (I − P) +
 * P·C·P with P the projector onto the skeletons' coordinates. That is positive semidefinite whenever C is, whatever is
 * dropped, and so is K̃, level by level, each on the principal submatrix of K on the skeletons below. Undone, the
 * scaling leaves the entries of K in the couplings and
 *
 *   T = K_SS⁻¹·K_SR
 *
 * in place of the interpolation that fits the rows outside best: the same storage, products and factorizations. S is
 * chosen as always (skeletonize.ts).
 *
 * Guaranteed for K ≽ 0: K̃ ≽ 0 up to rounding (RIDGE), so K̃ + λI factors for every λ above that; for e = ‖K − K̃‖₂ the
 * eigenvalues of (K̃ + λI)⁻¹(K + λI) lie in [λ/(λ + e), 1 + e/λ]. The price is accuracy: with the same skeletons e is
 * larger than that of the best fit.
 *
 * Sources: X. Xing, E. Chow, *Preserving positive definiteness in hierarchically semiseparable matrix approximations*,
 * SIAM J. Matrix Anal. Appl. 39(2), 2018 (the projection in scaled coordinates); J. Xia, Z. Xin, SIAM J. Matrix Anal.
 * Appl. 38(4), 2017; J. Chen, H. Avron, V. Sindhwani, *Hierarchically compositional kernels for scalable nonparametric
 * learning*, J. Mach. Learn. Res. 18, 2017 (the same matrices for kernels). Departs from the first two in the bases,
 * which are coordinates instead of singular vectors: couplings are then entries, and O(N log N) of them suffice instead
 * of N².
 */
import { NotPositiveDefiniteError } from '../../core/errors.js';
import type { Blas } from '../../dense/blas.js';
import { block, view, type Matrix, type Precision } from '../../dense/matrix.js';
import type { EntrySource } from '../../source/entry-source.js';

/**
 * Added to K_SS, relative to its trace, by the precision of storage: below it the skeleton's rows are dependent. A
 * ridge μ costs K̃ ≽ −μ, and bounds ‖T‖² by ‖K_RR‖/(4μ), by which the rounding of stored couplings is amplified: with
 * float64's, float32 would lose K̃ ≽ 0 altogether. It grows tenfold up to LARGEST.
 */
const RIDGE = { f64: 1e-14, f32: 2 ** -23 } as const;
const LARGEST = 1e-6;

/** Finds T of one node at a time, with scratch that is kept between nodes. */
export class ScaledInterpolation {
  readonly #blas: Blas;
  readonly #source: EntrySource;
  readonly #ridge: number;
  readonly #skeletonBlock: Float64Array;
  readonly #factor: Float64Array;
  readonly #rows: Float64Array;

  /** Room for nodes of at most `columns` candidates; `precision` is that of storage. */
  constructor(source: EntrySource, columns: number, maxRank: number, precision: Precision, blas: Blas) {
    this.#blas = blas;
    this.#source = source;
    this.#ridge = RIDGE[precision];
    const k = Math.min(columns, maxRank);
    this.#skeletonBlock = new Float64Array(k * k);
    this.#factor = new Float64Array(k * k);
    this.#rows = new Float64Array(columns * k);
  }

  /**
   * Tᵀ = K_RS·K_SS⁻¹ (redundant × rank), in scratch of this object. Throws NotPositiveDefiniteError where K_SS is
   * indefinite beyond rounding.
   */
  solve(skeleton: Int32Array, redundant: Int32Array): Matrix {
    const blas = this.#blas;
    const k = skeleton.length;
    const own = view(this.#skeletonBlock, 0, k, k);
    const factor = view(this.#factor, 0, k, k);
    const rows = view(this.#rows, 0, redundant.length, k);
    this.#source.entries(skeleton, skeleton, own);
    this.#source.entries(redundant, skeleton, rows);
    let trace = 0;
    for (let i = 0; i < k; i++) trace += own.data[i * (k + 1)];
    for (let ridge = this.#ridge * trace; ; ridge *= 10) {
      factor.data.set(own.data.subarray(0, k * k) as never);
      for (let i = 0; i < k; i++) factor.data[i * (k + 1)] += ridge;
      const info = blas.potrf('L', factor);
      if (info === 0) break;
      if (!(ridge < LARGEST * trace))
        throw new NotPositiveDefiniteError(
          `The principal submatrix on ${k} skeletons is indefinite (minor ${info}, index ${skeleton[info - 1]}): ` +
            'this matrix is not positive semidefinite, and its definiteness cannot be preserved.',
          { pivot: info, index: skeleton[info - 1] },
        );
    }
    blas.trsm('R', 'L', 'T', 'N', 1, block(factor, 0, 0, k, k), rows);
    blas.trsm('R', 'L', 'N', 'N', 1, block(factor, 0, 0, k, k), rows);
    return rows;
  }
}
