/**
 * Elementwise arithmetic on blocks of vectors, for the operators.
 * Plain loops over typed arrays: each is bound by memory. Shapes are taken on trust; the precisions of the operands may
 * differ.
 */
import { copyInto, fill, type Matrix } from '../dense/matrix.js';

/** out ← out + α·x. */
export function addScaled(out: Matrix, alpha: number, x: Matrix): void {
  const { rows, cols } = out;
  const y = out.data;
  const z = x.data;
  for (let j = 0; j < cols; j++) {
    let p = x.offset + j * x.ld;
    const q = out.offset + j * out.ld;
    for (let i = q; i < q + rows; i++) y[i] += alpha * z[p++];
  }
}

/** out ← β·out; with β = 0, out is not read. */
export function scale(out: Matrix, beta: number): void {
  if (beta === 1) return;
  if (beta === 0) {
    fill(out, 0);
    return;
  }
  const { rows, cols } = out;
  const y = out.data;
  for (let j = 0; j < cols; j++) {
    const q = out.offset + j * out.ld;
    for (let i = q; i < q + rows; i++) y[i] *= beta;
  }
}

/** out ← α·x + β·out; with β = 0, out is not read. */
export function combine(out: Matrix, alpha: number, x: Matrix, beta: number): void {
  if (beta === 0 && alpha === 1) {
    copyInto(out, x);
    return;
  }
  scale(out, beta);
  addScaled(out, alpha, x);
}

/** out ← α·diag(d)·x + β·out; with β = 0, out is not read. */
export function combineRows(out: Matrix, alpha: number, d: ArrayLike<number>, x: Matrix, beta: number): void {
  scale(out, beta);
  const { rows, cols } = out;
  const y = out.data;
  const z = x.data;
  for (let j = 0; j < cols; j++) {
    const p = x.offset + j * x.ld;
    const q = out.offset + j * out.ld;
    for (let i = 0; i < rows; i++) y[q + i] += alpha * d[i] * z[p + i];
  }
}
