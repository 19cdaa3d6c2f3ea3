/**
 * The form VᵀGV from J·v and H·J·v of vectors that come one after the other. What is kept of a vector for those that
 * follow has its place from one form to the next.
 */
import type { FloatArray } from '../../core/floats.js';

/** Forms, one at a time. */
export class QuadraticForm {
  /** Numbers of J·v, at most. */
  readonly #most: number;
  readonly #kept: Float64Array[] = [];
  #size = 0;
  #form = new Float64Array(0);

  constructor(most: number) {
    this.#most = most;
  }

  /** Begins a form of `size` vectors with `value(i, j)`, i ≤ j. */
  begin(size: number, value: (i: number, j: number) => number): void {
    this.#size = size;
    this.#form = new Float64Array(size * size);
    for (let j = 0; j < size; j++) for (let i = 0; i <= j; i++) this.#form[i + size * j] = value(i, j);
    while (this.#kept.length < size - 1) this.#kept.push(new Float64Array(this.#most));
  }

  /** Adds what the numbers of J·v_j from `at` on, and of H·J·v_j, come to with the vectors up to j. */
  add(j: number, at: number, tangent: FloatArray, image: FloatArray): void {
    for (let i = 0; i < j; i++) this.#form[i + this.#size * j] += dot(this.#kept[i], at, image);
    this.#form[j + this.#size * j] += dot(tangent, 0, image);
    if (j < this.#size - 1) this.#kept[j].set(tangent, at);
  }

  /** The form, both triangles. */
  end(): Float64Array {
    const size = this.#size;
    for (let j = 0; j < size; j++) for (let i = 0; i < j; i++) this.#form[j + size * i] = this.#form[i + size * j];
    return this.#form;
  }
}

/** Σ x_{at+i}·y_i over all of y. */
function dot(x: FloatArray, at: number, y: FloatArray): number {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += x[at + i] * y[i];
  return sum;
}
