/**
 * A system whose operator may be of any size, in a range where squares neither vanish nor overflow. Layer 3.
 * For σ a power of two, (σA) y = b has the solution y = x/σ, and M/σ preconditions it as M does A: no bits change.
 */
import type { LinearOperator } from '../operator/linear-operator.js';
import { largestOf } from './operator-norm.js';
import { safeScale } from './solver-checks.js';

const times = (operator: LinearOperator, factor: () => number): LinearOperator => ({
  rows: operator.rows, cols: operator.cols, symmetric: operator.symmetric,
  applyUnchecked: (out, x, alpha, beta) => { operator.applyUnchecked(out, x, alpha * factor(), beta); },
});

export class RangedSystem {
  /** σA. */
  readonly operator: LinearOperator;
  /** M/σ. */
  readonly preconditioner: LinearOperator | undefined;
  #factor = 1;
  #settled = false;

  constructor(operator: LinearOperator, preconditioner: LinearOperator | undefined) {
    this.operator = times(operator, () => this.#factor);
    this.preconditioner = preconditioner && times(preconditioner, () => 1 / this.#factor);
  }

  /** σ: 1 unless the first product said otherwise. */
  get factor(): number { return this.#factor; }

  /** Sees the first product q = A p there is; whether σ has changed by it, and what was made with the old one does not count. */
  settle(p: Float64Array, q: Float64Array): boolean {
    if (this.#settled) return false;
    const [from, to] = [largestOf(p), largestOf(q)];
    if (!(from > 0 && to > 0 && Number.isFinite(from) && Number.isFinite(to))) return false;
    this.#settled = true;
    this.#factor = safeScale(to / from);
    return this.#factor !== 1;
  }
}
