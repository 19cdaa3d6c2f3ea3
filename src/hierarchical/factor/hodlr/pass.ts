/**
 * Passes with the factors of a HODLR factorization (factor.ts).
 *
 *   upward, F⁻¹      leaf: x ← L⁻¹·x;   then   w = C⁻¹·(t_r − Xᵀ·t_l) − t_r,  x_r += Q_r·w,   t = Qᵀ·x
 *   downward, F⁻ᵀ    s = C⁻ᵀ·t_r,  x_r += Q_r·(s − t_r),  x_l −= Q_l·X·s;   then leaf: x ← L⁻ᵀ·x
 *   downward, F      x_r += Q_r·(Xᵀ·t_l + C·t_r − t_r);   then leaf: x ← L·x
 *
 * Vectors stand transposed (p × indices in tree order). A node's own projection, and what is added to its rows, are its
 * own task's work: so the two largest go on side by side.
 */
import { floats } from '../../../core/floats.js';
import { leftChild, parentOf } from '../../../core/indices.js';
import type { Blas } from '../../../dense/blas.js';
import { view, type FloatArray, type Matrix } from '../../../dense/matrix.js';
import { multiplyRows } from '../../../dense/row-products.js';
import { defineTask } from '../../../parallel/task.js';
import { firstLeaf } from '../../../tree/cluster-tree.js';
import { transposeRows } from '../../matrix/transposed-vectors.js';
import {
  copyNumbers,
  passBody,
  passIsolated,
  substituteRows,
  type NodePass,
  type PassArguments,
  type PassKind,
  type PassVectors,
} from '../pass.js';
import { basisRowsOf, cornerOf, leafFactorOf, type HodlrFactors } from './factor.js';
import { coupled } from './plan.js';

/** `projections`: width numbers per basis vector. */
export interface HodlrPassState extends HodlrFactors, PassVectors {
  readonly projections: FloatArray;
}

class HodlrPass implements NodePass {
  readonly #state: HodlrPassState;
  readonly #blas: Blas;
  readonly #leaf0: number;
  readonly #scratch: FloatArray;

  constructor(state: HodlrPassState, blas: Blas) {
    this.#state = state;
    this.#blas = blas;
    this.#leaf0 = firstLeaf(state.data.tree);
    const length = state.plan.mostRank * state.width;
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
    const { tree } = this.#state.data;
    if (ν >= this.#leaf0) transposeRows(this.#state.ordered, tree.begin[ν], x, tree.begin[ν], tree.end[ν]);
  }

  up(ν: number, p: number): void {
    const {
      data: { tree },
      plan,
      staging,
    } = this.#state;
    const blas = this.#blas;
    if (ν >= this.#leaf0) {
      const x = this.#rows(ν, p);
      copyNumbers(x.data, x.offset, staging, x.offset, tree.end[ν] * p);
      substituteRows(blas, 'T', leafFactorOf(this.#state, ν), x);
    } else if (coupled(plan, ν)) {
      const l = leftChild(ν);
      const { x, c } = cornerOf(this.#state, ν);
      const t = this.#projection(l + 1, p);
      const w = view(this.#scratch, 0, p, x.cols);
      copyColumns(w, t);
      multiplyRows(blas, -1, this.#projection(l, p), 'N', x, 1, w);
      substituteRows(blas, 'T', c, w);
      subtract(w, t);
      multiplyRows(blas, 1, w, 'T', basisRowsOf(this.#state, l + 1, l + 1), 1, this.#rows(l + 1, p));
    }
    if (ν > 0) this.#project(ν, p);
  }

  down(ν: number, p: number, kind: PassKind): void {
    const {
      data: { tree },
      plan,
      staging,
    } = this.#state;
    const blas = this.#blas;
    const left = (ν & 1) === 1;
    if (ν > 0 && coupled(plan, parentOf(ν)) && !(left && kind === 'factor')) {
      multiplyRows(blas, 1, this.#projection(ν, p), 'T', basisRowsOf(this.#state, ν, ν), 1, this.#rows(ν, p));
    }
    if (ν >= this.#leaf0) {
      const factor = leafFactorOf(this.#state, ν);
      const x = this.#rows(ν, p);
      if (kind !== 'factor') substituteRows(blas, 'N', factor, x);
      else if (p === 1) blas.trmm('L', 'L', 'N', 'N', 1, factor, view(x.data, x.offset, x.cols, 1));
      else blas.trmm('R', 'L', 'T', 'N', 1, factor, x);
      copyNumbers(staging, x.offset, x.data, x.offset, tree.end[ν] * p);
    } else if (coupled(plan, ν)) {
      this.#couple(ν, p, kind);
    }
  }

  /** What is added to the rows of both children, by their bases. */
  #couple(ν: number, p: number, kind: PassKind): void {
    const blas = this.#blas;
    const l = leftChild(ν);
    const { x, c } = cornerOf(this.#state, ν);
    const right = this.#projection(l + 1, p);
    const left = this.#projection(l, p);
    const s = view(this.#scratch, 0, p, x.cols);
    this.#project(l + 1, p);
    copyColumns(s, right);
    if (kind === 'factor') {
      this.#project(l, p);
      if (p === 1) blas.trmm('L', 'L', 'N', 'N', 1, c, view(s.data, s.offset, s.cols, 1));
      else blas.trmm('R', 'L', 'T', 'N', 1, c, s);
      multiplyRows(blas, 1, left, 'N', x, 1, s);
    } else {
      substituteRows(blas, 'N', c, s);
      multiplyRows(blas, -1, s, 'T', x, 0, left);
    }
    subtract(s, right);
    copyColumns(right, s);
  }

  /** t_ν = Q_νᵀ·x. */
  #project(ν: number, p: number): void {
    const q = basisRowsOf(this.#state, ν, ν);
    if (q.cols > 0) multiplyRows(this.#blas, 1, this.#rows(ν, p), 'N', q, 0, this.#projection(ν, p));
  }

  #rows(ν: number, p: number): Matrix {
    const {
      data: { tree },
      ordered,
    } = this.#state;
    return view(ordered, tree.begin[ν] * p, p, tree.end[ν] - tree.begin[ν]);
  }

  #projection(ν: number, p: number): Matrix {
    const {
      plan: { begin },
      projections,
    } = this.#state;
    return view(projections, begin[ν] * p, p, begin[ν + 1] - begin[ν]);
  }
}

function copyColumns(out: Matrix, a: Matrix): void {
  for (let i = 0, to = out.offset, from = a.offset; i < a.rows * a.cols; i++) out.data[to++] = a.data[from++];
}

function subtract(out: Matrix, a: Matrix): void {
  for (let i = 0, to = out.offset, from = a.offset; i < a.rows * a.cols; i++) out.data[to++] -= a.data[from++];
}

/** Runs task t of a pass. */
export const hodlrPassTask = defineTask<HodlrPassState, PassArguments>(
  import.meta.url,
  'hodlrPassTask',
  (state, context) => passBody(state.data, state, new HodlrPass(state, context.blas)),
);
