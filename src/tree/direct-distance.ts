/**
 * Squared Euclidean distances between points of few dimensions, by direct differences. Layer 4.
 * A distance depends on its two points alone, to the bit, and loses no digits between near points.
 */
import type { Indices } from '../core/indices.js';
import type { Matrix } from '../dense/matrix.js';
import type { Points } from '../source/entry-source.js';
import { directLoop } from '../source/squared-distances.js';
import type { Distance } from './distance.js';

export class DirectDistance implements Distance {
  /** A cluster's mean is that of all its members in all but the largest clusters. */
  readonly sampleSize = 4096;
  readonly #dimension: number;
  readonly #coordinates: Float64Array;
  readonly #middle: Float64Array;
  readonly #direction: Float64Array;
  #left: Float64Array = new Float64Array(0);
  #right: Float64Array = new Float64Array(0);

  constructor(points: Points) {
    this.#dimension = points.dimension;
    this.#coordinates = points.coordinates;
    this.#middle = new Float64Array(points.dimension);
    this.#direction = new Float64Array(points.dimension);
  }

  load(rows: Indices, cols: Indices): void {
    this.#left = this.#gather(rows, this.#left);
    this.#right = this.#gather(cols, this.#right);
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    const loop = directLoop(this.#dimension);
    const rows = this.#left.subarray(firstRow * this.#dimension);
    const data = out.data as Float64Array;
    for (let b = 0; b < out.cols; b++) loop(rows, this.#right, firstCol + b, out.rows, data, out.offset + b * out.ld);
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    // ‖x − p‖² − ‖x − q‖² = 2(q − p)ᵀ(x − (p + q)/2)
    const d = this.#dimension;
    const x = this.#coordinates;
    const middle = this.#middle;
    const direction = this.#direction;
    for (let c = 0; c < d; c++) {
      const u = x[p * d + c];
      const v = x[q * d + c];
      middle[c] = 0.5 * u + 0.5 * v;
      direction[c] = 2 * (v - u);
    }
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (x[r + c] - middle[c]) * direction[c];
      out[at + a] = sum;
    }
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    const d = this.#dimension;
    const x = this.#coordinates;
    const mean = this.#middle;
    mean.fill(0);
    for (let s = 0; s < sample.length; s++) for (let c = 0, r = sample[s] * d; c < d; c++) mean[c] += x[r + c] / sample.length;
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (x[r + c] - mean[c]) ** 2;
      out[at + a] = sum;
    }
  }

  #gather(indices: Indices, previous: Float64Array): Float64Array {
    const d = this.#dimension;
    const x = this.#coordinates;
    const out = previous.length >= d * indices.length ? previous : new Float64Array(d * indices.length);
    for (let a = 0, q = 0; a < indices.length; a++) for (let p = indices[a] * d, end = p + d; p < end; p++) out[q++] = x[p];
    return out;
  }
}
