/**
 * Squared Euclidean distances between points of few dimensions, by direct differences.
 * A distance depends on its two points alone, to the bit, and loses no digits between near points.
 */
import type { Indices } from '../../core/indices.js';
import type { Matrix } from '../../dense/matrix.js';
import { squaredDistances } from '../../dense/distances.js';
import type { Points } from '../../source/entry-source.js';
import type { Distance } from './distance.js';

/** Squared Euclidean distances, summed coordinate by coordinate. */
export class DirectDistance implements Distance {
  readonly tabulated = false;
  /** A cluster's mean is that of all its members in all but the largest clusters. */
  readonly sampleSize = 4096;
  readonly #dimension: number;
  readonly #coordinates: Float64Array;
  readonly #middle: Float64Array;
  readonly #direction: Float64Array;
  #rows: Indices = new Int32Array(0);
  #cols: Indices = this.#rows;

  constructor(points: Points) {
    this.#dimension = points.dimension;
    this.#coordinates = points.coordinates;
    this.#middle = new Float64Array(points.dimension);
    this.#direction = new Float64Array(points.dimension);
  }

  load(rows: Indices, cols: Indices): void {
    this.#rows = rows;
    this.#cols = cols;
  }

  between(firstRow: number, firstCol: number, out: Matrix): void {
    squaredDistances(
      this.#coordinates,
      this.#dimension,
      this.#rows.subarray(firstRow, firstRow + out.rows),
      this.#cols.subarray(firstCol, firstCol + out.cols),
      out,
    );
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
    for (let s = 0; s < sample.length; s++)
      for (let c = 0, r = sample[s] * d; c < d; c++) mean[c] += x[r + c] / sample.length;
    for (let a = 0; a < indices.length; a++) {
      const r = indices[a] * d;
      let sum = 0;
      for (let c = 0; c < d; c++) sum += (x[r + c] - mean[c]) ** 2;
      out[at + a] = sum;
    }
  }
}
