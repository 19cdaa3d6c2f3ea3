/**
 * Preconditioned conjugate gradients for symmetric positive definite systems.
 * M. Hestenes, E. Stiefel, J. Res. Nat. Bur. Standards 49(6), 1952; preconditioned as in Y. Saad, *Iterative Methods
 * for Sparse Linear Systems*, 2nd ed., SIAM 2003, algorithm 9.1.
 *
 *   z = M r,  p ← z + β p,  β = r₊ᵀz₊/rᵀz,  q = A p,  α = rᵀz/pᵀq,  x ← x + α p,  r ← r − α q
 *
 * Over own rows, with one reduction for each step: fused-conjugate-gradients.ts.
 */
import { requireKnownOptions, optionsAmong } from '../core/known-options.js';
import type { Matrix, Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { requireOperator } from '../operator/self-check.js';
import { CurvatureWatch, curvatureStop, MOST_ASYMMETRY } from './curvature-watch.js';
import { FusedConjugateGradients } from './fused-conjugate-gradients.js';
import { placedSystem } from './placed-system.js';
import type { RangedSystem } from './ranged-system.js';
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
  SOLVER_KEYS,
  SOLVE_CONTROL_KEYS,
} from './solution.js';
import { advance, dot, multiplyAdd } from './vector.js';

const METHOD = { name: 'conjugateGradients', symmetric: true } as const;

class ConjugateGradients implements Recurrence {
  readonly name = METHOD.name;
  readonly vectors: number;
  residualNorm = 0;
  products = 0;
  readonly #system: RangedSystem;
  readonly #iterate: Iterate;
  readonly #watch = new CurvatureWatch();
  readonly #p: Vector;
  readonly #q: Vector;
  /** M r; r itself where there is no preconditioner. */
  readonly #z: Vector;
  /** rᵀz of the step before; 0 at a start. */
  #rz = 0;
  /** pᵀM⁻¹p. */
  #squared = 0;
  #alpha = 0;
  #steps = 0;
  /** zᵀr of the first step's z and the second step's r: zero, if M is symmetric. */
  #crossing = 0;

  constructor(system: RangedSystem, iterate: Iterate) {
    const size = system.operator.rows;
    const { preconditioner } = system;
    this.vectors = preconditioner === undefined ? 2 : 3;
    this.#system = system;
    this.#iterate = iterate;
    this.#p = vector(size);
    this.#q = vector(size);
    this.#z = preconditioner === undefined ? iterate.r : vector(size);
  }

  begin(residualNorm: number, fresh: boolean): void {
    if (fresh) this.#watch.clear();
    this.#squared = 0;
    this.residualNorm = residualNorm;
    this.#rz = 0;
    this.#steps = 0;
  }

  step(): Stop | undefined {
    const { x, r } = this.#iterate;
    const p = this.#p;
    const q = this.#q;
    const z = this.#z;
    const { operator, preconditioner } = this.#system;
    let rz = this.residualNorm * this.residualNorm;
    if (preconditioner !== undefined) {
      preconditioner.applyUnchecked(z.matrix, r.matrix, 1, 0);
      this.#system.settlePreconditioner(r.data, z.data);
      rz = dot(r.data, z.data);
    }
    if (!Number.isFinite(rz)) return NON_FINITE;
    if (rz <= 0)
      return {
        outcome: 'indefinitePreconditioner',
        preconditionerCurvature: this.#system.curvatureOf(rz / (this.residualNorm * this.residualNorm)),
      };
    if (this.#steps === 1 && preconditioner !== undefined) {
      const asymmetry = this.#asymmetry(rz);
      if (asymmetry > MOST_ASYMMETRY) return { outcome: 'asymmetricPreconditioner', asymmetry };
    }
    const beta = this.#rz === 0 ? 0 : rz / this.#rz;
    multiplyAdd(p.data, beta, z.data);
    this.#rz = rz;
    operator.applyUnchecked(q.matrix, p.matrix, 1, 0);
    this.products++;
    if (this.#system.settle(p.data, q.data)) return RESCALED;
    const pq = dot(p.data, q.data);
    if (!Number.isFinite(pq)) return NON_FINITE;
    this.#squared = rz + beta * beta * this.#squared;
    if (!this.#watch.allows(pq, this.#squared)) return curvatureStop(p, pq, dot(p.data, p.data));
    const alpha = rz / pq;
    if (!Number.isFinite(alpha)) return NON_FINITE;
    const rr = advance(x.data, r.data, alpha, p.data, q.data);
    if (!Number.isFinite(rr)) return NON_FINITE;
    this.#alpha = alpha;
    if (this.#steps === 0 && preconditioner !== undefined) this.#crossing = dot(z.data, r.data);
    this.#steps++;
    this.residualNorm = Math.sqrt(rr);
    return undefined;
  }

  /**
   * |r₀ᵀM r₁ − r₁ᵀM r₀| over √(r₀ᵀMr₀ · r₁ᵀMr₁) at the second step, where q still holds A p₀ = (r₀ − r₁)/α; less what
   * rounding may have added.
   */
  #asymmetry(rz: number): number {
    const z = this.#z.data;
    const q = this.#q.data;
    const product = this.#alpha * dot(z, q);
    const difference = Math.abs(product + rz - this.#crossing);
    const rounding =
      4 * Math.sqrt(z.length) * Number.EPSILON * (Math.abs(this.#alpha) * Math.sqrt(dot(z, z) * dot(q, q)) + rz);
    return Math.max(0, difference - rounding) / Math.sqrt(rz * this.#rz);
  }
}

/**
 * A solver for A x = b, A symmetric positive definite, N × N, by preconditioned conjugate gradients; its workspace (6
 * vectors of N numbers, 7 with a preconditioner, float64) serves every solve. A step takes a product with A, one with M
 * and some 10N flops. Without rounding, the error in the norm of A after k steps is at most 2((√κ − 1)/(√κ + 1))ᵏ of
 * the first one's, κ = cond(MA), and zero after as many steps as MA has different eigenvalues (Saad 2003, section
 * 6.11.3). Operators of float32: wrap them by `converted`. Throws ShapeError, OptionError.
 *
 * A hierarchical matrix (also shifted, scaled, summed), without preconditioner or with one that has own rows too (its
 * factorization, a diagonal), is solved over own rows, by the recurrence of Chronopoulos and Gear: each rank works on
 * its rows, a step takes besides its two products one allreduce of 11 numbers a rank, and the solution has the same
 * bits for any number of ranks. b and x are whole on every rank (x is gathered in the end), or of own rows where the
 * operator is `ownRows(operator)`: then nothing of N numbers is made. All ranks call it alike; an abort of one ends
 * all. One vector more, and the iterations and the accuracy of the recurrence above. Other operators have all rows on
 * every rank.
 */
export function conjugateGradientSolver(operator: LinearOperator, options: SolverOptions = {}): LinearSolver {
  requireOperator(operator, 'conjugateGradientSolver', 'f64', { ownRows: true });
  requireKnownOptions(options, SOLVER_KEYS, 'conjugateGradientSolver');
  const { system, isShared, whole } = placedSystem(operator, options.preconditioner, METHOD);
  const { rows } = system.operator;
  const iterate: Iterate = { x: vector(rows), r: vector(rows) };
  const recurrence = isShared
    ? new FusedConjugateGradients(METHOD.name, system, iterate)
    : new ConjugateGradients(system, iterate);
  return singleVectorSolver({ system, iterate, recurrence, whole }, options);
}

/** One solve with a workspace of its own: `conjugateGradientSolver(operator, options).solve(b, x, options)`. */
export function conjugateGradients(
  operator: LinearOperator,
  b: Vectors,
  x: Matrix,
  options: SolverOptions & SolveControl = {},
): Solution {
  requireOperator(operator, 'conjugateGradients', 'f64', { ownRows: true });
  requireKnownOptions(options, { ...SOLVE_CONTROL_KEYS, ...SOLVER_KEYS }, 'conjugateGradients');
  return conjugateGradientSolver(operator, optionsAmong(options, SOLVER_KEYS)).solve(
    b,
    x,
    optionsAmong(options, SOLVE_CONTROL_KEYS),
  );
}
