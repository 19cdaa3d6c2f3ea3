/**
 * Breakdowns that mend themselves: degenerate inputs, singular systems and their least-squares solutions,
 * preconditioners that are not quite the same symmetric map at each product.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solve } from '#hmatrix/solve/solve.js';
import type { SolveResult } from '#hmatrix/solve/options.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian, matern32 } from '#hmatrix/source/kernels/named.js';
import { column, denseSolve, filled, geometric, norm2, residualOf, withEigenvalues } from '../krylov/systems.js';
import { denseOf, normalPoints, randomMatrix, relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const diagonal = (values: ArrayLike<number>): Matrix => {
  const a = zeros(values.length, values.length);
  for (let i = 0; i < values.length; i++) a.data[i * (values.length + 1)] = values[i];
  return a;
};
const ones = (n: number): Matrix => column(new Float64Array(n).fill(1));

/** ‖A(b − Ax)‖/(‖A‖_F‖b‖) of a column: 0 for a least-squares solution. */
function gradient(a: Matrix, b: Matrix, x: Matrix, j = 0): number {
  const r = zeros(a.rows, 1);
  for (let i = 0; i < a.rows; i++) r.data[i] = b.data[b.offset + i + j * b.ld];
  const of = column(x.data.subarray(x.offset + j * x.ld, x.offset + j * x.ld + x.rows));
  team.blas.gemv('N', -1, a, of, 1, r);
  const g = zeros(a.rows, 1);
  team.blas.gemv('N', 1, a, r, 0, g);
  return norm2(g) / (Math.hypot(...a.data) * norm2(b, j));
}

describe('degenerate inputs, with no options', () => {
  const cases: readonly (readonly [string, () => Matrix, () => Matrix, SolveResult['outcome']])[] = [
    ['one row', () => diagonal([4]), () => column([2]), 'converged'],
    ['one row of zero', () => diagonal([0]), () => column([2]), 'singular'],
    ['one row of zero, b = 0', () => diagonal([0]), () => column([0]), 'converged'],
    ['two rows', () => view(Float64Array.of(2, 1, 1, 3), 0, 2, 2), () => column([1, 2]), 'converged'],
    ['two equal rows', () => view(Float64Array.of(1, 1, 1, 1), 0, 2, 2), () => column([1, 1]), 'converged'],
    [
      'two equal rows, inconsistent',
      () => view(Float64Array.of(1, 1, 1, 1), 0, 2, 2),
      () => column([1, -1]),
      'singular',
    ],
    ['the identity', () => diagonal(new Float64Array(50).fill(1)), () => randomMatrix(50, 1, 1), 'converged'],
    ['zero', () => zeros(50, 50), () => randomMatrix(50, 1, 1), 'singular'],
    ['zero, b = 0', () => zeros(50, 50), () => zeros(50, 1), 'converged'],
    ['b = 0', () => diagonal(filled(50, (i) => 1 + i)), () => zeros(50, 2), 'converged'],
    ['a zero row', () => diagonal(filled(50, (i) => i)), () => column(filled(50, (i) => i)), 'converged'],
  ];

  it.each(cases)('%s', async (_, make, right, expected) => {
    const [a, b] = [make(), right()];
    const solved = await solve(a, b, {}, { team });
    expect(solved.outcome).toBe(expected);
    for (let j = 0; j < b.cols; j++) {
      const length = norm2(b, j);
      if (length === 0) expect(norm2(solved.x, j)).toBe(0);
      else
        expect(Math.abs(residualOf(a, b, solved.x, team.blas, j) / length - solved.residuals[j])).toBeLessThan(1e-13);
      if (expected === 'singular') expect(gradient(a, b, solved.x, j) || 0).toBeLessThan(1e-8);
    }
  });

  it.each([100, 2500])('%i equal points', async (count) => {
    const source = kernelSource(
      { dimension: 2, count, coordinates: new Float64Array(2 * count).fill(0.5) },
      gaussian(1),
    );
    const solved = await solve(source, ones(count), {}, { team });
    expect(solved.outcome).toBe('converged');
    const b = randomMatrix(count, 1, 3);
    const least = await solve(source, b, {}, { team });
    expect(least.outcome).toBe('singular');
    expect(least.reason).toMatch(/least-squares solution by minimal residuals.*x minimises it/);
    // The projection to the range, which is spanned by ones.
    const mean = Array.from(b.data).reduce((sum, value) => sum + value, 0) / count;
    const rest = Math.hypot(...Array.from(b.data, (value) => value - mean)) / norm2(b);
    expect(Math.abs(least.residual - rest)).toBeLessThan(1e-9);
  });
});

describe('semidefinite systems without a shift', () => {
  const n = 120;

  it('end_with_the_least_squares_solution_where_b_lies_outside_the_range', async () => {
    const a = withEigenvalues(
      filled(n, (i) => (i % 2 === 0 ? 1 + i / 10 : 0)),
      team.blas,
      4,
    );
    for (const cols of [1, 3]) {
      for (const out of [zeros(n, cols), zeros(n, cols, 'f32')]) {
        const b = randomMatrix(n, cols, 6);
        const solved = await solve(denseOperator(a, true, { blas: team.blas }), b, { out }, { team });
        expect(solved.outcome).toBe('singular');
        expect(solved.shortfall?.leastSquares).toBe(true);
        for (let j = 0; j < cols; j++) {
          expect(gradient(a, b, solved.x, j)).toBeLessThan(1e-6);
          expect(solved.residuals[j]).toBeLessThan(0.95);
          expect(Math.abs(residualOf(a, b, solved.x, team.blas, j) / norm2(b, j) - solved.residuals[j])).toBeLessThan(
            1e-12,
          );
        }
      }
    }
  });

  it('of_duplicates_are_solved_where_they_can_be_and_told_else', async () => {
    const half = normalPoints(n / 2, 1, 3).coordinates;
    const coordinates = new Float64Array(n);
    coordinates.set(half);
    coordinates.set(half, n / 2);
    const source = kernelSource({ dimension: 1, count: n, coordinates }, matern32(1), { blas: team.blas });
    const solved = await solve(source, ones(n), {}, { team });
    expect(solved.outcome).toBe('converged');
    const b = randomMatrix(n, 1, 6);
    const least = await solve(source, b, {}, { team });
    expect(least.outcome).toBe('singular');
    // Rows that are equal cannot tell their values apart: half their differences are left.
    const rest = Math.hypot(...filled(n / 2, (i) => (b.data[i] - b.data[i + n / 2]) / Math.SQRT2)) / norm2(b);
    // An ill-conditioned matrix lets MINRES end before the last of it.
    expect(least.residual).toBeGreaterThan(rest * 0.999);
    expect(least.residual).toBeLessThan(rest * 1.1);
    // How far it has come by then is for rounding to say: 8e-6 with one backend, 1.8e-5 with another.
    expect(gradient(denseOf(source), b, least.x)).toBeLessThan(1e-4);
  });
});

describe('a preconditioner that is not quite symmetric', () => {
  const n = 200;
  const operator = (
    applyUnchecked: LinearOperator['applyUnchecked'],
    more: Partial<LinearOperator>,
  ): LinearOperator => ({
    rows: n,
    cols: n,
    symmetric: true,
    ...more,
    applyUnchecked,
  });
  /** out ← α·Mx + β·out for an M of single vectors. */
  const of =
    (map: (x: Float64Array) => Float64Array): LinearOperator['applyUnchecked'] =>
    (out, x, alpha, beta) => {
      for (let j = 0; j < x.cols; j++) {
        const y = map(filled(n, (i) => x.data[x.offset + i + j * x.ld]));
        for (let i = 0; i < n; i++) {
          const p = out.offset + i + j * out.ld;
          out.data[p] = alpha * y[i] + (beta === 0 ? 0 : beta * out.data[p]);
        }
      }
    };

  it.each(['of_float32', 'skewed', 'skewed_as_it_says', 'changing'])('is_used_by_flexible_ones: %s', async (kind) => {
    const a = withEigenvalues(geometric(n, 1e3), team.blas, 2);
    const inverse = denseSolve(a, diagonal(new Float64Array(n).fill(1)), team.blas);
    const skew = randomMatrix(n, n, 8).data;
    const near = inverse.data.map((value, k) =>
      /skew/.test(kind) ? value + 0.5 * (skew[k] - skew[(k % n) * n + Math.floor(k / n)]) : value,
    );
    let call = 0;
    const multiply = of((x) => {
      call++;
      const y = zeros(n, 1);
      const single = kind === 'of_float32';
      team.blas.gemv('N', 1, view(near, 0, n, n), column(single ? Float32Array.from(x) : x), 0, y);
      if (single) return Float64Array.from(Float32Array.from(y.data));
      return kind === 'changing' ? y.data.map((value, i) => value * (1 + 0.02 * Math.sin(i * call))) : y.data;
    });
    const preconditioner = operator(
      multiply,
      kind === 'of_float32' ? { precision: 'f32' } : { symmetric: kind !== 'skewed_as_it_says' },
    );
    for (const cols of [1, 3]) {
      const b = randomMatrix(n, cols, 4);
      const solved = await solve(
        denseOperator(a, true, { blas: team.blas }),
        b,
        { preconditioner, tolerance: 1e-9 },
        { team },
      );
      expect([kind, cols, solved.outcome]).toEqual([kind, cols, 'converged']);
      expect(relativeError(solved.x, denseSolve(a, b, team.blas))).toBeLessThan(1e-5);
      for (let j = 0; j < cols; j++)
        expect(residualOf(a, b, solved.x, team.blas, j) / norm2(b, j)).toBeLessThan(1.01e-9);
      if (kind === 'skewed' && cols === 1) expect(solved.reason).toMatch(/flexible conjugate gradients go on/);
    }
  });
});
