/**
 * gesdd on callers' matrices: thin singular value decomposition by pivoted QR and one-sided Jacobi, in float64.
 * Z. Drmač, K. Veselić, "New fast and accurate Jacobi SVD algorithm I, II", SIAM J. Matrix Anal. Appl. 29(4), 2008:
 * with A·P = Q·R, the columns of Rᵀ are rotated until they are orthogonal, Rᵀ·J = W·Σ, so that A = (Q·J)·Σ·(P·W)ᵀ.
 * Departure: J is accumulated, not solved for.
 */
import type { FloatArray, Matrix } from '../matrix.js';
import { pivotedWorkspace } from './qr.js';
import { BLOCK, openWasm, releaseOutsized } from './wasm.js';
import type { WasmInstance } from './wasm.js';
import { largestMagnitude, powerOfTwoScale } from './scaling.js';

/**
 * Thin SVD, arguments checked; A itself is left as it was. Returns 0, or 1 where it did not converge or A is not
 * finite.
 */
export function gesdd(a: Matrix, s: FloatArray, u: Matrix | null, vt: Matrix | null): number {
  const k = Math.min(a.rows, a.cols);
  if (k === 0) return 0;
  const largest = largestMagnitude(a);
  if (!Number.isFinite(largest)) {
    s.fill(Number.NaN, 0, k);
    return 1;
  }
  const info = u === null || vt === null ? decompose(a, largest, s, null, null) : decompose(a, largest, s, u, vt);
  releaseOutsized();
  return info;
}

function decompose(a: Matrix, largest: number, s: FloatArray, u: Matrix | null, vt: Matrix | null): number {
  // The tall one of A and Aᵀ, m × n.
  const wide = a.rows < a.cols;
  const m = wide ? a.cols : a.rows;
  const n = wide ? a.rows : a.cols;
  const vectors = u !== null && vt !== null;
  const wasm = openWasm();
  const work = Math.max(pivotedWorkspace(n), BLOCK * (m + BLOCK + 2 * n) + 16);
  wasm.begin(8 * (2 * m * n + 2 * n * n + work + 6 * n + 128));
  const x = wasm.take(8 * m * n);
  const tau = wasm.take(8 * n);
  const pivots = wasm.take(4 * n);
  const workspace = wasm.take(8 * work);
  const l = wasm.take(8 * n * n);
  const j = wasm.take(8 * n * n);
  const squares = wasm.take(8 * n);
  const heap = wasm.heap64;
  const scale = powerOfTwoScale(largest);
  load(a, wide, scale, heap, x / 8, m);

  wasm.double.geqp3(m, n, x, m, pivots, tau, workspace);
  heap.fill(0, l / 8, l / 8 + n * n);
  for (let col = 0; col < n; col++)
    for (let row = 0; row <= col; row++) heap[l / 8 + col + row * n] = heap[x / 8 + row + col * m];
  if (vectors) {
    heap.fill(0, j / 8, j / 8 + n * n);
    for (let i = 0; i < n; i++) heap[j / 8 + i * (n + 1)] = 1;
  }
  const info = wasm.exports.jacobi(n, n, l, n, vectors ? n : 0, j, n, squares);

  const norms = Float64Array.from({ length: n }, (_, i) => columnNorm(heap, l / 8 + i * n, n));
  const order = Array.from(norms.keys()).sort((p, q) => norms[q] - norms[p] || p - q);
  for (let i = 0; i < n; i++) s[i] = norms[order[i]] / scale;
  if (vectors) {
    const left = leftVectors(wasm, m, n, x, tau, j, order, workspace);
    const right = rightVectors(wasm, n, l, norms, order, workspace);
    const rows = wasm.heapInt.subarray(pivots / 4, pivots / 4 + n);
    // A = left·Σ·rightᵀ with the rows of `right` in pivoted order; Aᵀ the other way round.
    if (wide) {
      store(u, heap, right, n, false, rows);
      store(vt, heap, left, m, true, null);
    } else {
      store(u, heap, left, m, false, null);
      store(vt, heap, right, n, true, rows);
    }
  }
  return info;
}

/** Q·J with its columns in order: m × n numbers at the returned index of the heap. */
function leftVectors(
  wasm: WasmInstance,
  m: number,
  n: number,
  x: number,
  tau: number,
  j: number,
  order: readonly number[],
  work: number,
): number {
  const at = wasm.take(8 * m * n);
  const heap = wasm.heap64;
  const first = at / 8;
  heap.fill(0, first, first + m * n);
  for (let i = 0; i < n; i++) {
    const from = j / 8 + order[i] * n;
    heap.set(heap.subarray(from, from + n), first + i * m);
  }
  wasm.double.ormqr(1, 0, m, n, n, x, m, tau, at, m, work);
  return first;
}

/**
 * W, the columns of L over their norms, in order; where a norm is zero, W is completed to an orthogonal matrix. It
 * takes the place of J.
 */
function rightVectors(
  wasm: WasmInstance,
  n: number,
  l: number,
  norms: Float64Array,
  order: readonly number[],
  work: number,
): number {
  const heap = wasm.heap64;
  const at = wasm.take(8 * n * n);
  const first = at / 8;
  let rank = 0;
  for (let i = 0; i < n; i++) {
    const norm = norms[order[i]];
    if (norm === 0) break;
    const from = l / 8 + order[i] * n;
    for (let row = 0; row < n; row++) heap[first + i * n + row] = heap[from + row] / norm;
    rank++;
  }
  if (rank < n) {
    // The trailing columns of the orthogonal factor of W(:, 0:rank).
    const tau = wasm.take(8 * n);
    const basis = l;
    heap.set(heap.subarray(first, first + rank * n), basis / 8);
    wasm.double.geqrf(n, rank, basis, n, tau, work);
    heap.fill(0, first + rank * n, first + n * n);
    for (let i = rank; i < n; i++) heap[first + i * (n + 1)] = 1;
    wasm.double.ormqr(1, 0, n, n - rank, rank, basis, n, tau, at + 8 * rank * n, n, work);
  }
  return first;
}

/** heap(m × n at `first`) ← scale·A or scale·Aᵀ. */
function load(a: Matrix, transposed: boolean, scale: number, heap: Float64Array, first: number, m: number): void {
  const { data, offset, ld } = a;
  for (let col = 0; col < a.cols; col++) {
    const p = offset + col * ld;
    if (transposed) for (let row = 0; row < a.rows; row++) heap[first + col + row * m] = scale * data[p + row];
    else for (let row = 0; row < a.rows; row++) heap[first + row + col * m] = scale * data[p + row];
  }
}

/**
 * out ← the matrix at `first` (leading dimension ld) or its transpose; row r of that matrix is row rows[r] of what it
 * stands for.
 */
function store(
  out: Matrix,
  heap: Float64Array,
  first: number,
  ld: number,
  transposed: boolean,
  rows: Int32Array | null,
): void {
  const height = transposed ? out.cols : out.rows;
  const width = transposed ? out.rows : out.cols;
  for (let col = 0; col < width; col++) {
    for (let row = 0; row < height; row++) {
      const to = rows === null ? row : rows[row];
      out.data[out.offset + (transposed ? col + to * out.ld : to + col * out.ld)] = heap[first + row + col * ld];
    }
  }
}

function columnNorm(heap: Float64Array, first: number, n: number): number {
  let largest = 0;
  for (let i = first; i < first + n; i++) largest = Math.max(largest, Math.abs(heap[i]));
  // Squares below would be lost; the matrix is scaled, so that such a column is zero to any accuracy that matters.
  if (largest < 1e-140) return 0;
  let sum = 0;
  for (let i = first; i < first + n; i++) sum += (heap[i] / largest) ** 2;
  return largest * Math.sqrt(sum);
}
