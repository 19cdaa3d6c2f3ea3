/**
 * Blocks of k(x_i, x_j) for one kernel argument over N points.
 *
 * Distances. In up to 16 dimensions ‖x − y‖² is summed from direct differences (faster there than gemm, and without
 * cancellation); above, from ‖x‖² + ‖y‖² − 2x·y with the inner products by gemm, the points centred first where that at
 * least halves their mean squared norm. Where what is left of that sum is below 2⁻²⁰ of what went in, cancellation
 * would leave fewer than about 30 bits, and the distance is recomputed from differences. So a squared distance is never
 * negative, is exactly 0 between equal points, and has a relative error of at most about d·eps·2²⁰ anywhere.
 *
 * Bits. By direct differences an entry's bits depend on its two points alone, and K(i, j) = K(j, i) bit for bit. By
 * gemm they may depend, within rounding, on the block they are asked in; a block and its transpose are always the same
 * bits (symmetric-block.ts).
 */
import { NonFiniteError } from '../core/errors.js';
import { copyAt } from '../core/floats.js';
import type { Indices } from '../core/indices.js';
import { sharedFloat64 } from '../core/shared-array.js';
import type { Blas } from '../dense/blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import { squaredDistances } from '../dense/distances.js';
import type { RadialFunction } from '../dense/radial.js';
import type { Points, PointSums } from './entry-source.js';
import type { Evaluate, KernelArgument } from './kernels/kernel.js';
import { LARGEST_DIRECT_DIMENSION, meanToMove, squaredDistance, sumsOfPoints } from './points.js';
import { SymmetricBlocks } from './symmetric-block.js';

/** What arguments are computed from: points over shared memory, and what was computed from them once. */
export interface Operands {
  readonly points: Points;
  /** The points as gemm takes them: centred, of length 1 (cosine), or themselves. */
  readonly operand: Float64Array;
  /** Squared norms of the operand; none where differences of points tell the arguments. */
  readonly norms: Float64Array;
}

/** Below this share of ‖x‖² + ‖y‖² a squared distance by gemm has lost too many digits. */
const CANCELLATION = 2 ** -20;
/** Largest side of the blocks gemm is asked for: bounds the gathered copies. */
const TILE = 1024;

/** A function of one argument of the pairs of points, by blocks. */
export class PairBlocks {
  readonly #points: Points;
  readonly #operand: Float64Array;
  readonly #norms: Float64Array;
  readonly #distances: boolean;
  readonly #evaluate: Evaluate;
  readonly #radial: RadialFunction | undefined;
  readonly #blas: Blas;
  readonly #direct: boolean;
  readonly #byProducts = new SymmetricBlocks((rows, cols, out) => {
    this.#canonicalBlock(rows, cols, out);
  });
  /** Gathered points of the rows and of the columns, and the rows' squared norms; grown as needed. */
  #left: Float64Array = new Float64Array(0);
  #right: Float64Array = new Float64Array(0);
  #rowNorms: Float64Array = new Float64Array(0);

  /**
   * `evaluate` turns arguments into values, in place; one that does nothing leaves the arguments. `radial`: the same of
   * squared distances, where it has that form.
   */
  constructor(
    { points, operand, norms }: Operands,
    argument: KernelArgument,
    evaluate: Evaluate,
    blas: Blas,
    radial?: RadialFunction,
  ) {
    this.#radial = radial;
    this.#points = points;
    this.#operand = operand;
    this.#norms = norms;
    this.#distances = argument === 'squaredDistance';
    this.#evaluate = evaluate;
    this.#blas = blas;
    this.#direct = isDirect(argument, points.dimension);
  }

  /** out ← k(x_i, x_j), i in rows, j in cols. */
  fill(rows: Indices, cols: Indices, out: Matrix): void {
    if (this.#direct) this.#byDifferences(rows, cols, out);
    else this.#byProducts.fill(rows, cols, out);
  }

  /** out[offset + k] ← k(x_i, x_i) of i = indices[k], or of every point, i = k. */
  diagonal(out: Float64Array, offset: number, indices: Indices | undefined): void {
    const count = indices?.length ?? this.#points.count;
    if (count === 0) return;
    if (this.#distances) {
      // At distance 0 all points are alike.
      out[offset] = 0;
      this.#evaluate(out, offset, 1);
      out.fill(out[offset], offset, offset + count);
    } else {
      if (indices === undefined) out.set(this.#norms, offset);
      else copyAt(this.#norms, indices, out.subarray(offset));
      this.#evaluate(out, offset, count);
    }
  }

  #byDifferences(rows: Indices, cols: Indices, out: Matrix): void {
    squaredDistances(this.#points.coordinates, this.#points.dimension, rows, cols, out, this.#radial);
    if (this.#radial !== undefined) return;
    const data = out.data as Float64Array;
    if (out.ld === rows.length) this.#evaluate(data, out.offset, rows.length * cols.length);
    else for (let b = 0; b < cols.length; b++) this.#evaluate(data, out.offset + b * out.ld, rows.length);
  }

  #canonicalBlock(rows: Indices, cols: Indices, out: Matrix): void {
    const d = this.#points.dimension;
    for (let j = 0; j < cols.length; j += TILE) {
      const n = Math.min(TILE, cols.length - j);
      this.#right = gather(this.#operand, d, cols.subarray(j, j + n), this.#right);
      for (let i = 0; i < rows.length; i += TILE) {
        const m = Math.min(TILE, rows.length - i);
        const members = rows.subarray(i, i + m);
        this.#left = gather(this.#operand, d, members, this.#left);
        this.#rowNorms = gather(this.#norms, 1, members, this.#rowNorms);
        const c = view(out.data, out.offset + i + j * out.ld, m, n, out.ld);
        const distances = this.#distances;
        this.#blas.gemm('T', 'N', distances ? -2 : 1, view(this.#left, 0, d, m), view(this.#right, 0, d, n), 0, c);
        for (let b = 0; b < n; b++) {
          const begin = c.offset + b * c.ld;
          if (distances) this.#distancesFromProducts(members, cols[j + b], c.data as Float64Array, begin);
          else this.#normOnDiagonal(members, cols[j + b], c.data as Float64Array, begin);
          this.#evaluate(c.data as Float64Array, begin, m);
        }
      }
    }
  }

  /** out ← ‖x‖² + ‖y‖² + out, where out holds −2x·y; recomputed from differences where that cancels. */
  #distancesFromProducts(rows: Indices, col: number, out: Float64Array, begin: number): void {
    const rowNorms = this.#rowNorms;
    const normOfCol = this.#norms[col];
    let cancelled = 0;
    for (let a = 0; a < rows.length; a++) {
      const sum = rowNorms[a] + normOfCol;
      const squared = sum + out[begin + a];
      out[begin + a] = squared;
      cancelled += squared > CANCELLATION * sum ? 0 : 1;
    }
    // Rare, and so in a loop of its own: the one above stays small.
    for (let a = 0; cancelled > 0; a++) {
      if (out[begin + a] > CANCELLATION * (rowNorms[a] + normOfCol)) continue;
      out[begin + a] = squaredDistance(this.#points.coordinates, this.#points.dimension, rows[a], col);
      cancelled--;
    }
  }

  /** x·x is the squared norm computed once: entries and diagonal agree to the bit. */
  #normOnDiagonal(rows: Indices, col: number, out: Float64Array, begin: number): void {
    for (let a = 0; a < rows.length; a++) if (rows[a] === col) out[begin + a] = this.#norms[col];
  }
}

/** Whether arguments are told by differences of points. */
const isDirect = (argument: KernelArgument, dimension: number): boolean =>
  argument === 'squaredDistance' && dimension <= LARGEST_DIRECT_DIMENSION;

/** Whether an argument is told by products of points that are moved by the mean of all. */
export const isCentred = (argument: KernelArgument, dimension: number): boolean =>
  argument === 'squaredDistance' && !isDirect(argument, dimension);

/** The operands of an argument over points in shared memory, some of those with these sums. Throws NonFiniteError. */
export function operandsOf(points: Points, argument: KernelArgument, all?: PointSums): Operands {
  const { dimension: d, count, coordinates } = points;
  if (argument === 'cosine') return { points, ...unitPoints(points) };
  if (isDirect(argument, d)) {
    for (let i = 0; i < count; i++) squaredNorm(coordinates, d, i);
    return { points, operand: coordinates, norms: sharedFloat64(0) };
  }
  const norms = squaredNorms(coordinates, d, count);
  const mean = argument === 'innerProduct' ? undefined : meanToMove(all ?? sumsOfPoints(points));
  // A second copy of the points must be worth it.
  if (mean === undefined) return { points, operand: coordinates, norms };
  const operand = sharedFloat64(d * count);
  for (let i = 0; i < count; i++) for (let k = 0; k < d; k++) operand[i * d + k] = coordinates[i * d + k] - mean[k];
  return { points, operand, norms: squaredNorms(operand, d, count) };
}

/** Points on the unit sphere, and their squared norms: exactly 1. */
function unitPoints(points: Points): { operand: Float64Array; norms: Float64Array } {
  const { dimension: d, count, coordinates } = points;
  const operand = sharedFloat64(d * count);
  for (let i = 0; i < count; i++) {
    // Scaled by the largest coordinate first: neither overflow nor underflow of the squares.
    let largest = 0;
    for (let k = i * d; k < (i + 1) * d; k++) largest = Math.max(largest, Math.abs(coordinates[k]));
    if (largest === 0)
      throw new NonFiniteError(
        `Point ${i} is zero: it has no direction, and its cosine with others is not a number. Remove it.`,
        { point: i },
      );
    let sum = 0;
    for (let k = i * d; k < (i + 1) * d; k++) sum += (coordinates[k] / largest) ** 2;
    const norm = Math.sqrt(sum);
    for (let k = i * d; k < (i + 1) * d; k++) operand[k] = coordinates[k] / largest / norm;
  }
  return { operand, norms: sharedFloat64(count).fill(1) };
}

function squaredNorms(x: Float64Array, d: number, count: number): Float64Array {
  const norms = sharedFloat64(count);
  for (let i = 0; i < count; i++) norms[i] = squaredNorm(x, d, i);
  return norms;
}

/** ‖x_i‖². Throws NonFiniteError where squares of distances are not finite. */
function squaredNorm(x: Float64Array, d: number, i: number): number {
  let sum = 0;
  for (let k = i * d; k < (i + 1) * d; k++) sum += x[k] * x[k];
  // Two points this long may be twice as far from each other.
  if (!Number.isFinite(4 * sum))
    throw new NonFiniteError(
      `Point ${i} is so large that squared distances from it are not finite; scale the points.`,
      { point: i },
    );
  return sum;
}

const ensure = (array: Float64Array, length: number): Float64Array =>
  array.length >= length ? array : new Float64Array(Math.max(length, 2 * array.length));

/** The points of these indices, one after the other, into `out` or a larger array. */
function gather(x: Float64Array, d: number, indices: Indices, out: Float64Array): Float64Array {
  const target = ensure(out, d * indices.length);
  for (let a = 0, q = 0; a < indices.length; a++)
    for (let p = indices[a] * d, end = p + d; p < end; p++) target[q++] = x[p];
  return target;
}
