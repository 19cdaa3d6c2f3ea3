/**
 * The norm of a residual from inner products of the vectors that it is made of, so that no reduction is needed for it.
 */
import type { VectorRows } from '../operator/row-share.js';
import { dotOver } from './whole-rows.js';

/** Below this share of its terms' sizes a sum of them has lost eight digits. */
export const CANCELLED = 2 ** -26;

/**
 * ‖r‖ from `squared` = ‖r‖² as a sum of terms, whose sizes add up to `size`: right to eight digits, or where the terms
 * cancel (the residual has shrunk some eight-thousandfold in one step) by one sum more over the rows of r. Collective.
 */
export function foretoldNorm(rows: VectorRows, r: Float64Array, squared: number, size: number): number {
  return Math.sqrt(squared <= CANCELLED * size ? dotOver(rows, r, r) : squared);
}
