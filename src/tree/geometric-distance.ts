/**
 * Squared Euclidean distances between points, blocks by one matrix product. Layer 4.
 * With x, y relative to the mean of the rows' points (so that cancellation is relative to their spread, not to where they lie):
 * ‖x − y‖² = [−2x; ‖x‖²; 1]ᵀ [y; 1; ‖y‖²]. Absolute error ≤ about (d + 4)·eps·(‖x‖² + ‖y‖²).
 */
import type { Indices } from '../core/indices.js';
import type { Blas } from '../dense/blas.js';
import { view, type Matrix } from '../dense/matrix.js';
import type { Points } from '../source/entry-source.js';
import type { Distance } from './distance.js';

/** Members whose mean is taken for a cluster's: all of them in all but the largest clusters. */
const SAMPLE = 4096;

export class GeometricDistance implements Distance {
  readonly sampleSize = SAMPLE;
  readonly #blas: Blas;
  readonly #dimension: number;
  readonly #coordinates: Float64Array;
  readonly #centre: Float64Array;
  readonly #direction: Float64Array;
  #left = new Float64Array(0);
  #right = new Float64Array(0);

  constructor(points: Points, blas: Blas) {
    this.#blas = blas;
    this.#dimension = points.dimension;
    this.#coordinates = points.coordinates;
    this.#centre = new Float64Array(points.dimension);
    this.#direction = new Float64Array(points.dimension);
  }

  load(rows: Indices, cols: Indices): void {
    const d = this.#dimension;
    const k = d + 2;
    this.#meanOf(rows);
    if (this.#left.length < k * rows.length) this.#left = new Float64Array(k * rows.length);
    if (this.#right.length < k * cols.length) this.#right = new Float64Array(k * cols.length);
    const left = this.#left;
    const right = this.#right;
    const x = this.#coordinates;
    const centre = this.#centre;
    for (let a = 0, at = 0; a < rows.length; a++, at += k) {
      const p = rows[a] * d;
      let norm = 0;
      for (let c = 0; c < d; c++) {
        const v = x[p + c] - centre[c];
        norm += v * v;
        left[at + c] = -2 * v;
      }
      left[at + d] = norm;
      left[at + d + 1] = 1;
    }
    for (let b = 0, at = 0; b < cols.length; b++, at += k) {
      const p = cols[b] * d;
      let norm = 0;
      for (let c = 0; c < d; c++) {
        const v = x[p + c] - centre[c];
        norm += v * v;
        right[at + c] = v;
      }
      right[at + d] = 1;
      right[at + d + 1] = norm;
    }
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    const k = this.#dimension + 2;
    this.#blas.gemm('T', 'N', 1, view(this.#left, firstRow * k, k, out.rows), view(this.#right, firstCol * k, k, out.cols), 0, out);
  }

  toTwo(p: number, q: number, indices: Indices, out: Float64Array, at: number): void {
    // ‖x − p‖² − ‖x − q‖² = 2(q − p)ᵀ(x − (p + q)/2)
    const d = this.#dimension;
    const x = this.#coordinates;
    const middle = this.#centre;
    const direction = this.#direction;
    for (let c = 0; c < d; c++) {
      const u = x[p * d + c];
      const v = x[q * d + c];
      middle[c] = 0.5 * u + 0.5 * v;
      direction[c] = 2 * (v - u);
    }
    const even = d & ~1;
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      let s = 0;
      let t = 0;
      for (let c = 0; c < even; c += 2) {
        s += (x[r + c] - middle[c]) * direction[c];
        t += (x[r + c + 1] - middle[c + 1]) * direction[c + 1];
      }
      if (even < d) s += (x[r + even] - middle[even]) * direction[even];
      out[at + a] = s + t;
    }
  }

  fromMean(sample: Indices, indices: Indices, out: Float64Array, at: number): void {
    const d = this.#dimension;
    const x = this.#coordinates;
    const centre = this.#centre;
    this.#meanOf(sample);
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      let sum = 0;
      for (let c = 0; c < d; c++) {
        const v = x[r + c] - centre[c];
        sum += v * v;
      }
      out[at + a] = sum;
    }
  }

  #meanOf(indices: Indices): void {
    const d = this.#dimension;
    const x = this.#coordinates;
    const centre = this.#centre;
    const scale = 1 / indices.length;
    centre.fill(0);
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      for (let c = 0; c < d; c++) centre[c] += scale * x[r + c];
    }
  }
}
