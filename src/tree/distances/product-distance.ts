/**
 * Squared Euclidean distances between points of many dimensions, by matrix products.
 * ‖x − y‖² = ‖x‖² + ‖y‖² − 2xᵀy, the points moved by their mean where that makes them shorter; absolute error ≤ about
 * d·eps·(‖x‖² + ‖y‖²).
 */
import type { Indices } from '../../core/indices.js';
import { sharedFloat64 } from '../../core/shared-array.js';
import type { Blas } from '../../dense/blas.js';
import { view, type Matrix } from '../../dense/matrix.js';
import type { Points, PointSums } from '../../source/entry-source.js';
import { meanToMove } from '../../source/points.js';
import type { Distance } from './distance.js';

/** Points as products take them, and their squared norms. */
export interface CentredPoints {
  readonly points: Points;
  readonly norms: Float64Array;
}

/** Moves points by the mean of those that have these sums, into a copy, if that halves the mean squared norm. */
export function centredPoints(points: Points, all: PointSums): CentredPoints {
  const { dimension: d, count, coordinates: x } = points;
  const norms = sharedFloat64(count);
  const mean = meanToMove(all);
  const coordinates = mean === undefined ? x : sharedFloat64(d * count);
  for (let i = 0; i < count; i++) {
    if (mean !== undefined) for (let c = 0, r = i * d; c < d; c++) coordinates[r + c] = x[r + c] - mean[c];
    norms[i] = squaredNorm(coordinates, i * d, d);
  }
  return { points: mean === undefined ? points : { dimension: d, count, coordinates }, norms };
}

/** Squared Euclidean distances by matrix products. */
export class ProductDistance implements Distance {
  readonly tabulated = false;
  readonly sampleSize: number;
  readonly #blas: Blas;
  readonly #dimension: number;
  readonly #coordinates: Float64Array;
  readonly #norms: Float64Array;
  readonly #weights: Float64Array;
  #rows: Indices = new Int32Array(0);
  #cols: Indices = this.#rows;
  #left: Matrix;
  #right: Matrix;
  #leftScratch: Float64Array = new Float64Array(0);
  #rightScratch: Float64Array = new Float64Array(0);

  constructor({ points, norms }: CentredPoints, blas: Blas) {
    // A mean over a sample costs dimension·sample: all members in all but the largest clusters, a few hundred at least.
    this.sampleSize = Math.max(256, Math.min(4096, Math.floor(2 ** 20 / points.dimension)));
    this.#blas = blas;
    this.#dimension = points.dimension;
    this.#coordinates = points.coordinates;
    this.#norms = norms;
    this.#weights = new Float64Array(points.dimension);
    this.#left = this.#right = view(this.#coordinates, 0, points.dimension, 0);
  }

  load(rows: Indices, cols: Indices): void {
    this.#rows = rows;
    this.#cols = cols;
    this.#left = this.#inPlace(rows) ?? this.#gather(rows, (this.#leftScratch = this.#large(this.#leftScratch, rows)));
    this.#right =
      cols === rows
        ? this.#left
        : (this.#inPlace(cols) ?? this.#gather(cols, (this.#rightScratch = this.#large(this.#rightScratch, cols))));
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    const d = this.#dimension;
    const { rows: m, cols: n, ld } = out;
    const data = out.data as Float64Array;
    const norms = this.#norms;
    const left = this.#left;
    const right = this.#right;
    this.#blas.gemm(
      'T',
      'N',
      -2,
      view(left.data, left.offset + firstRow * d, d, m),
      view(right.data, right.offset + firstCol * d, d, n),
      0,
      out,
    );
    for (let b = 0; b < n; b++) {
      const norm = norms[this.#cols[firstCol + b]];
      const column = out.offset + b * ld;
      for (let a = 0; a < m; a++) data[column + a] += norm + norms[this.#rows[firstRow + a]];
    }
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    // ‖x − p‖² − ‖x − q‖² = 2(q − p)ᵀx + ‖p‖² − ‖q‖²
    const d = this.#dimension;
    const x = this.#coordinates;
    for (let c = 0; c < d; c++) this.#weights[c] = 2 * (x[q * d + c] - x[p * d + c]);
    const constant = this.#norms[p] - this.#norms[q];
    for (let a = 0; a < indices.length; a++) out[at + a] = constant + innerProduct(x, indices[a] * d, this.#weights);
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    // ‖x − m‖² − ‖m‖² = ‖x‖² − 2mᵀx
    const d = this.#dimension;
    const x = this.#coordinates;
    const weights = this.#weights.fill(0);
    const scale = -2 / sample.length;
    for (let s = 0; s < sample.length; s++)
      for (let c = 0, r = sample[s] * d; c < d; c++) weights[c] += scale * x[r + c];
    for (let a = 0; a < indices.length; a++)
      out[at + a] = this.#norms[indices[a]] + innerProduct(x, indices[a] * d, weights);
  }

  /** The points where they lie, if the indices are consecutive. */
  #inPlace(indices: Indices): Matrix | undefined {
    for (let a = 1; a < indices.length; a++) if (indices[a] !== indices[a - 1] + 1) return undefined;
    return view(this.#coordinates, indices[0] * this.#dimension, this.#dimension, indices.length);
  }

  #large(scratch: Float64Array, indices: Indices): Float64Array {
    const length = this.#dimension * indices.length;
    return scratch.length >= length ? scratch : new Float64Array(length);
  }

  #gather(indices: Indices, out: Float64Array): Matrix {
    const d = this.#dimension;
    for (let a = 0; a < indices.length; a++)
      out.set(this.#coordinates.subarray(indices[a] * d, (indices[a] + 1) * d), a * d);
    return view(out, 0, d, indices.length);
  }
}

/** wᵀx over x[begin … begin + w.length), in four partial sums: the processor waits for none of them. */
function innerProduct(x: Float64Array, begin: number, w: Float64Array): number {
  const whole = w.length & ~3;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (let c = 0, r = begin; c < whole; c += 4, r += 4) {
    s0 += x[r] * w[c];
    s1 += x[r + 1] * w[c + 1];
    s2 += x[r + 2] * w[c + 2];
    s3 += x[r + 3] * w[c + 3];
  }
  for (let c = whole; c < w.length; c++) s0 += x[begin + c] * w[c];
  return s0 + s1 + (s2 + s3);
}

function squaredNorm(x: Float64Array, begin: number, length: number): number {
  let sum = 0;
  for (let p = begin; p < begin + length; p++) sum += x[p] * x[p];
  return sum;
}
