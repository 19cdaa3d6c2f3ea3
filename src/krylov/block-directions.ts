/**
 * The search directions of block conjugate gradients: a block P of independent vectors, A-orthogonal to all that came
 * before it. D. O'Leary, *The block conjugate gradient algorithm and related methods*, Linear Algebra Appl. 29, 1980,
 * with the directions of H. Ji, Y. Li, *A breakdown-free block conjugate gradient method*, BIT 57(2), 2017: only
 * independent columns of Z − P(PᵀAP)⁻¹(AP)ᵀZ enter the next P, so that PᵀAP never becomes singular.
 *
 * Where the block shrinks, because a right-hand side has converged or its residual depends on others, the short
 * recurrence would lose conjugacy: with QᵀR relations Q α = R − R₊ and RᵀM R₊ = 0 over the columns that stay, AP is
 * orthogonal to later Z but for the directions of null(αᵀ). These are kept, A-orthonormal, and projected out ever after
 * (in the spirit of A. Nikishin, A. Yeremin, SIAM J. Matrix Anal. Appl. 16(4), 1995): one vector for each column that
 * left.
 *
 * A step makes sums over all rows four times, each for the whole block (a fifth time where directions are kept): of Z
 * with R and with AP before; of Z, projected, with itself; of P with AP and with R; and the norms of R. Over own rows
 * each is one reduction (tall-blocks.ts).
 */
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { block, copyInto, fill, view, zeros, type Matrix } from '../dense/matrix.js';
import { pivotedCholesky } from './pivoted-cholesky.js';
import type { RangedSystem } from './ranged-system.js';
import { TallBlocks } from './tall-blocks.js';
import { WholeRows } from './whole-rows.js';

/**
 * Squared distance of a unit column from those before it, below which it counts as dependent: Gram matrices tell no
 * less than about the root of eps.
 */
const LEAST_DISTANCE = 1e-10;
/** A pivot of α below this share of the first: that direction is kept. */
const LEAST_PIVOT = 1e-8;
/** What is left of a preconditioned residual after projection, below which it is rounding. */
const LEAST_REST = 1e-14;

/**
 * A step as long as this many of the shortest one: MA is singular to working precision (a step's length lies between
 * 1/λ_max(MA) and 1/λ_min(MA)).
 */
const LONGEST_STEP = 1 / (32 * Number.EPSILON);

/**
 * What became of PᵀAP: fine; not finite; of another scale than was thought; not positive definite to working precision,
 * with the direction and its curvature pᵀAp/pᵀp.
 */
export type BlockCurvature =
  | { readonly kind: 'positive' | 'nonFinite' | 'exhausted' | 'rescaled' }
  | { readonly kind: 'flat'; readonly curvature: number; readonly direction: Matrix };

const POSITIVE: BlockCurvature = { kind: 'positive' };
const NOT_FINITE: BlockCurvature = { kind: 'nonFinite' };
const EXHAUSTED: BlockCurvature = { kind: 'exhausted' };
const OTHER_SCALE: BlockCurvature = { kind: 'rescaled' };

/** Arrays of size N × k that a BlockDirections keeps. */
export const DIRECTION_BLOCKS = 5;

/** The block P of one iteration with its images AP, and the directions kept of blocks before. */
export class BlockDirections {
  readonly #blas: Blas;
  readonly #tall: TallBlocks;
  readonly #size: number;
  readonly #capacity: number;
  /** Preconditioned residuals, to be filled by the caller before `extend`. */
  readonly z: Matrix;
  readonly #p: Matrix;
  readonly #q: Matrix;
  readonly #kept: Matrix;
  readonly #keptImages: Matrix;
  /** Lower Cholesky factor of PᵀAP. */
  readonly #factor: Matrix;
  /** Steps of the last block: rank × columns. */
  readonly #alpha: Matrix;
  readonly #small: Matrix[];
  readonly #tau: Float64Array;
  readonly #order: Int32Array;
  readonly #pivots: Int32Array;
  readonly #values: Float64Array;
  #rank = 0;
  #keptCount = 0;
  /** Where the next kept direction goes, once all places are taken. */
  #keptNext = 0;
  /** Shortest step so far, (what it takes off the squared A-norm of the error)/rᵀMr. */
  #shortest = Number.POSITIVE_INFINITY;

  /** Room for blocks of at most `capacity` directions of `size` numbers: all rows, unless `tall` is over own rows. */
  constructor(size: number, capacity: number, blas: Blas, tall = new TallBlocks(new WholeRows(size), blas)) {
    this.#blas = blas;
    this.#tall = tall;
    this.#size = size;
    this.#capacity = capacity;
    const room = (): Matrix => view(sharedFloat64(size * capacity), 0, size, capacity);
    this.z = room();
    this.#p = room();
    this.#q = room();
    this.#kept = room();
    this.#keptImages = room();
    this.#factor = zeros(capacity, capacity);
    this.#alpha = zeros(capacity, capacity);
    this.#small = [zeros(capacity, capacity), zeros(capacity, capacity), zeros(capacity, capacity)];
    this.#tau = new Float64Array(capacity);
    this.#order = new Int32Array(capacity);
    this.#pivots = new Int32Array(capacity);
    this.#values = new Float64Array(capacity);
  }

  /** Directions in the block now. */
  get rank(): number {
    return this.#rank;
  }

  /** Directions of earlier blocks that are projected out. */
  get kept(): number {
    return this.#keptCount;
  }

  /** Forgets all directions; of another system (`fresh`) the steps too. */
  clear(fresh = false): void {
    if (fresh) this.#shortest = Number.POSITIVE_INFINITY;
    this.#rank = 0;
    this.#keptCount = 0;
    this.#keptNext = 0;
  }

  /** Room for two vectors between cycles. */
  spare(): [Matrix, Matrix] {
    return [this.#columns(this.z, 1), this.#columns(this.#q, 1)];
  }

  #columns(a: Matrix, count: number): Matrix {
    return block(a, 0, 0, a.rows, count);
  }

  #square(k: number, rows: number, cols: number): Matrix {
    return view(this.#small[k].data, 0, rows, cols);
  }

  /** Columns i and j of the residuals have changed places. */
  swap(i: number, j: number): void {
    if (i === j) return;
    const { data, ld } = this.#alpha;
    for (let row = 0; row < this.#rank; row++) {
      const kept = data[row + i * ld];
      data[row + i * ld] = data[row + j * ld];
      data[row + j * ld] = kept;
    }
  }

  /** energies ← r_jᵀz_j of the first `count` columns, of which z is ready; the first sums of a step. Collective. */
  meet(r: Matrix, count: number, energies: Float64Array): void {
    const z = this.#columns(this.z, count);
    const q = this.#columns(this.#q, this.#rank);
    const out = this.#square(0, this.#rank, count);
    this.#tall.sums(
      { kind: 'columns', a: r, b: z, count, out: energies },
      { kind: 'columns', a: z, b: z, count, out: this.#values },
      ...(this.#rank > 0 ? [{ kind: 'products', a: q, b: z, out } as const] : []),
    );
  }

  /**
   * Makes the next block from the first `count` columns of z, which have met (`meet`), and multiplies it; the products
   * counted are the returned rank. z is destroyed. Collective.
   */
  extend(system: RangedSystem, r: Matrix, count: number): BlockCurvature {
    this.#project(count);
    const gram = this.#square(0, count, count);
    const z = this.#columns(this.z, count);
    this.#tall.sums({ kind: 'products', a: z, b: z, out: gram });
    if (!this.#normalized(z, gram)) return NOT_FINITE;
    const rank = pivotedCholesky(gram, this.#order, LEAST_DISTANCE);
    if (rank === 0) return EXHAUSTED;
    if (this.#rank > rank) this.#retain(rank);
    const p = this.#columns(this.#p, rank);
    const q = this.#columns(this.#q, rank);
    for (let j = 0; j < rank; j++) copyInto(block(p, 0, j, this.#size, 1), block(z, 0, this.#order[j], this.#size, 1));
    this.#tall.solveRight(block(gram, 0, 0, rank, rank), p);
    this.#rank = rank;
    system.operator.applyUnchecked(q, p, 1, 0);
    const first = this.#size * rank;
    if (system.settle(p.data.subarray(0, first) as Float64Array, q.data.subarray(0, first) as Float64Array))
      return OTHER_SCALE;
    const g = this.#square(0, rank, rank);
    this.#tall.sums(
      { kind: 'products', a: p, b: q, out: g },
      { kind: 'products', a: p, b: r, out: block(this.#alpha, 0, 0, rank, r.cols) },
    );
    const curvature = this.#factorize();
    // P is orthonormal: where M is the identity, no step is shorter than 1/λ_max, and p_jᵀAp_j is at most λ_max.
    if (curvature.kind === 'positive' && system.preconditioner === undefined)
      for (let j = 0; j < rank; j++) this.#shortest = Math.min(this.#shortest, 1 / g.data[j * (rank + 1)]);
    return curvature;
  }

  /** z ← z less its A-projections on the last block, whose sums `meet` has left, and on what is kept. */
  #project(count: number): void {
    const z = this.#columns(this.z, count);
    if (this.#rank > 0) {
      const beta = this.#square(0, this.#rank, count);
      this.#solve(beta);
      this.#tall.combine(-1, this.#columns(this.#p, this.#rank), beta, 1, z);
    }
    if (this.#keptCount > 0) {
      const gamma = this.#square(0, this.#keptCount, count);
      this.#tall.sums({ kind: 'products', a: this.#columns(this.#keptImages, this.#keptCount), b: z, out: gamma });
      this.#tall.combine(-1, this.#columns(this.#kept, this.#keptCount), gamma, 1, z);
    }
  }

  /**
   * Columns to unit length and their ZᵀZ with them, those that are but rounding to zero; false where one is not finite.
   */
  #normalized(z: Matrix, gram: Matrix): boolean {
    const { data } = z;
    const count = z.cols;
    for (let j = 0; j < count; j++) {
      const first = j * this.#size;
      const end = first + this.#size;
      const length = Math.sqrt(gram.data[j * (count + 1)]);
      if (!Number.isFinite(length)) return false;
      const vanishes = length <= LEAST_REST * Math.sqrt(this.#values[j]);
      if (vanishes) data.fill(0, first, end);
      else for (let i = first; i < end; i++) data[i] /= length;
      const scale = vanishes ? 0 : 1 / length;
      for (let i = 0; i < count; i++) {
        gram.data[i + j * count] *= scale;
        gram.data[j + i * count] *= scale;
      }
    }
    return true;
  }

  /** b ← (PᵀAP)⁻¹ b. */
  #solve(b: Matrix): void {
    const l = block(this.#factor, 0, 0, this.#rank, this.#rank);
    this.#blas.trsm('L', 'L', 'N', 'N', 1, l, b);
    this.#blas.trsm('L', 'L', 'T', 'N', 1, l, b);
  }

  #factorize(): BlockCurvature {
    const rank = this.#rank;
    const g = this.#square(0, rank, rank);
    for (let j = 0; j < rank; j++) {
      for (let i = j; i < rank; i++) {
        const mean = (g.data[i + j * rank] + g.data[j + i * rank]) / 2;
        if (!Number.isFinite(mean)) return NOT_FINITE;
        g.data[i + j * rank] = g.data[j + i * rank] = mean;
      }
    }
    const l = block(this.#factor, 0, 0, rank, rank);
    copyInto(l, g);
    return this.#blas.potrf('L', l) === 0 ? POSITIVE : this.#flattest();
  }

  /**
   * P is nearly orthonormal: the lowest Ritz vector of PᵀAP, which is where `#factorize` left it, shows what is wrong.
   */
  #flattest(): BlockCurvature {
    const rank = this.#rank;
    const p = this.#columns(this.#p, rank);
    const g = this.#square(0, rank, rank);
    const values = this.#values.subarray(0, rank);
    if (this.#blas.syevd(true, 'L', g, values) !== 0) return NOT_FINITE;
    const direction = this.#columns(this.z, 1);
    this.#tall.combine(1, p, view(g.data, 0, rank, 1), 0, direction);
    const [length] = this.#lengths(direction);
    return { kind: 'flat', curvature: values[0] / length ** 2, direction };
  }

  #lengths(a: Matrix): Float64Array {
    const out = new Float64Array(a.cols);
    this.#tall.norms(a, a.cols, out);
    return out;
  }

  /**
   * Keeps what conjugacy needs of a block that is followed by a smaller one: W = P G⁻¹ N for N = null(αᵀ) over the
   * columns that enter next, A-orthonormalised through Y = L⁻¹N: W = P L⁻ᵀ Y (YᵀY)^{-½}.
   */
  #retain(next: number): void {
    const blas = this.#blas;
    const rank = this.#rank;
    const alpha = this.#square(1, rank, next);
    for (let j = 0; j < next; j++) {
      const column = block(alpha, 0, j, rank, 1);
      copyInto(column, block(this.#alpha, 0, this.#order[j], rank, 1));
      let sum = 0;
      for (let i = 0; i < rank; i++) sum += alpha.data[i + j * rank] ** 2;
      if (sum > 0) for (let i = 0; i < rank; i++) alpha.data[i + j * rank] /= Math.sqrt(sum);
    }
    const tau = this.#tau.subarray(0, next);
    blas.geqp3(alpha, this.#pivots.subarray(0, next), tau);
    let full = 0;
    while (full < next && Math.abs(alpha.data[full * (rank + 1)]) > LEAST_PIVOT * Math.abs(alpha.data[0])) full++;
    const count = rank - full;
    const y = this.#square(2, rank, count);
    fill(y, 0);
    for (let j = 0; j < count; j++) y.data[full + j + j * rank] = 1;
    blas.ormqr('L', 'N', alpha, tau, y);
    const l = block(this.#factor, 0, 0, rank, rank);
    blas.trsm('L', 'L', 'N', 'N', 1, l, y);
    const inner = this.#square(1, count, count);
    blas.gemm('T', 'N', 1, y, y, 0, inner);
    if (blas.potrf('L', inner) !== 0) return;
    blas.trsm('R', 'L', 'T', 'N', 1, inner, y);
    blas.trsm('L', 'L', 'T', 'N', 1, l, y);
    for (let j = 0; j < count; j++) {
      const place = this.#keptNext;
      const coefficients = view(y.data, j * rank, rank, 1);
      this.#tall.combine(1, this.#columns(this.#p, rank), coefficients, 0, block(this.#kept, 0, place, this.#size, 1));
      const image = block(this.#keptImages, 0, place, this.#size, 1);
      this.#tall.combine(1, this.#columns(this.#q, rank), coefficients, 0, image);
      this.#keptCount = Math.max(this.#keptCount, place + 1);
      this.#keptNext = (place + 1) % this.#capacity;
    }
  }

  /**
   * x ← x + P α and r ← r − AP α with α = (PᵀAP)⁻¹Pᵀr, for all columns of the r that `extend` has seen: their A-norm
   * errors become least over x + span P. `energies` are rᵀMr of the columns. Where a step would be longer than rounding
   * can tell from infinite, nothing is changed, and the direction is returned.
   */
  advance(x: Matrix, r: Matrix, energies: Float64Array): BlockCurvature {
    const blas = this.#blas;
    const rank = this.#rank;
    const p = this.#columns(this.#p, rank);
    const alpha = block(this.#alpha, 0, 0, rank, r.cols);
    const l = block(this.#factor, 0, 0, rank, rank);
    blas.trsm('L', 'L', 'N', 'N', 1, l, alpha);
    for (let j = 0; j < r.cols; j++) {
      let taken = 0;
      for (let i = 0; i < rank; i++) taken += alpha.data[alpha.offset + i + j * alpha.ld] ** 2;
      const step = taken / energies[j];
      if (step >= LONGEST_STEP * this.#shortest) return this.#flattest();
      if (step > 0) this.#shortest = Math.min(this.#shortest, step);
    }
    blas.trsm('L', 'L', 'T', 'N', 1, l, alpha);
    this.#tall.combine(1, p, alpha, 1, x);
    this.#tall.combine(-1, this.#columns(this.#q, rank), alpha, 1, r);
    return POSITIVE;
  }
}
