/**
 * The Euclidean norm of a vector.
 */
import { view, type Matrix } from './matrix.js';

/** ‖x‖₂ of a contiguous column, without overflow or underflow; NaN or Infinity if an entry is not finite. */
export function norm(x: Matrix): number {
  const end = x.offset + x.rows;
  let sum = 0;
  for (let i = x.offset; i < end; i++) sum += x.data[i] * x.data[i];
  if (sum > 1e-250 && sum < 1e250) return Math.sqrt(sum);
  let largest = 0;
  for (let i = x.offset; i < end; i++) {
    const size = Math.abs(x.data[i]);
    if (!(size <= largest)) largest = size;
    if (Number.isNaN(largest)) return Number.NaN;
  }
  if (largest === 0 || largest === Number.POSITIVE_INFINITY) return largest;
  // A power of two: the bits of a vector that needs no scaling.
  const unit = 2 ** Math.floor(Math.log2(largest));
  sum = 0;
  for (let i = x.offset; i < end; i++) sum += (x.data[i] / unit) ** 2;
  return unit * Math.sqrt(sum);
}

/** ‖a‖_F, as `norm`. */
export function frobeniusNorm(a: Matrix): number {
  const columns = Float64Array.from({ length: a.cols }, (_, j) => norm(view(a.data, a.offset + j * a.ld, a.rows, 1)));
  return norm(view(columns, 0, a.cols, 1));
}
