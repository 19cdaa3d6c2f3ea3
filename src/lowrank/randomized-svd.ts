/**
 * Randomized singular value decomposition of a symmetric operator.
 * N. Halko, P.-G. Martinsson, J. Tropp, *Finding structure with randomness*, SIAM Review 53(2), 2011, arXiv 0909.4061:
 * algorithms 4.4 (range by power passes with orthonormalisation) and 5.3 (symmetric: eigenvalues of the projection; of
 * a symmetric matrix, the singular values are their sizes):
 *
 *   Y = GΩ,  Q = orth(Y),  q times Q = orth(GQ),  B = QᵀGQ = WΛWᵀ,  G ≈ U diag(λ) Uᵀ with U = Q·W(:, r largest |λ|)
 *
 * QBQᵀ is the orthogonal projection of G on {QXQᵀ}, so ‖G − QBQᵀ‖_F² = ‖G‖_F² − ‖B‖_F² exactly; U diag(λ) Uᵀ likewise
 * on {U X Uᵀ, X diagonal}.
 */
import { requireWhole } from '../core/checks.js';
import { requireRole } from '../core/kind.js';
import { type KeysOf, requireKnownOptions } from '../core/known-options.js';
import type { WithBlas } from '../dense/default-blas.js';
import { block, copyInto, squaredNorm, type Matrix } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import { LowRankOperator } from './low-rank-operator.js';
import { orthonormalize } from './orthonormalize.js';
import { PanelAlgebra } from './panel-algebra.js';
import {
  blockWidth,
  multiplyBlocks,
  pause,
  requireNumbers,
  resolveSketch,
  sharedPanel,
  symmetrize,
  type LowRankControl,
  type SketchOptions,
} from './sketch.js';

/** Options of {@link randomizedSvd}. */
export interface RandomizedSvdOptions extends SketchOptions {
  /** Power passes q, each one more product with every vector; default 1. */
  readonly powerPasses?: number | undefined;
}
/** The keys of {@link RandomizedSvdOptions}. */
const RANDOMIZED_SVD_KEYS: KeysOf<RandomizedSvdOptions> = {
  blas: true,
  rank: 'number',
  oversampling: 'number',
  seed: 'number',
  memoryLimit: 'number',
  powerPasses: 'number',
};

/** A truncated eigendecomposition, what it captured and what it cost. */
export interface RandomizedSvd {
  /** U diag(λ) Uᵀ with UᵀU = I, |λ| descending. */
  readonly operator: LowRankOperator;
  /** ‖B‖_F²: with all k = r + oversampling columns, ε_F² = 1 − capturedSquared/‖G‖_F². */
  readonly capturedSquared: number;
  /** Σ λ² of the r kept: after truncation, ε_F² = 1 − keptSquared/‖G‖_F². */
  readonly keptSquared: number;
  /** Columns of the sketch. */
  readonly columns: number;
  /** Products with single vectors: (q + 2)·k. */
  readonly products: number;
}

const STREAM = 0x5bd0;

/**
 * ε_F = ‖G − G̃‖_F/‖G‖_F of an orthogonal projection from ‖G̃‖_F² and ‖G‖_F² (exact or a good estimate). The difference
 * cancels: errors below √eps ≈ 1.5e-8 relative to ‖G‖_F, or below the square root of the estimate's relative error, are
 * not resolved, and a negative difference counts as 0.
 */
export const projectionError = (capturedSquared: number, normSquared: number): number =>
  normSquared > 0 ? Math.sqrt(Math.max(0, 1 - capturedSquared / normSquared)) : 0;

/**
 * A rank-r approximation U diag(λ) Uᵀ of a symmetric N × N operator, definite or not, nearly the best one in the
 * Frobenius norm. Cost: (q + 2)(r + oversampling) products and about (4q + 8)Nk² flops; memory 8(N(k + r + min(k, 256))
 * + 6k²) bytes, estimated before it is allocated. The same seed gives the same bits, with a team of any size or
 * without. Throws ShapeError, OptionError, MemoryError, NonFiniteError, AbortedError.
 */
export async function randomizedSvd(
  operator: LinearOperator,
  options: RandomizedSvdOptions,
  control: Control = {},
): Promise<RandomizedSvd> {
  requireRole(operator, 'operator', 'randomizedSvd');
  requireKnownOptions(options, RANDOMIZED_SVD_KEYS, 'randomizedSvd', 'randomizedSvd(operator, { rank: 20 })');
  const on = await onTeam(control, 'randomizedSvd');
  return sketchedSvd(operator, { ...options, blas: options.blas ?? on.team.blas }, on);
}

/** `randomizedSvd` for callers inside, who know the backend: with a team or without. */
export async function sketchedSvd(
  operator: LinearOperator,
  options: WithBlas<RandomizedSvdOptions>,
  control: LowRankControl = {},
): Promise<RandomizedSvd> {
  const resolved = resolveSketch(operator, options);
  const { blas, size, rank, columns, seed } = resolved;
  const { powerPasses = 1 } = options;
  requireWhole(powerPasses, 'powerPasses', 0);
  const width = blockWidth(columns);
  requireNumbers(size * (columns + rank + width) + 6 * columns * columns, resolved);
  requireOperator(operator, 'randomizedSvd');
  const algebra = new PanelAlgebra(blas, control.team);
  const panel = sharedPanel(size, columns);
  const work = sharedPanel(size, width);
  const part = (first: number, count: number): Matrix => block(panel, 0, first, size, count);
  const beside = (count: number): Matrix => block(work, 0, 0, size, count);
  const held = (first: number, count: number): { x: Matrix; out: Matrix } => ({
    x: part(first, count),
    out: beside(count),
  });
  const orthonormalizePanel = async (): Promise<void> => {
    orthonormalize(panel, algebra);
    await pause(control, 'orthonormalize', columns, columns);
  };

  const drawn = (first: number, count: number): { x: Matrix; out: Matrix } => {
    algebra.fillNormal(beside(count), seed, STREAM, first);
    return { x: beside(count), out: part(first, count) };
  };
  await multiplyBlocks(operator, { columns, phase: 'sketch', operands: drawn }, control);
  await orthonormalizePanel();
  for (let pass = 0; pass < powerPasses; pass++) {
    // Each block of GQ depends on its own columns of Q alone, so it can take their place.
    const use = (out: Matrix, first: number): void => {
      copyInto(part(first, out.cols), out);
    };
    await multiplyBlocks(operator, { columns, phase: `power pass ${pass + 1}`, operands: held, use }, control);
    await orthonormalizePanel();
  }
  const b = sharedPanel(columns, columns);
  const project = (out: Matrix, first: number): void => {
    algebra.cross(panel, out, block(b, 0, first, columns, out.cols));
  };
  await multiplyBlocks(operator, { columns, phase: 'project', operands: held, use: project }, control);
  symmetrize(b);
  const capturedSquared = squaredNorm(b);
  const { values, selection } = largestEigenpairs(b, rank, algebra);
  const vectors = sharedPanel(size, rank);
  algebra.multiply(1, panel, selection, 0, vectors);
  await pause(control, 'project', columns, columns);
  return {
    operator: new LowRankOperator(vectors, values, blas, control.team),
    capturedSquared,
    keptSquared: values.reduce((sum, value) => sum + value * value, 0),
    columns,
    products: (powerPasses + 2) * columns,
  };
}

/** The `count` eigenpairs of largest |λ| of a symmetric matrix, which is overwritten; |λ| descending. */
function largestEigenpairs(
  b: Matrix,
  count: number,
  { blas }: PanelAlgebra,
): { values: Float64Array; selection: Matrix } {
  const k = b.cols;
  const all = symmetricEigen(blas, b, 'the projected matrix');
  const values = new Float64Array(count);
  const selection = sharedPanel(k, count);
  // Values ascend, so the largest sizes are at the two ends.
  let [low, high] = [0, k - 1];
  for (let j = 0; j < count; j++) {
    const from = Math.abs(all[low]) > Math.abs(all[high]) ? low++ : high--;
    values[j] = all[from];
    copyInto(block(selection, 0, j, k, 1), block(b, 0, from, k, 1));
  }
  return { values, selection };
}
