/**
 * Preconditioned conjugate gradients for symmetric positive definite systems. Layer 3.
 * M. Hestenes, E. Stiefel, J. Res. Nat. Bur. Standards 49(6), 1952; preconditioned as in Y. Saad, *Iterative Methods for Sparse Linear Systems*, 2nd ed., SIAM 2003, algorithm 9.1.
 *
 *   z = M r,  p ← z + β p,  β = r₊ᵀz₊/rᵀz,  q = A p,  α = rᵀz/pᵀq,  x ← x + α p,  r ← r − α q
 */
import type { Matrix, Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { NON_FINITE, singleVectorSolver, vector, type Iterate, type Recurrence, type Stop, type Vector } from './single-vector-solver.js';
import type { LinearSolver, Solution, SolveControl, SolverOptions } from './solution.js';
import { checkPreconditioner, checkSystem, controlOf } from './solver-checks.js';
import { advance, dot, multiplyAdd } from './vector.js';

/** A symmetric preconditioner in float32 differs from its transpose by some 1e-7; from here on plain CG loses its short recurrence. */
const MOST_ASYMMETRY = 1e-3;

/** pᵀq with what tells its sign from rounding; `norm` is an estimate of ‖A‖ that grows. */
export function curvatureStop(p: Vector, pq: number, norm: number): Stop {
  const pp = dot(p.data, p.data);
  return { outcome: 'indefinite', curvature: pq / pp, curvatureBound: p.data.length * Number.EPSILON * norm, direction: p.matrix };
}

class ConjugateGradients implements Recurrence {
  readonly name = 'conjugateGradients';
  readonly vectors: number;
  residualNorm = 0;
  products = 0;
  readonly #operator: LinearOperator;
  readonly #preconditioner: LinearOperator | undefined;
  readonly #iterate: Iterate;
  readonly #p: Vector;
  readonly #q: Vector;
  /** M r; r itself where there is no preconditioner. */
  readonly #z: Vector;
  /** rᵀz of the step before; 0 at a start. */
  #rz = 0;
  #alpha = 0;
  #steps = 0;
  /** zᵀr of the first step's z and the second step's r: zero, if M is symmetric. */
  #crossing = 0;
  /** max ‖Ap‖/‖p‖ so far. */
  #norm = 0;

  constructor(operator: LinearOperator, preconditioner: LinearOperator | undefined, iterate: Iterate) {
    const size = operator.rows;
    this.vectors = preconditioner === undefined ? 2 : 3;
    this.#operator = operator;
    this.#preconditioner = preconditioner;
    this.#iterate = iterate;
    this.#p = vector(size);
    this.#q = vector(size);
    this.#z = preconditioner === undefined ? iterate.r : vector(size);
  }

  begin(residualNorm: number, fresh: boolean): void {
    if (fresh) this.#norm = 0;
    this.residualNorm = residualNorm;
    this.#rz = 0;
    this.#steps = 0;
  }

  step(): Stop | undefined {
    const { x, r } = this.#iterate;
    const p = this.#p;
    const q = this.#q;
    const z = this.#z;
    let rz = this.residualNorm * this.residualNorm;
    if (this.#preconditioner !== undefined) {
      this.#preconditioner.applyUnchecked(z.matrix, r.matrix, 1, 0);
      rz = dot(r.data, z.data);
    }
    if (!Number.isFinite(rz)) return NON_FINITE;
    if (rz <= 0) return { outcome: 'indefinitePreconditioner', preconditionerCurvature: rz / (this.residualNorm * this.residualNorm) };
    if (this.#steps === 1 && this.#preconditioner !== undefined) {
      const asymmetry = this.#asymmetry(rz);
      if (asymmetry > MOST_ASYMMETRY) return { outcome: 'asymmetricPreconditioner', asymmetry };
    }
    multiplyAdd(p.data, this.#rz === 0 ? 0 : rz / this.#rz, z.data);
    this.#rz = rz;
    this.#operator.applyUnchecked(q.matrix, p.matrix, 1, 0);
    this.products++;
    const pq = dot(p.data, q.data);
    if (!Number.isFinite(pq)) return NON_FINITE;
    if (pq <= 0) return curvatureStop(p, pq, Math.max(this.#norm, Math.sqrt(dot(q.data, q.data) / dot(p.data, p.data))));
    // ‖A‖ is at least pᵀAp/pᵀp of any p; the first directions are rich in the largest eigenvectors.
    if (this.#steps < 4) this.#norm = Math.max(this.#norm, pq / dot(p.data, p.data));
    const alpha = rz / pq;
    if (!Number.isFinite(alpha)) return NON_FINITE;
    const rr = advance(x.data, r.data, alpha, p.data, q.data);
    if (!Number.isFinite(rr)) return NON_FINITE;
    this.#alpha = alpha;
    if (this.#steps === 0 && this.#preconditioner !== undefined) this.#crossing = dot(z.data, r.data);
    this.#steps++;
    this.residualNorm = Math.sqrt(rr);
    return undefined;
  }

  /** |r₀ᵀM r₁ − r₁ᵀM r₀| over √(r₀ᵀMr₀ · r₁ᵀMr₁) at the second step, where q still holds A p₀ = (r₀ − r₁)/α; less what rounding may have added. */
  #asymmetry(rz: number): number {
    const z = this.#z.data;
    const q = this.#q.data;
    const product = this.#alpha * dot(z, q);
    const difference = Math.abs(product + rz - this.#crossing);
    const rounding = 4 * Math.sqrt(z.length) * Number.EPSILON * (Math.abs(this.#alpha) * Math.sqrt(dot(z, z) * dot(q, q)) + rz);
    return Math.max(0, difference - rounding) / Math.sqrt(rz * this.#rz);
  }
}

/**
 * A solver for A x = b, A symmetric positive definite, N × N, by preconditioned conjugate gradients; its workspace (4 vectors of N numbers, 5 with a
 * preconditioner, float64) serves every solve. A step takes a product with A, one with M and some 10N flops. Without rounding, the error in the norm of A after k steps is at most 2((√κ − 1)/(√κ + 1))ᵏ of the
 * first one's, κ = cond(MA), and zero after as many steps as MA has different eigenvalues (Saad 2003, section 6.11.3). Operators of float32: wrap them by `converted`.
 * Throws ShapeError, OptionError.
 */
export function conjugateGradientSolver(operator: LinearOperator, options: SolverOptions = {}): LinearSolver {
  const size = checkSystem(operator, 'conjugateGradients');
  checkPreconditioner(options.preconditioner, size, 'conjugateGradients', true);
  const iterate: Iterate = { x: vector(size), r: vector(size) };
  return singleVectorSolver(operator, iterate, new ConjugateGradients(operator, options.preconditioner, iterate), options);
}

/** One solve with a workspace of its own: `conjugateGradientSolver(operator, options).solve(b, x, options)`. */
export function conjugateGradients(operator: LinearOperator, b: Vectors, x: Matrix, options: SolverOptions & SolveControl = {}): Solution {
  return conjugateGradientSolver(operator, options).solve(b, x, controlOf(options));
}
