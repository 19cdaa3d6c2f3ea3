/**
 * Conjugate gradients with a preconditioner that may change from step to step, or be slightly unsymmetric: an inner
 * iteration, a rounded or truncated solver. Y. Notay, *Flexible conjugate gradients*, SIAM J. Sci. Comput. 22(4), 2000:
 * each new direction is made A-orthogonal to the last m explicitly,
 *
 *   p = z − Σ_i p_i (q_iᵀz)/(p_iᵀq_i),   q = A p,   α = pᵀr/pᵀq,   z = M_k(r)
 *
 * with a window that slides (Notay's FCG(m) restarts it instead). m = 1 is the method of Polak and Ribière.
 */
import { requireWhole } from '../core/checks.js';
import { type KeysOf, optionsAmong } from '../core/known-options.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import { view, zeros, type Matrix } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { curvatureStop, CurvatureWatch } from './conjugate-gradients.js';
import { RangedSystem } from './ranged-system.js';
import {
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
import { checkPreconditioner, checkSystem } from './solver-checks.js';
import { advance, dot } from './vector.js';

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

/** `columns` vectors in one array, so that all of them multiply in one gemv, and each as a vector of its own. */
function vectors(size: number, columns: number): { readonly all: Float64Array; readonly each: Vector[] } {
  const all = sharedFloat64(size * columns);
  const each = Array.from({ length: columns }, (_, j): Vector => {
    const data = all.subarray(j * size, (j + 1) * size);
    return { data, matrix: view(data, 0, size, 1) };
  });
  return { all, each };
}

class FlexibleConjugateGradients implements Recurrence {
  readonly name = 'flexibleConjugateGradients';
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
  readonly #coefficients: Matrix;
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
    this.#coefficients = zeros(columns, 1);
    this.#energies = new Float64Array(columns);
  }

  begin(residualNorm: number, fresh: boolean): void {
    if (fresh) this.#watch.clear();
    this.residualNorm = residualNorm;
    this.#steps = 0;
  }

  step(): Stop | undefined {
    const { x, r } = this.#iterate;
    const size = x.data.length;
    const z = this.#z;
    const columns = this.#energies.length;
    const current = this.#steps % columns;
    const p = this.#p.each[current];
    const q = this.#q.each[current];
    const squared = this.residualNorm * this.residualNorm;
    const { operator, preconditioner } = this.#system;
    let rz = squared;
    if (preconditioner !== undefined) {
      preconditioner.applyUnchecked(z.matrix, r.matrix, 1, 0);
      this.#system.settlePreconditioner(r.data, z.data);
      rz = dot(r.data, z.data);
    }
    if (!Number.isFinite(rz)) return NON_FINITE;
    if (rz <= 0)
      return { outcome: 'indefinitePreconditioner', preconditionerCurvature: this.#system.curvatureOf(rz / squared) };
    p.data.set(z.data);
    // Once the ring is full, all its columns but the current one are the window: two runs of columns around it.
    this.#removeWindow(p, z, 0, current, size);
    if (this.#steps >= columns) this.#removeWindow(p, z, current + 1, columns - current - 1, size);
    operator.applyUnchecked(q.matrix, p.matrix, 1, 0);
    this.products++;
    if (this.#system.settle(p.data, q.data)) return RESCALED;
    const pq = dot(p.data, q.data);
    if (!Number.isFinite(pq)) return NON_FINITE;
    // In the norm of M⁻¹, ‖p‖² is at least rᵀz: M may change, and no recurrence knows more.
    if (!this.#watch.allows(pq, preconditioner === undefined ? dot(p.data, p.data) : rz)) return curvatureStop(p, pq);
    this.#energies[current] = pq;
    const alpha = dot(p.data, r.data) / pq;
    if (!Number.isFinite(alpha)) return NON_FINITE;
    const rr = advance(x.data, r.data, alpha, p.data, q.data);
    if (!Number.isFinite(rr)) return NON_FINITE;
    this.#steps++;
    this.residualNorm = Math.sqrt(rr);
    return undefined;
  }

  #removeWindow(p: Vector, z: Vector, first: number, count: number, size: number): void {
    if (count === 0) return;
    const h = view(this.#coefficients.data, 0, count, 1);
    this.#blas.gemv('T', 1, view(this.#q.all, first * size, size, count), z.matrix, 0, h);
    for (let i = 0; i < count; i++) h.data[i] /= this.#energies[first + i];
    this.#blas.gemv('N', -1, view(this.#p.all, first * size, size, count), h, 1, p.matrix);
  }
}

/**
 * A solver for A x = b, A symmetric positive definite, where M r need not be the same linear map at each step; rᵀM(r) >
 * 0 is all it needs. Memory: 2m + 7 vectors of N numbers; a step takes a product with A, one with M and 8mN flops. With
 * a fixed symmetric M it takes the steps of conjugate gradients. Throws ShapeError, OptionError.
 */
export function flexibleConjugateGradientSolver(operator: LinearOperator, options: FlexibleOptions = {}): LinearSolver {
  requireOperator(operator, 'flexibleConjugateGradientSolver');
  const backed = withBlas(options, FLEXIBLE_KEYS, 'flexibleConjugateGradientSolver');
  const size = checkSystem(operator, 'flexibleConjugateGradients');
  checkPreconditioner(options.preconditioner, size, 'flexibleConjugateGradients', false);
  const { directions = DIRECTIONS } = options;
  requireWhole(directions, 'directions', 1);
  const iterate: Iterate = { x: vector(size), r: vector(size) };
  const system = new RangedSystem(operator, options.preconditioner);
  return singleVectorSolver(system, iterate, new FlexibleConjugateGradients(system, backed, iterate), options);
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
