/**
 * Passes with the factors of a ULV factorization (eliminate.ts).
 *
 *   upward, F⁻¹      z_R = L⁻¹·(b_R − Tᵀ·b_S),  b_S ← b_S − Vᵀ·z_R           the parent goes on with b_S
 *   downward, F⁻ᵀ    x_R = L⁻ᵀ·(z_R − V·x_S),   x_S ← x_S − T·x_R            x_S from the parent
 *   downward, F      b_S = y_S + Vᵀ·z_R,        b_R = L·z_R + Tᵀ·b_S         y_S from the parent
 *
 * Vectors stand transposed (p × variables). Indefinite: L⁻ᵀ is stored for L and z_R changes sign between the passes
 * where its pivot is negative.
 */
import { floats } from '../../../core/floats.js';
import { leftChild } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { multiplyRows } from '../../../dense/row-products.js';
import { substituteRows } from '../../../dense/substitution.js';
import { defineTask } from '../../../parallel/task.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import { transposeRows } from '../../matrix/transposed-vectors.js';
import {
  copyNumbers,
  passBody,
  passIsolated,
  type NodePass,
  type PassArguments,
  type PassKind,
  type PassVectors,
  type RankPassArguments,
} from '../pass.js';
import { rankPassBody } from '../rank-solve.js';
import type { UlvFactors } from './factors.js';

/** `ordered` holds the eliminated variables; `skeletons` width numbers per skeleton. */
export interface UlvPassState extends UlvFactors, PassVectors {
  readonly skeletons: FloatArray;
}

/** A pass at each node, on one thread. */
export class UlvPass implements NodePass {
  readonly #state: UlvPassState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #scratch: FloatArray;

  constructor(state: UlvPassState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    const length = state.signs.length > 0 ? state.plan.mostEliminated * state.width : 0;
    this.#scratch = floats(length, state.plan.precision);
  }

  isolated(p: number, kind: PassKind): void {
    const {
      data: { tree },
      shift,
    } = this.#state;
    passIsolated(tree, shift[0], this.#state, p, kind);
  }

  take(ν: number, x: Matrix): void {
    const { plan, ordered } = this.#state;
    const count = plan.begin[ν + 1] - plan.begin[ν];
    transposeRows(ordered, plan.begin[ν], x, plan.variables[ν], plan.variables[ν] + count);
  }

  up(ν: number, p: number): void {
    const {
      data: { tree, skeletons },
      plan,
      staging,
      ordered,
      skeletons: values,
      basis,
      basisBegin,
      factors,
      signs,
    } = this.#state;
    const blas = this.#blas;
    const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
    const r = plan.begin[ν + 1] - plan.begin[ν];
    const bs = view(values, skeletons.begin[ν] * p, p, k);
    const br = view(ordered, plan.begin[ν] * p, p, r);
    if (ν >= this.#leaf0) {
      const middle = (tree.begin[ν] + k) * p;
      copyNumbers(values, bs.offset, staging, tree.begin[ν] * p, middle);
      copyNumbers(ordered, br.offset, staging, middle, tree.end[ν] * p);
    } else {
      this.#collect(ν, p);
    }
    if (r === 0) return;
    if (k > 0) multiplyRows(blas, -1, bs, 'T', view(basis, basisBegin[ν], r, k), 1, br);
    const l = view(factors, plan.factorBegin[ν], r, r);
    if (signs.length > 0) this.#dense(br, 'N', l);
    else substituteRows(blas, 'T', l, br);
    if (k > 0) multiplyRows(blas, -1, br, 'N', view(factors, plan.factorBegin[ν] + r * r, r, k), 1, bs);
    if (signs.length > 0) {
      for (let j = 0; j < r; j++) {
        if (signs[plan.begin[ν] + j] >= 0) continue;
        const column = (plan.begin[ν] + j) * p;
        for (let q = column; q < column + p; q++) ordered[q] = -ordered[q];
      }
    }
  }

  down(ν: number, p: number, kind: PassKind): void {
    const {
      data: { tree, skeletons },
      plan,
      staging,
      ordered,
      skeletons: values,
      basis,
      basisBegin,
      factors,
      signs,
    } = this.#state;
    const blas = this.#blas;
    const k = skeletons.begin[ν + 1] - skeletons.begin[ν];
    const r = plan.begin[ν + 1] - plan.begin[ν];
    if (r > 0) {
      const xs = view(values, skeletons.begin[ν] * p, p, k);
      const xr = view(ordered, plan.begin[ν] * p, p, r);
      const l = view(factors, plan.factorBegin[ν], r, r);
      const v = view(factors, plan.factorBegin[ν] + r * r, r, k);
      const t = view(basis, basisBegin[ν], r, k);
      if (kind === 'factor') {
        if (k > 0) multiplyRows(blas, 1, xr, 'N', v, 1, xs);
        if (p === 1) blas.trmm('L', 'L', 'N', 'N', 1, l, view(ordered, xr.offset, r, 1));
        else blas.trmm('R', 'L', 'T', 'N', 1, l, xr);
        if (k > 0) multiplyRows(blas, 1, xs, 'T', t, 1, xr);
      } else {
        if (k > 0) multiplyRows(blas, -1, xs, 'T', v, 1, xr);
        if (signs.length > 0) this.#dense(xr, 'T', l);
        else substituteRows(blas, 'N', l, xr);
        if (k > 0) multiplyRows(blas, -1, xr, 'N', t, 1, xs);
      }
    }
    if (ν >= this.#leaf0) {
      const first = tree.begin[ν] * p;
      copyNumbers(staging, first, values, skeletons.begin[ν] * p, (skeletons.begin[ν] + k) * p);
      copyNumbers(staging, first + k * p, ordered, plan.begin[ν] * p, plan.begin[ν + 1] * p);
    } else {
      this.#distribute(ν, p);
    }
  }

  /** X ← X·op(A), A square. */
  #dense(x: Matrix, trans: 'N' | 'T', a: Matrix): void {
    const out = view(this.#scratch, 0, x.rows, x.cols);
    multiplyRows(this.#blas, 1, x, trans, a, 0, out);
    x.data.set(this.#scratch.subarray(0, x.rows * x.cols), x.offset);
  }

  /** A node's values from its children's skeletons: those it picked, and the redundant ones. */
  #collect(ν: number, p: number): void {
    const {
      data: {
        skeletons: { begin, gather, picked },
      },
      plan,
      ordered,
      skeletons: values,
    } = this.#state;
    const l = leftChild(ν);
    const r = l + 1;
    for (let j = begin[ν], to = begin[ν] * p; j < begin[ν + 1]; j++) {
      const from = (begin[l] + gather[j]) * p;
      for (let q = from; q < from + p; q++) values[to++] = values[q];
    }
    const left = values.subarray((begin[l] + picked[l]) * p, begin[l + 1] * p);
    ordered.set(left as never, plan.begin[ν] * p);
    ordered.set(
      values.subarray((begin[r] + picked[r]) * p, begin[r + 1] * p) as never,
      plan.begin[ν] * p + left.length,
    );
  }

  #distribute(ν: number, p: number): void {
    const {
      data: {
        skeletons: { begin, gather, picked },
      },
      plan,
      ordered,
      skeletons: values,
    } = this.#state;
    const l = leftChild(ν);
    const r = l + 1;
    for (let j = begin[ν], from = begin[ν] * p; j < begin[ν + 1]; j++) {
      const to = (begin[l] + gather[j]) * p;
      for (let q = to; q < to + p; q++) values[q] = values[from++];
    }
    const middle = (plan.begin[ν] + begin[l + 1] - begin[l] - picked[l]) * p;
    values.set(ordered.subarray(plan.begin[ν] * p, middle) as never, (begin[l] + picked[l]) * p);
    values.set(ordered.subarray(middle, plan.begin[ν + 1] * p) as never, (begin[r] + picked[r]) * p);
  }
}

/** Runs task t of a pass. */
export const ulvPassTask = defineTask<UlvPassState, PassArguments>(import.meta.url, 'ulvPassTask', (state, context) =>
  passBody(state.data, state, new UlvPass(state, context.blas)),
);

/** Runs a task of a pass that several ranks make. */
export const ulvRankTask = defineTask<UlvPassState, RankPassArguments>(
  import.meta.url,
  'ulvRankTask',
  (state, context) => rankPassBody(state.data, state, new UlvPass(state, context.blas)),
);
