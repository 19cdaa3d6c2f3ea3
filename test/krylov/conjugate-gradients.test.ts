/**
 * What theory says of conjugate gradients, plain and flexible: iteration counts, bounds, negative curvature,
 * preconditioners that are none.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { conjugateGradients, conjugateGradientSolver } from '#hmatrix/krylov/conjugate-gradients.js';
import { flexibleConjugateGradients } from '#hmatrix/krylov/flexible-conjugate-gradients.js';
import type { Solution } from '#hmatrix/krylov/solution.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { relativeError } from '../support.js';
import {
  column,
  denseSolve,
  energyDistance,
  filled,
  geometric,
  norm2,
  normals,
  withEigenvalues,
  withOwnRows,
} from './systems.js';

const blas = openBlas();

/** A⁻¹ by a triangular solve with the Cholesky factor of a dense matrix. */
function inverse(a: Matrix): LinearOperator {
  const l = zeros(a.rows, a.cols);
  copyInto(l, a);
  expect(blas.potrf('L', l)).toBe(0);
  return {
    rows: a.rows,
    cols: a.cols,
    symmetric: true,
    applyUnchecked: (out, x, alpha, beta) => {
      const y = zeros(x.rows, x.cols);
      copyInto(y, x);
      blas.trsm('L', 'L', 'N', 'N', 1, l, y);
      blas.trsm('L', 'L', 'T', 'N', 1, l, y);
      for (let j = 0; j < x.cols; j++)
        for (let i = 0; i < x.rows; i++)
          out.data[out.offset + i + j * out.ld] =
            alpha * y.data[i + j * x.rows] + (beta === 0 ? 0 : beta * out.data[out.offset + i + j * out.ld]);
    },
  };
}

describe('iteration counts', () => {
  it('are_at_most_the_number_of_different_eigenvalues', () => {
    const n = 90;
    for (const levels of [[2], [1, 3], [1, 2, 5, 7, 11]]) {
      const a = denseOperator(
        withEigenvalues(
          filled(n, (i) => levels[i % levels.length]),
          blas,
          levels.length,
        ),
        true,
        { blas },
      );
      const solution = conjugateGradients(a, normals(n, 1, 2), zeros(n, 1), { relativeTolerance: 1e-12 });
      expect(solution).toMatchObject({ outcome: 'converged', iterations: levels.length });
    }
  });

  it('are_at_most_the_number_of_eigenvectors_in_the_right_hand_side', () => {
    const n = 60;
    const b = column(filled(n, (i) => (i % 10 === 0 ? 1 : 0)));
    expect(
      conjugateGradients(diagonalOperator(filled(n, (i) => i + 1)), b, zeros(n, 1), { relativeTolerance: 1e-12 })
        .iterations,
    ).toBe(6);
  });

  it('are_one_with_the_inverse_as_preconditioner', () => {
    const n = 70;
    const a = withEigenvalues(geometric(n, 1e5), blas);
    const options = { preconditioner: inverse(a) };
    for (const solve of [conjugateGradients, flexibleConjugateGradients]) {
      expect(solve(denseOperator(a, true, { blas }), normals(n, 1, 1), zeros(n, 1), options)).toMatchObject({
        outcome: 'converged',
        iterations: 1,
      });
    }
  });

  it('of_the_flexible_method_are_those_of_the_plain_one_for_a_fixed_preconditioner_and_any_window', () => {
    const n = 150;
    const a = denseOperator(withEigenvalues(geometric(n, 1e3), blas), true, { blas });
    const preconditioner = diagonalOperator(filled(n, (i) => 1 + (i % 3)));
    const b = normals(n, 1, 4);
    const plain = conjugateGradients(a, b, zeros(n, 1), { preconditioner, relativeTolerance: 1e-6 });
    for (const directions of [1, 2, 5, 40]) {
      const flexible = flexibleConjugateGradients(a, b, zeros(n, 1), {
        preconditioner,
        relativeTolerance: 1e-6,
        blas,
        directions,
      });
      for (let k = 0; k < 20; k++) expect(Math.abs(flexible.history[k] / plain.history[k] - 1)).toBeLessThan(1e-8);
      // More directions keep more of the conjugacy that rounding costs.
      expect(flexible.iterations).toBeLessThanOrEqual(1.03 * plain.iterations);
      if (directions === 1) expect(flexible.iterations).toBeGreaterThanOrEqual(0.97 * plain.iterations);
    }
  });
});

describe('the error in the norm of A', () => {
  it('falls_at_every_step_and_as_fast_as_the_bound_of_the_condition_number', () => {
    const n = 100;
    for (const kappa of [10, 300]) {
      const a = withEigenvalues(geometric(n, kappa), blas);
      const operator = denseOperator(a, true, { blas });
      const b = normals(n, 1, 3);
      const exact = denseSolve(a, b, blas);
      const first = energyDistance(a, zeros(n, 1), exact, blas);
      const rate = (Math.sqrt(kappa) - 1) / (Math.sqrt(kappa) + 1);
      const solver = conjugateGradientSolver(operator, { relativeTolerance: 0 });
      let before = first;
      for (let k = 1; k <= 40; k++) {
        const x = zeros(n, 1);
        solver.solve(b, x, { maxIterations: k });
        const error = energyDistance(a, x, exact, blas);
        const rounding = 1e-13 * kappa * first;
        expect(error).toBeLessThanOrEqual(2 * rate ** k * first + rounding);
        expect(error).toBeLessThanOrEqual(before + rounding);
        before = error;
      }
    }
  });

  it('is_as_random_systems_have_it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 1e6 }),
        fc.boolean(),
        fc.boolean(),
        (n, digits, seed, preconditioned, own) => {
          const kappa = 10 ** digits;
          const a = withEigenvalues(n === 1 ? [1] : geometric(n, kappa), blas, seed);
          const b = normals(n, 1, seed);
          const options = preconditioned
            ? { preconditioner: diagonalOperator(filled(n, (i) => 0.5 + new RandomStream(seed, i).uniform())) }
            : {};
          const x = zeros(n, 1);
          const operator = denseOperator(a, true, { blas });
          const solution = conjugateGradients(own ? withOwnRows(operator) : operator, b, x, {
            ...options,
            relativeTolerance: 1e-9,
            maxIterations: 5000,
          });
          expect(solution.outcome).toBe('converged');
          expect(relativeError(x, denseSolve(a, b, blas))).toBeLessThan(2e-9 * kappa);
        },
      ),
      { numRuns: 90, seed: 5 },
    );
  });
});

describe('one reduction for each step', () => {
  /** exp(−d²/2h²) of points in the unit square, with λ = share·n on the diagonal. */
  const kernel = (n: number, h: number, share: number): Matrix => {
    const points = filled(2 * n, (k) => new RandomStream(7, k).uniform());
    const entry = (i: number, j: number): number => {
      const d = Math.hypot(points[2 * i] - points[2 * j], points[2 * i + 1] - points[2 * j + 1]);
      return Math.exp((-d * d) / (2 * h * h)) + (i === j ? share * n : 0);
    };
    return view(
      filled(n * n, (k) => entry(k % n, Math.floor(k / n))),
      0,
      n,
      n,
    );
  };

  it.each([1e-3, 1e-6, 1e-10])(
    'takes_the_steps_of_two_and_reaches_its_residual_on_kernel_matrices_of_condition_1_over_%s',
    (share) => {
      const n = 200;
      const a = kernel(n, 0.2, share);
      const operator = denseOperator(a, true, { blas });
      // The Cholesky factorization of A with a larger shift, of each entry its own.
      const near = view(Float64Array.from(a.data), 0, n, n);
      for (let i = 0; i < n; i++) near.data[i * (n + 1)] += share * n * 20 * (1 + new RandomStream(8, i).uniform());
      const preconditioner = inverse(near);
      const b = normals(n, 1, 4);
      // Without preconditioner the last one takes thousands of steps.
      for (const M of share < 1e-8 ? [preconditioner] : [undefined, preconditioner]) {
        const reached = (own: boolean, relativeTolerance: number, maxRestarts: number): Solution =>
          conjugateGradients(own ? withOwnRows(operator) : operator, b, zeros(n, 1), {
            preconditioner: own && M !== undefined ? withOwnRows(M) : M,
            relativeTolerance,
            maxRestarts,
          });
        // What rounding lets the recurrences reach before the true residual takes over.
        const least = 1e3 * n * Number.EPSILON + (1e2 * Number.EPSILON) / share;
        const [two, one] = [false, true].map((own) => reached(own, Math.max(1e-8, least), 20));
        expect(one.outcome).toBe(two.outcome);
        expect(Math.abs(one.iterations - two.iterations)).toBeLessThanOrEqual(2 + 0.1 * two.iterations);
        const [twoLast, oneLast] = [false, true].map((own) => reached(own, 0, 0));
        expect(oneLast.residual).toBeLessThanOrEqual(10 * twoLast.residual);
      }
    },
  );
});

describe('negative curvature', () => {
  const n = 50;
  const values = filled(n, (i) => (i === 20 ? -0.3 : 1 + i / 10));
  const dense = withEigenvalues(values, blas, 8);
  const operator = denseOperator(dense, true, { blas });
  const b = normals(n, 1, 8);

  it.each([
    [
      'conjugateGradients',
      (x: Matrix, guess?: Matrix) => conjugateGradients(operator, b, x, guess === undefined ? {} : { guess }),
    ],
    [
      'conjugateGradients over own rows',
      (x: Matrix, guess?: Matrix) =>
        conjugateGradients(withOwnRows(operator), b, x, guess === undefined ? {} : { guess }),
    ],
    [
      'flexibleConjugateGradients',
      (x: Matrix, guess?: Matrix) => flexibleConjugateGradients(operator, b, x, { blas, ...(guess && { guess }) }),
    ],
  ])('of_%s_comes_with_its_direction_and_the_iterate_before', (_, solve) => {
    const x = zeros(n, 1);
    const solution = solve(x);
    expect(solution.outcome).toBe('indefinite');
    if (solution.outcome !== 'indefinite') return;
    const { direction: p, curvature, curvatureBound } = solution;
    const ap = zeros(n, 1);
    blas.gemv('N', 1, dense, p, 0, ap);
    const inner = (u: Matrix, v: Matrix): number =>
      filled(n, (i) => u.data[i] * v.data[i]).reduce((sum, value) => sum + value, 0);
    expect(Math.abs(inner(p, ap) / inner(p, p) - curvature)).toBeLessThan(1e-12 * 6);
    expect(curvature).toBeLessThan(0);
    expect(curvature).toBeGreaterThanOrEqual(-0.3 - 1e-12);
    expect(curvatureBound).toBeLessThan(-curvature);
    // A direction of descent at x for ½xᵀAx − bᵀx: Newton-CG goes on along it.
    const r = zeros(n, 1);
    blas.gemv('N', 1, dense, x, 0, r);
    for (let i = 0; i < n; i++) r.data[i] = b.data[i] - r.data[i];
    expect(inner(p, r)).toBeGreaterThan(0);
    expect(solution.residualNorm).toBeCloseTo(norm2(r), 10);
    expect(solution.iterations).toBeGreaterThan(0);
    // x is what as many steps give without looking further.
    const y = zeros(n, 1);
    conjugateGradients(operator, b, y, { maxIterations: solution.iterations });
    expect(relativeError(x, y)).toBeLessThan(1e-12);
  });

  it('at_the_first_direction_leaves_the_guess', () => {
    const x = zeros(n, 1);
    const guess = normals(n, 1, 10);
    const solution = conjugateGradients(diagonalOperator(filled(n, () => -2)), b, x, { guess });
    expect(solution).toMatchObject({ outcome: 'indefinite', iterations: 0 });
    expect([...x.data]).toEqual([...guess.data]);
    if (solution.outcome === 'indefinite') expect(solution.curvature).toBeCloseTo(-2, 12);
  });

  it('of_a_zero_matrix_is_zero_within_its_bound', () => {
    const solution = conjugateGradients(diagonalOperator(new Float64Array(n)), b, zeros(n, 1));
    expect(solution).toMatchObject({ outcome: 'singular', curvature: 0, curvatureBound: 0, residual: 1 });
  });

  it('is_not_seen_in_a_semidefinite_system_that_is_consistent', () => {
    const semi = filled(n, (i) => (i < 10 ? 0 : i));
    const right = column(filled(n, (i) => (i < 10 ? 0 : 1)));
    const x = zeros(n, 1);
    expect(conjugateGradients(diagonalOperator(semi), right, x, { relativeTolerance: 1e-12 }).outcome).toBe(
      'converged',
    );
    expect(x.data[20]).toBeCloseTo(1 / 20, 10);
    expect(x.data[3]).toBe(0);
  });
});

describe('a preconditioner', () => {
  const n = 80;
  const a = denseOperator(withEigenvalues(geometric(n, 100), blas), true, { blas });
  const b = normals(n, 1, 3);
  /** D + skew part, which is positive definite but not symmetric, and says otherwise. */
  const skewed = (size: number): LinearOperator => {
    const m = zeros(n, n);
    for (let i = 0; i < n; i++) {
      m.data[i * (n + 1)] = 1 + i / n;
      if (i > 0) {
        m.data[i + (i - 1) * n] = size;
        m.data[i - 1 + i * n] = -size;
      }
    }
    return { ...denseOperator(m, false, { blas }), symmetric: true };
  };

  it('that_is_not_symmetric_is_told_by_the_plain_method_and_taken_by_the_flexible_one', () => {
    const x = zeros(n, 1);
    const solution = conjugateGradients(a, b, x, { preconditioner: skewed(0.3) });
    const own = conjugateGradients(withOwnRows(a), b, zeros(n, 1), { preconditioner: withOwnRows(skewed(0.3)) });
    expect(own).toMatchObject({ outcome: 'asymmetricPreconditioner', iterations: 1 });
    if (own.outcome === 'asymmetricPreconditioner' && solution.outcome === 'asymmetricPreconditioner')
      expect(own.asymmetry).toBeCloseTo(solution.asymmetry, 10);
    expect(solution).toMatchObject({ outcome: 'asymmetricPreconditioner', iterations: 1 });
    if (solution.outcome === 'asymmetricPreconditioner') expect(solution.asymmetry).toBeGreaterThan(0.01);
    expect(flexibleConjugateGradients(a, b, x, { preconditioner: skewed(0.3), blas }).outcome).toBe('converged');
    expect(() => conjugateGradientSolver(a, { preconditioner: { ...skewed(0.3), symmetric: false } })).toThrow(
      /flexibleConjugateGradients/,
    );
  });

  it('that_is_symmetric_up_to_rounding_in_float32_passes', () => {
    const solution = conjugateGradients(a, b, zeros(n, 1), { preconditioner: skewed(1e-7) });
    expect(solution.outcome).toBe('converged');
  });

  it('that_is_an_inner_iteration_needs_the_flexible_method_and_serves_it', () => {
    const hard = denseOperator(withEigenvalues(geometric(n, 1e4), blas), true, { blas });
    const inner = conjugateGradientSolver(hard, { relativeTolerance: 0.1 });
    const preconditioner: LinearOperator = {
      rows: n,
      cols: n,
      symmetric: false,
      applyUnchecked: (out, r) => {
        inner.solve(r, out);
      },
    };
    const x = zeros(n, 1);
    const outer = flexibleConjugateGradients(hard, b, x, { preconditioner, blas });
    expect(outer.outcome).toBe('converged');
    expect(outer.iterations).toBeLessThan(conjugateGradients(hard, b, zeros(n, 1)).iterations / 5);
  });

  it('that_is_a_multiple_of_the_identity_changes_nothing', () => {
    const without = conjugateGradients(a, b, zeros(n, 1));
    const solution = conjugateGradients(a, b, zeros(n, 1), { preconditioner: diagonalOperator(filled(n, () => 4)) });
    // √(rᵀr)² is not rᵀr to the last bit.
    expect(Math.abs(solution.iterations - without.iterations)).toBeLessThanOrEqual(1);
  });

  it('of_the_flexible_method_has_a_window_of_at_least_one', () => {
    for (const directions of [0, 1.5, -1])
      expect(() => flexibleConjugateGradients(a, b, zeros(n, 1), { blas, directions })).toThrow(OptionError);
  });
});
