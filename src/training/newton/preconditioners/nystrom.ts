/**
 * M⁻¹ = (Λ_k + λ)·U(Λ + λ)⁻¹Uᵀ + I − UUᵀ with G ≈ UΛUᵀ of rank k by k products with random vectors (Z. Frangella, J.
 * Tropp, M. Udell, "Randomized Nyström preconditioning", SIAM J. Matrix Anal. Appl. 44(2), 2023). U is kept for some
 * steps: it costs k products.
 *
 *   Ω orthonormal, Y = GΩ + νΩ, ΩᵀY = LLᵀ, B = YL⁻ᵀ, BᵀB = VΣ²Vᵀ, U = BVΣ⁻¹, Λ = Σ² − ν
 */
import { RandomStream } from '../../../core/random.js';
import { precisionOf, ROUNDOFF, type FloatArray } from '../../../core/floats.js';
import { block, view, zeros, type Matrix } from '../../../dense/matrix.js';
import { symmetricEigen } from '../../../dense/symmetric-eigen.js';
import type { Blas } from '../../../dense/blas.js';
import type { ParameterLayout } from '../../../network/parameter-layout.js';
import type { Objective } from '../../objective/objective.js';
import type { Point } from '../point.js';
import { ready, type Steps } from '../steps.js';
import type { Space } from '../vectors.js';
import type { Preconditioner, PreconditionerPlan } from './preconditioner.js';

/** Keeps its streams apart from others of the same seed. */
const PURPOSE = 0x6e797374;
/** A vector of which less than so many eps is left besides those before it lies in their span. */
const DEPENDENT = 64;

/** Rank and how long it is kept. */
export interface NystromSettings {
  readonly rank: number;
  /** Steps after which it is made anew. */
  readonly refresh: number;
  readonly seed: number;
}

/** Vectors of U: as many as θ has numbers at most. */
export const nystromRank = ({ rank }: NystromSettings, { parameters }: ParameterLayout): number =>
  Math.min(rank, parameters);

/** The Nyström preconditioner: 2k vectors, 4kN flops an application. */
export const nystromPreconditioner = (settings: NystromSettings): PreconditionerPlan => ({
  spare: (network) => (2 * network.parameters + 2) * nystromRank(settings, network) + 64,
  begin: (objective) => new NystromPreconditioner(new PlacesHere(objective, settings), objective.blas, settings),
});

/** U and Y, N × k, and Λ, wherever they lie. */
export interface NystromPlaces {
  /** Their columns. */
  readonly u: readonly FloatArray[];
  readonly y: readonly FloatArray[];
  readonly values: FloatArray;
  /** What a checkpoint keeps: U and Λ. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
  /** A column ← numbers that a stream draws. */
  fill(column: FloatArray, stream: RandomStream): void;
  /**
   * U ← orthonormal columns of its span, those before each spanning what they did, by products of all of them; false
   * where rounding leaves no such ones, or where one after the other takes less: Y is lost, U spans what it did.
   */
  orthonormalize(): Steps<boolean>;
  /** XᵀY, X being U or Y. */
  gram(x: 'u' | 'y'): Steps<Matrix>;
  /** U ← Y·W. */
  rotate(w: Matrix<Float64Array>): void;
  /** Λ ← values; what the next applications scale U's columns by. */
  keep(values: ArrayLike<number>): void;
  scale(by: ArrayLike<number>): void;
  /** z ← r + U·S·Uᵀr. */
  apply(r: FloatArray, z: FloatArray): void;
}

/** The preconditioner, with vectors in S. */
export class NystromPreconditioner<S extends Space> implements Preconditioner<S> {
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #places: NystromPlaces;
  readonly #blas: Blas;
  readonly #settings: NystromSettings;

  constructor(places: NystromPlaces, blas: Blas, settings: NystromSettings) {
    this.#places = places;
    this.#blas = blas;
    this.#settings = settings;
    this.arrays = places.arrays;
  }

  *prepare(point: Point<S>, samples: number, damping: number): Steps<void> {
    const { values } = this.#places;
    if (point.plan.step % this.#settings.refresh === 0 || !(values[0] > 0)) yield* this.#make(point, samples);
    const last = values[values.length - 1] + damping;
    this.#places.scale(values.map((value) => (value + damping > 0 ? last / (value + damping) - 1 : 0)));
  }

  apply(r: FloatArray, z: FloatArray): void {
    this.#places.apply(r, z);
  }

  *#make(point: Point<S>, samples: number): Steps<void> {
    const places = this.#places;
    const { u, y } = places;
    const { space } = point;
    const k = u.length;
    const rank = yield* this.#draw(point);
    let largest = 0;
    for (let j = 0; j < rank; j++) {
      yield* point.product('gauss-newton', 0, { v: u[j], out: y[j] }, samples);
      const [square] = yield* space.dots([y[j], y[j]]);
      largest = Math.max(largest, Math.sqrt(square));
    }
    for (const column of y.slice(rank)) space.clear(column);
    const ν = Math.sqrt(space.length) * largest * ROUNDOFF[precisionOf(u[0])];
    for (let j = 0; j < rank; j++) space.add(ν, u[j], y[j]);
    const leading = (of: Matrix): Matrix => block(of, 0, 0, rank, rank);
    const core = yield* places.gram('u');
    for (let j = 0; j < k; j++)
      for (let i = 0; i < k; i++) core.data[i + j * k] = 0.5 * (core.data[i + j * k] + core.data[j + i * k]);
    const l = leading(core);
    if (!(largest > 0) || this.#blas.potrf('L', l) !== 0) {
      // Nothing to go by: M = I.
      for (const column of u) space.clear(column);
      places.keep(new Float64Array(k));
      return;
    }
    const b = leading(yield* places.gram('y'));
    this.#blas.trsm('L', 'L', 'N', 'N', 1, l, b);
    this.#blas.trsm('R', 'L', 'T', 'N', 1, l, b);
    const squares = symmetricEigen(this.#blas, b, 'a Nyström core');
    // U ← Y·L⁻ᵀVΣ⁻¹, largest first.
    const w = zeros(k, k);
    const values = new Float64Array(k);
    for (let j = 0; j < rank; j++) {
      const from = rank - 1 - j;
      const σ = Math.sqrt(Math.max(squares[from], Number.MIN_VALUE));
      for (let i = 0; i < rank; i++) w.data[i + j * k] = b.data[i + from * k] / σ;
      values[j] = Math.max(0, squares[from] - ν);
    }
    this.#blas.trsm('L', 'L', 'T', 'N', 1, l, leading(w));
    places.rotate(w);
    places.keep(values);
  }

  /**
   * Ω into U: orthonormal, zero in frozen layers; how many there are, fewer than U has where less of θ is free. The
   * rest of U is zero.
   */
  *#draw(point: Point<S>): Steps<number> {
    const { space } = point;
    const { u } = this.#places;
    for (const [j, ω] of u.entries()) {
      this.#places.fill(ω, new RandomStream(this.#settings.seed, PURPOSE, point.plan.step, j));
      point.mask(ω);
    }
    if (yield* this.#places.orthonormalize()) return u.length;
    const least = DEPENDENT * ROUNDOFF[precisionOf(u[0])];
    for (const [j, ω] of u.entries()) {
      const [before] = yield* space.dots([ω, ω]);
      space.orthogonalize(ω, u.slice(0, j));
      const [square] = yield* space.dots([ω, ω]);
      if (!(square > least ** 2 * before)) {
        // Random numbers: those that come behind depend on these, too.
        for (const column of u.slice(j)) space.clear(column);
        return j;
      }
      space.scale(1 / Math.sqrt(square), ω);
    }
    return u.length;
  }
}

/** Those of an objective here. */
class PlacesHere implements NystromPlaces {
  readonly u: readonly FloatArray[];
  readonly y: readonly FloatArray[];
  readonly values: FloatArray;
  readonly arrays: Readonly<Record<string, FloatArray>>;
  readonly #objective: Objective;
  readonly #u: Matrix;
  readonly #t: FloatArray;
  #by: ArrayLike<number> = [];

  constructor(objective: Objective, settings: NystromSettings) {
    const n = objective.network.parameters;
    const k = nystromRank(settings, objective.network);
    const [u, y] = [objective.take(n * k), objective.take(n * k)];
    const columns = (of: FloatArray): FloatArray[] =>
      Array.from({ length: k }, (_, j) => of.subarray(j * n, (j + 1) * n));
    this.#objective = objective;
    this.u = columns(u);
    this.y = columns(y);
    this.#u = view(u, 0, n, k);
    this.values = objective.take(k);
    this.#t = objective.take(k);
    this.arrays = { nystromVectors: u, nystromValues: this.values };
  }

  fill(column: FloatArray, stream: RandomStream): void {
    stream.fillNormal(column);
  }

  /** Pairs are as fast here, and need no second pass. */
  orthonormalize(): Steps<boolean> {
    return ready(false);
  }

  /** In float64. */
  gram(x: 'u' | 'y'): Steps<Matrix> {
    const k = this.values.length;
    const { kernels } = this.#objective;
    const g = zeros(k, k);
    for (let j = 0; j < k; j++)
      for (let i = 0; i < k; i++) g.data[i + j * k] = kernels.dot(this.#u.rows, this[x][i], this.y[j]);
    return ready(g);
  }

  rotate(w: Matrix<Float64Array>): void {
    const { kernels } = this.#objective;
    const k = this.values.length;
    for (const [j, u] of this.u.entries()) {
      u.fill(0);
      for (const [i, y] of this.y.entries()) kernels.combine(u.length, w.data[i + j * k], y, 1, u);
    }
  }

  keep(values: ArrayLike<number>): void {
    this.values.set(values);
  }

  scale(by: ArrayLike<number>): void {
    this.#by = by;
  }

  apply(r: FloatArray, z: FloatArray): void {
    const { blas, kernels } = this.#objective;
    const n = r.length;
    kernels.combine(n, 1, r, 0, z);
    const t = view(this.#t, 0, this.#t.length, 1);
    blas.gemv('T', 1, this.#u, view(r, 0, n, 1), 0, t);
    for (let j = 0; j < this.#t.length; j++) this.#t[j] *= this.#by[j];
    blas.gemv('N', 1, this.#u, t, 1, view(z, 0, n, 1));
  }
}
