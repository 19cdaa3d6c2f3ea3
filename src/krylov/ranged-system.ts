/**
 * A system whose operator may be of any size, in a range where squares neither vanish nor overflow.
 * For σ a power of two, (σA) y = b has the solution y = x/σ; a preconditioner may be of any size anyway, and is μM. No
 * bits change.
 */
import type { LinearOperator } from '../operator/linear-operator.js';
import type { VectorRows } from '../operator/row-share.js';
import { safeScale } from './solver-checks.js';
import { scaleBy } from './vector.js';
import { largestOver, WholeRows } from './whole-rows.js';

const times = (operator: LinearOperator, factor: () => number): LinearOperator => ({
  rows: operator.rows,
  cols: operator.cols,
  symmetric: operator.symmetric,
  applyUnchecked: (out, x, alpha, beta) => {
    operator.applyUnchecked(out, x, alpha * factor(), beta);
  },
});

/** The scale that a first product to = A·from calls for; undefined where it tells nothing. */
function scaleOf(rows: VectorRows, from: Float64Array, to: Float64Array): number | undefined {
  const ratio = largestOver(rows, to) / largestOver(rows, from);
  return ratio > 0 && Number.isFinite(ratio) ? safeScale(ratio) : undefined;
}

/** σA and μM with powers of two σ and μ, which the first products decide. */
export class RangedSystem {
  /** σA. */
  readonly operator: LinearOperator;
  /** μM. */
  readonly preconditioner: LinearOperator | undefined;
  /** The rows that vectors have here. */
  readonly rows: VectorRows;
  #sigma: number | undefined;
  #mu: number | undefined;

  /** Both over the same rows, all of them unless `rows` says otherwise. */
  constructor(
    operator: LinearOperator,
    preconditioner: LinearOperator | undefined,
    rows: VectorRows = new WholeRows(operator.rows),
  ) {
    this.rows = rows;
    this.operator = times(operator, () => this.factor);
    this.preconditioner = preconditioner && times(preconditioner, () => this.#mu ?? 1);
  }

  /** σ: 1 unless the first product said otherwise. */
  get factor(): number {
    return this.#sigma ?? 1;
  }

  /** rᵀMr/rᵀr, from that of μM. */
  curvatureOf(scaled: number): number {
    return scaled / (this.#mu ?? 1);
  }

  /**
   * Sees the first product q = A p there is; whether σ has changed by it, and what was made with the old one does not
   * count.
   */
  settle(p: Float64Array, q: Float64Array): boolean {
    if (this.#sigma !== undefined) return false;
    this.#sigma = scaleOf(this.rows, p, q);
    return this.factor !== 1;
  }

  /** Sees the first z = M r there is, and scales it where μ is not 1. */
  settlePreconditioner(r: Float64Array, z: Float64Array): void {
    if (this.#mu !== undefined) return;
    this.#mu = scaleOf(this.rows, r, z);
    if (this.#mu !== undefined && this.#mu !== 1) scaleBy(z, this.#mu);
  }
}
