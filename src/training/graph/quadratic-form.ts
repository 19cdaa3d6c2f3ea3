/**
 * The forms VᵀGV of slices, from J·v and H·J·v of vectors that come one after the other. What is kept of a vector for
 * those that follow has its place from one form to the next.
 */
import type { FloatArray } from '../../core/floats.js';

/** Forms, one batch at a time. */
export class QuadraticForm {
  /** Numbers of J·v, at most. */
  readonly #most: number;
  readonly #kept: Float64Array[] = [];
  #size = 0;
  /** Of slice s from s·size² on: its upper triangle. */
  forms = new Float64Array(0);

  constructor(most: number) {
    this.#most = most;
  }

  /** Begins forms of `size` vectors, zero, of so many slices. */
  begin(size: number, slices: number): void {
    this.#size = size;
    this.forms = new Float64Array(slices * size * size);
    while (this.#kept.length < size - 1) this.#kept.push(new Float64Array(this.#most));
  }

  /** Adds what a slice's numbers of J·v_j, kept from `at` on, and of H·J·v_j come to with the vectors up to j. */
  add(
    j: number,
    { slice, at }: { readonly slice: number; readonly at: number },
    tangent: FloatArray,
    image: FloatArray,
  ): void {
    const column = this.#size * (slice * this.#size + j);
    for (let i = 0; i < j; i++) this.forms[i + column] += dot(this.#kept[i], at, image);
    this.forms[j + column] += dot(tangent, 0, image);
    if (j < this.#size - 1) this.#kept[j].set(tangent, at);
  }

  /** The sum of all slices' forms and `value(i, j)`, i ≤ j, in both triangles. */
  end(value: (i: number, j: number) => number): Float64Array {
    const size = this.#size;
    const form = new Float64Array(size * size);
    for (let j = 0; j < size; j++)
      for (let i = 0; i <= j; i++) {
        let sum = value(i, j);
        for (let at = i + size * j; at < this.forms.length; at += size * size) sum += this.forms[at];
        form[i + size * j] = form[j + size * i] = sum;
      }
    return form;
  }
}

/** Σ x_{at+i}·y_i over all of y. */
function dot(x: FloatArray, at: number, y: FloatArray): number {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += x[at + i] * y[i];
  return sum;
}
