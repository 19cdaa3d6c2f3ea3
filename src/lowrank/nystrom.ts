/**
 * Nyström approximation of a positive semidefinite operator from one product with each vector.
 * Z. Frangella, J. Tropp, M. Udell, *Randomized Nyström preconditioning*, SIAM J. Matrix Anal. Appl. 44(2), 2023,
 * algorithm 2.1, which is the stabilised form of J. Tropp, A. Yurtsever, M. Udell, V. Cevher, *Fixed-rank approximation
 * of a positive-semidefinite matrix from streaming data*, NIPS 2017, algorithm 3:
 *
 *   Ω orthonormal,  Y = GΩ,  ν = √N·eps·‖Y‖_F,  Y_ν = Y + νΩ,  CᵀC = ΩᵀY_ν,  Y_ν C⁻¹ = U diag(σ) Vᵀ,  λ = max(σ² − ν,
 *   0)
 *
 * so that Ĝ = U diag(λ) Uᵀ satisfies 0 ≼ Ĝ ≼ G up to rounding and ν, before and after truncation. Departures: ‖Y‖_F
 * stands for ‖Y‖₂; the SVD is by QR and the eigenvalues of RRᵀ, whose error eps·σ₁² lies below ν; where ΩᵀY_ν is not
 * numerically positive definite, ν grows tenfold up to 1e-6·‖Y‖_F.
 */
import { NonFiniteError, NotPositiveDefiniteError } from '../core/errors.js';
import { requireRole } from '../core/kind.js';
import { requireKnownOptions } from '../core/known-options.js';
import { type WithBlas } from '../dense/default-blas.js';
import { addScaled } from '../operator/block-arithmetic.js';
import { block, copyInto, zeros, type Matrix } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { normFromBelow, NORM_PRODUCTS } from '../krylov/operator-norm.js';
import { safeScale } from '../krylov/solver-checks.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { scaled } from '../operator/scaled.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { LowRankOperator } from './low-rank-operator.js';
import { orthonormalize } from './orthonormalize.js';
import { PanelAlgebra } from './panel-algebra.js';
import {
  multiplyBlocks,
  pause,
  requireNumbers,
  resolveSketch,
  sharedPanel,
  symmetrize,
  type LowRankControl,
  type SketchOptions,
  SKETCH_KEYS,
  type PanelProducts,
} from './sketch.js';

/** A Nyström approximation, and what it cost. */
export interface Nystrom {
  /** U diag(λ) Uᵀ with UᵀU = I, λ ≥ 0 descending. */
  readonly operator: LowRankOperator;
  /**
   * ν as it was used: Ĝ is accurate to about this absolutely. Much more than √N·eps·‖G‖ tells of a G that is rounded
   * coarsely, or barely indefinite.
   */
  readonly shift: number;
  /** Columns of the sketch. */
  readonly columns: number;
  /** Products with single vectors: k. */
  readonly products: number;
}

const STREAM = 0x4e59;
/** A core still indefinite with a shift of this share of ‖Y‖_F is no rounding. */
const LARGEST_SHIFT = 1e-6;

/**
 * A rank-r positive semidefinite approximation Ĝ of a positive semidefinite N × N operator, from rank + oversampling
 * products and one pass. E‖G − Ĝ‖_* ≤ (1 + r/(p − 1))·Σ_{j>r} λ_j(G) with oversampling p ≥ 2, before truncation.
 * Cost besides the products: about 14Nk² flops; memory 8(N(2k + r) + 6k²) bytes, estimated before it is allocated. The
 * same seed gives the same bits, with a team of any size or without. Entries may be of any size: where squares of the
 * sketch leave the range, a multiple by a power of two is approximated, from as many products again. Throws
 * NotPositiveDefiniteError where the operator shows to be indefinite; ShapeError, OptionError, MemoryError,
 * NonFiniteError, AbortedError.
 */
export async function nystrom(
  operator: LinearOperator,
  options: SketchOptions,
  control: Control = {},
): Promise<Nystrom> {
  requireRole(operator, 'operator', 'nystrom');
  requireKnownOptions(options, SKETCH_KEYS, 'nystrom', 'nystrom(operator, { rank: 20 })');
  const on = await onTeam(control, 'nystrom');
  return sketchedNystrom(operator, { ...options, blas: options.blas ?? on.team.blas }, on);
}

/** `nystrom` for callers inside, who know the backend: with a team or without. */
export async function sketchedNystrom(
  operator: LinearOperator,
  options: WithBlas<SketchOptions>,
  control: LowRankControl = {},
): Promise<Nystrom> {
  const { blas } = options;
  const found = await sketched(operator, options, control, false);
  if (found !== undefined) return found;
  const factor = safeScale(normFromBelow(operator));
  const {
    operator: { vectors, values },
    shift,
    columns,
    products,
  } = (await sketched(scaled(operator, factor), options, control, true))!;
  const unscaled = new LowRankOperator(
    vectors,
    values.map((value) => value / factor),
    blas,
    control.team,
  );
  return { operator: unscaled, shift: shift / factor, columns, products: 2 * products + NORM_PRODUCTS };
}

/**
 * The approximation; undefined where ‖Y‖_F² has left the range, or is near its ends, unless that is to be `tolerated`.
 */
async function sketched(
  operator: LinearOperator,
  options: WithBlas<SketchOptions>,
  control: LowRankControl,
  tolerated: boolean,
): Promise<Nystrom | undefined> {
  const resolved = resolveSketch(operator, options);
  const { blas, size, rank, columns, seed } = resolved;
  requireNumbers(size * (2 * columns + rank) + 6 * columns * columns, resolved);
  requireOperator(operator, 'nystrom');
  const algebra = new PanelAlgebra(blas, control.team);
  const omega = sharedPanel(size, columns);
  const y = sharedPanel(size, columns);
  algebra.fillNormal(omega, seed, STREAM, 0);
  orthonormalize(omega, algebra);
  const operands: PanelProducts['operands'] = (first, count) => ({
    x: block(omega, 0, first, size, count),
    out: block(y, 0, first, size, count),
  });
  const squared = await multiplyBlocks(operator, { columns, phase: 'sketch', operands }, control).catch(
    (error: unknown) => {
      if (error instanceof NonFiniteError) return undefined;
      throw error;
    },
  );
  const products = columns;
  if (
    !tolerated &&
    (squared === undefined || safeScale(Math.sqrt(squared)) !== 1 || (squared === 0 && normFromBelow(operator) > 0))
  )
    return undefined;
  if (squared === undefined) throw new NonFiniteError('A product of the operator is NaN or infinite.', {});
  if (squared === 0) {
    // G vanishes on a random space: it is zero, and any basis does.
    const vectors = sharedPanel(size, rank);
    copyInto(vectors, block(omega, 0, 0, size, rank));
    return {
      operator: new LowRankOperator(vectors, new Float64Array(rank), blas, control.team),
      shift: 0,
      columns,
      products,
    };
  }
  const core = sharedPanel(columns, columns);
  algebra.cross(omega, y, core);
  symmetrize(core);
  const { shift, factor } = shiftedCholesky(core, size, Math.sqrt(squared), algebra);
  addScaled(y, shift, omega);
  algebra.solveRight(y, factor, 'U');
  await pause(control, 'decompose', 0, 1);
  const r = zeros(columns, columns);
  orthonormalize(y, algebra, r);
  const { values, selection } = leftSingularPairs(r, rank, shift, algebra);
  const vectors = sharedPanel(size, rank);
  algebra.multiply(1, y, selection, 0, vectors);
  await pause(control, 'decompose', 1, 1);
  return { operator: new LowRankOperator(vectors, values, blas, control.team), shift, columns, products };
}

/** The upper factor of core + νI with the smallest ν of a growing sequence. */
function shiftedCholesky(
  core: Matrix,
  size: number,
  norm: number,
  { blas }: PanelAlgebra,
): { shift: number; factor: Matrix } {
  const k = core.cols;
  const factor = sharedPanel(k, k);
  for (let shift = Math.sqrt(size) * Number.EPSILON * norm; ; shift *= 10) {
    copyInto(factor, core);
    for (let i = 0; i < k; i++) factor.data[i * (k + 1)] += shift;
    const info = blas.potrf('U', factor);
    if (info === 0) return { shift, factor };
    if (10 * shift > LARGEST_SHIFT * norm) {
      throw new NotPositiveDefiniteError(
        `The Nyström approximation needs a positive semidefinite operator; on a random space of ${k} vectors ` +
          `this one is indefinite beyond ${LARGEST_SHIFT} of its norm (minor ${info}): use randomizedSvd, or shift ` +
          'the operator.',
        { minor: info, columns: k, shift },
      );
    }
  }
}

/** λ = max(σ² − ν, 0) and left singular vectors of a k × k triangular matrix, the `count` largest, descending. */
function leftSingularPairs(
  r: Matrix,
  count: number,
  shift: number,
  { blas }: PanelAlgebra,
): { values: Float64Array; selection: Matrix } {
  const k = r.cols;
  const outer = zeros(k, k);
  blas.syrk('L', 'N', 1, r, 0, outer);
  const squares = symmetricEigen(blas, outer, 'the projected matrix');
  const values = new Float64Array(count);
  const selection = sharedPanel(k, count);
  for (let j = 0; j < count; j++) {
    values[j] = Math.max(squares[k - 1 - j] - shift, 0);
    copyInto(block(selection, 0, j, k, 1), block(outer, 0, k - 1 - j, k, 1));
  }
  return { values, selection };
}
