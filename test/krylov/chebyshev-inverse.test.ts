/**
 * Chebyshev's iteration as an approximate inverse: the polynomial that it is, definiteness whatever the spectrum, and
 * the residual that its degree promises.
 */
import { describe, expect, it } from 'vitest';
import { view } from '#hmatrix/dense/matrix.js';
import { chebyshevInverse, oddDegree } from '#hmatrix/krylov/chebyshev-inverse.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';

const EPS = Number.EPSILON;

/** q(t)·f for every eigenvalue t/f of A and f of F, by a product with ones. */
function inverseOf(t: Float64Array, f: Float64Array, least: number, most: number, degree: number): Float64Array {
  const n = t.length;
  const m = chebyshevInverse(
    diagonalOperator(t.map((value, i) => value / f[i])),
    diagonalOperator(f),
    { least, most },
    degree,
  );
  const out = view(new Float64Array(n).fill(7), 0, n, 1);
  m.applyUnchecked(out, view(new Float64Array(n).fill(1), 0, n, 1), 1, 0);
  return out.data as Float64Array;
}

const grid = (from: number, to: number, count: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) => from + ((to - from) * (i + 0.5)) / count);
const f = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => 0.5 + (i % 5));

describe('chebyshevInverse', () => {
  it.each([1, 2, 3, 5, 8])('is_the_polynomial_of_degree_%i', (degree) => {
    const [least, most] = [0.2, 3];
    const t = grid(least, most, 40);
    const factors = f(40);
    // |s| ≤ 1 there: T_d(s) = cos(d·arccos s).
    const top = Math.cosh(degree * Math.acosh((most + least) / (most - least)));
    inverseOf(t, factors, least, most, degree).forEach((value, i) => {
      const s = (most + least - 2 * t[i]) / (most - least);
      const residual = Math.cos(degree * Math.acos(s)) / top;
      expect(Math.abs((t[i] * value) / factors[i] - (1 - residual))).toBeLessThan(100 * degree ** 2 * EPS);
    });
  });

  it.each([1, 3, 5, 9])('of_odd_degree_%i_is_positive_wherever_the_eigenvalues_lie', (degree) => {
    const t = grid(-6, 12, 400);
    for (const value of inverseOf(t, f(400), 0.3, 2, degree)) expect(value).toBeGreaterThan(0);
  });

  it('of_even_degree_is_not', () => {
    expect(Math.min(...inverseOf(grid(3, 12, 20), f(20), 0.3, 2, 2))).toBeLessThan(0);
  });

  it.each([1.01, 2, 30, 400])('has_the_residual_that_is_asked_at_condition_%d', (condition) => {
    const interval = { least: 1, most: condition };
    for (const residual of [0.3, 0.1, 1e-3]) {
      const degree = oddDegree(interval, residual);
      expect(degree % 2).toBe(1);
      const t = grid(1, condition, 200);
      const factors = f(200);
      const left = inverseOf(t, factors, 1, condition, degree).map((value, i) => (t[i] * value) / factors[i] - 1);
      expect(Math.max(...left.map(Math.abs))).toBeLessThan(residual + 1e3 * EPS * degree ** 2);
      // No smaller odd degree does.
      if (degree > 1)
        expect(Math.cosh((degree - 2) * Math.acosh((condition + 1) / (condition - 1)))).toBeLessThan(1 / residual);
    }
  });

  it('adds_to_what_is_there_for_blocks_of_vectors_column_by_column', () => {
    const n = 30;
    const t = grid(0.5, 2, n);
    const m = chebyshevInverse(diagonalOperator(t), diagonalOperator(f(n)), { least: 0.2, most: 9 }, 5);
    const x = view(
      Float64Array.from({ length: 2 * n }, (_, i) => Math.sin(i)),
      0,
      n,
      2,
    );
    const out = view(new Float64Array(2 * n).fill(1), 0, n, 2);
    m.applyUnchecked(out, x, -2, 3);
    for (let j = 0; j < 2; j++) {
      const alone = view(new Float64Array(n), 0, n, 1);
      m.applyUnchecked(alone, view(x.data, j * n, n, 1), 1, 0);
      for (let i = 0; i < n; i++) expect(out.data[i + j * n]).toBe(3 + -2 * alone.data[i]);
    }
  });
});
