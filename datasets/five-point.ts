/**
 * Five-point operators on an n × n grid, and exact solves with them. Test data.
 * Index i = f + n·s: f runs along a grid line, s numbers the lines. In blocks of lines J is tridiagonal, its
 * off-diagonal blocks diagonal: block LU (G. H. Golub, C. F. Van Loan, Matrix Computations, 4th ed., 2013, §4.5.1), the
 * inverses of the pivots' Schur complements stored, so that a solve is 2n products with n × n matrices: O(n³) a vector,
 * at the speed of gemm for blocks of vectors. Pivoting stays within a line; elements grow up to 10⁴-fold for K13, which
 * one step of iterative refinement repairs (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed.,
 * 2002, ch. 12 and 13): the solves below always take it.
 */
import { FactorizationError } from '../src/core/errors.js';
import { RandomStream } from '../src/core/random.js';
import { sharedFloat64 } from '../src/core/shared-array.js';
import type { Blas, Transpose } from '../src/dense/blas.js';
import { block, copyInto, fill, view, zeros, type Matrix } from '../src/dense/matrix.js';

/**
 * (J u)_i = diagonal_i u_i + lower_i u_{i−1} + upper_i u_{i+1} + lowerLine_i u_{i−n} + upperLine_i u_{i+n};
 * coefficients that would reach over the grid's edge are 0.
 */
export interface FivePointOperator {
  readonly n: number;
  readonly diagonal: Float64Array;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  readonly lowerLine: Float64Array;
  readonly upperLine: Float64Array;
}

/** The factors of a five-point operator: plain data over shared memory. */
export interface FivePointFactors {
  readonly operator: FivePointOperator;
  /** Inverses of the n Schur complements, n × n each, one after the other. */
  readonly inverses: Float64Array;
}

/** out ← J·x or Jᵀ·x; contiguous columns of float64. */
export function multiplyFivePoint(j: FivePointOperator, trans: Transpose, x: Matrix, out: Matrix): void {
  const { n, diagonal } = j;
  const size = n * n;
  // The transpose has upper_{i−1} where J has lower_i, and so on.
  const shift = trans === 'N' ? 0 : 1;
  const [lower, upper, lowerLine, upperLine] =
    trans === 'N' ? [j.lower, j.upper, j.lowerLine, j.upperLine] : [j.upper, j.lower, j.upperLine, j.lowerLine];
  for (let k = 0; k < x.cols; k++) {
    const u = x.data;
    const p = x.offset + k * x.ld;
    const q = out.offset + k * out.ld;
    for (let i = 0; i < size; i++) {
      let sum = diagonal[i] * u[p + i];
      if (i >= 1) sum += lower[i - shift] * u[p + i - 1];
      if (i + 1 < size) sum += upper[i + shift] * u[p + i + 1];
      if (i >= n) sum += lowerLine[i - shift * n] * u[p + i - n];
      if (i + n < size) sum += upperLine[i + shift * n] * u[p + i + n];
      out.data[q + i] = sum;
    }
  }
}

/**
 * Factors J; throws FactorizationError where a Schur complement is singular or a solve with refinement is not backward
 * stable. O(n⁴).
 */
export function factorFivePoint(j: FivePointOperator, blas: Blas): FivePointFactors {
  const { n } = j;
  const inverses = sharedFloat64(n ** 3);
  const schur = zeros(n, n);
  const pivots = new Int32Array(n);
  for (let s = 0; s < n; s++) {
    fill(schur, 0);
    const base = s * n;
    for (let f = 0; f < n; f++) {
      schur.data[f * (n + 1)] = j.diagonal[base + f];
      if (f > 0) schur.data[f + (f - 1) * n] = j.lower[base + f];
      if (f + 1 < n) schur.data[f + (f + 1) * n] = j.upper[base + f];
    }
    if (s > 0) {
      const previous = (s - 1) * n * n;
      for (let g = 0; g < n; g++) {
        const right = j.upperLine[base - n + g];
        for (let f = 0; f < n; f++)
          schur.data[f + g * n] -= j.lowerLine[base + f] * inverses[previous + f + g * n] * right;
      }
    }
    const info = blas.getrf(schur, pivots);
    if (info !== 0)
      throw new FactorizationError(`The five-point operator is singular on grid line ${s} (getrf: info = ${info}).`, {
        routine: 'getrf',
        info,
        line: s,
      });
    const inverse = view(inverses, s * n * n, n, n);
    for (let f = 0; f < n; f++) inverse.data[inverse.offset + f * (n + 1)] = 1;
    blas.getrs('N', schur, pivots, inverse);
  }
  const factors = { operator: j, inverses };
  const error = new FivePointSolver(factors, blas).backwardError();
  if (!(error < 1e-14))
    throw new FactorizationError(`Solves with the five-point operator are not backward stable: error ${error}.`, {
      backwardError: error,
    });
  return factors;
}

export class FivePointSolver {
  readonly #factors: FivePointFactors;
  readonly #blas: Blas;
  #line: Float64Array = new Float64Array(0);
  #residual: Float64Array = new Float64Array(0);
  #given: Float64Array = new Float64Array(0);

  constructor(factors: FivePointFactors, blas: Blas) {
    this.#factors = factors;
    this.#blas = blas;
  }

  /** B ← J⁻¹·B or J⁻ᵀ·B, with one step of refinement; B is N × p over float64, contiguous. */
  solve(trans: Transpose, b: Matrix): void {
    const size = b.rows;
    const length = size * b.cols;
    if (this.#given.length < length) {
      this.#given = new Float64Array(length);
      this.#residual = new Float64Array(length);
      this.#line = new Float64Array(this.#factors.operator.n * b.cols);
    }
    const given = view(this.#given, 0, size, b.cols);
    const residual = view(this.#residual, 0, size, b.cols);
    copyInto(given, b);
    this.#solveOnce(trans, b);
    multiplyFivePoint(this.#factors.operator, trans, b, residual);
    for (let i = 0; i < length; i++) this.#residual[i] = this.#given[i] - this.#residual[i];
    this.#solveOnce(trans, residual);
    for (let i = 0; i < length; i++) b.data[b.offset + i] += this.#residual[i];
  }

  /** ‖b − Jx‖/(‖J‖‖x‖) in the maximum norm, for x from a random b. */
  backwardError(): number {
    const { operator } = this.#factors;
    const size = operator.n ** 2;
    const b = zeros(size, 1);
    new RandomStream(1, 0x66697665).fillNormal(b.data);
    const x = zeros(size, 1);
    copyInto(x, b);
    this.solve('N', x);
    const product = zeros(size, 1);
    multiplyFivePoint(operator, 'N', x, product);
    let residual = 0;
    let norm = 0;
    let largest = 0;
    for (let i = 0; i < size; i++) {
      const row =
        Math.abs(operator.diagonal[i]) +
        Math.abs(operator.lower[i]) +
        Math.abs(operator.upper[i]) +
        Math.abs(operator.lowerLine[i]) +
        Math.abs(operator.upperLine[i]);
      residual = Math.max(residual, Math.abs(b.data[i] - product.data[i]));
      norm = Math.max(norm, row);
      largest = Math.max(largest, Math.abs(x.data[i]));
    }
    return residual / (norm * largest);
  }

  #solveOnce(trans: Transpose, b: Matrix): void {
    const { operator, inverses } = this.#factors;
    const { n } = operator;
    const inverse = (s: number): Matrix => view(inverses, s * n * n, n, n);
    const line = (s: number): Matrix => block(b, s * n, 0, n, b.cols);
    const work = view(this.#line, 0, n, b.cols);
    // Jᵀ is block tridiagonal with the transposed Schur complements; its lower coupling of line s is J's upper one of
    // line s − 1.
    const lower = trans === 'N' ? operator.lowerLine : operator.upperLine;
    const upper = trans === 'N' ? operator.upperLine : operator.lowerLine;
    const shift = trans === 'N' ? 0 : n;
    for (let s = 1; s < n; s++) {
      this.#blas.gemm(trans, 'N', 1, inverse(s - 1), line(s - 1), 0, work);
      subtractScaled(line(s), lower, s * n - shift, work);
    }
    for (let s = n - 1; s >= 0; s--) {
      if (s + 1 < n) subtractScaled(line(s), upper, s * n + shift, line(s + 1));
      this.#blas.gemm(trans, 'N', 1, inverse(s), line(s), 0, work);
      copyInto(line(s), work);
    }
  }
}

/** a ← a − diag(d[offset …])·x. */
function subtractScaled(a: Matrix, d: Float64Array, offset: number, x: Matrix): void {
  for (let k = 0; k < a.cols; k++) {
    const p = a.offset + k * a.ld;
    const q = x.offset + k * x.ld;
    for (let f = 0; f < a.rows; f++) a.data[p + f] -= d[offset + f] * x.data[q + f];
  }
}
