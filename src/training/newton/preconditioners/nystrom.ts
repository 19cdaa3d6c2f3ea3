/**
 * M⁻¹ = (Λ_k + λ)·U(Λ + λ)⁻¹Uᵀ + I − UUᵀ with G ≈ UΛUᵀ of rank k by k products with random vectors (Z. Frangella, J.
 * Tropp, M. Udell, "Randomized Nyström preconditioning", SIAM J. Matrix Anal. Appl. 44(2), 2023). U is kept for some
 * steps: it costs k products.
 *
 *   Ω orthonormal, Y = GΩ + νΩ, ΩᵀY = LLᵀ, B = YL⁻ᵀ, BᵀB = VΣ²Vᵀ, U = BVΣ⁻¹, Λ = Σ² − ν
 */
import { RandomStream } from '../../../core/random.js';
import type { FloatArray } from '../../../core/floats.js';
import { view, zeros, type Matrix } from '../../../dense/matrix.js';
import { symmetricEigen } from '../../../dense/symmetric-eigen.js';
import type { Objective } from '../../objective/objective.js';
import type { Point } from '../point.js';
import type { Steps } from '../steps.js';
import type { Preconditioner, PreconditionerPlan } from './preconditioner.js';

/** Keeps its streams apart from others of the same seed. */
const PURPOSE = 0x6e797374;

/** Rank and how long it is kept. */
export interface NystromSettings {
  readonly rank: number;
  /** Steps after which it is made anew. */
  readonly refresh: number;
  readonly seed: number;
}

/** The Nyström preconditioner: 2k vectors, 4kN flops an application. */
export const nystromPreconditioner = (settings: NystromSettings): PreconditionerPlan => ({
  spare: ({ parameters }) => {
    const k = Math.min(settings.rank, parameters);
    return (2 * parameters + 2) * k + 64;
  },
  begin: (objective) => new NystromPreconditioner(objective, settings),
});

class NystromPreconditioner implements Preconditioner {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: Objective;
  readonly #settings: NystromSettings;
  readonly #rank: number;
  readonly #u: FloatArray;
  readonly #y: FloatArray;
  readonly #values: FloatArray;
  readonly #t: FloatArray;
  #damping = 0;

  constructor(objective: Objective, settings: NystromSettings) {
    const n = objective.network.parameters;
    this.#objective = objective;
    this.#settings = settings;
    this.#rank = Math.min(settings.rank, n);
    this.#u = objective.take(n * this.#rank);
    this.#y = objective.take(n * this.#rank);
    this.#values = objective.take(this.#rank);
    this.#t = objective.take(this.#rank);
    this.arrays = { nystromVectors: this.#u, nystromValues: this.#values };
  }

  *prepare(point: Point, samples: number, damping: number): Steps<void> {
    this.#damping = damping;
    if (point.plan.step % this.#settings.refresh !== 0 && this.#values[0] > 0) return;
    const { blas } = this.#objective;
    const k = this.#rank;
    const n = point.space.length;
    this.#draw(point);
    let largest = 0;
    for (let j = 0; j < k; j++) {
      const out = this.#column(this.#y, j);
      yield* point.product('gauss-newton', 0, { v: this.#column(this.#u, j), out }, samples);
      largest = Math.max(largest, point.space.norm(out));
    }
    const ν = Math.sqrt(n) * largest * (this.#u instanceof Float32Array ? 2 ** -23 : 2 ** -52);
    for (let j = 0; j < k; j++) point.space.add(ν, this.#column(this.#u, j), this.#column(this.#y, j));
    const l = this.#gram(point, this.#u, this.#y);
    for (let j = 0; j < k; j++)
      for (let i = 0; i < k; i++) l.data[i + j * k] = 0.5 * (l.data[i + j * k] + l.data[j + i * k]);
    if (!(largest > 0) || blas.potrf('L', l) !== 0) {
      // Nothing to go by: M = I.
      this.#values.fill(0);
      this.#u.fill(0);
      return;
    }
    const b = this.#gram(point, this.#y, this.#y);
    blas.trsm('L', 'L', 'N', 'N', 1, l, b);
    blas.trsm('R', 'L', 'T', 'N', 1, l, b);
    const squares = symmetricEigen(blas, b, 'a Nyström core');
    // U ← Y·L⁻ᵀVΣ⁻¹, largest first.
    const w = zeros(k, k);
    for (let j = 0; j < k; j++) {
      const from = k - 1 - j;
      const σ = Math.sqrt(Math.max(squares[from], Number.MIN_VALUE));
      for (let i = 0; i < k; i++) w.data[i + j * k] = b.data[i + from * k] / σ;
      this.#values[j] = Math.max(0, squares[from] - ν);
    }
    blas.trsm('L', 'L', 'T', 'N', 1, l, w);
    for (let j = 0; j < k; j++) {
      const u = this.#column(this.#u, j);
      u.fill(0);
      for (let i = 0; i < k; i++) point.space.add(w.data[i + j * k], this.#column(this.#y, i), u);
    }
  }

  #column(of: FloatArray, j: number): FloatArray {
    const n = this.#objective.network.parameters;
    return of.subarray(j * n, (j + 1) * n);
  }

  /** Ω into u: orthonormal, zero in frozen layers. */
  #draw(point: Point): void {
    for (let j = 0; j < this.#rank; j++) {
      const ω = this.#column(this.#u, j);
      new RandomStream(this.#settings.seed, PURPOSE, point.plan.step, j).fillNormal(ω);
      point.mask(ω);
      for (let turn = 0; turn < 2; turn++) {
        for (let i = 0; i < j; i++) {
          const before = this.#column(this.#u, i);
          point.space.add(-point.space.dot(before, ω), before, ω);
        }
        point.space.scale(1 / Math.max(point.space.norm(ω), Number.MIN_VALUE), ω);
      }
    }
  }

  /** XᵀY in float64. */
  #gram(point: Point, x: FloatArray, y: FloatArray): Matrix {
    const k = this.#rank;
    const g = zeros(k, k);
    for (let j = 0; j < k; j++)
      for (let i = 0; i < k; i++) g.data[i + j * k] = point.space.dot(this.#column(x, i), this.#column(y, j));
    return g;
  }

  apply(r: FloatArray, z: FloatArray): void {
    const { blas, kernels } = this.#objective;
    const n = r.length;
    const k = this.#rank;
    kernels.combine(n, 1, r, 0, z);
    const u = view(this.#u, 0, n, k);
    const t = view(this.#t, 0, k, 1);
    blas.gemv('T', 1, u, view(r, 0, n, 1), 0, t);
    const last = this.#values[k - 1] + this.#damping;
    for (let j = 0; j < k; j++) {
      const shifted = this.#values[j] + this.#damping;
      this.#t[j] *= shifted > 0 ? last / shifted - 1 : 0;
    }
    blas.gemv('N', 1, u, t, 1, view(z, 0, n, 1));
  }
}
