/**
 * How often outputs tell the class of their targets.
 */
import type { Matrix } from '../../dense/matrix.js';
import type { Loss } from './loss.js';

/**
 * How many columns of the outputs f tell the class of those of the targets y. 'largest': the largest output stands
 * where the largest target stands, the first of equal ones; 'sign': f_k > 0 exactly where y_k > ½, for every k; null:
 * none. NaN where targets are no classes: one of 'sign' between ¼ and ¾, which is neither.
 */
export function countRight(decision: Loss['decision'], f: Matrix, y: Matrix): number {
  if (decision === null) return 0;
  if (decision === 'sign' && hasUndecided(y)) return Number.NaN;
  let right = 0;
  for (let j = 0; j < f.cols; j++)
    if (decision === 'largest' ? largestOf(f, j) === largestOf(y, j) : sameSigns(f, y, j)) right++;
  return right;
}

/** The row of the largest entry of column j, the first of equal ones. */
function largestOf({ data, offset, rows, ld }: Matrix, j: number): number {
  const at = offset + j * ld;
  let largest = 0;
  for (let k = 1; k < rows; k++) if (data[at + k] > data[at + largest]) largest = k;
  return largest;
}

/** Whether a target is neither near 0 nor near 1. */
function hasUndecided({ data, offset, rows, cols, ld }: Matrix): boolean {
  for (let j = 0; j < cols; j++)
    for (let i = offset + j * ld; i < offset + j * ld + rows; i++) if (data[i] > 0.25 && data[i] < 0.75) return true;
  return false;
}

/** Whether f > 0 exactly where y > ½, for every output of column j. */
function sameSigns(f: Matrix, y: Matrix, j: number): boolean {
  for (let k = 0; k < f.rows; k++)
    if (f.data[f.offset + j * f.ld + k] > 0 !== y.data[y.offset + j * y.ld + k] > 0.5) return false;
  return true;
}
