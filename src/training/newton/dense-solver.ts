/**
 * The whole matrix, by products on unit vectors, and (C + λI)d = −g by Cholesky; where C + λI is not positive definite,
 * by all eigenpairs C = VΘVᵀ:
 *
 *   signed     d = −V(Θ + λ)⁺Vᵀg      Newton's step as it is, towards saddle points, too
 *   absolute   d = −V(|Θ| + λ)⁺Vᵀg    always down (Y. Dauphin et al., NIPS 2014)
 *
 * Where an input is zero in the whole batch, its weights have no curvature but the regularization's: those rows are
 * left out of the matrix.
 */
import { OptionError } from '../../core/errors.js';
import { inUnits } from '../../core/memory.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import { precisionOf, type FloatArray, type Precision } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Objective } from '../objective/objective.js';
import { PerceptronObjective } from '../objective/perceptron-objective.js';
import { vectorNumbers } from '../objective/workspace.js';
import type { NewtonCurvature } from './newton-objective.js';
import type { Point } from './point.js';
import { ready, type Steps } from './steps.js';
import type { Bound, Solved, Solver, SolverPlan } from './solver.js';

/** What becomes of negative eigenvalues. */
export type NegativeEigenvalues = 'signed' | 'absolute';

/** Settings of {@link denseSolver}. */
export interface DenseSettings {
  readonly curvature: NewtonCurvature;
  readonly eigenvalues: NegativeEigenvalues;
  /** Most parameters: 8N² bytes. */
  readonly most: number;
}

/** The dense solver: 8nN² flops for the matrix, N³/3 a Cholesky factorization, 9N³ for eigenpairs. Two vectors. */
export const denseSolver = (settings: DenseSettings): SolverPlan => ({
  spare(network) {
    requireDense(network, settings.most);
    return 2 * vectorNumbers(network.parameters);
  },
  begin(objective) {
    requireDense(objective.network, settings.most);
    return new DenseSolver(objective, settings);
  },
});

/** Throws OptionError for more parameters than a dense matrix may have. */
function requireDense({ parameters }: ParameterLayout, most: number): void {
  if (parameters > most) {
    throw new OptionError(
      `A matrix of ${parameters} parameters takes ${inUnits(8 * parameters ** 2)}, and as many products a step: ` +
        `at most ${most} are taken. Choose an optimizer that works by products (newton-cg, hessian-free), or a ` +
        `larger mostParameters.`,
      { parameters, most },
    );
  }
}

/** Eigenvalues below this share of the largest one, and pivots below its root, are rounding of so precise products. */
export const ROUNDING_SHARE: Readonly<Record<Precision, number>> = { f64: 1e-14, f32: 1e-6 };

class DenseSolver implements Solver {
  readonly rule: string;
  readonly #objective: Objective;
  readonly #blas: Blas;
  readonly #settings: DenseSettings;
  readonly #unit: FloatArray;
  readonly #column: FloatArray;
  /** C in the upper triangle without its diagonal, a factor in the lower one; or the eigenvectors. */
  readonly #matrix: Float64Array;
  readonly #diagonal: Float64Array;
  readonly #x: Float64Array;
  readonly #live: Int32Array;
  /** Places in the network's first layer whose input is zero in the batch. */
  readonly #dead: Int32Array;
  readonly #share: number;
  #size = 0;
  #deadCount = 0;
  #values: Float64Array | null = null;

  constructor(objective: Objective, settings: DenseSettings) {
    const n = objective.network.parameters;
    this.rule = `dense ${settings.curvature}`;
    this.#objective = objective;
    this.#blas = objective.blas;
    this.#settings = settings;
    this.#unit = objective.vector();
    this.#column = objective.vector();
    this.#share = ROUNDING_SHARE[precisionOf(this.#unit)];
    this.#matrix = sharedFloat64(n * n);
    this.#diagonal = new Float64Array(n);
    this.#x = new Float64Array(n);
    this.#live = new Int32Array(n);
    this.#dead = new Int32Array(n);
  }

  *prepare(point: Point): Steps<void> {
    this.#sort(point);
    const m = this.#size;
    const c = this.#matrix;
    const unit = this.#unit;
    const column = this.#column;
    unit.fill(0);
    for (let j = 0; j < m; j++) {
      unit[this.#live[j]] = 1;
      yield* point.product(this.#settings.curvature, 0, { v: unit, out: column });
      unit[this.#live[j]] = 0;
      for (let i = 0; i < m; i++) c[j * m + i] = column[this.#live[i]];
    }
    for (let j = 0; j < m; j++) {
      this.#diagonal[j] = c[j * m + j];
      for (let i = 0; i < j; i++) c[j * m + i] = 0.5 * (c[j * m + i] + c[i * m + j]);
    }
    this.#values = null;
  }

  /** Which parameters have rows: those of free layers, but for weights of inputs that are zero in the batch. */
  #sort({ plan }: Point): void {
    const objective = this.#objective;
    this.#size = 0;
    this.#deadCount = 0;
    const a = objective instanceof PerceptronObjective ? objective.inputsOf(0) : null;
    objective.network.layers.forEach(({ width, outputs, offset }, ℓ) => {
      if (plan.layers[ℓ] === null) return;
      const zero = new Uint8Array(width);
      if (ℓ === 0 && a !== null) {
        zero.fill(1);
        for (let at = 0; at < width * objective.count; at++) if (a[at] !== 0) zero[at % width] = 0;
      }
      for (let k = 0; k < width * outputs; k++) {
        if (zero[k % width] === 1) this.#dead[this.#deadCount++] = offset + k;
        else this.#live[this.#size++] = offset + k;
      }
    });
  }

  solve(point: Point, bound: Bound, d: FloatArray): Steps<Solved> {
    return ready(this.#solved(point, bound, d));
  }

  #solved(point: Point, bound: Bound, d: FloatArray): Solved {
    if (!('damping' in bound)) throw new OptionError('A dense solver takes a damping, not a radius.', {});
    const λ = bound.damping;
    const m = this.#size;
    const g = point.gradient;
    const x = this.#x.subarray(0, m);
    for (let j = 0; j < m; j++) x[j] = -g[this.#live[j]];
    let least: number | null = null;
    let bend = 0;
    if (this.#values === null && !this.#factor(λ)) this.#decompose();
    if (this.#values === null) {
      const column = view(x, 0, m, 1);
      const a = this.#view();
      this.#blas.trsm('L', 'L', 'N', 'N', 1, a, column);
      this.#blas.trsm('L', 'L', 'T', 'N', 1, a, column);
      for (let j = 0; j < m; j++) bend += -x[j] * g[this.#live[j]] - λ * x[j] * x[j];
    } else {
      const how = { λ, eigenvalues: this.#settings.eigenvalues, share: this.#share };
      ({ bend, least } = solveByEigenpairs(this.#blas, { vectors: this.#view(), values: this.#values }, how, x));
    }
    d.fill(0);
    let slope = 0;
    for (let j = 0; j < m; j++) {
      d[this.#live[j]] = x[j];
      slope += x[j] * g[this.#live[j]];
    }
    const μ = this.#objective.regularization;
    for (let k = 0; k < this.#deadCount && μ > 0; k++) {
      const j = this.#dead[k];
      d[j] = -g[j] / (μ + λ);
      slope += d[j] * g[j];
      bend += μ * d[j] * d[j];
    }
    return { model: slope + 0.5 * bend, negativeCurvature: least };
  }

  #view(): Matrix {
    return view(this.#matrix, 0, this.#size, this.#size);
  }

  /** The lower triangle from the upper one, λ on the diagonal, and its Cholesky factor; false where it has none. */
  #factor(λ: number): boolean {
    const m = this.#size;
    this.#restore(λ);
    if (m > 0 && this.#blas.potrf('L', this.#view()) !== 0) return false;
    // A pivot that is rounding makes a factor of nothing.
    let least = Infinity;
    let most = 0;
    for (let j = 0; j < m; j++) {
      const pivot = this.#matrix[j * m + j];
      least = Math.min(least, pivot);
      most = Math.max(most, pivot);
    }
    return m === 0 || least > Math.sqrt(this.#share) * most;
  }

  #restore(λ: number): void {
    const m = this.#size;
    const c = this.#matrix;
    for (let j = 0; j < m; j++) {
      c[j * m + j] = this.#diagonal[j] + λ;
      for (let i = j + 1; i < m; i++) c[j * m + i] = c[i * m + j];
    }
  }

  #decompose(): void {
    this.#restore(0);
    this.#values = symmetricEigen(this.#blas, this.#view(), 'the curvature');
  }
}

/** How a system is solved by eigenpairs: λ, what becomes of negative ones, and which share of the largest is zero. */
export interface EigenSolve {
  readonly λ: number;
  readonly eigenvalues: NegativeEigenvalues;
  readonly share: number;
}

/** x ← (C + λI)⁻¹x; xᵀCx, and the least eigenvalue of C, where it is negative. */
export function solveByEigenpairs(
  blas: Blas,
  { vectors, values }: { readonly vectors: Matrix; readonly values: Float64Array },
  { λ, eigenvalues, share }: EigenSolve,
  x: Float64Array,
): { readonly bend: number; readonly least: number | null } {
  const m = x.length;
  const y = new Float64Array(m);
  const scale = Math.max(Math.abs(values[0]), Math.abs(values[m - 1]));
  blas.gemv('T', 1, vectors, view(x, 0, m, 1), 0, view(y, 0, m, 1));
  let bend = 0;
  for (let j = 0; j < m; j++) {
    const shifted = eigenvalues === 'signed' ? values[j] + λ : Math.abs(values[j]) + λ;
    y[j] = Math.abs(shifted) <= share * scale ? 0 : y[j] / shifted;
    bend += values[j] * y[j] * y[j];
  }
  blas.gemv('N', 1, vectors, view(y, 0, m, 1), 0, view(x, 0, m, 1));
  return { bend, least: values[0] < -share * scale ? values[0] : null };
}
