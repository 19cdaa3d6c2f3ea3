/**
 * Scaling of matrices whose entries would overflow or vanish when squared.
 */
import type { Triangle } from '../blas.js';
import type { Matrix } from '../matrix.js';

/** max |a_ij|, over everything or one triangle; NaN or ∞ where an entry is. */
export function largestMagnitude(a: Matrix, uplo: Triangle | null = null): number {
  let largest = 0;
  for (let j = 0; j < a.cols; j++) {
    const p = a.offset + j * a.ld;
    const first = uplo === 'L' ? j : 0;
    const last = uplo === 'U' ? j + 1 : a.rows;
    for (let i = p + first; i < p + last; i++) {
      const value = Math.abs(a.data[i]);
      // Not `value > largest`: that would pass over NaN.
      if (!(value <= largest)) largest = value;
      if (value !== value) return Number.NaN;
    }
  }
  return largest;
}

/** 1 where squares of numbers of that size are safe, else the power of two that brings it near 1: exact either way. */
export function powerOfTwoScale(largest: number): number {
  if (largest === 0 || (largest > 1e-100 && largest < 1e100)) return 1;
  return 2 ** Math.min(1000, -Math.round(Math.log2(largest)));
}
