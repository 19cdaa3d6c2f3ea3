/**
 * Naive float64 references and guarded views for the conformance suite of the dense contract.
 * Everything here is a plain triple loop over contiguous float64 copies: slow, and right by inspection.
 */
import { expect } from 'vitest';
import type { RandomStream } from '#hmatrix/core/random.js';
import type { Transpose, Triangle, UnitDiagonal } from '#hmatrix/dense/blas.js';
import { fill, get, view, zeros } from '#hmatrix/dense/matrix.js';
import type { FloatArray, Matrix, Precision } from '#hmatrix/dense/matrix.js';

/** Unit roundoff times two: the distance from 1 to the next number. */
export const epsilonOf = (precision: Precision): number => (precision === 'f64' ? 2 ** -52 : 2 ** -23);

/**
 * Stands where no routine may read into a result or write: any sum with it is far off, and it is exact in both
 * precisions.
 */
const GUARD = 2 ** 40;

/**
 * A view in the middle of a larger array (offset 3, ld = rows + 2), with guards before, after and between its columns.
 */
export interface GuardedView {
  readonly a: Matrix;
  expectGuardsIntact(): void;
}

export function floats(length: number, precision: Precision, shared = false): FloatArray {
  if (precision === 'f64')
    return shared ? new Float64Array(new SharedArrayBuffer(8 * length)) : new Float64Array(length);
  return shared ? new Float32Array(new SharedArrayBuffer(4 * length)) : new Float32Array(length);
}

export function guarded(
  rows: number,
  cols: number,
  precision: Precision,
  value: (i: number, j: number) => number = () => 0,
  shared = false,
): GuardedView {
  const offset = 3;
  const ld = rows + 2;
  const data = floats(offset + ld * cols + 4, precision, shared).fill(GUARD);
  const a = view(data, offset, rows, cols, ld);
  for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) data[offset + i + j * ld] = value(i, j);
  return {
    a,
    expectGuardsIntact() {
      for (let p = 0; p < data.length; p++) {
        const i = (p - offset) % ld;
        if (p >= offset && p < offset + ld * cols && i < rows) continue;
        if (data[p] !== GUARD)
          expect.fail(
            `wrote outside its ${rows} × ${cols} view: element ${p} (row ${i}, column ` +
              `${Math.floor((p - offset) / ld)})`,
          );
      }
    },
  };
}

/** The contents of a guarded view again, in a fresh guarded view. */
export const duplicate = (a: Matrix, precision: Precision): GuardedView =>
  guarded(a.rows, a.cols, precision, (i, j) => get(a, i, j));

export const randomView = (
  rows: number,
  cols: number,
  precision: Precision,
  random: RandomStream,
  shared = false,
): GuardedView => guarded(rows, cols, precision, () => random.normal(), shared);

/** A contiguous float64 matrix by its entries. */
export function generate(rows: number, cols: number, value: (i: number, j: number) => number): Matrix {
  const a = zeros(rows, cols);
  for (let j = 0; j < cols; j++) for (let i = 0; i < rows; i++) a.data[i + j * rows] = value(i, j);
  return a;
}

export const toFloat64 = (a: Matrix): Matrix => generate(a.rows, a.cols, (i, j) => get(a, i, j));
export const transpose = (a: Matrix): Matrix => generate(a.cols, a.rows, (i, j) => get(a, j, i));
export const op = (trans: Transpose, a: Matrix): Matrix => (trans === 'T' ? transpose(a) : toFloat64(a));
export const absolute = (a: Matrix): Matrix => generate(a.rows, a.cols, (i, j) => Math.abs(get(a, i, j)));
export const identity = (n: number): Matrix => generate(n, n, (i, j) => (i === j ? 1 : 0));
export const combine = (alpha: number, a: Matrix, beta: number, b: Matrix): Matrix =>
  generate(a.rows, a.cols, (i, j) => alpha * get(a, i, j) + (beta === 0 ? 0 : beta * get(b, i, j)));
export const inTriangle = (uplo: Triangle, i: number, j: number): boolean => (uplo === 'L' ? i >= j : i <= j);
/** The symmetric matrix whose `uplo` triangle is given. */
export const symmetric = (uplo: Triangle, a: Matrix): Matrix =>
  generate(a.rows, a.cols, (i, j) => (inTriangle(uplo, i, j) ? get(a, i, j) : get(a, j, i)));
/** The triangular matrix in a's `uplo` triangle (trapezoidal if a is not square). */
export const triangular = (uplo: Triangle, diag: UnitDiagonal, a: Matrix): Matrix =>
  generate(a.rows, a.cols, (i, j) => (i === j && diag === 'U' ? 1 : inTriangle(uplo, i, j) ? get(a, i, j) : 0));

export function product(a: Matrix, b: Matrix): Matrix {
  const c = zeros(a.rows, b.cols);
  for (let j = 0; j < b.cols; j++) {
    for (let k = 0; k < a.cols; k++) {
      const s = get(b, k, j);
      for (let i = 0; i < a.rows; i++) c.data[i + j * a.rows] += a.data[a.offset + i + k * a.ld] * s;
    }
  }
  return c;
}

export function norm(a: Matrix): number {
  let sum = 0;
  for (let j = 0; j < a.cols; j++) for (let i = 0; i < a.rows; i++) sum += get(a, i, j) ** 2;
  return Math.sqrt(sum);
}

export const distance = (a: Matrix, b: Matrix): number => norm(combine(1, a, -1, b));

/** |actual − expected| ≤ bound, entry by entry; NaN fails. */
export function expectEntriesWithin(actual: Matrix, expected: Matrix, bound: Matrix, what: string): void {
  expect([actual.rows, actual.cols], what).toEqual([expected.rows, expected.cols]);
  for (let j = 0; j < actual.cols; j++) {
    for (let i = 0; i < actual.rows; i++) {
      const error = Math.abs(get(actual, i, j) - get(expected, i, j));
      if (!(error <= get(bound, i, j))) {
        expect.fail(
          `${what}: entry (${i}, ${j}) is ${get(actual, i, j)}, expected ${get(expected, i, j)}, error ${error} ` +
            `over the bound ${get(bound, i, j)}`,
        );
      }
    }
  }
}

/** value ≤ bound; NaN fails. */
export function expectAtMost(value: number, bound: number, what: string): void {
  if (!(value <= bound)) expect.fail(`${what}: ${value} exceeds ${bound}`);
}

/** An orthogonal n × n matrix: the product of a few random Householder reflections, to float64 rounding. */
export function randomOrthogonal(n: number, random: RandomStream): Matrix {
  const q = identity(n);
  for (let step = 0; step < Math.min(n, 4); step++) {
    const v = Float64Array.from({ length: n }, () => random.normal());
    const squared = v.reduce((sum, x) => sum + x * x, 0);
    for (let j = 0; j < n; j++) {
      let dot = 0;
      for (let i = 0; i < n; i++) dot += v[i] * q.data[i + j * n];
      for (let i = 0; i < n; i++) q.data[i + j * n] -= (2 * dot * v[i]) / squared;
    }
  }
  return q;
}

/**
 * Overwrites the strict triangle opposite to `uplo` (and, for a unit diagonal, the diagonal): a routine that reads it
 * gives NaN.
 */
export function poisonOpposite(uplo: Triangle, diag: UnitDiagonal, a: Matrix): void {
  for (let j = 0; j < a.cols; j++) {
    for (let i = 0; i < a.rows; i++)
      if (!inTriangle(uplo, i, j) || (i === j && diag === 'U')) a.data[a.offset + i + j * a.ld] = Number.NaN;
  }
}

export const poison = (a: Matrix): void => fill(a, Number.NaN);
