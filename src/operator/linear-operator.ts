/**
 * The contract of everything that multiplies.
 */
import type { Matrix } from '../dense/matrix.js';

/**
 * out ← α·A·X + β·out for a block of vectors. The one method to implement; shape checks happen once, in the caller's
 * `apply` (apply.ts). out and x never overlap in memory; with β = 0, out is not read. An operator may keep workspaces
 * between products: it belongs to one thread, and its products do not run inside each other.
 */
export interface LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric: boolean;
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void;
}
