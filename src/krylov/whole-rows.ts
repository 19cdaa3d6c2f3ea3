/**
 * Vectors that have all rows here: sums over them need nobody else. And what solvers find of vectors by sums over rows,
 * whoever has them.
 */
import { RandomStream } from '../core/random.js';
import type { RowKernel, VectorRows } from '../operator/row-share.js';
import { dot } from './vector.js';

/** All rows of vectors of `size` numbers. */
export class WholeRows implements VectorRows {
  readonly rows: number;
  readonly size: number;
  raised = false;

  constructor(size: number) {
    this.rows = size;
    this.size = size;
  }

  sums(_count: number, kernel: RowKernel, out: Float64Array): void {
    kernel(0, this.rows, out, 0);
  }

  eachRun(act: (begin: number, end: number) => void): void {
    act(0, this.rows);
  }

  largest(values: Float64Array): void {
    for (let k = 0; k < values.length; k++) if (Number.isNaN(values[k])) values[k] = Number.POSITIVE_INFINITY;
  }

  fillNormal(out: Float64Array, seed: number, key: number): void {
    new RandomStream(seed, key).fillNormal(out);
  }

  raise(isSo: boolean): void {
    this.raised = isSo;
  }
}

/** aᵀb over all rows. Collective. */
export function dotOver(rows: VectorRows, a: Float64Array, b: Float64Array): number {
  const out = new Float64Array(1);
  const kernel: RowKernel = (begin, end, into, at) => {
    into[at] = dot(a, b, begin, end);
  };
  rows.sums(1, kernel, out);
  return out[0];
}

/** max |a_i| over all rows; infinite where one is NaN. Collective. */
export function largestOver(rows: VectorRows, a: Float64Array): number {
  const values = Float64Array.of(largestOf(a));
  rows.largest(values);
  return values[0];
}

/** ‖a‖₂ over all rows, without overflow or underflow; infinite where an entry is not finite. Collective. */
export function normOver(rows: VectorRows, a: Float64Array): number {
  const squared = dotOver(rows, a, a);
  if (squared > 1e-250 && squared < 1e250) return Math.sqrt(squared);
  const largest = largestOver(rows, a);
  if (largest === 0 || largest === Number.POSITIVE_INFINITY) return largest;
  // A power of two: the bits of a vector that needs no scaling.
  const unit = 2 ** Math.floor(Math.log2(largest));
  const out = new Float64Array(1);
  const kernel: RowKernel = (begin, end, into, at) => {
    let sum = 0;
    for (let i = begin; i < end; i++) sum += (a[i] / unit) ** 2;
    into[at] = sum;
  };
  rows.sums(1, kernel, out);
  return unit * Math.sqrt(out[0]);
}

/** max |a_i|. */
function largestOf(a: Float64Array): number {
  let largest = 0;
  for (const value of a) {
    const size = Math.abs(value);
    if (!(size <= largest)) largest = size;
  }
  return largest;
}
