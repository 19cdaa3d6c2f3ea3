/**
 * The contract of everything that multiplies. Layer 2.
 */
import type { Matrix } from '../dense/matrix.js';

/** out ← α·A·X + β·out for a block of vectors. The one method to implement; shape checks happen once, in the caller's `apply`. */
export interface LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric: boolean;
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void;
}
