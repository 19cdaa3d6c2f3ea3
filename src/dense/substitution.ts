/**
 * Substitution with lower triangles for many right-hand sides, mostly by products.
 * Libraries' own trsm reaches a third of the rate of gemm at the sizes of a tree's nodes. Fixed block boundaries: the
 * same bits wherever it runs.
 */
import type { Blas } from './blas.js';
import { block, view, type FloatArray, type Matrix } from './matrix.js';

/** Order of the triangles that trsm solves with, from the right. */
const RIGHT_BLOCK = 64;
/** Order of the diagonal blocks that are inverted, from the left; fewer right-hand sides than this are left to trsm. */
const LEFT_BLOCK = 32;

/** Numbers of scratch that `substituteLeft` needs. */
export const SUBSTITUTION_SCRATCH = LEFT_BLOCK * LEFT_BLOCK;

/** X ← X·op(L)⁻¹, by halves. */
export function substituteRight(blas: Blas, trans: 'N' | 'T', l: Matrix, x: Matrix): void {
  const n = l.rows;
  if (n <= RIGHT_BLOCK) {
    blas.trsm('R', 'L', trans, 'N', 1, l, x);
    return;
  }
  const half = RIGHT_BLOCK * Math.ceil(n / (2 * RIGHT_BLOCK));
  const first = block(x, 0, 0, x.rows, half);
  const second = block(x, 0, half, x.rows, n - half);
  const corner = block(l, half, 0, n - half, half);
  const [top, bottom] = [block(l, 0, 0, half, half), block(l, half, half, n - half, n - half)];
  if (trans === 'T') {
    substituteRight(blas, trans, top, first);
    blas.gemm('N', 'T', -1, first, corner, 1, second);
    substituteRight(blas, trans, bottom, second);
  } else {
    substituteRight(blas, trans, bottom, second);
    blas.gemm('N', 'N', -1, second, corner, 1, first);
    substituteRight(blas, trans, top, first);
  }
}

/** X ← L⁻¹·X: forward by blocks, whose diagonal ones are inverted. */
export function substituteLeft(blas: Blas, l: Matrix, x: Matrix, scratch: FloatArray): void {
  const n = l.rows;
  if (n <= LEFT_BLOCK || x.cols < LEFT_BLOCK) {
    blas.trsm('L', 'L', 'N', 'N', 1, l, x);
    return;
  }
  for (let i = 0; i < n; i += LEFT_BLOCK) {
    const m = Math.min(LEFT_BLOCK, n - i);
    const rows = block(x, i, 0, m, x.cols);
    if (i > 0) blas.gemm('N', 'N', -1, block(l, i, 0, m, i), block(x, 0, 0, i, x.cols), 1, rows);
    scratch.fill(0, 0, m * m);
    for (let j = 0; j < m; j++) scratch[j * (m + 1)] = 1;
    const inverse = view(scratch, 0, m, m);
    blas.trsm('L', 'L', 'N', 'N', 1, block(l, i, i, m, m), inverse);
    blas.trmm('L', 'L', 'N', 'N', 1, inverse, rows);
  }
}

/** X ← X·op(L)⁻¹ over transposed vectors; a single one takes the path of one column. */
export function substituteRows(blas: Blas, trans: 'N' | 'T', l: Matrix, x: Matrix): void {
  if (x.rows === 1) blas.trsm('L', 'L', trans === 'T' ? 'N' : 'T', 'N', 1, l, view(x.data, x.offset, x.cols, 1));
  else substituteRight(blas, trans, l, x);
}
