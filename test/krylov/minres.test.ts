/** MINRES where conjugate gradients may not go: indefinite, singular and inconsistent systems. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { minres, minresSolver } from '#hmatrix/krylov/minres.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { relativeError } from '../support.js';
import { column, denseSolve, filled, norm2, normals, residualOf, withEigenvalues } from './systems.js';

const blas = openBlas();

describe('an indefinite system', () => {
  const n = 100;
  const a = withEigenvalues(
    filled(n, (i) => (i % 3 === 0 ? -1 : 1) * (1 + i / 10)),
    blas,
    4,
  );
  const operator = denseOperator(a, true, { blas });
  const b = normals(n, 1, 4);

  it('is_solved_as_LAPACK_does', () => {
    const x = zeros(n, 1);
    expect(minres(operator, b, x, { relativeTolerance: 1e-11 }).outcome).toBe('converged');
    expect(relativeError(x, denseSolve(a, b, blas))).toBeLessThan(1e-11 * 20);
  });

  it('has_residuals_that_never_grow_and_are_the_true_ones', () => {
    const { history } = minres(operator, b, zeros(n, 1));
    for (let k = 1; k < history.length; k++) expect(history[k]).toBeLessThanOrEqual(history[k - 1] * (1 + 1e-14));
    const solver = minresSolver(operator);
    for (const k of [1, 2, 7, 30]) {
      const x = zeros(n, 1);
      const solution = solver.solve(b, x, { maxIterations: k });
      expect(Math.abs(solution.estimatedResidual - residualOf(a, b, x, blas) / norm2(b))).toBeLessThan(1e-12);
    }
  });

  it('has_preconditioned_residuals_in_the_Euclidean_norm_too', () => {
    const preconditioner = diagonalOperator(filled(n, (i) => 1 / (1 + (i % 7))));
    const solver = minresSolver(operator, { preconditioner });
    for (const k of [1, 2, 7, 30]) {
      const x = zeros(n, 1);
      const solution = solver.solve(b, x, { maxIterations: k });
      expect(Math.abs(solution.estimatedResidual - residualOf(a, b, x, blas) / norm2(b))).toBeLessThan(1e-12);
    }
    const x = zeros(n, 1);
    expect(solver.solve(b, x).outcome).toBe('converged');
    expect(relativeError(x, denseSolve(a, b, blas))).toBeLessThan(1e-8 * 20);
  });

  it('takes_as_many_iterations_as_it_has_different_eigenvalues', () => {
    const few = denseOperator(
      withEigenvalues(
        filled(n, (i) => [-2, 1, 3][i % 3]),
        blas,
      ),
      true,
      { blas },
    );
    expect(minres(few, b, zeros(n, 1), { relativeTolerance: 1e-12 })).toMatchObject({
      outcome: 'converged',
      iterations: 3,
    });
    // |A|⁻¹ leaves the eigenvalues 1 and −1.
    const diagonal = filled(n, (i) => (i % 2 === 0 ? -1 : 1) * (i + 1));
    const solution = minres(diagonalOperator(diagonal), b, zeros(n, 1), {
      preconditioner: diagonalOperator(diagonal.map((value) => 1 / Math.abs(value))),
      relativeTolerance: 1e-12,
    });
    expect(solution).toMatchObject({ outcome: 'converged', iterations: 2 });
  });

  it('is_as_random_systems_have_it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.integer({ min: 0, max: 3 }),
        (size, seed, digits) => {
          const values = normals(size, 1, seed).data.map(
            (value) => Math.sign(value) * 10 ** (-digits * Math.min(1, Math.abs(value))),
          );
          const matrix = withEigenvalues(values, blas, seed);
          const right = normals(size, 1, seed + 1);
          const x = zeros(size, 1);
          expect(
            minres(denseOperator(matrix, true, { blas }), right, x, { relativeTolerance: 1e-9, maxIterations: 10_000 })
              .outcome,
          ).toBe('converged');
          expect(relativeError(x, denseSolve(matrix, right, blas))).toBeLessThan(2e-9 * 10 ** digits);
        },
      ),
      { numRuns: 60, seed: 6 },
    );
  });
});

describe('a singular system', () => {
  const n = 60;
  const values = filled(n, (i) => (i < 12 ? 0 : (i % 2 === 0 ? -1 : 1) * (1 + i / 20)));
  const a = withEigenvalues(values, blas, 3);
  const operator = denseOperator(a, true, { blas });

  it('that_is_consistent_is_solved_by_the_solution_of_least_norm', () => {
    const b = zeros(n, 1);
    blas.gemv('N', 1, a, normals(n, 1, 2), 0, b);
    const x = zeros(n, 1);
    expect(minres(operator, b, x, { relativeTolerance: 1e-11 }).outcome).toBe('converged');
    // Least norm: no part in the null space, which A² + the projection would show; x = A y with A A y = b.
    const square = zeros(n, n);
    blas.gemm('N', 'N', 1, a, a, 0, square);
    const eigenvalues = new Float64Array(n);
    expect(blas.syevd(true, 'L', square, eigenvalues)).toBe(0);
    const parts = zeros(12, 1);
    blas.gemv('T', 1, { ...square, cols: 12 }, x, 0, parts);
    expect(norm2(parts)).toBeLessThan(1e-10 * norm2(x));
  });

  it('that_is_inconsistent_ends_at_the_least_residual', () => {
    const b = normals(n, 1, 12);
    const x = zeros(n, 1);
    const solution = minres(operator, b, x);
    expect(solution.outcome).toBe('leastSquares');
    const r = zeros(n, 1);
    blas.gemv('N', -1, a, x, 0, r);
    for (let i = 0; i < n; i++) r.data[i] += b.data[i];
    const gradient = zeros(n, 1);
    blas.gemv('N', 1, a, r, 0, gradient);
    // ‖A‖ < 4: to about the root of eps.
    expect(norm2(gradient)).toBeLessThan(4 * 1e-6 * norm2(r));
    expect(minres(operator, b, x, { maxIterations: 45 })).toMatchObject({ outcome: 'maxIterations' });
    expect(norm2(x)).toBeLessThan(100);
    expect(solution.residualNorm).toBeCloseTo(norm2(r), 10);
  });

  it('is_told_from_one_that_is_but_ill_conditioned', () => {
    for (const smallest of [1e-7, -1e-9, 1e-11]) {
      const x = zeros(n, 1);
      const diagonal = filled(n, (i) => (i === 0 ? smallest : (i % 2 === 0 ? -1 : 1) * (1 + i / 20)));
      const solution = minres(diagonalOperator(diagonal), column(filled(n, () => 1)), x);
      expect(solution.outcome).toBe('converged');
      expect(x.data[0] * smallest).toBeCloseTo(1, 6);
    }
  });

  it('of_zeros_alone_says_so_at_once', () => {
    expect(minres(diagonalOperator(new Float64Array(5)), column([1, 2, 3, 4, 5]), zeros(5, 1))).toMatchObject({
      outcome: 'leastSquares',
      iterations: 0,
      residual: 1,
    });
  });

  it('with_a_right_hand_side_in_the_null_space_says_so_at_once', () => {
    const diagonal = filled(n, (i) => (i < 5 ? 0 : i));
    expect(minres(diagonalOperator(diagonal), column(filled(n, (i) => (i < 5 ? 1 : 0))), zeros(n, 1))).toMatchObject({
      outcome: 'leastSquares',
      iterations: 0,
    });
  });
});
