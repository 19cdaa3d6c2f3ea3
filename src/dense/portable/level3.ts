/**
 * symm, trsm and trmm on callers' matrices.
 * A symmetric or triangular A of order up to EDGE is staged whole and meets B strip by strip; a larger one is split in
 * two, and all but its two diagonal blocks is gemm (E. Elmroth, F. Gustavson, I. Jonsson, B. Kågström, SIAM Review
 * 46(1), 2004).
 */
import type { Side, Transpose, Triangle, UnitDiagonal } from '../blas.js';
import { block } from '../matrix.js';
import type { Matrix } from '../matrix.js';
import { scaleView } from '../shapes.js';
import { EDGE, gemm, share } from './gemm.js';
import { blank, fetch, openStage, put, reserve, room } from './staging.js';
import { ALL } from './wasm.js';

/** C ← α·A·B + β·C (side L) or α·B·A + β·C (side R), arguments checked. */
export function symm(side: Side, uplo: Triangle, alpha: number, a: Matrix, b: Matrix, beta: number, c: Matrix): void {
  const order = a.rows;
  if (c.rows === 0 || c.cols === 0) return;
  if (alpha === 0) {
    scaleView(c, beta);
    return;
  }
  const left = side === 'L';
  if (order > EDGE) {
    const k1 = half(order);
    const off = uplo === 'L' ? block(a, k1, 0, order - k1, k1) : block(a, 0, k1, k1, order - k1);
    const [b1, b2] = split(left, b, k1);
    const [c1, c2] = split(left, c, k1);
    symm(side, uplo, alpha, block(a, 0, 0, k1, k1), b1, beta, c1);
    symm(side, uplo, alpha, block(a, k1, k1, order - k1, order - k1), b2, beta, c2);
    // The block that is stored is A21 (L) or A12 (U); the other is its transpose.
    const lower: Transpose = uplo === 'L' ? 'N' : 'T';
    const upper: Transpose = uplo === 'L' ? 'T' : 'N';
    if (left) {
      gemm(upper, 'N', alpha, off, b2, 1, c1);
      gemm(lower, 'N', alpha, off, b1, 1, c2);
    } else {
      gemm('N', lower, alpha, b2, off, 1, c1);
      gemm('N', upper, alpha, b1, off, 1, c2);
    }
    return;
  }
  const stage = openStage(c.data);
  const others = left ? c.cols : c.rows;
  const width = share(others);
  const first = strip(left, c, 0, width);
  reserve(stage, room(a) + room(first) + room(strip(left, b, 0, width)));
  const whole = put(stage, a);
  stage.routines.mirror(uplo === 'U' ? 1 : 0, order, whole.at, whole.ld);
  const free = stage.wasm.mark();
  for (let j = 0; j < others; j += width) {
    const into = strip(left, c, j, Math.min(width, others - j));
    stage.wasm.rewind(free);
    const to = beta === 0 ? blank(stage, into.rows, into.cols) : put(stage, into);
    const from = put(stage, strip(left, b, j, Math.min(width, others - j)));
    const x = left ? whole : from;
    const y = left ? from : whole;
    stage.routines.gemm(0, 0, into.rows, into.cols, order, alpha, x.at, x.ld, y.at, y.ld, beta, to.at, to.ld, ALL);
    fetch(stage, to, into);
  }
}

/** B ← α·op(A)⁻¹·B (side L) or α·B·op(A)⁻¹ (side R), arguments checked. */
export function trsm(
  side: Side,
  uplo: Triangle,
  transA: Transpose,
  diag: UnitDiagonal,
  alpha: number,
  a: Matrix,
  b: Matrix,
): void {
  if (b.rows === 0 || b.cols === 0) return;
  if (alpha === 0) scaleView(b, 0);
  else triangular(false, side === 'L', uplo, transA, diag, alpha, a, b);
}

/** B ← α·op(A)·B (side L) or α·B·op(A) (side R), arguments checked. */
export function trmm(
  side: Side,
  uplo: Triangle,
  transA: Transpose,
  diag: UnitDiagonal,
  alpha: number,
  a: Matrix,
  b: Matrix,
): void {
  if (b.rows === 0 || b.cols === 0) return;
  if (alpha === 0) scaleView(b, 0);
  else triangular(true, side === 'L', uplo, transA, diag, alpha, a, b);
}

function triangular(
  multiply: boolean,
  left: boolean,
  uplo: Triangle,
  transA: Transpose,
  diag: UnitDiagonal,
  alpha: number,
  a: Matrix,
  b: Matrix,
): void {
  const order = a.rows;
  if (order <= EDGE) {
    staged(multiply, left, uplo, transA, diag, alpha, a, b);
    return;
  }
  const k1 = half(order);
  const a11 = block(a, 0, 0, k1, k1);
  const a22 = block(a, k1, k1, order - k1, order - k1);
  const off = uplo === 'L' ? block(a, k1, 0, order - k1, k1) : block(a, 0, k1, k1, order - k1);
  const [b1, b2] = split(left, b, k1);
  const upward = (uplo === 'U') !== (transA === 'T');
  // A product overwrites first the part that the other does not need; a solve finds first the part that needs no other.
  const firstLeads = (left !== upward) !== multiply;
  const lead = firstLeads ? b1 : b2;
  const follow = firstLeads ? b2 : b1;
  const leadA = firstLeads ? a11 : a22;
  const followA = firstLeads ? a22 : a11;
  triangular(multiply, left, uplo, transA, diag, alpha, leadA, lead);
  if (multiply) {
    // lead += α·A_off·follow, while follow is still as given.
    couple(left, transA, alpha, off, follow, 1, lead);
    triangular(true, left, uplo, transA, diag, alpha, followA, follow);
  } else {
    // follow ← α·follow − A_off·lead, then solved.
    couple(left, transA, -1, off, lead, alpha, follow);
    triangular(false, left, uplo, transA, diag, 1, followA, follow);
  }
}

/** to ← α·op(off)·from + β·to (left) or α·from·op(off) + β·to (right). */
function couple(
  left: boolean,
  trans: Transpose,
  alpha: number,
  off: Matrix,
  from: Matrix,
  beta: number,
  to: Matrix,
): void {
  if (left) gemm(trans, 'N', alpha, off, from, beta, to);
  else gemm('N', trans, alpha, from, off, beta, to);
}

function staged(
  multiply: boolean,
  left: boolean,
  uplo: Triangle,
  transA: Transpose,
  diag: UnitDiagonal,
  alpha: number,
  a: Matrix,
  b: Matrix,
): void {
  const stage = openStage(b.data);
  const others = left ? b.cols : b.rows;
  const width = share(others);
  reserve(stage, room(a) + room(strip(left, b, 0, width)));
  const triangle = put(stage, a);
  const free = stage.wasm.mark();
  for (let j = 0; j < others; j += width) {
    const part = strip(left, b, j, Math.min(width, others - j));
    stage.wasm.rewind(free);
    const to = put(stage, part);
    stage.routines.scale(part.rows, part.cols, alpha, to.at, to.ld, ALL);
    stage.routines.triangular(
      multiply ? 1 : 0,
      left ? 1 : 0,
      uplo === 'U' ? 1 : 0,
      transA === 'T' ? 1 : 0,
      diag === 'U' ? 1 : 0,
      part.rows,
      part.cols,
      triangle.at,
      triangle.ld,
      to.at,
      to.ld,
    );
    fetch(stage, to, part);
  }
}

/** A split in the middle, in whole small triangles. */
export const half = (order: number): number => ((order >> 1) + 31) & ~31;

/** The rows (left) or columns (right) of b before and from k1 on. */
function split(left: boolean, b: Matrix, k1: number): [Matrix, Matrix] {
  return left
    ? [block(b, 0, 0, k1, b.cols), block(b, k1, 0, b.rows - k1, b.cols)]
    : [block(b, 0, 0, b.rows, k1), block(b, 0, k1, b.rows, b.cols - k1)];
}

/** Columns (left) or rows (right) of b from j on. */
const strip = (left: boolean, b: Matrix, j: number, width: number): Matrix =>
  left ? block(b, 0, j, b.rows, width) : block(b, j, 0, width, b.cols);
