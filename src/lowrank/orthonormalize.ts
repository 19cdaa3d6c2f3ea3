/**
 * QR of a tall panel in place: Y = Q·R.
 * Cholesky QR, repeated until the Gram matrix it starts from is near I (Y. Yamamoto, Y. Nakatsukasa, Y. Yanagisawa, T.
 * Fukaya, ETNA 44, 2015), with a shift where the Gram matrix is not numerically positive definite (T. Fukaya, R.
 * Kannan, Y. Nakatsukasa, Y. Yamamoto, Y. Yanagisawa, *Shifted Cholesky QR for computing the QR factorization of
 * ill-conditioned matrices*, SIAM J. Sci. Comput. 42(1), 2020). Departures from it: columns are scaled to length 1
 * before each pass, and the shift is √N·k·eps and grows only on failure. All of it is gemm and trsm on N × k, which a
 * team shares; Householder QR takes over where columns are zero or passes don't end, as with ranks so deficient that
 * rounding leaves no k directions.
 */
import { NonFiniteError } from '../core/errors.js';
import { precisionOf, ROUNDOFF, type Precision } from '../core/floats.js';
import { sharedFloat32, sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { HouseholderQr } from '../dense/householder-qr.js';
import { copyInto, fill, view, zeros, type Matrix } from '../dense/matrix.js';
import type { PanelAlgebra } from './panel-algebra.js';

/** Passes of Cholesky QR after which there is no hope of an end. */
export const MOST_PASSES = 6;
const MOST_SHIFTS = 6;
/** A pass that starts with ‖YᵀY − I‖_F at most this ends orthonormal to a small multiple of eps. */
const NEAR = 0.5;
/** Squares of lengths below which there is no direction left. */
const SMALLEST: Readonly<Record<Precision, number>> = { f64: 1e-290, f32: 1e-30 };

const sharedZeros = (rows: number, cols: number, double: boolean): Matrix =>
  view(double ? sharedFloat64(rows * cols) : sharedFloat32(rows * cols), 0, rows, cols);

/**
 * Y (N × k, N ≥ k) ← Q with QᵀQ = I to O(√N·eps) whatever the condition or rank of Y, whose range Q's contains to
 * working precision; k × k `r` ← R, upper triangular, if given. Usually 4Nk² flops, 2Nk² more for each further pass on
 * an ill-conditioned panel; Householder QR needs a second panel. Returns which of the two it was. Throws
 * NonFiniteError.
 */
export function orthonormalize(y: Matrix, algebra: PanelAlgebra, r?: Matrix): 'cholesky' | 'householder' {
  const k = y.cols;
  const double = y.data instanceof Float64Array;
  if (r !== undefined) setIdentity(r);
  if (k === 0) return 'cholesky';
  const gram = sharedZeros(k, k, double);
  const factor = sharedZeros(k, k, double);
  const precision = precisionOf(y.data);
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    algebra.gram(y, gram);
    const found = factorGram(gram, factor, { rows: y.rows, precision }, algebra.blas);
    if (found === 'none') break;
    algebra.solveRight(y, factor, 'U');
    if (r !== undefined) algebra.blas.trmm('L', 'U', 'N', 'N', 1, factor, r);
    if (found === 'last') return 'cholesky';
  }
  householder(y, algebra, r);
  return 'householder';
}

/**
 * A pass of Cholesky QR: `factor` ← R, upper triangular with zeros below, of the Gram matrix YᵀY of a panel of so many
 * rows, for Y ← YR⁻¹; `precision` is that of the panel and of the products (k × k here may be more precise). 'last'
 * where YR⁻¹ is orthonormal to a small multiple of eps, 'more' where another pass is needed, 'none' where there is no
 * R. The Gram matrix is scaled. k³/3 flops. Throws NonFiniteError.
 */
export function factorGram(
  gram: Matrix,
  factor: Matrix,
  { rows, precision }: { readonly rows: number; readonly precision: Precision },
  blas: Blas,
): 'last' | 'more' | 'none' {
  const k = gram.cols;
  const lengths = new Float64Array(k);
  if (!unitDiagonal(gram, lengths, precision)) return 'none';
  const near = departure(gram) <= NEAR;
  const shifted = choleskyOf(gram, factor, Math.sqrt(rows) * k * ROUNDOFF[precision], blas);
  if (shifted === undefined) return 'none';
  // R of this pass: the factor of the scaled matrix with the lengths put back.
  for (let j = 0; j < k; j++)
    for (let i = 0; i < k; i++) factor.data[i + j * k] = i <= j ? factor.data[i + j * k] * lengths[j] : 0;
  return near && !shifted ? 'last' : 'more';
}

function setIdentity(a: Matrix): void {
  fill(a, 0);
  for (let i = 0; i < a.rows; i++) a.data[a.offset + i * (a.ld + 1)] = 1;
}

/**
 * Scales a Gram matrix to a unit diagonal, the columns' lengths aside; false if a column is zero, or so short that its
 * square is not normal.
 */
function unitDiagonal(gram: Matrix, lengths: Float64Array, precision: Precision): boolean {
  const k = gram.cols;
  const { data } = gram;
  const smallest = SMALLEST[precision];
  let usable = true;
  for (let j = 0; j < k; j++) {
    const square = data[j * (k + 1)];
    if (!Number.isFinite(square))
      throw new NonFiniteError(
        `Column ${j} of the panel holds NaN or infinite values, or values whose squares overflow; scale the operator.`,
        { column: j },
      );
    if (!(square > smallest)) usable = false;
    lengths[j] = Math.sqrt(square);
  }
  if (!usable) return false;
  for (let j = 0; j < k; j++) for (let i = 0; i < k; i++) data[i + j * k] /= lengths[i] * lengths[j];
  return true;
}

/** ‖C − I‖_F. */
function departure(c: Matrix): number {
  let sum = 0;
  for (let j = 0; j < c.cols; j++)
    for (let i = 0; i < c.rows; i++) sum += (c.data[i + j * c.rows] - (i === j ? 1 : 0)) ** 2;
  return Math.sqrt(sum);
}

/**
 * Upper Cholesky factor of a Gram matrix of unit diagonal: whether it took a shift, the first of which is `least`, or
 * undefined where no small one helps.
 */
function choleskyOf(gram: Matrix, factor: Matrix, least: number, blas: Blas): boolean | undefined {
  const k = gram.cols;
  let shift = 0;
  for (let attempt = 0; attempt < MOST_SHIFTS && shift < 0.1; attempt++) {
    copyInto(factor, gram);
    for (let i = 0; i < k; i++) factor.data[i * (k + 1)] += shift;
    if (blas.potrf('U', factor) === 0) return shift > 0;
    shift = shift === 0 ? least : 10 * shift;
  }
  return undefined;
}

function householder(y: Matrix, { blas }: PanelAlgebra, r?: Matrix): void {
  const upper = zeros(y.cols, y.cols, precisionOf(y.data));
  new HouseholderQr(blas).run(y, upper);
  if (r !== undefined) blas.trmm('L', 'U', 'N', 'N', 1, upper, r);
}
