/**
 * The dense contract: the BLAS and LAPACK routines the library stands on, over column-major views.
 * Implementations: `system/` (a system library through FFI) and `portable/` (WebAssembly and TypeScript, always
 * there). Names, arguments and meanings are those of the reference BLAS and LAPACK (netlib.org); the precision is that
 * of the views, which must all agree. Every routine checks its views' bounds and shapes and throws ShapeError; `info >
 * 0` is returned, not thrown.
 */
import type { Matrix, FloatArray } from './matrix.js';

/** op(A) = A ('N') or Aᵀ ('T'). */
export type Transpose = 'N' | 'T';
/** Whether the special matrix of a product or solve stands to the left or to the right. */
export type Side = 'L' | 'R';
/** Which triangle of a symmetric or triangular matrix is read and written: the lower or the upper one. */
export type Triangle = 'L' | 'U';
/** Whether the diagonal of a triangular matrix is taken for ones ('U') or read ('N'). */
export type UnitDiagonal = 'N' | 'U';

/**
 * The dense routines of one backend. Views are column-major and all of one precision; ShapeError for any that does not
 * fit.
 */
export interface Blas {
  /** Which implementation, for people: "OpenBLAS 0.3.21 (Zen) /usr/lib/…" or "portable (WebAssembly SIMD)". */
  readonly description: string;
  /** 'openblas' is any system library through FFI; 'portable' is ours. */
  readonly kind: 'openblas' | 'portable';

  /** C ← α·op(A)·op(B) + β·C. With β = 0, C is not read. */
  gemm(transA: Transpose, transB: Transpose, alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void;
  /** y ← α·op(A)·x + β·y; x and y are contiguous columns (n × 1 views). */
  gemv(transA: Transpose, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void;
  /** C ← α·A·B + β·C (side L) or α·B·A + β·C (side R); A symmetric, only its `uplo` triangle read. */
  symm(side: Side, uplo: Triangle, alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void;
  /** y ← α·A·x + β·y; A symmetric, only its `uplo` triangle read. */
  symv(uplo: Triangle, alpha: number, a: Matrix, x: Matrix, beta: number, y: Matrix): void;
  /** C ← α·A·Aᵀ + β·C (trans N) or α·Aᵀ·A + β·C (trans T); only the `uplo` triangle of C is touched. */
  syrk(uplo: Triangle, trans: Transpose, alpha: number, a: Matrix, beta: number, c: Matrix): void;
  /** B ← α·op(A)⁻¹·B (side L) or α·B·op(A)⁻¹ (side R); A triangular. */
  trsm(side: Side, uplo: Triangle, transA: Transpose, diag: UnitDiagonal, alpha: number, a: Matrix, b: Matrix): void;
  /** B ← α·op(A)·B (side L) or α·B·op(A) (side R); A triangular. */
  trmm(side: Side, uplo: Triangle, transA: Transpose, diag: UnitDiagonal, alpha: number, a: Matrix, b: Matrix): void;

  /**
   * Cholesky factor in place of the `uplo` triangle. Returns info: 0, or the order of the minor that is not positive
   * definite.
   */
  potrf(uplo: Triangle, a: Matrix): number;
  /** QR in place: R in the upper triangle, Householder vectors below, scalars in tau (length min(m, n)). */
  geqrf(a: Matrix, tau: FloatArray): void;
  /** C ← op(Q)·C (side L) or C·op(Q) (side R), Q from geqrf or geqp3. */
  ormqr(side: Side, trans: Transpose, a: Matrix, tau: FloatArray, c: Matrix): void;
  /**
   * Column-pivoted QR in place, A·P = Q·R; on exit pivots[j] (0-based) is the column of A that stands at j. All columns
   * are free.
   */
  geqp3(a: Matrix, pivots: Int32Array, tau: FloatArray): void;
  /**
   * Thin SVD A = U·diag(s)·Vᵀ: u is m × k, vt is k × n, k = min(m, n), s descending; A is destroyed. Pass null for both
   * u and vt for values only. Returns info.
   */
  gesdd(a: Matrix, s: FloatArray, u: Matrix | null, vt: Matrix | null): number;
  /**
   * Symmetric eigenproblem: values ascending in w; with `vectors`, A is overwritten by them, else destroyed. Returns
   * info.
   */
  syevd(vectors: boolean, uplo: Triangle, a: Matrix, w: FloatArray): number;
  /** LU with partial pivoting in place; pivots are 0-based row interchanges. Returns info: k > 0 if U(k,k) = 0. */
  getrf(a: Matrix, pivots: Int32Array): number;
  /** B ← op(A)⁻¹·B from getrf's factors. */
  getrs(trans: Transpose, a: Matrix, pivots: Int32Array, b: Matrix): void;
}
