/**
 * The contract of everything that multiplies.
 */
import type { Matrix, Precision } from '../dense/matrix.js';
import type { RowShare } from './row-share.js';

/**
 * out ← α·A·X + β·out for a block of vectors. The one method to implement; shape checks happen once, in the caller's
 * `apply` (apply.ts). out and x never overlap in memory; with β = 0, out is not read. An operator may keep workspaces
 * between products: it belongs to one thread, and its products do not run inside each other.
 * The optional members say what an operator can besides; methods ask for them, and never which class it is of. Sums,
 * products and the like have those that all of their parts have (abilities.ts).
 */
export interface LinearOperator {
  readonly rows: number;
  readonly cols: number;
  readonly symmetric: boolean;
  applyUnchecked(out: Matrix, x: Matrix, alpha: number, beta: number): void;
  /** Flops of A·X for so many vectors, additions and multiplications counted alike; absent where nobody knows. */
  readonly flops?: ((vectors: number) => number) | undefined;
  /** out[i] ← A(i, i) of a square operator, i = 0 … rows − 1. */
  readonly diagonal?: ((out: Float64Array) => void) | undefined;
  /** The precision that products are computed in, whatever that of the vectors. Default 'f64'. */
  readonly precision?: Precision | undefined;
  /**
   * Whether a product's column has the same bits whatever vectors are multiplied beside it, and is made without other
   * ranks: then ranks may share the vectors of a block. Default: not known.
   */
  readonly columnwise?: boolean | undefined;
  /**
   * The same operator over own rows: where several ranks share it each takes and gives its rows of vectors alone, and
   * products are collective; of one process these are all rows, in another order. Given `rows`, over those, and
   * undefined where it has no such form.
   */
  readonly onRows?: ((rows?: RowShare) => OwnRowsOperator | undefined) | undefined;
  /** Of an operator over own rows: which these are. Such vectors go with methods that sum over all ranks alone. */
  readonly rowShare?: RowShare | undefined;
}

/** An operator over the rows that a rank has of vectors: rows and cols are their number. */
export interface OwnRowsOperator extends LinearOperator {
  readonly rowShare: RowShare;
}
