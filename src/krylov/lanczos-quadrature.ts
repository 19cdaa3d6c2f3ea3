/**
 * Gauss quadratures of the spectral measure of a symmetric operator, from random probes.
 *
 *   (1/N) vᵀf(A)v = ∫ f dμ_v ≈ Σ_k τ_k² f(θ_k),   T_m = tridiag(β, α, β) after m Lanczos steps from v/√N,  T_m y_k =
 *   θ_k y_k,  τ_k = first entry of y_k
 *
 * (G. Golub, G. Meurant, *Matrices, Moments and Quadrature with Applications*, Princeton 2010, chapter 6), exact for
 * polynomials of degree 2m − 1. Several probes run side by side, each with its own recurrence, so that products are
 * with blocks. A three-term recurrence alone is right in the end, its measure's nodes only spreading to close copies
 * that share their weight (A. Greenbaum, Linear Algebra Appl. 113, 1989), but the copies delay it: of a Gaussian kernel
 * matrix with condition 10⁸ log det comes within 1e-6 in 100 steps with full reorthogonalisation, and in 300 without
 * only within 1e-2. So vectors are kept and orthogonalised against where memory allows. With a factorization M = FFᵀ
 * the operator is F⁻¹AF⁻ᵀ, by the Lanczos method for M⁻¹A in the inner product of M: uₖ = F⁻ᵀqₖ, and sₖ = M·uₖ beside
 * it, so that each step takes one product with A and one solve with M.
 */
import { requireWhole } from '../core/checks.js';
import { throwIfAborted, type RunControl } from '../core/context.js';
import { ShapeError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import type { KeysOf } from '../core/known-options.js';
import { RandomStream } from '../core/random.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import type { WithBlas } from '../dense/default-blas.js';
import { view, zeros, type Matrix } from '../dense/matrix.js';
import { norm } from '../dense/norm.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { checkSystem } from './solver-checks.js';

/** Random probes and Lanczos steps of a quadrature. Cost: probes·degree products with A. */
export interface ProbeOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Default 0. Seeds the probes. */
  readonly seed?: number | undefined;
  /** Random vectors with entries ±1; default 30. */
  readonly probes?: number | undefined;
  /**
   * Lanczos steps for each, at most N; default 100, and twice as many each time until the quadrature's error is below
   * the sample's, up to 1,600.
   */
  readonly degree?: number | undefined;
  /** Probes multiplied together, 3N numbers each; default 8. */
  readonly blockSize?: number | undefined;
}
/** The keys of {@link ProbeOptions}. */
export const PROBE_KEYS: KeysOf<ProbeOptions> = {
  blas: true,
  seed: 'number',
  probes: 'number',
  degree: 'number',
  blockSize: 'number',
};

/**
 * T_m of a probe: m diagonal entries; the m entries beside them, of which the last couples to the step that was not
 * taken (0 where the space is invariant).
 */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  readonly beside: Float64Array;
}

/** Nodes, ascending, and their weights, which sum to 1. */
export interface Quadrature {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}

/** M = FFᵀ as `factor` and `factorKronecker` give it: F·Z, F⁻ᵀ·Z, and M⁻¹ as a linear operator. */
export interface FactoredMatrix extends LinearOperator {
  /** log det M. */
  readonly logdet: number;
  applyFactor(z: Matrix, out?: Matrix): Matrix;
  applyInverseFactor(z: Matrix, out?: Matrix): Matrix;
}

/** What the callers inside the library add. */
export interface QuadratureOptions extends ProbeOptions {
  /** Keeps the vectors of a probe and orthogonalises against them, where they fit BASIS_BYTES. */
  readonly reorthogonalize?: boolean | undefined;
  /** Steps of the first attempt, where no `degree` is given; default 100. */
  readonly firstDegree?: number | undefined;
  /** M = FFᵀ: the operator is then F⁻¹AF⁻ᵀ. Default none. */
  readonly factorization?: FactoredMatrix | undefined;
}

const PROBES = 30;
/** Lanczos steps of the first attempt, where no degree is given. */
export const DEGREE = 100;
const BLOCK_SIZE = 8;
/** Bytes of kept vectors; fewer probes run side by side to stay within. */
const BASIS_BYTES = 2 ** 28;
/** A pass of Gram–Schmidt that leaves at least this share of the length has lost nothing to cancellation. */
const KEPT_SHARE = Math.SQRT1_2;
const STREAM = 0x51a9c7;
const TURN_MS = 50;

/** Probes, steps of each (at most N), and how many probes run side by side. Throws OptionError. */
export function checkedProbes(
  size: number,
  options: ProbeOptions,
): { readonly probes: number; readonly degree: number; readonly side: number } {
  const probes = requireWhole(options.probes ?? PROBES, 'probes', 1);
  const degree = Math.min(size, requireWhole(options.degree ?? DEGREE, 'degree', 1));
  return { probes, degree, side: Math.min(probes, requireWhole(options.blockSize ?? BLOCK_SIZE, 'blockSize', 1)) };
}

/**
 * The Lanczos matrices of all probes; undefined where a product is not finite. Cost: probes × degree products, in
 * blocks, and with reorthogonalisation 4N·degree²/2 flops a probe. The same seed gives the same bits. Throws
 * ShapeError, OptionError, AbortedError.
 */
export async function lanczosMatrices(
  operator: LinearOperator,
  options: WithBlas<QuadratureOptions>,
  control: RunControl,
): Promise<Tridiagonal[] | undefined> {
  const size = checkSystem(operator, 'Stochastic Lanczos quadrature');
  const { seed = 0, blas, factorization } = options;
  if (factorization !== undefined && factorization.rows !== size)
    throw new ShapeError(`The operator has ${size} rows, the factorization ${factorization.rows}.`, {
      size,
      factorization: factorization.rows,
    });
  const { probes, degree, side } = checkedProbes(size, options);
  const kept =
    options.reorthogonalize === true
      ? Math.floor(BASIS_BYTES / (8 * size * degree * (factorization === undefined ? 1 : 2)))
      : 0;
  const width = kept === 0 ? side : Math.min(side, kept);
  const blocks = new Blocks(size, width, kept === 0 ? 0 : degree, blas, factorization);
  const found: Tridiagonal[] = [];
  let turn = performance.now();
  throwIfAborted(control.signal);
  for (let first = 0; first < probes; first += width) {
    const count = Math.min(width, probes - first);
    blocks.begin(seed, first, count);
    const group = Array.from({ length: count }, (): Growing => ({ diagonal: [], beside: [], norm: 0, ended: false }));
    for (let step = 0; step < degree && group.some(({ ended }) => !ended); step++) {
      if (!blocks.step(operator, group)) return undefined;
      if (performance.now() - turn > TURN_MS) {
        await nextTurn();
        turn = performance.now();
      }
      throwIfAborted(control.signal);
      control.onProgress?.({
        phase: 'quadrature',
        done: first * degree + (step + 1) * count,
        total: probes * degree,
      });
    }
    for (const { diagonal, beside } of group)
      found.push({ diagonal: Float64Array.from(diagonal), beside: Float64Array.from(beside) });
  }
  return found;
}

interface Growing {
  readonly diagonal: number[];
  readonly beside: number[];
  norm: number;
  ended: boolean;
}

/** Vectors of a side: uₖ, or sₖ = M·uₖ; without a factorization they are the same. */
interface Vectors {
  before: Float64Array;
  current: Float64Array;
}

/** The vectors of the probes that run side by side, and their steps. */
class Blocks {
  readonly #size: number;
  readonly #blas: Blas;
  readonly #factorization: FactoredMatrix | undefined;
  readonly #primal: Vectors;
  readonly #dual: Vectors;
  #image: Float64Array;
  /** All uₖ and sₖ of each probe, where they are kept. */
  readonly #bases: readonly { readonly primal: Float64Array; readonly dual: Float64Array }[];
  readonly #coefficients: Float64Array;

  constructor(size: number, width: number, degree: number, blas: Blas, factorization: FactoredMatrix | undefined) {
    const vectors = (): Vectors => ({ before: sharedFloat64(size * width), current: sharedFloat64(size * width) });
    this.#size = size;
    this.#blas = blas;
    this.#factorization = factorization;
    this.#primal = vectors();
    this.#dual = factorization === undefined ? this.#primal : vectors();
    this.#image = sharedFloat64(size * width);
    this.#bases =
      degree === 0
        ? []
        : Array.from({ length: width }, () => {
            const primal = new Float64Array(size * degree);
            return { primal, dual: factorization === undefined ? primal : new Float64Array(size * degree) };
          });
    this.#coefficients = new Float64Array(degree);
  }

  /** Draws probes `first` …, scaled to length 1. */
  begin(seed: number, first: number, count: number): void {
    const size = this.#size;
    const { current, before } = this.#primal;
    const entry = 1 / Math.sqrt(size);
    for (let j = 0; j < count; j++) {
      const random = new RandomStream(seed, STREAM, first + j);
      for (let i = j * size; i < (j + 1) * size; i++) current[i] = random.uint32() < 2147483648 ? entry : -entry;
    }
    before.fill(0);
    if (this.#factorization === undefined) return;
    this.#dual.before.fill(0);
    this.#factorization.applyFactor(view(current, 0, size, count), view(this.#dual.current, 0, size, count));
    this.#factorization.applyInverseFactor(view(current, 0, size, count), view(current, 0, size, count));
  }

  /** One step of all probes. False where something is not finite. */
  step(operator: LinearOperator, group: readonly Growing[]): boolean {
    const size = this.#size;
    const count = group.length;
    const primal = this.#primal;
    const dual = this.#dual;
    operator.applyUnchecked(view(this.#image, 0, size, count), view(primal.current, 0, size, count), 1, 0);
    for (let j = 0; j < count; j++) if (!group[j].ended && !this.#advance(group[j], j)) return false;
    // The next vectors, not scaled yet: sₖ₊₁ in the image, uₖ₊₁ = M⁻¹sₖ₊₁ in place of uₖ₋₁.
    const image = this.#image;
    this.#factorization?.applyUnchecked(view(primal.before, 0, size, count), view(image, 0, size, count), 1, 0);
    for (let j = 0; j < count; j++) if (!this.#scale(group[j], j)) return false;
    if (dual !== primal) [dual.before, dual.current] = [dual.current, dual.before];
    [primal.before, primal.current] = [primal.current, primal.before];
    return true;
  }

  /** image ← image − β·sₖ₋₁ − α·sₖ, orthogonal to all uₖ where they are kept. */
  #advance(t: Growing, j: number): boolean {
    const first = j * this.#size;
    const end = first + this.#size;
    const image = this.#image;
    const { current: u } = this.#primal;
    const { before, current: s } = this.#dual;
    const beta = t.beside.length > 0 ? t.beside[t.beside.length - 1] : 0;
    let alpha = 0;
    for (let i = first; i < end; i++) {
      const value = image[i] - beta * before[i];
      image[i] = value;
      alpha += value * u[i];
    }
    for (let i = first; i < end; i++) image[i] -= alpha * s[i];
    if (!Number.isFinite(alpha)) return false;
    t.diagonal.push(alpha);
    t.norm = Math.max(t.norm, Math.hypot(beta, alpha));
    const basis = this.#bases.at(j);
    if (basis !== undefined) {
      const step = t.diagonal.length - 1;
      basis.primal.set(u.subarray(first, end), step * this.#size);
      if (basis.dual !== basis.primal) basis.dual.set(s.subarray(first, end), step * this.#size);
      this.#orthogonalize(basis, step + 1, view(image, first, this.#size, 1));
    }
    return true;
  }

  /** w ← w − S(Uᵀw), twice where the first pass cancels. */
  #orthogonalize(
    { primal, dual }: { readonly primal: Float64Array; readonly dual: Float64Array },
    count: number,
    w: Matrix,
  ): void {
    const size = this.#size;
    const h = view(this.#coefficients, 0, count, 1);
    let before = norm(w);
    for (let pass = 0; pass < 2; pass++) {
      this.#blas.gemv('T', 1, view(primal, 0, size, count), w, 0, h);
      this.#blas.gemv('N', -1, view(dual, 0, size, count), h, 1, w);
      const after = norm(w);
      if (after >= KEPT_SHARE * before) return;
      before = after;
    }
  }

  /** β = √(uᵀs) of the new vectors, which are divided by it; they take the place of those before the current ones. */
  #scale(t: Growing, j: number): boolean {
    const first = j * this.#size;
    const end = first + this.#size;
    const image = this.#image;
    const { before: u } = this.#primal;
    const { before: s } = this.#dual;
    const preconditioned = this.#factorization !== undefined;
    if (!t.ended) {
      let sum = 0;
      if (preconditioned) for (let i = first; i < end; i++) sum += image[i] * u[i];
      else for (let i = first; i < end; i++) sum += image[i] * image[i];
      const length = Math.sqrt(sum);
      if (!Number.isFinite(length)) return false;
      t.norm = Math.max(t.norm, length);
      t.ended = length <= 4 * Math.sqrt(this.#size) * Number.EPSILON * t.norm;
      t.beside.push(t.ended ? 0 : length);
      if (!t.ended) {
        if (preconditioned) for (let i = first; i < end; i++) u[i] /= length;
        for (let i = first; i < end; i++) s[i] = image[i] / length;
        return true;
      }
    }
    u.fill(0, first, end);
    if (preconditioned) s.fill(0, first, end);
    return true;
  }
}

/** The Gauss quadrature of the first `degree` steps (all of them by default). Throws FactorizationError. */
export function gaussQuadrature(t: Tridiagonal, blas: Blas, degree: number = t.diagonal.length): Quadrature {
  return quadratureOf(t.diagonal.subarray(0, degree), t.beside, blas);
}

/**
 * The Gauss–Radau quadrature with a node at `node`, outside the interval of the spectrum or at its end: one node more
 * than steps. Where the space is invariant it is Gauss's. (G. Golub, *Some modified matrix eigenvalue problems*, SIAM
 * Review 15(2), 1973: the new diagonal entry is node + δ_m with (T − node·I) δ = β_m² e_m.)
 */
export function radauQuadrature(t: Tridiagonal, blas: Blas, node: number): Quadrature {
  const { diagonal, beside } = t;
  const m = diagonal.length;
  if (beside[m - 1] === 0) return gaussQuadrature(t, blas);
  // LDLᵀ of T − node·I from the top: δ_m = β_m²/d_m.
  let pivot = diagonal[0] - node;
  for (let k = 1; k < m; k++) pivot = diagonal[k] - node - beside[k - 1] ** 2 / pivot;
  const extended = new Float64Array(m + 1);
  extended.set(diagonal);
  extended[m] = node + beside[m - 1] ** 2 / pivot;
  return quadratureOf(extended, beside, blas);
}

function quadratureOf(diagonal: Float64Array, beside: Float64Array, blas: Blas): Quadrature {
  const m = diagonal.length;
  const t = zeros(m, m);
  for (let k = 0; k < m; k++) {
    t.data[k * (m + 1)] = diagonal[k];
    if (k + 1 < m) t.data[k + 1 + k * m] = beside[k];
  }
  const nodes = symmetricEigen(blas, t, 'a Lanczos matrix');
  return { nodes, weights: Float64Array.from(nodes, (_, k) => t.data[k * m] ** 2) };
}

/** Σ_k w_k f(θ_k). */
export function integrate({ nodes, weights }: Quadrature, f: (eigenvalue: number) => number): number {
  let sum = 0;
  for (let k = 0; k < nodes.length; k++) if (weights[k] > 0) sum += weights[k] * f(nodes[k]);
  return sum;
}
