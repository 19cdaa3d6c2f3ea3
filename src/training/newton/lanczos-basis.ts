/**
 * One Lanczos basis V of the Krylov space of A and g, and T = VᵀAV: the quadratic gᵀd + ½dᵀAd, d = Vy, is then
 * ‖g‖e₁ᵀy + ½yᵀTy for all radii and all dampings (N. Gould, S. Lucidi, M. Roma, Ph. Toint, "Solving the trust-region
 * subproblem using the Lanczos method", SIAM J. Optim. 9(2), 1999). Every new vector is made orthogonal to all before
 * it twice, so that the basis stays one in single precision, too.
 */
import type { FloatArray } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import { view, zeros } from '../../dense/matrix.js';
import { symmetricEigen } from '../../dense/symmetric-eigen.js';
import { smallTrustRegion, type SmallModel, type SmallSolution } from './small-trust-region.js';
import type { Steps } from './steps.js';
import type { Product, Space } from './vectors.js';

/** A basis in places that are given, vectors in S: as many as it can have vectors. */
export class LanczosBasis<S extends Space> {
  readonly #space: S;
  readonly #blas: Blas;
  readonly #vectors: readonly FloatArray[];
  readonly #next: FloatArray;
  #model: SmallModel = { values: new Float64Array(0), vectors: new Float64Array(0), first: 0 };
  /** Vectors of the basis. */
  size = 0;
  products = 0;
  /** β_{k+1}: ‖AV − VT‖, zero where the space is invariant. */
  remainder = 0;

  constructor(space: S, blas: Blas, vectors: readonly FloatArray[], next: FloatArray) {
    this.#space = space;
    this.#blas = blas;
    this.#vectors = vectors;
    this.#next = next;
  }

  /** Ascending eigenvalues of T. */
  get ritzValues(): Float64Array {
    return this.#model.values;
  }

  /**
   * Builds the basis until it has `most` vectors or the Newton step's residual, |β y_k| relative to ‖g‖, is at most
   * `tolerance` and T is positive definite. A product and 8N·k flops for vector k. Throws FactorizationError.
   */
  *build(
    product: Product,
    g: FloatArray,
    { most, tolerance }: { readonly most: number; readonly tolerance: number },
  ): Steps<void> {
    const space = this.#space;
    const w = this.#next;
    const diagonal: number[] = [];
    const beside: number[] = [];
    const [square] = yield* space.dots([g, g]);
    const norm = Math.sqrt(square);
    this.size = 0;
    this.products = 0;
    if (norm === 0) return;
    space.combine(1 / norm, g, 0, this.#vectors[0]);
    for (let k = 0; k < Math.min(most, this.#vectors.length, space.length); k++) {
      const v = this.#vectors[k];
      yield* product(v, w);
      this.products++;
      const [bend, before] = yield* space.dots([v, w], [w, w]);
      diagonal.push(bend);
      space.orthogonalize(w, this.#vectors.slice(0, k + 1));
      const [rest] = yield* space.dots([w, w]);
      this.remainder = Math.sqrt(rest);
      this.size = k + 1;
      this.#model = this.#decompose(diagonal, beside, norm);
      // What is left is rounding: the space is invariant.
      const rounding = 8 * (w instanceof Float32Array ? 2 ** -23 : 2 ** -52);
      if (!(this.remainder > rounding * Math.sqrt(before)) || this.#converged(norm, tolerance)) return;
      if (k + 1 < this.#vectors.length) space.combine(1 / this.remainder, w, 0, this.#vectors[k + 1]);
      beside.push(this.remainder);
    }
  }

  #converged(norm: number, tolerance: number): boolean {
    if (tolerance === 0 || !(this.#model.values[0] > 0)) return false;
    const { y } = smallTrustRegion(this.#model, { damping: 0 });
    return this.remainder * Math.abs(y[y.length - 1]) <= tolerance * norm;
  }

  #decompose(diagonal: readonly number[], beside: readonly number[], first: number): SmallModel {
    const k = diagonal.length;
    const t = zeros(k, k);
    diagonal.forEach((value, i) => (t.data[i * k + i] = value));
    for (let i = 0; i + 1 < k; i++) t.data[i * k + i + 1] = t.data[(i + 1) * k + i] = beside[i];
    const values = symmetricEigen(this.#blas, view(t.data, 0, k, k), 'a Lanczos matrix');
    return { values, vectors: t.data as Float64Array, first };
  }

  /** d ← the minimizer over the space within the radius, or of the damped quadratic; what the small problem says. */
  solve(by: { readonly radius: number } | { readonly damping: number }, d: FloatArray): SmallSolution {
    this.#space.clear(d);
    if (this.size === 0) return { y: new Float64Array(0), damping: 0, model: 0, hard: false };
    const solution = smallTrustRegion(this.#model, by);
    solution.y.forEach((value, j) => {
      this.#space.add(value, this.#vectors[j], d);
    });
    return solution;
  }
}
