/**
 * Couplings split evenly between siblings before a HODLR factorization: B = G_l·G_rᵀ.
 *
 *   B·P = Q·R (column pivoting),  D = |diag R|,   G_l = Q·D^½,   G_rᵀ = D^−½·R·Pᵀ.
 *
 * An interpolation [I; T] times F⁻¹ is as large as 1/√λ_min, and F_l⁻¹·U_l·B·U_rᵀ·F_r⁻ᵀ, of norm below one, would come
 * out of a product that cancels. With the graded factors of B in the bases both sides are of the order of their
 * product: at condition 10⁹ of a smooth kernel a solve's residual falls 400-fold, to that of a dense Cholesky. Depends
 * on no shift: done once.
 */
import { floats } from '../../../core/floats.js';
import { leftChild } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { copyInto, view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { defineTask } from '../../../parallel/task.js';
import type { HierarchicalData } from '../../matrix/data.js';
import type { HodlrPlan } from './plan.js';

/** State of the phase that splits the couplings into `splits`. */
export interface CouplingSplitState {
  readonly data: HierarchicalData;
  readonly plan: HodlrPlan;
  readonly splits: FloatArray;
}

/** G of node ν. */
export function splitOf({ data: { skeletons }, plan, splits }: CouplingSplitState, ν: number): Matrix {
  return view(
    splits,
    plan.splitBegin[ν],
    skeletons.begin[ν + 1] - skeletons.begin[ν],
    plan.begin[ν + 1] - plan.begin[ν],
  );
}

class Splitter {
  readonly #state: CouplingSplitState;
  readonly #blas: Blas;
  readonly #coupling: FloatArray;
  readonly #tau: FloatArray;
  readonly #pivots: Int32Array;

  constructor(state: CouplingSplitState, blas: Blas) {
    const { precision, mostSkeletons: k } = state.plan;
    const allocate = (length: number): FloatArray => floats(length, precision);
    this.#state = state;
    this.#blas = blas;
    this.#coupling = allocate(k * k);
    this.#tau = allocate(k);
    this.#pivots = new Int32Array(k);
  }

  /** Splits the coupling of the children of inner node ν. */
  run(ν: number): void {
    const {
      data: { offsets, values },
      plan,
    } = this.#state;
    const blas = this.#blas;
    const l = leftChild(ν);
    const left = splitOf(this.#state, l);
    const right = splitOf(this.#state, l + 1);
    const k = left.cols;
    if (k === 0) return;
    const m = left.rows;
    const n = right.rows;
    const b = view(this.#coupling, 0, m, n);
    copyInto(b, view(values, offsets.coupling[plan.pairOf[l]], m, n));
    const pivots = this.#pivots.subarray(0, n);
    const tau = this.#tau.subarray(0, k);
    blas.geqp3(b, pivots, tau);
    left.data.fill(0, left.offset, left.offset + m * k);
    right.data.fill(0, right.offset, right.offset + n * k);
    for (let i = 0; i < k; i++) {
      const d = Math.abs(b.data[i * (m + 1)]);
      // Behind a zero pivot all is zero: B has this rank.
      if (d === 0) break;
      left.data[left.offset + i * (m + 1)] = Math.sqrt(d);
      const scale = 1 / Math.sqrt(d);
      for (let j = i; j < n; j++) right.data[right.offset + pivots[j] + i * n] = scale * b.data[i + j * m];
    }
    blas.ormqr('L', 'N', view(this.#coupling, 0, m, k), tau, left);
  }
}

/** Splits at inner node `task`. */
export const splitCoupling = defineTask<CouplingSplitState>(import.meta.url, 'splitCoupling', (state, context) => {
  const splitter = new Splitter(state, context.blas);
  return (task) => splitter.run(task);
});
