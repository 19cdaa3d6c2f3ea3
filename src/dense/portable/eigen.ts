/**
 * syevd on callers' matrices: symmetric eigenproblem by Householder tridiagonalization and implicit QL, in float64.
 * |λ̃ − λ| and ‖A·v − λ·v‖ are of the order n·eps·‖A‖₂ (B. Parlett, "The Symmetric Eigenvalue Problem", SIAM 1998, ch.
 * 8).
 */
import type { Triangle } from '../blas.js';
import type { FloatArray, Matrix } from '../matrix.js';
import { largestMagnitude, powerOfTwoScale } from './scaling.js';
import { BLOCK, openWasm, releaseOutsized } from './wasm.js';

/**
 * Values ascending in w, vectors in A, arguments checked. Returns 0, or a positive number where QL did not converge or
 * A is not finite.
 */
export function syevd(vectors: boolean, uplo: Triangle, a: Matrix, w: FloatArray): number {
  const n = a.rows;
  if (n === 0) return 0;
  const largest = largestMagnitude(a, uplo);
  if (!Number.isFinite(largest)) {
    w.fill(Number.NaN, 0, n);
    return 1;
  }
  const wasm = openWasm();
  const work = Math.max(2 * n, BLOCK * (3 * n + BLOCK) + 16);
  wasm.begin(8 * ((vectors ? 2 : 1) * n * n + work + 3 * n + 64));
  const x = wasm.take(8 * n * n);
  const d = wasm.take(8 * n);
  const e = wasm.take(8 * n);
  const tau = wasm.take(8 * n);
  const workspace = wasm.take(8 * work);
  const z = vectors ? wasm.take(8 * n * n) : 0;
  const heap = wasm.heap64;
  const scale = powerOfTwoScale(largest);
  loadLower(a, uplo, scale, heap, x / 8);
  wasm.exports.tridiagonalize(n, x, n, d, e, tau, workspace);
  if (vectors) {
    const first = z / 8;
    heap.fill(0, first, first + n * n);
    for (let i = 0; i < n; i++) heap[first + i * (n + 1)] = 1;
    // The reflectors start below the diagonal: Q = diag(1, Q').
    if (n > 1) wasm.double.ormqr(1, 0, n - 1, n - 1, n - 1, x + 8, n, tau, z + 8 * (n + 1), n, workspace);
  }
  const info = wasm.exports.implicitQL(n, d, e, vectors ? n : 0, z, n, workspace);
  const values = heap.slice(d / 8, d / 8 + n);
  const order = Array.from(values.keys()).sort((p, q) => values[p] - values[q] || p - q);
  for (let i = 0; i < n; i++) w[i] = values[order[i]] / scale;
  if (vectors) {
    for (let i = 0; i < n; i++) {
      const from = z / 8 + order[i] * n;
      a.data.set(heap.subarray(from, from + n), a.offset + i * a.ld);
    }
  }
  releaseOutsized();
  return info;
}

/** heap(n × n at `first`) ← scale·A, lower triangle, from either. */
function loadLower(a: Matrix, uplo: Triangle, scale: number, heap: Float64Array, first: number): void {
  const n = a.rows;
  const { data, offset, ld } = a;
  for (let j = 0; j < n; j++) {
    const p = offset + j * ld;
    if (uplo === 'L') for (let i = j; i < n; i++) heap[first + i + j * n] = scale * data[p + i];
    else for (let i = 0; i <= j; i++) heap[first + j + i * n] = scale * data[p + i];
  }
}
