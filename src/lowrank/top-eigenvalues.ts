/**
 * The k outermost eigenvalues of a symmetric operator, with their vectors, by a block Krylov space.
 *
 *   A V = V H + X B Eᵀ,    H S = S Θ,    ‖A y − θ y‖ = ‖B Eᵀs‖  for  y = V s
 *
 * with full reorthogonalisation and thick restarts (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22(2), 2000; in blocks
 * as Y. Zhou, Y. Saad, Numer. Algorithms 47, 2008): when the basis is full, the wanted Ritz vectors and some more stay,
 * and the space grows from the same residual block X. A block finds eigenvalues of multiplicity up to its width, and
 * multiplies at the speed of GEMM. Matrices that are not much larger than such a space are decomposed whole.
 */
import { requireSeed, requireWhole } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import { requireMemory } from '../core/memory.js';
import type { Blas } from '../dense/blas.js';
import type { WithBlas } from '../dense/default-blas.js';
import { block, copyInto, fill, view, zeros, type Matrix } from '../dense/matrix.js';
import { norm } from '../dense/norm.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { availableMemory } from '../io/machine.js';
import { ritzPairs } from '../krylov/ritz-pairs.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import { toDense } from '../operator/to-dense.js';
import { orthonormalize } from './orthonormalize.js';
import { PanelAlgebra } from './panel-algebra.js';
import { pause, sharedPanel, symmetrize, type LowRankControl } from './sketch.js';

/** The ends of a spectrum, each by the key that puts its eigenvalues first. */
const ENDS = {
  largest: (value: number) => -value,
  smallest: (value: number) => value,
  magnitude: (value: number) => -Math.abs(value),
} as const;
/** Which end of the spectrum: by value, or by size. */
export type SpectrumEnd = keyof typeof ENDS;

/** Asked ‖A v − λ v‖ relative to ‖A‖₂ where nobody says. */
export const EIGENVALUE_TOLERANCE = 1e-6;

/** Options of {@link topEigenvalues}. */
export interface TopEigenvaluesOptions {
  /** Default 'largest'; 'magnitude' takes those of largest |λ|, of either sign. */
  readonly which?: SpectrumEnd | undefined;
  /** Asked ‖A v − λ v‖ relative to ‖A‖₂ (its estimate max |θ|); default 1e-6. */
  readonly tolerance?: number | undefined;
  /** Most products with single vectors, without the k that verify the result; default 50·k, at least 2000. */
  readonly maxProducts?: number | undefined;
  /** Vectors that are multiplied together; default k, from 4 to 16. */
  readonly blockSize?: number | undefined;
  /** Default: the team's. */
  readonly blas?: Blas | undefined;
  /** Default 0. Seeds the first block. */
  readonly seed?: number | undefined;
  /** Bytes that may be allocated; default: what is available. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link TopEigenvaluesOptions}. */
export const TOP_EIGENVALUES_KEYS: KeysOf<TopEigenvaluesOptions> = {
  which: true,
  tolerance: 'number',
  maxProducts: 'number',
  blockSize: 'number',
  blas: true,
  seed: 'number',
  memoryLimit: 'number',
};

/** Eigenvalues with their vectors, how far they can be trusted, and how they were found. */
export interface TopEigenvalues {
  /**
   * converged: all residuals met the tolerance, and products with the vectors confirm them. maxProducts: what was found
   * by then. inaccurate: the products do not fit a symmetric matrix to the tolerance (an operator that is not
   * symmetric, or rounded more coarsely). nonFinite: a product was NaN or infinite; values are NaN.
   */
  readonly outcome: 'converged' | 'maxProducts' | 'inaccurate' | 'nonFinite';
  /** k values, the outermost first. */
  readonly values: Float64Array;
  /** ‖A v − λ v‖ of each, by products with the vectors handed back: an eigenvalue of A lies this near. */
  readonly residuals: Float64Array;
  /** N × k, orthonormal. */
  readonly vectors: Matrix;
  /** dense: decomposed whole. krylov: above. dual: through the n·r × n·r dual form of a network. */
  readonly method: 'dense' | 'krylov' | 'dual';
  /** Products with single vectors, those that verify included. */
  readonly products: number;
  readonly restarts: number;
}

/** Up to this size, and where the space would be half of the matrix, it is built and decomposed whole. */
const DENSE_SIZE = 256;
const WIDEST_BLOCK = 16;
const NARROWEST_BLOCK = 4;
/** Vectors of the basis: at least so many, where that many fit. */
const LEAST_BASIS = 96;
/** Products between decompositions of the projected matrix where narrower blocks would make these the dearest part. */
const NARROW_STEPS = 16;
const LEAST_PRODUCTS = 2000;
const PRODUCTS_EACH = 50;
const STREAM = 0x70e1;
const PHASE = 'eigenvalues';
const MOST_PASSES = 4;
/** ‖VᵀX‖ of a block that is orthogonal to the basis. */
const ORTHOGONAL = 1e-13;

interface Resolved {
  readonly which: SpectrumEnd;
  readonly tolerance: number;
  readonly maxProducts: number;
  readonly width: number;
  readonly blas: Blas;
  readonly seed: number;
  readonly memoryLimit: number;
}

/** Throws ShapeError, OptionError. */
export function resolveEigenvalues(
  { rows, cols, symmetric }: LinearOperator,
  k: number,
  options: WithBlas<TopEigenvaluesOptions>,
): Resolved {
  if (rows !== cols || rows === 0)
    throw new ShapeError(`Eigenvalues need a square operator with at least one row, this one is ${rows} × ${cols}.`, {
      rows,
      cols,
    });
  if (!symmetric) throw new OptionError('topEigenvalues needs a symmetric operator; this one says that it is not.');
  requireWhole(k, 'k, the number of eigenvalues,', 1, rows);
  const {
    which = 'largest',
    tolerance = EIGENVALUE_TOLERANCE,
    blas,
    seed = 0,
    memoryLimit = availableMemory(),
  } = options;
  if (!Object.hasOwn(ENDS, which))
    throw new OptionError(`which must be largest, smallest or magnitude, not ${describe(which)}.`, { which });
  if (!(tolerance > 0 && tolerance < 1))
    throw new OptionError(`tolerance must lie between 0 and 1, not ${describe(tolerance)}.`, { tolerance });
  const { maxProducts = Math.max(LEAST_PRODUCTS, PRODUCTS_EACH * k) } = options;
  const { blockSize: width = Math.min(WIDEST_BLOCK, Math.max(NARROWEST_BLOCK, k)) } = options;
  requireWhole(maxProducts, 'maxProducts', 1);
  requireWhole(width, 'blockSize', 1);
  requireSeed(seed);
  return { which, tolerance, maxProducts, width, blas, seed, memoryLimit };
}

/** The eigenpairs of ascending values that are wanted, outermost first. */
export function wantedOf(values: Float64Array, count: number, which: SpectrumEnd): number[] {
  const keys = values.map(ENDS[which]);
  return Array.from(keys, (_, i) => i)
    .sort((a, b) => keys[a] - keys[b] || a - b)
    .slice(0, count);
}

/** What was found, before products with the vectors confirm it. */
export interface Found extends Omit<TopEigenvalues, 'values' | 'residuals'> {
  /** ‖A‖₂, as far as it was seen. */
  readonly scale: number;
}

/**
 * Rayleigh quotients and residuals of unit vectors, by a product with all of them; decides between converged and
 * inaccurate.
 */
export function verified(operator: LinearOperator, { scale, ...found }: Found, tolerance: number): TopEigenvalues {
  const { vectors, outcome, products } = found;
  const { rows, cols } = vectors;
  const { values, residuals } = ritzPairs(operator, vectors);
  const all = { ...found, values, residuals, products: products + cols };
  if (![...values, ...residuals].every(Number.isFinite)) return nothing(rows, cols, all);
  // Rounding of the products and of the basis is not the method's to remove.
  const confirmed = Math.max(...residuals) <= (2 * tolerance + 4 * rows * Number.EPSILON) * scale;
  return { ...all, outcome: outcome === 'converged' && !confirmed ? 'inaccurate' : outcome };
}

const nothing = (size: number, k: number, { method, products, restarts }: Omit<Found, 'scale'>): TopEigenvalues => ({
  outcome: 'nonFinite',
  values: new Float64Array(k).fill(Number.NaN),
  residuals: new Float64Array(k).fill(Number.POSITIVE_INFINITY),
  vectors: zeros(size, k),
  method,
  products,
  restarts,
});

/** `topEigenvalues` of an operator of which only products are known; options are known. */
export async function krylovEigenvalues(
  operator: LinearOperator,
  k: number,
  options: WithBlas<TopEigenvaluesOptions>,
  control: LowRankControl,
): Promise<TopEigenvalues> {
  const resolved = resolveEigenvalues(operator, k, options);
  const { rows: size } = operator;
  const { width, tolerance, memoryLimit } = resolved;
  const basis = Math.max(LEAST_BASIS, 2 * k + 4 * width);
  const whole = size <= DENSE_SIZE || 2 * (basis + width) > size;
  const numbers = whole ? 4 * size * size : size * (basis + 4 * width + 2 * k) + 6 * basis * basis;
  requireMemory(8 * numbers, memoryLimit, {
    what: `${k} eigenvalues of a matrix of size ${size} need`,
    advice: 'ask for fewer, lower blockSize, or raise memoryLimit.',
  });
  const algebra = new PanelAlgebra(resolved.blas, control.team);
  if (whole) return wholeEigenvalues(operator, k, resolved, algebra);
  const space = new KrylovSpace(operator, basis, resolved, algebra);
  const found = await space.run(k, control);
  return found.outcome === 'nonFinite' ? nothing(size, k, found) : verified(operator, found, tolerance);
}

function wholeEigenvalues(
  operator: LinearOperator,
  k: number,
  { which, tolerance }: Resolved,
  { blas }: PanelAlgebra,
): TopEigenvalues {
  const n = operator.rows;
  const a = toDense(operator);
  const vectors = sharedPanel(n, k);
  const found = { outcome: 'converged', vectors, method: 'dense', products: n, restarts: 0 } as const;
  if (!a.data.every(Number.isFinite)) return nothing(n, k, found);
  symmetrize(a);
  const values = symmetricEigen(blas, a, 'a matrix');
  const scale = Math.max(Math.abs(values[0]), Math.abs(values[n - 1]));
  wantedOf(values, k, which).forEach((from, j) => {
    copyInto(block(vectors, 0, j, n, 1), block(a, 0, from, n, 1));
  });
  return verified(operator, { ...found, scale }, tolerance);
}

class KrylovSpace {
  readonly #operator: LinearOperator;
  readonly #options: Resolved;
  readonly #algebra: PanelAlgebra;
  /** V and behind it X: N × (capacity + width). */
  readonly #basis: Matrix;
  readonly #image: Matrix;
  /** VᵀAV, both triangles. */
  readonly #h: Matrix;
  /** The residual block's triangular factor, width × width. */
  readonly #b: Matrix;
  #used = 0;
  #drawn = 0;
  #products = 0;
  #restarts = 0;

  constructor(operator: LinearOperator, capacity: number, options: Resolved, algebra: PanelAlgebra) {
    const { rows } = operator;
    this.#operator = operator;
    this.#options = options;
    this.#algebra = algebra;
    this.#basis = sharedPanel(rows, capacity + options.width);
    this.#image = sharedPanel(rows, options.width);
    this.#h = zeros(capacity, capacity);
    this.#b = zeros(options.width, options.width);
  }

  async run(k: number, control: LowRankControl): Promise<Found> {
    const { width, which, tolerance, maxProducts, seed } = this.#options;
    const capacity = this.#h.rows;
    this.#algebra.fillNormal(this.#columns(0, width), seed, STREAM, 0);
    this.#drawn = width;
    this.#orthonormalizeNext();
    for (;;) {
      if (!this.#grow()) return this.#found('nonFinite', zeros(0, 0), 0);
      const last = this.#products + width > maxProducts && this.#used >= k;
      const full = this.#used + width > capacity;
      if (width < NARROWEST_BLOCK && !last && !full && this.#products % NARROW_STEPS !== 0) continue;
      const s = zeros(this.#used, this.#used);
      copyInto(s, block(this.#h, 0, 0, this.#used, this.#used));
      const values = symmetricEigen(this.#algebra.blas, s, 'a projected matrix');
      const scale = Math.max(Math.abs(values[0]), Math.abs(values[this.#used - 1]));
      const wanted = this.#used < k ? [] : wantedOf(values, k, which);
      const settled = wanted.length === k && wanted.every((j) => this.#residual(s, j) <= tolerance * scale);
      if (settled || last)
        return this.#found(settled ? 'converged' : 'maxProducts', this.#ritzVectors(s, wanted), scale);
      if (full) {
        // Half of the room that is left for more than the wanted ones speeds up what comes; the rest is for growing.
        const kept = Math.min(capacity - 2 * width, k + Math.ceil((capacity - k) / 3));
        this.#restart(s, values, wantedOf(values, kept, which));
      }
      await pause(control, PHASE, Math.min(this.#products, maxProducts), maxProducts);
    }
  }

  #found(outcome: TopEigenvalues['outcome'], vectors: Matrix, scale: number): Found {
    return { outcome, scale, vectors, method: 'krylov', products: this.#products, restarts: this.#restarts };
  }

  #columns(first: number, count: number): Matrix {
    return block(this.#basis, 0, first, this.#basis.rows, count);
  }

  /**
   * Makes the block behind the basis orthonormal, and orthogonal to it; returns the factor R of block = Q·R + V·(…).
   * Columns of zeros, which come where the space is invariant, are replaced by random ones that nothing couples to.
   */
  #orthonormalizeNext(): Matrix {
    const { width, seed } = this.#options;
    const next = this.#columns(this.#used, width);
    const factor = zeros(width, width);
    for (let i = 0; i < width; i++) factor.data[i * (width + 1)] = 1;
    this.#project(next);
    const empty = Array.from({ length: width }, (_, j) => j).filter(
      (j) => norm(this.#columns(this.#used + j, 1)) === 0,
    );
    for (const j of empty) this.#algebra.fillNormal(this.#columns(this.#used + j, 1), seed, STREAM, this.#drawn++);
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      const overlap = this.#project(next);
      const r = zeros(width, width);
      orthonormalize(next, this.#algebra, r);
      this.#algebra.blas.trmm('L', 'U', 'N', 'N', 1, r, factor);
      if (pass > 0 && overlap <= ORTHOGONAL) break;
    }
    for (const j of empty) fill(block(factor, 0, j, width, 1), 0);
    return factor;
  }

  /** block ← block − V Vᵀblock; returns max |Vᵀblock| as it was. */
  #project(next: Matrix): number {
    if (this.#used === 0) return 0;
    const v = this.#columns(0, this.#used);
    const c = sharedPanel(this.#used, next.cols);
    this.#algebra.cross(v, next, c);
    this.#algebra.multiply(-1, v, c, 1, next);
    let most = 0;
    for (const value of c.data) most = Math.max(most, Math.abs(value));
    return most;
  }

  /** Takes the block behind the basis into it, and its image's remainder behind it; false where it is not finite. */
  #grow(): boolean {
    const { width } = this.#options;
    const next = this.#columns(this.#used, width);
    const image = this.#image;
    this.#operator.applyUnchecked(image, next, 1, 0);
    this.#products += width;
    if (!Number.isFinite(norm(view(image.data, 0, image.data.length, 1)))) return false;
    const before = this.#used;
    this.#used += width;
    const c = sharedPanel(this.#used, width);
    this.#algebra.cross(this.#columns(0, this.#used), image, c);
    for (let j = 0; j < width; j++) {
      for (let i = 0; i < this.#used; i++) {
        const value =
          i < before ? c.data[i + j * c.ld] : (c.data[i + j * c.ld] + c.data[before + j + (i - before) * c.ld]) / 2;
        this.#h.data[i + (before + j) * this.#h.ld] = value;
        this.#h.data[before + j + i * this.#h.ld] = value;
      }
    }
    copyInto(this.#columns(this.#used, width), image);
    copyInto(this.#b, this.#orthonormalizeNext());
    return true;
  }

  /** ‖B·(last rows of s_j)‖. */
  #residual(s: Matrix, j: number): number {
    const { width } = this.#options;
    let sum = 0;
    for (let i = 0; i < width; i++) {
      let entry = 0;
      for (let q = i; q < width; q++) entry += this.#b.data[i + q * width] * s.data[this.#used - width + q + j * s.ld];
      sum += entry * entry;
    }
    return Math.sqrt(sum);
  }

  #selection(s: Matrix, wanted: readonly number[]): Matrix {
    const selection = sharedPanel(this.#used, wanted.length);
    wanted.forEach((from, j) => {
      copyInto(block(selection, 0, j, this.#used, 1), block(s, 0, from, this.#used, 1));
    });
    return selection;
  }

  #ritzVectors(s: Matrix, wanted: readonly number[]): Matrix {
    const vectors = sharedPanel(this.#basis.rows, wanted.length);
    this.#algebra.multiply(1, this.#columns(0, this.#used), this.#selection(s, wanted), 0, vectors);
    return vectors;
  }

  /** V ← the wanted Ritz vectors; H = Θ; the residual block couples to them when it is taken in. */
  #restart(s: Matrix, values: Float64Array, wanted: readonly number[]): void {
    const { width } = this.#options;
    const kept = this.#ritzVectors(s, wanted);
    const residual = zeros(this.#basis.rows, width);
    copyInto(residual, this.#columns(this.#used, width));
    copyInto(this.#columns(0, kept.cols), kept);
    copyInto(this.#columns(kept.cols, width), residual);
    fill(this.#h, 0);
    wanted.forEach((from, j) => {
      this.#h.data[j + j * this.#h.ld] = values[from];
    });
    this.#used = kept.cols;
    this.#restarts++;
  }
}
