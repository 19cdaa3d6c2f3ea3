/**
 * Iterative refinement whose past corrections are used again.
 * x ← x + M(b − Ax), M ≈ A⁻¹, takes one product with A a step and needs the residual that it computes anyway; and the
 * difference of two residuals is what A makes of the correction between them. So the residual can be made least over
 * all of them at no product more: generalized conjugate residuals (S. Eisenstat, H. Elman, M. Schultz, SIAM J. Numer.
 * Anal. 20(2), 1983), which of a fixed-point iteration is Anderson's acceleration (H. Walker, P. Ni, SIAM J. Numer.
 * Anal. 49(4), 2011). M need be neither symmetric nor positive definite nor the same at each step.
 */
import { sharedFloat64 } from '../core/shared-array.js';
import { view, type Matrix } from '../dense/matrix.js';
import { addMultiple, dot } from '../krylov/vector.js';
import { columnLength } from './precision.js';

/** Corrections that are used again at most, and bytes that they may take, two blocks of vectors each. */
const WINDOW = 12;
const WINDOW_BYTES = 2 ** 28;

/** d and A·d of a correction. */
interface Direction {
  readonly d: Matrix;
  readonly w: Matrix;
}

const column = (a: Matrix, j: number): Float64Array =>
  (a.data as Float64Array).subarray(a.offset + j * a.ld, a.offset + j * a.ld + a.rows);

/** x of a system as it is corrected; all blocks are N × p in shared memory, b divided by the lengths of its columns. */
export class Corrections {
  /** The iterate that was multiplied with last, or is next. */
  readonly x: Matrix;
  /** b − Ax of the accelerated iterate, which the next correction is found from; and where its product goes. */
  readonly r: Matrix;
  /** The correction. */
  readonly d: Matrix;
  /** Relative residuals of the best iterates: true ones. */
  readonly residuals: Float64Array;
  /** Of the accelerated iterates, by differences of true ones. */
  readonly estimated: Float64Array;
  readonly #lengths: Float64Array;
  readonly #b: Matrix;
  /** The x of each column that is accelerated, and the one of least true residual. */
  readonly #accelerated: Matrix;
  readonly #best: Matrix;
  readonly #product: Matrix;
  readonly #window: Direction[] = [];
  readonly #most: number;

  /** Begins at zero; a guess is a first correction. */
  constructor(b: Matrix) {
    const { rows, cols } = b;
    const make = (): Matrix => view(sharedFloat64(rows * cols), 0, rows, cols);
    [this.x, this.r, this.d] = [make(), make(), make()];
    [this.#b, this.#accelerated, this.#best, this.#product] = [make(), make(), make(), make()];
    this.#lengths = Float64Array.from({ length: cols }, (_, j) => columnLength(b, j));
    for (let j = 0; j < cols; j++) {
      const to = column(this.#b, j);
      const length = this.#lengths[j];
      if (length > 0) for (let i = 0; i < rows; i++) to[i] = b.data[b.offset + i + j * b.ld] / length;
      column(this.r, j).set(to);
    }
    this.residuals = this.#lengths.map((length) => (length > 0 ? 1 : 0));
    this.estimated = this.residuals.slice();
    this.#most = Math.min(WINDOW, Math.floor(WINDOW_BYTES / (16 * rows * Math.max(1, cols))));
  }

  /** The largest of `residuals`. */
  get residual(): number {
    return Math.max(...this.residuals);
  }

  /** ‖x‖/‖b‖ of the best iterates, the largest. */
  get condition(): number {
    return Math.max(...this.residuals.map((_, j) => columnLength(this.#best, j)));
  }

  /** Bytes of all blocks. */
  get bytes(): number {
    return 8 * this.x.data.length * (7 + 2 * this.#window.length);
  }

  /** d ← a guess of x itself, of b as it was given. */
  loadGuess(guess: Matrix): void {
    for (let j = 0; j < guess.cols; j++) {
      const to = column(this.d, j);
      const length = this.#lengths[j];
      for (let i = 0; i < guess.rows; i++)
        to[i] = length > 0 ? guess.data[guess.offset + i + j * guess.ld] / length : 0;
    }
  }

  /** x ← the accelerated iterate + d; returns where (A + λI)·x goes, which `judge` reads. */
  advance(): Matrix {
    for (let j = 0; j < this.x.cols; j++) {
      const to = column(this.x, j);
      to.set(column(this.#accelerated, j));
      addMultiple(to, 1, column(this.d, j));
    }
    return this.#product;
  }

  /**
   * Takes the product: true residuals of x, the best iterates, and the accelerated ones. Returns the largest true
   * residual of this x; NaN where a product is not finite.
   */
  judge(): number {
    let largest = 0;
    const product = this.#product;
    const { rows, cols } = product;
    const next = this.#next();
    for (let j = 0; j < cols; j++) {
      const [x, r, b, ax, w] = [this.x, this.r, this.#b, product, next.w].map((one) => column(one, j));
      // A·d = r − (b − A·x), and r becomes b − A·x.
      let squares = 0;
      for (let i = 0; i < rows; i++) {
        const rest = b[i] - ax[i];
        w[i] = r[i] - rest;
        r[i] = rest;
        squares += rest * rest;
      }
      const residual = Math.sqrt(squares);
      if (!(residual < Infinity)) return Number.NaN;
      largest = Math.max(largest, residual);
      if (residual < this.residuals[j]) {
        this.residuals[j] = residual;
        column(this.#best, j).set(x);
      }
      column(next.d, j).set(column(this.d, j));
      this.#accelerate(next, j);
    }
    this.#window.push(next);
    if (this.#window.length > this.#most) this.#window.shift();
    return largest;
  }

  /** Blocks for another direction; those that leave the window are taken again. */
  #next(): Direction {
    const { rows, cols } = this.x;
    if (this.#most > 0 && this.#window.length === this.#most) return this.#window.shift()!;
    const make = (): Matrix => view(new Float64Array(rows * cols), 0, rows, cols);
    return { d: make(), w: make() };
  }

  /** The accelerated iterate of a column, from x (whose residual r holds) and the directions before. */
  #accelerate(next: Direction, j: number): void {
    const [d, w] = [column(next.d, j), column(next.w, j)];
    const r = column(this.r, j);
    const x = column(this.#accelerated, j);
    // What the last accelerated iterate left: r + w.
    addMultiple(r, 1, w);
    for (const before of this.#window) {
      const v = column(before.w, j);
      const length = dot(v, v);
      if (!(length > 0)) continue;
      const share = dot(v, w) / length;
      addMultiple(w, -share, v);
      addMultiple(d, -share, column(before.d, j));
    }
    const length = dot(w, w);
    const along = length > 0 ? dot(w, r) / length : 0;
    addMultiple(x, along, d);
    addMultiple(r, -along, w);
    this.estimated[j] = Math.sqrt(dot(r, r));
  }

  /** out ← the best iterates, in the units of b; columns of b that are zero become zero. */
  write(out: Matrix): void {
    for (let j = 0; j < out.cols; j++) {
      const from = column(this.#best, j);
      for (let i = 0; i < out.rows; i++) out.data[out.offset + i + j * out.ld] = this.#lengths[j] * from[i];
    }
  }

  /** x ← X as it was written, for its own product. */
  reload(out: Matrix): Matrix {
    this.loadGuess(out);
    for (let j = 0; j < out.cols; j++) column(this.x, j).set(column(this.d, j));
    return this.#product;
  }

  /** The residuals of what was reloaded, by its product. */
  judgeReloaded(): void {
    for (let j = 0; j < this.x.cols; j++) {
      const [b, ax] = [column(this.#b, j), column(this.#product, j)];
      let squares = 0;
      for (let i = 0; i < b.length; i++) squares += (b[i] - ax[i]) ** 2;
      this.residuals[j] = Math.sqrt(squares);
    }
  }
}
