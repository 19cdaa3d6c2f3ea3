/**
 * MINRES: minimal residuals for symmetric systems that may be indefinite or singular.
 * C. Paige, M. Saunders, *Solution of sparse indefinite systems of linear equations*, SIAM J. Numer. Anal. 12(4), 1975;
 * with a symmetric positive definite preconditioner M ≈ |A|⁻¹ as in H. Elman, D. Silvester, A. Wathen, *Finite Elements
 * and Fast Iterative Solvers*, 2nd ed., Oxford 2014, algorithm 4.1.
 *
 * Lanczos vectors v_k = M⁻¹z_k with v_jᵀz_k = δ_jk, T_k their tridiagonal matrix, T_k = Q_kᵀR_k by plane rotations
 * (c_k, s_k); η_k = −s_k η_{k−1} is the residual's length in the norm of M, and ‖r‖₂ follows from r_k = s_k² r_{k−1} +
 * c_k η_k v_{k+1} (the identity of S.-C. Choi, C. Paige, M. Saunders, SIAM J. Sci. Comput. 33(4), 2011, equation 3.5).
 *
 * Sums are made twice a step, of what is known after the product and after M: over own rows each is one reduction.
 */
import { requireKnownOptions, optionsAmong } from '../core/known-options.js';
import type { Matrix, Vectors } from '../dense/matrix.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { RowKernel } from '../operator/row-share.js';
import { requireOperator } from '../operator/self-check.js';
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
  SOLVER_KEYS,
  SOLVE_CONTROL_KEYS,
} from './solution.js';
import { addMultiple, dot, scaleBy } from './vector.js';

/** ‖A r‖ below this share of ‖A‖‖r‖: r lies in the null space. */
const NULL_SHARE = 1e-13;
/**
 * Below this share it may: rounding lets ‖A r‖ of an inconsistent system fall to some √eps‖A‖‖r‖, then x grows along
 * the null space (Choi, Paige, Saunders 2011). A system that is but ill-conditioned passes through such a plateau, too,
 * and leaves it again. So x is kept there, and taken back unless the residual falls in as many steps again.
 */
const SUSPECT_SHARE = 1e-6;
const LEAST_PATIENCE = 20;
/** Condition numbers beyond the reciprocal of this are infinite in float64. */
const LEAST_SINGULAR = 64 * Number.EPSILON;
const LEAST_SQUARES: Stop = { outcome: 'leastSquares' };

const METHOD = { name: 'minres', symmetric: true } as const;

/** The inner products of pairs of vectors; the largest number of them that is asked for at a time. */
const MOST_SUMS = 6;

class MinimalResiduals implements Recurrence {
  readonly name = METHOD.name;
  readonly vectors: number;
  residualNorm = 0;
  products = 0;
  readonly #system: RangedSystem;
  readonly #iterate: Iterate;
  readonly #q: Vector;
  /** v_{k−1}, v_k; z_k and the next; w_{k−2}, w_{k−1}. */
  #vBefore: Vector;
  #v: Vector;
  #z: Vector;
  #zNext: Vector;
  #wBefore: Vector;
  #w: Vector;
  readonly #sums = new Float64Array(MOST_SUMS);
  #gamma = 0;
  #eta = 0;
  #cBefore = 1;
  #c = 1;
  #sBefore = 0;
  #s = 0;
  #steps = 0;
  /** The largest row of T: an estimate of ‖A‖ (of ‖M^½ A M^½‖). */
  #norm = 0;
  #failure: Stop | undefined;
  /** ‖b − Ax₀‖₂ of the guess. */
  #start = 0;
  /** The x of the smallest ‖A r‖ on a plateau: its share of ‖A‖‖r‖ (1: there is none), its ‖r‖, its step. */
  readonly #plateau: Vector;
  #plateauShare = 1;
  #plateauResidual = 0;
  #plateauStep = 0;

  constructor(system: RangedSystem, iterate: Iterate) {
    const size = system.operator.rows;
    const { preconditioner } = system;
    this.vectors = preconditioner === undefined ? 6 : 8;
    this.#system = system;
    this.#iterate = iterate;
    this.#q = vector(size);
    this.#vBefore = vector(size);
    this.#v = vector(size);
    this.#z = preconditioner === undefined ? this.#v : vector(size);
    this.#zNext = preconditioner === undefined ? this.#vBefore : vector(size);
    this.#wBefore = vector(size);
    this.#w = vector(size);
    this.#plateau = vector(size);
  }

  begin(residualNorm: number, fresh: boolean): void {
    this.residualNorm = residualNorm;
    this.#vBefore.data.fill(0);
    this.#wBefore.data.fill(0);
    this.#w.data.fill(0);
    this.#v.data.set(this.#iterate.r.data);
    this.#cBefore = this.#c = 1;
    this.#sBefore = this.#s = 0;
    this.#steps = 0;
    this.#plateauShare = 1;
    if (fresh) {
      this.#norm = 0;
      this.#start = residualNorm;
    }
    this.#failure = undefined;
    this.#precondition(this.#z, this.#v);
    const [squared] = this.#inner([this.#v, this.#z]);
    if (!Number.isFinite(squared)) this.#failure = NON_FINITE;
    else if (squared <= 0)
      this.#failure = {
        outcome: 'indefinitePreconditioner',
        preconditionerCurvature: this.#system.curvatureOf(squared / (residualNorm * residualNorm)),
      };
    this.#gamma = this.#eta = Math.sqrt(squared);
    this.#normalize(this.#v, this.#z, this.#gamma);
  }

  /** z ← M v. */
  #precondition(z: Vector, v: Vector): void {
    const { preconditioner } = this.#system;
    if (preconditioner === undefined) return;
    preconditioner.applyUnchecked(z.matrix, v.matrix, 1, 0);
    this.#system.settlePreconditioner(v.data, z.data);
  }

  /** The inner products of pairs, over all rows; valid until the next ones. */
  #inner(...pairs: readonly (readonly [Vector, Vector])[]): Float64Array {
    const kernel: RowKernel = (begin, end, out, at) => {
      for (let k = 0; k < pairs.length; k++) out[at + k] = dot(pairs[k][0].data, pairs[k][1].data, begin, end);
    };
    this.#system.rows.sums(pairs.length, kernel, this.#sums);
    return this.#sums;
  }

  #normalize(v: Vector, z: Vector, gamma: number): void {
    if (!(gamma > 0)) return;
    scaleBy(v.data, 1 / gamma);
    if (z !== v) scaleBy(z.data, 1 / gamma);
  }

  /**
   * Whether x (or what was kept of it) minimises the residual, from the present ‖A r‖/(‖A‖‖r‖), and the squared lengths
   * of x and of what was kept.
   */
  #atLeastSquares(share: number, squared: number, squaredKept: number): boolean {
    // A zero operator makes it 0/0.
    if (!(share > NULL_SHARE)) return true;
    const { x } = this.#iterate;
    const plateau = this.#plateau.data;
    if (this.#plateauShare < 1 && Math.sqrt(squared) * this.#norm > this.#start / LEAST_SINGULAR) {
      // No solution of a matrix that is regular to working precision is so long: A is singular, and x has left along
      // its null space.
      x.data.set(plateau);
      return true;
    }
    if (this.residualNorm < 0.9 * this.#plateauResidual) this.#plateauShare = 1;
    // A longer x with the same residual is on its way along the null space.
    if (
      share < SUSPECT_SHARE &&
      share < this.#plateauShare &&
      (this.#plateauShare === 1 || squared <= 4 * squaredKept)
    ) {
      plateau.set(x.data);
      this.#plateauShare = share;
      this.#plateauResidual = this.residualNorm;
      this.#plateauStep = this.#steps;
      return false;
    }
    if (this.#plateauShare === 1) return false;
    const patience = Math.max(LEAST_PATIENCE, this.#plateauStep);
    if (this.#steps - this.#plateauStep <= patience && this.residualNorm <= 1.01 * this.#plateauResidual) return false;
    this.finish();
    return true;
  }

  finish(): void {
    if (this.#plateauShare < 1 && this.residualNorm >= 0.9 * this.#plateauResidual)
      this.#iterate.x.data.set(this.#plateau.data);
  }

  step(): Stop | undefined {
    if (this.#failure !== undefined) return this.#failure;
    const { x, r } = this.#iterate;
    const size = x.data.length;
    const q = this.#q;
    const v = this.#v;
    const z = this.#z;
    this.#system.operator.applyUnchecked(q.matrix, z.matrix, 1, 0);
    this.products++;
    if (this.#system.settle(z.data, q.data)) return RESCALED;
    const before = this.#vBefore;
    const [image, product, crossing] = this.#inner([q, q], [q, z], [before, z]);
    if (this.#system.rows.raised) return ABORTED;
    if (!Number.isFinite(image)) return NON_FINITE;
    const subdiagonal = this.#steps > 0 ? this.#gamma : 0;
    const delta = product - subdiagonal * crossing;
    if (subdiagonal !== 0) addMultiple(q.data, -subdiagonal, before.data);
    addMultiple(q.data, -delta, v.data);
    // v_{k−1} has served; its place is that of v_{k+1}.
    const next = before;
    next.data.set(q.data);
    this.#precondition(this.#zNext, next);
    const plateau = this.#plateau;
    const [length, squared, along, rr, xx, kept] = this.#inner(
      [next, next],
      [next, this.#zNext],
      [r, next],
      [r, r],
      [x, x],
      [plateau, plateau],
    );
    if (!Number.isFinite(squared) || !Number.isFinite(length)) return NON_FINITE;
    // What is left of A z is rounding: the space is invariant.
    const invariant = length <= 16 * this.#system.rows.size * Number.EPSILON ** 2 * image;
    if (!invariant && squared <= 0)
      return {
        outcome: 'indefinitePreconditioner',
        preconditionerCurvature: this.#system.curvatureOf(squared / length),
      };
    const gamma = invariant ? 0 : Math.sqrt(squared);

    // The rotations before this one, applied to the new column of T; then its own.
    const diagonal = this.#c * delta - this.#cBefore * this.#s * this.#gamma;
    const above = this.#s * delta + this.#cBefore * this.#c * this.#gamma;
    const topmost = this.#sBefore * this.#gamma;
    this.#norm = Math.max(this.#norm, Math.hypot(this.#steps > 0 ? this.#gamma : 0, delta, gamma));
    // ‖A r_{k−1}‖ = |η| times this (Choi, Paige, Saunders 2011, equation 3.12).
    const leastSquares = this.#atLeastSquares(Math.hypot(diagonal, this.#c * gamma) / this.#norm, xx, kept);
    if (leastSquares) return LEAST_SQUARES;
    const pivot = Math.hypot(diagonal, gamma);
    const c = diagonal / pivot;
    const s = gamma / pivot;
    const w = this.#wBefore;
    const wBefore = this.#w;
    for (let i = 0; i < size; i++) w.data[i] = (z.data[i] - topmost * w.data[i] - above * wBefore.data[i]) / pivot;
    const advanceBy = c * this.#eta;
    if (!Number.isFinite(advanceBy)) return NON_FINITE;
    addMultiple(x.data, advanceBy, w.data);
    this.#eta *= -s;

    this.#normalize(next, this.#zNext, gamma);
    if (gamma === 0) {
      r.data.fill(0);
      this.residualNorm = 0;
    } else {
      const shrunk = s * s;
      const part = c * this.#eta;
      for (let i = 0; i < size; i++) r.data[i] = shrunk * r.data[i] + part * next.data[i];
      // In terms of the v_{k+1} that was not normalised.
      const step = part / gamma;
      const [mixed, squares] = [2 * shrunk * step * along, shrunk * shrunk * rr + step * step * length];
      this.residualNorm = foretoldNorm(this.#system.rows, r.data, squares + mixed, squares + Math.abs(mixed));
    }
    if (!Number.isFinite(this.residualNorm)) return NON_FINITE;
    this.#cBefore = this.#c;
    this.#c = c;
    this.#sBefore = this.#s;
    this.#s = s;
    this.#gamma = gamma;
    this.#wBefore = wBefore;
    this.#w = w;
    this.#vBefore = v;
    this.#v = next;
    this.#z = this.#zNext;
    this.#zNext = z;
    this.#steps++;
    return undefined;
  }
}

/**
 * A solver for A x = b, A symmetric, of any inertia; M symmetric positive definite. The residual's norm (that of M,
 * where there is a preconditioner) never grows. For a singular A and b in its range it converges to a solution (from a
 * zero guess without preconditioner to that of least norm); else it ends with 'leastSquares' at an x that minimises the
 * residual, to about √eps. Memory: 10 vectors of N numbers, 12 with a preconditioner; a step takes a product with A,
 * one with M and some 20N flops. Throws ShapeError, OptionError.
 *
 * With a hierarchical matrix, and an M that has own rows too, it works on these as `conjugateGradientSolver` does: a
 * step takes two allreduces, of 3 and of 6 numbers a rank.
 */
export function minresSolver(operator: LinearOperator, options: SolverOptions = {}): LinearSolver {
  requireOperator(operator, 'minresSolver', 'f64', { ownRows: true });
  requireKnownOptions(options, SOLVER_KEYS, 'minresSolver');
  const { system, whole } = placedSystem(operator, options.preconditioner, METHOD);
  const { rows } = system.operator;
  const iterate: Iterate = { x: vector(rows), r: vector(rows) };
  return singleVectorSolver({ system, iterate, recurrence: new MinimalResiduals(system, iterate), whole }, options);
}

/** One solve with a workspace of its own. */
export function minres(
  operator: LinearOperator,
  b: Vectors,
  x: Matrix,
  options: SolverOptions & SolveControl = {},
): Solution {
  requireOperator(operator, 'minres', 'f64', { ownRows: true });
  requireKnownOptions(options, { ...SOLVE_CONTROL_KEYS, ...SOLVER_KEYS }, 'minres');
  return minresSolver(operator, optionsAmong(options, SOLVER_KEYS)).solve(
    b,
    x,
    optionsAmong(options, SOLVE_CONTROL_KEYS),
  );
}
