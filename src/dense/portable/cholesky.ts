/**
 * potrf on callers' matrices.
 * Up to EDGE in the arena; a larger matrix by recursion on trsm and syrk.
 */
import type { Triangle } from '../blas.js';
import { block } from '../matrix.js';
import type { Matrix } from '../matrix.js';
import { EDGE, syrk } from './gemm.js';
import { half, trsm } from './level3.js';
import { fetchTriangle, openStage, put, reserve, room } from './staging.js';

/**
 * Cholesky factor of the triangle in place, arguments checked. Returns 0 or the order of the minor that is not positive
 * definite.
 */
export function potrf(uplo: Triangle, a: Matrix): number {
  const n = a.rows;
  if (n === 0) return 0;
  if (n <= EDGE) {
    const stage = openStage(a.data);
    reserve(stage, room(a));
    const staged = put(stage, a);
    const info = stage.routines.potrf(uplo === 'U' ? 1 : 0, n, staged.at, staged.ld);
    fetchTriangle(stage, staged, uplo, a);
    return info;
  }
  const k1 = half(n);
  const a11 = block(a, 0, 0, k1, k1);
  const a22 = block(a, k1, k1, n - k1, n - k1);
  const info = potrf(uplo, a11);
  if (info !== 0) return info;
  if (uplo === 'L') {
    const a21 = block(a, k1, 0, n - k1, k1);
    trsm('R', 'L', 'T', 'N', 1, a11, a21);
    syrk('L', 'N', -1, a21, 1, a22);
  } else {
    const a12 = block(a, 0, k1, k1, n - k1);
    trsm('L', 'U', 'T', 'N', 1, a11, a12);
    syrk('U', 'T', -1, a12, 1, a22);
  }
  const below = potrf(uplo, a22);
  return below === 0 ? 0 : below + k1;
}
