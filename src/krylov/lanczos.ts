/**
 * Extreme eigenvalues of a symmetric operator by the Lanczos method.
 *
 *   A V_m = V_m T_m + β_m v_{m+1} e_mᵀ,    T_m s = θ s,    ‖A y − θ y‖ = β_m |s_m|  for  y = V_m s
 *
 * with full reorthogonalisation (B. Parlett, *The Symmetric Eigenvalue Problem*, SIAM 1998, chapter 13) and thick
 * restarts when the basis is full (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22(2), 2000): the outermost Ritz vectors
 * of both ends stay, T becomes an arrow and goes on from there. Where the space is invariant, β is set to zero and a
 * new random direction orthogonal to it is taken.
 */
import { requireWhole } from '../core/checks.js';
import { throwIfAborted, type RunControl, checkedControl } from '../core/context.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { nextTurn } from '../core/event-loop.js';
import { describe, requireRole } from '../core/kind.js';
import type { KeysOf } from '../core/known-options.js';
import { requireMemory } from '../core/memory.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { withBlas, type WithBlas } from '../dense/default-blas.js';
import { block, copyInto, fill, view, zeros, type Matrix } from '../dense/matrix.js';
import { symmetricEigen } from '../dense/symmetric-eigen.js';
import { availableMemory } from '../io/machine.js';
import type { LinearOperator } from '../operator/linear-operator.js';
import type { VectorRows } from '../operator/row-share.js';
import { requireOperator } from '../operator/self-check.js';
import { toDense } from '../operator/to-dense.js';
import { divide, OrthonormalBasis } from './orthonormal-basis.js';
import { ritzPairs } from './ritz-pairs.js';
import { columnOf, TallBlocks } from './tall-blocks.js';
import { normOver, WholeRows } from './whole-rows.js';

/** Options of {@link extremeEigenvalues}. */
export interface LanczosOptions {
  /** Default: the calling thread's, as `openBlas()` opens it. */
  readonly blas?: Blas | undefined;
  /** Default 0. Seeds the starting vector. */
  readonly seed?: number | undefined;
  /** Both bounds must fall below tolerance·‖A‖₂ (its estimate max |θ|); default 1e-6. */
  readonly tolerance?: number | undefined;
  /** Most products with a single vector, without the two that verify the result; default 200. */
  readonly maxIterations?: number | undefined;
  /** Vectors kept, N numbers each; from 12 on; default maxIterations, so that nothing restarts, but at most 200. */
  readonly basisSize?: number | undefined;
  /** Bytes the basis may take; default: what is available. */
  readonly memoryLimit?: number | undefined;
}
/** The keys of {@link LanczosOptions}. */
const LANCZOS_KEYS: KeysOf<LanczosOptions> = {
  blas: true,
  seed: 'number',
  tolerance: 'number',
  maxIterations: 'number',
  basisSize: 'number',
  memoryLimit: 'number',
};

/**
 * θ = yᵀAy of a unit vector y, and ‖Ay − θy‖: some eigenvalue lies within the bound of the value (Parlett, theorem
 * 4.5.1).
 */
export interface RitzValue {
  readonly value: number;
  readonly bound: number;
}

/** Smallest and largest eigenvalue, each with a bound of its error, and how they were found. */
export interface ExtremeEigenvalues {
  /**
   * converged: both bounds met the tolerance, and products with the Ritz vectors confirm them. maxIterations: the
   * values and their bounds so far. inaccurate: the products do not fit a symmetric matrix to the tolerance (an
   * operator that is not symmetric, or rounded more coarsely); the bounds are the true residuals. nonFinite: a product
   * was NaN or infinite; values are NaN.
   */
  readonly outcome: 'converged' | 'maxIterations' | 'inaccurate' | 'nonFinite';
  /**
   * Never below λ_min but for rounding. The bound is the distance to an eigenvalue, from a random start almost surely
   * the outermost one that stands apart; within a cluster closer than the tolerance, λ_min may lie further off by the
   * cluster's width.
   */
  readonly smallest: RitzValue;
  /** Never above λ_max but for rounding. */
  readonly largest: RitzValue;
  /** Products with a single vector that built the space. */
  readonly iterations: number;
  /** Thick restarts. */
  readonly restarts: number;
  /** N × 2: unit Ritz vectors of smallest and largest. */
  readonly vectors: Matrix;
}

/** Up to this size the matrix is built and decomposed. */
const DENSE_SIZE = 64;
const CHECK_EVERY = 8;
const MOST_KEPT = 200;
const PROJECTED = 'a projected matrix';

interface Resolved {
  readonly blas: Blas;
  readonly seed: number;
  readonly tolerance: number;
  readonly maxIterations: number;
  readonly basisSize: number;
  /** The rows that vectors have here. */
  readonly share: VectorRows;
}

function resolve(operator: LinearOperator, options: WithBlas<LanczosOptions>, share: VectorRows): Resolved {
  const { rows, cols, symmetric } = operator;
  const { size } = share;
  if (rows !== cols || size === 0)
    throw new ShapeError(`Eigenvalues need a square operator with at least one row, this one is ${rows} × ${cols}.`, {
      rows,
      cols,
    });
  if (!symmetric) throw new OptionError('The Lanczos method needs a symmetric operator; this one says that it is not.');
  const { blas, seed = 0, tolerance = 1e-6, maxIterations = 200 } = options;
  if (!(tolerance > 0 && tolerance < 1))
    throw new OptionError(`tolerance must lie between 0 and 1, not ${describe(tolerance)}.`, { tolerance });
  requireWhole(maxIterations, 'maxIterations', 1);
  const wanted = options.basisSize ?? Math.min(maxIterations, MOST_KEPT);
  if (options.basisSize !== undefined) requireWhole(wanted, 'basisSize', 12);
  const basisSize = Math.min(size, Math.max(12, wanted));
  const bytes = 8 * rows * (basisSize + 1 + 4);
  requireMemory(bytes, options.memoryLimit ?? availableMemory(), {
    what: `A Lanczos basis of ${basisSize} vectors of ${rows} numbers needs`,
    advice: 'lower basisSize, or raise memoryLimit.',
  });
  return { blas, seed, tolerance, maxIterations, basisSize, share };
}

/**
 * The smallest and the largest eigenvalue of a symmetric N × N operator, with error bounds that were verified by
 * products. Cost: `iterations` products and 4N·j to 8N·j flops in step j; memory N·(basisSize + 5) numbers. The
 * eigenvalues are found to about tolerance·‖A‖, which need not tell a tiny λ_min from zero: its sign is settled where
 * |value| > bound. N ≤ 64 is decomposed densely. The same seed gives the same bits. Throws ShapeError, OptionError,
 * MemoryError, AbortedError.
 *
 * With a hierarchical matrix of several ranks each has its own rows of the basis; a step takes five to seven
 * allreduces, of at most j numbers a rank, and gives the same bits for any number of ranks. Of `ownRows(operator)` the
 * Ritz vectors have own rows, and nothing is decomposed densely.
 */
export async function extremeEigenvalues(
  operator: LinearOperator,
  options: LanczosOptions = {},
  control: RunControl = {},
): Promise<ExtremeEigenvalues> {
  requireRole(operator, 'operator', 'extremeEigenvalues');
  const backed = withBlas(options, LANCZOS_KEYS, 'extremeEigenvalues');
  checkedControl(control, 'extremeEigenvalues');
  const { rowShare } = operator;
  const isSmall = rowShare === undefined && operator.rows <= DENSE_SIZE;
  const own = rowShare === undefined && !isSmall ? operator.onRows?.() : undefined;
  const over = own ?? operator;
  const resolved = resolve(over, backed, over.rowShare ?? new WholeRows(over.rows));
  requireOperator(operator, 'extremeEigenvalues', 'f64', { ownRows: true });
  if (over.rowShare === undefined) throwIfAborted(control.signal);
  if (isSmall) return denseEigenvalues(operator, resolved);
  const found = await new Lanczos(over, resolved).run(control);
  if (own === undefined) return found;
  const vectors = view(sharedFloat64(2 * operator.rows), 0, operator.rows, 2);
  own.rowShare.gather(vectors, found.vectors);
  return { ...found, vectors };
}

const nothing = (size: number, iterations: number, restarts: number): ExtremeEigenvalues => {
  const unknown: RitzValue = { value: Number.NaN, bound: Number.POSITIVE_INFINITY };
  return { outcome: 'nonFinite', smallest: unknown, largest: unknown, iterations, restarts, vectors: zeros(size, 2) };
};

/** Residuals of the two Ritz vectors by a product with both; decides between converged and inaccurate. */
function verified(
  operator: LinearOperator,
  { vectors, outcome, iterations, restarts }: Omit<ExtremeEigenvalues, 'smallest' | 'largest'>,
  { tolerance, share }: Resolved,
): ExtremeEigenvalues {
  const { rows, size } = share;
  for (let j = 0; j < 2; j++) divide(block(vectors, 0, j, rows, 1), normOver(share, columnOf(vectors, j)));
  const { values, residuals } = ritzPairs(operator, vectors, share);
  const pairs = [0, 1].map((j): RitzValue => ({ value: values[j], bound: residuals[j] }));
  const [smallest, largest] = pairs;
  if (!pairs.every(({ value, bound }) => Number.isFinite(value) && Number.isFinite(bound)))
    return nothing(rows, iterations, restarts);
  const scale = Math.max(Math.abs(smallest.value), Math.abs(largest.value));
  // Rounding of the products and of the basis is not the method's to remove.
  const allowed = (2 * tolerance + 4 * size * Number.EPSILON) * scale;
  const confirmed = Math.max(smallest.bound, largest.bound) <= allowed;
  return {
    outcome: outcome === 'converged' && !confirmed ? 'inaccurate' : outcome,
    smallest,
    largest,
    iterations,
    restarts,
    vectors,
  };
}

function denseEigenvalues(operator: LinearOperator, resolved: Resolved): ExtremeEigenvalues {
  const n = operator.rows;
  const a = toDense(operator);
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      const mean = (a.data[i + j * n] + a.data[j + i * n]) / 2;
      if (!Number.isFinite(mean)) return nothing(n, n, 0);
      a.data[i + j * n] = mean;
    }
  }
  symmetricEigen(resolved.blas, a, PROJECTED);
  const vectors = view(sharedFloat64(2 * n), 0, n, 2);
  copyInto(block(vectors, 0, 0, n, 1), block(a, 0, 0, n, 1));
  copyInto(block(vectors, 0, 1, n, 1), block(a, 0, n - 1, n, 1));
  return verified(operator, { vectors, outcome: 'converged', iterations: n, restarts: 0 }, resolved);
}

class Lanczos {
  readonly #operator: LinearOperator;
  readonly #options: Resolved;
  readonly #basis: OrthonormalBasis;
  /** VᵀAV (lower triangle), its eigenvectors S and eigenvalues θ. */
  readonly #t: Matrix;
  readonly #s: Matrix;
  readonly #theta: Float64Array;
  /** Vectors in the basis whose products are known. */
  #used = 0;
  /** ‖w‖ of the next direction: 0 after a breakdown. */
  #beta = 0;
  #breakdowns = 0;
  #largestProduct = 0;
  #iterations = 0;
  #restarts = 0;
  /** The step after a restart couples to all vectors kept. */
  #restarted = false;

  constructor(operator: LinearOperator, options: Resolved) {
    const m = options.basisSize;
    this.#operator = operator;
    this.#options = options;
    this.#basis = new OrthonormalBasis(options.share, m + 1, options.blas, options.seed);
    this.#t = zeros(m, m);
    this.#s = zeros(m, m);
    this.#theta = new Float64Array(m);
  }

  async run(control: RunControl): Promise<ExtremeEigenvalues> {
    const { maxIterations, basisSize, tolerance, share } = this.#options;
    const { size } = share;
    this.#basis.appendRandom(0);
    for (;;) {
      share.raise(control.signal?.aborted === true);
      if (!this.#step()) return nothing(share.rows, this.#iterations, this.#restarts);
      if (share.raised) throwIfAborted({ aborted: true });
      const full = this.#used === basisSize;
      const last = this.#iterations === maxIterations || this.#used === size || this.#breakdowns === 2;
      if (!full && !last && this.#iterations % CHECK_EVERY !== 0) continue;
      // An invariant space says nothing of what lies outside it until a fresh direction has been tried.
      const settled = this.#solve() <= tolerance * this.#scale() && (this.#beta > 0 || last);
      if (settled || last)
        return verified(
          this.#operator,
          {
            vectors: this.#ritzVectors(),
            outcome: settled ? 'converged' : 'maxIterations',
            iterations: this.#iterations,
            restarts: this.#restarts,
          },
          this.#options,
        );
      if (full) this.#restart();
      await nextTurn();
      control.onProgress?.({ phase: 'eigenvalues', done: this.#iterations, total: maxIterations });
    }
  }

  /** One product and its orthogonalisation; false where the product is not finite. */
  #step(): boolean {
    const basis = this.#basis;
    const t = this.#t;
    const j = this.#used;
    const { size } = this.#options.share;
    const w = basis.column(j + 1);
    this.#operator.applyUnchecked(w, basis.column(j), 1, 0);
    this.#iterations++;
    const length = basis.length(w);
    if (!Number.isFinite(length)) return false;
    this.#largestProduct = Math.max(this.#largestProduct, length);
    let alpha = 0;
    if (!this.#restarted) {
      // The three-term recurrence first: what is left has no large components in the basis, so one full pass does.
      const first = Math.max(0, j - 1);
      alpha = basis.project(w, first, j + 1 - first).data[j - first];
    }
    this.#restarted = false;
    const { length: beta, last } = basis.orthogonalize(w, j + 1);
    t.data[j + j * t.ld] = alpha + last;
    this.#used = j + 1;
    // A full space leaves nothing but rounding.
    const breakdown = this.#used === size || beta <= 4 * Math.sqrt(size) * Number.EPSILON * this.#largestProduct;
    this.#beta = breakdown ? 0 : beta;
    if (breakdown) this.#breakdowns++;
    if (this.#used < size) {
      if (breakdown) basis.appendRandom(this.#used);
      else divide(w, beta);
    }
    if (this.#used < t.rows) t.data[j + 1 + j * t.ld] = this.#beta;
    return true;
  }

  /** Decomposes T; returns the larger of the two outer bounds β|s_m|. */
  #solve(): number {
    const m = this.#used;
    const s = view(this.#s.data, 0, m, m);
    copyInto(s, block(this.#t, 0, 0, m, m));
    this.#theta.set(symmetricEigen(this.#options.blas, s, PROJECTED));
    return this.#beta * Math.max(Math.abs(s.data[m - 1]), Math.abs(s.data[m * m - 1]));
  }

  #scale(): number {
    return Math.max(Math.abs(this.#theta[0]), Math.abs(this.#theta[this.#used - 1]));
  }

  #ritzVectors(): Matrix {
    const { blas, share } = this.#options;
    const m = this.#used;
    const vectors = view(sharedFloat64(2 * share.rows), 0, share.rows, 2);
    const outer = zeros(m, 2);
    copyInto(block(outer, 0, 0, m, 1), view(this.#s.data, 0, m, 1));
    copyInto(block(outer, 0, 1, m, 1), view(this.#s.data, (m - 1) * m, m, 1));
    new TallBlocks(share, blas).combine(1, this.#basis.columns(0, m), outer, 0, vectors);
    return vectors;
  }

  /**
   * Keeps the outermost Ritz vectors of both ends; T = diag(θ) with the couplings β s_m in the row of the next vector.
   */
  #restart(): void {
    const m = this.#used;
    const end = Math.max(2, Math.floor(m / 5));
    const kept = 2 * end;
    const selection = zeros(m, kept);
    const values = new Float64Array(kept);
    for (let k = 0; k < kept; k++) {
      const from = k < end ? k : m - kept + k;
      values[k] = this.#theta[from];
      copyInto(block(selection, 0, k, m, 1), view(this.#s.data, from * m, m, 1));
    }
    this.#basis.rotate(selection, m, m);
    const t = this.#t;
    fill(t, 0);
    for (let k = 0; k < kept; k++) {
      t.data[k + k * t.ld] = values[k];
      t.data[kept + k * t.ld] = this.#beta * selection.data[m - 1 + k * m];
    }
    this.#used = kept;
    this.#restarted = true;
    this.#restarts++;
  }
}
