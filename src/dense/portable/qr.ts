/**
 * geqrf, ormqr and geqp3 on callers' matrices.
 * The pivoted QR reads its whole trailing matrix at every column, so it works on a copy in the arena, of whatever size.
 * The plain one and the products with Q are staged in panels of reflectors against strips of the other matrix, which
 * bounds the memory.
 */
import type { Side, Transpose } from '../blas.js';
import { block } from '../matrix.js';
import type { FloatArray, Matrix } from '../matrix.js';
import { EDGE } from './gemm.js';
import { fetch, openStage, put, reserve, room } from './staging.js';
import type { Stage } from './staging.js';
import { BLOCK, releaseOutsized } from './wasm.js';

/** Reflectors staged at a time, of a matrix that is too large to be staged whole. */
const PANEL = 128;

/** Numbers of workspace for blocks of reflectors of length `order` against `others` columns or rows. */
const workspace = (order: number, others: number): number => BLOCK * (order + BLOCK + 2 * others) + 16;

/** QR in place, arguments checked. */
export function geqrf(a: Matrix, tau: FloatArray): void {
  const m = a.rows;
  const n = a.cols;
  const steps = Math.min(m, n);
  if (steps === 0) return;
  if (m * n <= 2 * EDGE * EDGE) {
    factor(a, tau, 0);
  } else {
    for (let j = 0; j < steps; j += PANEL) {
      const cols = Math.min(PANEL, steps - j);
      const panel = block(a, j, j, m - j, cols);
      factor(panel, tau, j);
      if (j + cols < n) applyReflectors('L', 'T', panel, tau, j, cols, block(a, j, j + cols, m - j, n - j - cols));
    }
    releaseOutsized();
  }
}

/** QR of a matrix in the arena; its scalars go to tau from `first` on. */
function factor(a: Matrix, tau: FloatArray, first: number): void {
  const { rows: m, cols: n } = a;
  const steps = Math.min(m, n);
  const stage = openStage(a.data);
  const { wasm, width } = stage;
  reserve(stage, room(a) + steps + workspace(m, n) + 32);
  const staged = put(stage, a);
  const scalars = wasm.take(steps * width);
  stage.routines.geqrf(m, n, staged.at, staged.ld, scalars, wasm.take(workspace(m, n) * width));
  fetch(stage, staged, a);
  takeScalars(stage, scalars, tau, first, steps);
}

/** C ← op(Q)·C (side L) or C·op(Q) (side R), arguments checked. */
export function ormqr(side: Side, trans: Transpose, a: Matrix, tau: FloatArray, c: Matrix): void {
  const order = a.rows;
  const count = Math.min(order, a.cols);
  if (count === 0 || c.rows === 0 || c.cols === 0) return;
  const panel = order * count <= 2 * EDGE * EDGE ? count : PANEL;
  const panels = Math.ceil(count / panel);
  // Qᵀ·C and C·Q start with the first reflectors, Q·C and C·Qᵀ with the last.
  const forward = (side === 'L') === (trans === 'T');
  for (let s = 0; s < panels; s++) {
    const j = (forward ? s : panels - 1 - s) * panel;
    const cols = Math.min(panel, count - j);
    const part = side === 'L' ? block(c, j, 0, order - j, c.cols) : block(c, 0, j, c.rows, order - j);
    applyReflectors(side, trans, block(a, j, j, order - j, cols), tau, j, cols, part);
  }
  releaseOutsized();
}

/** The product with the `count` reflectors in the columns of v, whose scalars are tau[first …], strip by strip of C. */
function applyReflectors(
  side: Side,
  trans: Transpose,
  v: Matrix,
  tau: FloatArray,
  first: number,
  count: number,
  c: Matrix,
): void {
  const left = side === 'L';
  const order = v.rows;
  const others = left ? c.cols : c.rows;
  const width = Math.min(others, Math.max(64, Math.floor((2 * EDGE * EDGE) / order) & ~7));
  const widest = left ? block(c, 0, 0, order, width) : block(c, 0, 0, width, order);
  const stage = openStage(c.data);
  const { wasm } = stage;
  reserve(stage, room(v) + count + room(widest) + workspace(order, width) + 64);
  const reflectors = put(stage, v);
  const scalars = wasm.take(count * stage.width);
  heapOf(stage).set(tau.subarray(first, first + count), scalars / stage.width);
  const work = wasm.take(workspace(order, width) * stage.width);
  const free = wasm.mark();
  for (let j = 0; j < others; j += width) {
    const here = Math.min(width, others - j);
    const part = left ? block(c, 0, j, order, here) : block(c, j, 0, here, order);
    wasm.rewind(free);
    const staged = put(stage, part);
    stage.routines.ormqr(
      left ? 1 : 0,
      trans === 'T' ? 1 : 0,
      part.rows,
      part.cols,
      count,
      reflectors.at,
      reflectors.ld,
      scalars,
      staged.at,
      staged.ld,
      work,
    );
    fetch(stage, staged, part);
  }
}

/** Column-pivoted QR in place, arguments checked. */
export function geqp3(a: Matrix, pivots: Int32Array, tau: FloatArray): void {
  const m = a.rows;
  const n = a.cols;
  const steps = Math.min(m, n);
  if (steps === 0) {
    for (let j = 0; j < n; j++) pivots[j] = j;
    return;
  }
  const stage = openStage(a.data);
  const { wasm, width } = stage;
  const work = pivotedWorkspace(n);
  reserve(stage, room(a) + n + steps + work + 64);
  const staged = put(stage, a);
  const order = wasm.take(4 * n);
  const scalars = wasm.take(steps * width);
  stage.routines.geqp3(m, n, staged.at, staged.ld, order, scalars, wasm.take(work * width));
  fetch(stage, staged, a);
  pivots.set(wasm.heapInt.subarray(order / 4, order / 4 + n));
  takeScalars(stage, scalars, tau, 0, steps);
  releaseOutsized();
}

/** Numbers of workspace of a pivoted QR of n columns: F, a row, and two float64 norms a column. */
export const pivotedWorkspace = (n: number): number => n * (BLOCK + 5) + BLOCK + 16;

const heapOf = (stage: Stage): FloatArray => (stage.width === 8 ? stage.wasm.heap64 : stage.wasm.heap32);

function takeScalars(stage: Stage, at: number, tau: FloatArray, first: number, count: number): void {
  const from = at / stage.width;
  tau.set(heapOf(stage).subarray(from, from + count), first);
}
