/**
 * Conjugate gradients with a preconditioner that may change from step to step, or be slightly unsymmetric: an inner
 * iteration, a rounded or truncated solver. Y. Notay, *Flexible conjugate gradients*, SIAM J. Sci. Comput. 22(4), 2000:
 * each new direction is made A-orthogonal to the last m explicitly,
 *
 *   p = z − Σ_i p_i (q_iᵀz)/(p_iᵀq_i),   q = A p,   α = pᵀr/pᵀq,   z = M_k(r)
 *
 * with a window that slides (Notay's FCG(m) restarts it instead). m = 1 is the method of Polak and Ribière.
 *
 * Sums are made twice a step: rᵀr, rᵀz and q_iᵀz once z is known, and pᵀq, pᵀp, pᵀr, rᵀq and qᵀq once q is, from which
 * ‖r − α q‖² = rᵀr − 2α rᵀq + α² qᵀq. Over own rows each is one reduction.
 */
import { requireWhole } from '../core/checks.js';
import { type KeysOf, optionsAmong } from '../core/known-options.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { RowKernel } from '../operator/row-share.js';
import { requireOperator } from '../operator/self-check.js';
import { curvatureStop, CurvatureWatch } from './curvature-watch.js';
import { foretoldNorm } from './foretold-norm.js';
import { placedSystem } from './placed-system.js';
import type { RangedSystem } from './ranged-system.js';
import {
  ABORTED,
  NON_FINITE,
  RESCALED,
  singleVectorSolver,
  vector,
  type Iterate,
  type Recurrence,
  type Stop,
  type Vector,
} from './single-vector-solver.js';
import {
  type LinearSolver,
  type Solution,
  type SolveControl,
  type SolverOptions,
  SOLVE_CONTROL_KEYS,
} from './solution.js';
import { addMultiple, dot } from './vector.js';

/** Options of {@link flexibleConjugateGradientSolver}. */
export interface FlexibleOptions extends SolverOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Directions that a new one is made A-orthogonal to (m), 2N numbers each; default 8. */
  readonly directions?: number | undefined;
}
/** The keys of {@link FlexibleOptions}. */
const FLEXIBLE_KEYS: KeysOf<FlexibleOptions> = {
  relativeTolerance: 'number',
  absoluteTolerance: 'number',
  maxIterations: 'number',
  maxRestarts: 'number',
  roundoff: 'number',
  preconditioner: true,
  blas: true,
  directions: 'number',
};

const DIRECTIONS = 8;
/** Rows at a time, whose part of p stays in the nearest cache. */
const TILE = 1024;

/** `columns` vectors in one array, so that all of them multiply in one gemv, and each as a vector of its own. */
function vectors(size: number, columns: number): { readonly all: Float64Array; readonly each: Vector[] } {
  const all = sharedFloat64(size * columns);
  const each = Array.from({ length: columns }, (_, j): Vector => {
    const data = all.subarray(j * size, (j + 1) * size);
    return { data, matrix: view(data, 0, size, 1) };
  });
  return { all, each };
}

const METHOD = { name: 'flexibleConjugateGradients', symmetric: false } as const;

/** Sums before the product that are not of the window: rᵀr, rᵀz. */
const BEFORE = 2;
/** Sums after the product: pᵀq, pᵀp, pᵀr, rᵀq, qᵀq. */
const AFTER = 5;

class FlexibleConjugateGradients implements Recurrence {
  readonly name = METHOD.name;
  readonly vectors: number;
  residualNorm = 0;
  products = 0;
  readonly #system: RangedSystem;
  readonly #watch = new CurvatureWatch();
  readonly #blas: Blas;
  readonly #iterate: Iterate;
  readonly #z: Vector;
  readonly #p: { readonly all: Float64Array; readonly each: Vector[] };
  readonly #q: { readonly all: Float64Array; readonly each: Vector[] };
  /** rᵀr, rᵀz and q_iᵀz; later the sums after the product. */
  readonly #sums: Float64Array;
  /** p_iᵀq_i. */
  readonly #energies: Float64Array;
  #steps = 0;

  constructor(system: RangedSystem, { blas, directions = DIRECTIONS }: WithBlas<FlexibleOptions>, iterate: Iterate) {
    const size = system.operator.rows;
    const { preconditioner } = system;
    // The window and the direction that comes next.
    const columns = directions + 1;
    this.vectors = 2 * columns + (preconditioner === undefined ? 0 : 1);
    this.#system = system;
    this.#blas = blas;
    this.#iterate = iterate;
    this.#z = preconditioner === undefined ? iterate.r : vector(size);
    this.#p = vectors(size, columns);
    this.#q = vectors(size, columns);
    this.#sums = new Float64Array(Math.max(AFTER, BEFORE + columns));
    this.#energies = new Float64Array(columns);
  }

  begin(residualNorm: number, fresh: boolean): void {
    if (fresh) this.#watch.clear();
    this.residualNorm = residualNorm;
    this.#steps = 0;
  }

  step(): Stop | undefined {
    const { x, r } = this.#iterate;
    const z = this.#z;
    const columns = this.#energies.length;
    const current = this.#steps % columns;
    const p = this.#p.each[current];
    const q = this.#q.each[current];
    const { operator, preconditioner, rows } = this.#system;
    if (preconditioner !== undefined) {
      preconditioner.applyUnchecked(z.matrix, r.matrix, 1, 0);
      this.#system.settlePreconditioner(r.data, z.data);
    }
    const known = Math.min(this.#steps, columns);
    rows.sums(BEFORE + known, this.#before(known), this.#sums);
    if (rows.raised) return ABORTED;
    const [rr, rz] = this.#sums;
    if (!Number.isFinite(rz)) return NON_FINITE;
    if (rz <= 0)
      return { outcome: 'indefinitePreconditioner', preconditionerCurvature: this.#system.curvatureOf(rz / rr) };
    p.data.set(z.data);
    // Once the ring is full, all its columns but the current one are the window: two runs of columns around it.
    this.#removeWindow(p.data, 0, current);
    if (known === columns) this.#removeWindow(p.data, current + 1, columns - current - 1);
    operator.applyUnchecked(q.matrix, p.matrix, 1, 0);
    this.products++;
    if (this.#system.settle(p.data, q.data)) return RESCALED;
    rows.sums(AFTER, this.#after(p.data, q.data), this.#sums);
    const [pq, pp, pr, rq, qq] = this.#sums;
    if (!Number.isFinite(pq)) return NON_FINITE;
    // In the norm of M⁻¹, ‖p‖² is at least rᵀz: M may change, and no recurrence knows more.
    if (!this.#watch.allows(pq, preconditioner === undefined ? pp : rz)) return curvatureStop(p, pq, pp);
    this.#energies[current] = pq;
    const alpha = pr / pq;
    if (!Number.isFinite(alpha) || !Number.isFinite(rq) || !Number.isFinite(qq)) return NON_FINITE;
    addMultiple(x.data, alpha, p.data);
    addMultiple(r.data, -alpha, q.data);
    this.#steps++;
    const [mixed, last] = [2 * alpha * rq, alpha * alpha * qq];
    this.residualNorm = foretoldNorm(rows, r.data, rr - mixed + last, rr + Math.abs(mixed) + last);
    return undefined;
  }

  /** rᵀr, rᵀz, and q_iᵀz for the first `known` columns. */
  #before(known: number): RowKernel {
    const r = this.#iterate.r.data;
    const z = this.#z.data;
    const q = this.#q.all;
    const size = r.length;
    return (begin, end, out, at) => {
      out[at] = dot(r, r, begin, end);
      out[at + 1] = z === r ? out[at] : dot(r, z, begin, end);
      if (known === 0 || end === begin) return;
      const window = view(q, begin, end - begin, known, size);
      this.#blas.gemv('T', 1, window, view(z, begin, end - begin, 1), 0, view(out, at + BEFORE, known, 1));
    };
  }

  #after(p: Float64Array, q: Float64Array): RowKernel {
    const r = this.#iterate.r.data;
    return (begin, end, out, at) => {
      out[at] = dot(p, q, begin, end);
      out[at + 1] = dot(p, p, begin, end);
      out[at + 2] = dot(p, r, begin, end);
      out[at + 3] = dot(r, q, begin, end);
      out[at + 4] = dot(q, q, begin, end);
    };
  }

  /**
   * p ← p − Σ p_i (q_iᵀz)/(p_iᵀq_i) over `count` columns. Not by gemv, whose last bits depend on where a row stands
   * among those of a rank.
   */
  #removeWindow(p: Float64Array, first: number, count: number): void {
    const size = p.length;
    for (let begin = 0; begin < size; begin += TILE) {
      const end = Math.min(size, begin + TILE);
      for (let j = first; j < first + count; j++) {
        const column = this.#p.each[j].data;
        const h = this.#sums[BEFORE + j] / this.#energies[j];
        for (let i = begin; i < end; i++) p[i] -= h * column[i];
      }
    }
  }
}

/**
 * A solver for A x = b, A symmetric positive definite, where M r need not be the same linear map at each step; rᵀM(r) >
 * 0 is all it needs. Memory: 2m + 7 vectors of N numbers; a step takes a product with A, one with M and 8mN flops. With
 * a fixed symmetric M it takes the steps of conjugate gradients. Throws ShapeError, OptionError.
 *
 * With a hierarchical matrix, and an M that has own rows too, it works on these as `conjugateGradientSolver` does: a
 * step takes two allreduces, of at most m + 3 and of 5 numbers a rank.
 */
export function flexibleConjugateGradientSolver(operator: LinearOperator, options: FlexibleOptions = {}): LinearSolver {
  requireOperator(operator, 'flexibleConjugateGradientSolver', 'f64', { ownRows: true });
  const backed = withBlas(options, FLEXIBLE_KEYS, 'flexibleConjugateGradientSolver');
  const { system, whole } = placedSystem(operator, options.preconditioner, METHOD);
  const { directions = DIRECTIONS } = options;
  requireWhole(directions, 'directions', 1);
  const { rows } = system.operator;
  const iterate: Iterate = { x: vector(rows), r: vector(rows) };
  const recurrence = new FlexibleConjugateGradients(system, backed, iterate);
  return singleVectorSolver({ system, iterate, recurrence, whole }, options);
}

/** One solve with a workspace of its own. */
export function flexibleConjugateGradients(
  operator: LinearOperator,
  b: Matrix,
  x: Matrix,
  options: FlexibleOptions & SolveControl,
): Solution {
  return flexibleConjugateGradientSolver(operator, optionsAmong(options, FLEXIBLE_KEYS)).solve(
    b,
    x,
    optionsAmong(options, SOLVE_CONTROL_KEYS),
  );
}
