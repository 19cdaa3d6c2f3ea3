/**
 * Products of blocks of row vectors.
 */
import type { Blas } from './blas.js';
import { view, type Matrix } from './matrix.js';

/** C ← α·A·op(B) + β·C over transposed vectors; one vector takes the matrix–vector path. */
export function multiplyRows(
  blas: Blas,
  alpha: number,
  a: Matrix,
  transB: 'N' | 'T',
  b: Matrix,
  beta: number,
  c: Matrix,
): void {
  if (a.rows === 1)
    blas.gemv(
      transB === 'T' ? 'N' : 'T',
      alpha,
      b,
      view(a.data, a.offset, a.cols, 1),
      beta,
      view(c.data, c.offset, c.cols, 1),
    );
  else blas.gemm('N', transB, alpha, a, b, beta, c);
}
