/**
 * getrf and getrs on callers' matrices.
 * Matrices and panels that fit the arena's usual size are factored there; larger ones by recursion on their columns (S.
 * Toledo, "Locality of reference in LU decomposition with partial pivoting", SIAM J. Matrix Anal. Appl. 18(4), 1997).
 */
import type { Transpose } from '../blas.js';
import { block } from '../matrix.js';
import type { Matrix } from '../matrix.js';
import { EDGE, gemm } from './gemm.js';
import { trsm } from './level3.js';
import { fetch, openStage, put, reserve, room } from './staging.js';
import { releaseOutsized } from './wasm.js';

/** Columns below which a panel is factored in the arena, however long it is. */
const PANEL = 64;

/** A = P·L·U in place, pivots 0-based row interchanges, arguments checked. Returns 0 or k where U(k, k) = 0. */
export function getrf(a: Matrix, pivots: Int32Array): number {
  const info = factor(a, pivots, 0);
  releaseOutsized();
  return info;
}

function factor(a: Matrix, pivots: Int32Array, first: number): number {
  const m = a.rows;
  const n = a.cols;
  const steps = Math.min(m, n);
  if (steps === 0) return 0;
  if (n <= PANEL || m * n <= EDGE * EDGE) return resident(a, pivots, first);
  const n1 = steps >> 1;
  const n2 = n - n1;
  const left = block(a, 0, 0, m, n1);
  const a12 = block(a, 0, n1, n1, n2);
  const a22 = block(a, n1, n1, m - n1, n2);
  const info = factor(left, pivots, first);
  interchange(block(a, 0, n1, m, n2), pivots, first, n1, false);
  trsm('L', 'L', 'N', 'U', 1, block(a, 0, 0, n1, n1), a12);
  gemm('N', 'N', -1, block(a, n1, 0, m - n1, n1), a12, 1, a22);
  const below = factor(a22, pivots, first + n1);
  interchange(block(a, n1, 0, m - n1, n1), pivots, first + n1, steps - n1, false);
  for (let i = first + n1; i < first + steps; i++) pivots[i] += n1;
  return info > 0 || below === 0 ? info : below + n1;
}

function resident(a: Matrix, pivots: Int32Array, first: number): number {
  const steps = Math.min(a.rows, a.cols);
  const stage = openStage(a.data);
  const { wasm } = stage;
  reserve(stage, room(a) + steps + 32);
  const staged = put(stage, a);
  const at = wasm.take(4 * steps);
  const info = stage.routines.getrf(a.rows, a.cols, staged.at, staged.ld, at);
  fetch(stage, staged, a);
  pivots.set(wasm.heapInt.subarray(at / 4, at / 4 + steps), first);
  return info;
}

/** Interchanges row i with row pivots[first + i], i = 0 … count − 1, or backwards. */
function interchange(a: Matrix, pivots: Int32Array, first: number, count: number, backwards: boolean): void {
  const { data, ld } = a;
  for (let j = 0; j < a.cols; j++) {
    const column = a.offset + j * ld;
    for (let s = 0; s < count; s++) {
      const i = backwards ? count - 1 - s : s;
      const p = pivots[first + i];
      if (p !== i) {
        const t = data[column + i];
        data[column + i] = data[column + p];
        data[column + p] = t;
      }
    }
  }
}

/** B ← op(A)⁻¹·B from getrf's factors, arguments checked. */
export function getrs(trans: Transpose, a: Matrix, pivots: Int32Array, b: Matrix): void {
  const n = a.rows;
  if (trans === 'N') {
    interchange(b, pivots, 0, n, false);
    trsm('L', 'L', 'N', 'U', 1, a, b);
    trsm('L', 'U', 'N', 'N', 1, a, b);
  } else {
    trsm('L', 'U', 'T', 'N', 1, a, b);
    trsm('L', 'L', 'T', 'U', 1, a, b);
    interchange(b, pivots, 0, n, true);
  }
}
