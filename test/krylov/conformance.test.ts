/**
 * What every solver of a single right-hand side promises: dense solutions, tolerances, outcomes one by one, workspaces,
 * the same bits.
 */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { matrixOver, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { conjugateGradientSolver } from '#hmatrix/krylov/conjugate-gradients.js';
import { flexibleConjugateGradientSolver } from '#hmatrix/krylov/flexible-conjugate-gradients.js';
import { minresSolver } from '#hmatrix/krylov/minres.js';
import type { LinearSolver, SolverOptions } from '#hmatrix/krylov/solution.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { relativeError } from '../support.js';
import {
  allocations,
  column,
  counted,
  denseSolve,
  filled,
  geometric,
  norm2,
  normals,
  residualOf,
  withEigenvalues,
  withOwnRows,
} from './systems.js';

const blas = openBlas();
const n = 120;
const kappa = 1e3;
const A = withEigenvalues(geometric(n, kappa), blas);
const operator = denseOperator(A, true, { blas });
const b = normals(n, 1, 5);
const exact = denseSolve(A, b, blas);
const jacobi = diagonalOperator(filled(n, (i) => 1 / A.data[i * (n + 1)]));

type SolverOf = (operator: LinearOperator, options?: SolverOptions) => LinearSolver;

/** The method over own rows, for right-hand sides of all rows. */
const overOwnRows =
  (solverOf: SolverOf): SolverOf =>
  (a, { preconditioner, ...options } = {}) =>
    solverOf(withOwnRows(a), { ...options, preconditioner: preconditioner && withOwnRows(preconditioner) });

const flexible: SolverOf = (a, options = {}) => flexibleConjugateGradientSolver(a, { ...options, blas });

const solvers: [string, SolverOf][] = [
  ['conjugateGradients', conjugateGradientSolver],
  ['conjugateGradients over own rows', overOwnRows(conjugateGradientSolver)],
  ['flexibleConjugateGradients', flexible],
  ['flexibleConjugateGradients over own rows', overOwnRows(flexible)],
  ['minres', minresSolver],
  ['minres over own rows', overOwnRows(minresSolver)],
];

describe.each(solvers)('%s', (title, solverOf) => {
  const [name] = title.split(' ');
  const own = title !== name;

  it('solves_as_LAPACK_does_with_and_without_preconditioner', () => {
    for (const preconditioner of [undefined, jacobi]) {
      const x = zeros(n, 1);
      const solution = solverOf(operator, {
        relativeTolerance: 1e-10,
        ...(preconditioner && { preconditioner }),
      }).solve(b, x);
      expect(solution.outcome).toBe('converged');
      expect(solution.x).toBe(x);
      // ‖x − A⁻¹b‖/‖x‖ ≤ κ·‖r‖/‖b‖.
      expect(relativeError(x, exact)).toBeLessThan(1e-10 * kappa);
      expect(solution.residual).toBeLessThanOrEqual(1e-10);
    }
  });

  it('reports_the_true_residual_its_norm_the_history_and_the_products', () => {
    const operatorCounted = counted(operator);
    const seen: number[] = [];
    const phases: string[] = [];
    const x = zeros(n, 1);
    const solution = solverOf(operatorCounted, { preconditioner: jacobi }).solve(b, x, {
      onIteration: (_, residual) => seen.push(residual),
      onProgress: ({ phase, done, total }) => phases.push(`${phase} ${done}/${total}`),
    });
    const norm = residualOf(A, b, x, blas);
    expect(Math.abs(solution.residualNorm - norm)).toBeLessThan(1e-13 * norm2(b) * n);
    expect(solution.residual).toBeCloseTo(solution.residualNorm / norm2(b), 14);
    expect(solution.history.length).toBe(solution.iterations + 1);
    expect(solution.history[0]).toBe(1);
    expect([...solution.history.subarray(1)]).toEqual(seen);
    expect(solution.history[solution.iterations]).toBe(solution.estimatedResidual);
    expect(Math.abs(solution.estimatedResidual - solution.residual)).toBeLessThan(1e-12 * kappa);
    expect(solution.products).toBe(operatorCounted.products);
    expect(solution.products).toBe(solution.iterations + 1);
    expect(phases[0]).toBe(`${name} 1/${10 * n}`);
    expect(phases.length).toBe(solution.iterations);
  });

  it('takes_relative_and_absolute_tolerances_whichever_is_larger', () => {
    const solver = solverOf(operator);
    const x = zeros(n, 1);
    const loose = solver.solve(b, x, { relativeTolerance: 1e-3 });
    const absolute = solver.solve(b, x, { relativeTolerance: 0, absoluteTolerance: 1e-3 * norm2(b) });
    const both = solver.solve(b, x, { relativeTolerance: 1e-12, absoluteTolerance: 1e-3 * norm2(b) });
    expect(loose.residual).toBeLessThanOrEqual(1e-3);
    expect(absolute.residualNorm).toBeLessThanOrEqual(1e-3 * norm2(b));
    expect(absolute.iterations).toBe(loose.iterations);
    expect(both.iterations).toBe(loose.iterations);
    expect(solver.solve(b, x).iterations).toBeGreaterThan(loose.iterations);
  });

  it('maxIterations_leaves_the_last_iterate', () => {
    const x = zeros(n, 1);
    const solution = solverOf(operator).solve(b, x, { maxIterations: 5 });
    expect(solution).toMatchObject({ outcome: 'maxIterations', iterations: 5 });
    expect(Math.abs(residualOf(A, b, x, blas) - solution.residualNorm)).toBeLessThan(1e-12 * norm2(b));
    const none = solverOf(operator).solve(b, x, { maxIterations: 0 });
    expect(none).toMatchObject({ outcome: 'maxIterations', iterations: 0, products: 0, residual: 1 });
    expect(norm2(x)).toBe(0);
  });

  it('a_zero_right_hand_side_is_solved_by_zero_without_a_product', () => {
    const operatorCounted = counted(operator);
    const x = normals(n, 1, 6);
    expect(solverOf(operatorCounted).solve(zeros(n, 1), x, { guess: x })).toMatchObject({
      outcome: 'converged',
      iterations: 0,
      products: 0,
      residual: 0,
      residualNorm: 0,
    });
    expect(norm2(x)).toBe(0);
    expect(operatorCounted.products).toBe(0);
  });

  it('an_exact_start_converges_without_an_iteration_and_is_kept', () => {
    const x = zeros(n, 1);
    const solution = solverOf(operator).solve(b, x, { guess: exact });
    expect(solution).toMatchObject({ outcome: 'converged', iterations: 0, products: 1, restarts: 0 });
    expect([...x.data]).toEqual([...exact.data]);
    const diagonal = diagonalOperator(filled(n, (i) => i + 1));
    const ones = column(filled(n, () => 1));
    expect(
      solverOf(diagonal).solve(column(filled(n, (i) => i + 1)), x, { guess: ones, relativeTolerance: 0 }),
    ).toMatchObject({ outcome: 'converged', iterations: 0, residual: 0 });
  });

  it('a_guess_that_is_near_saves_iterations_and_may_be_x_itself', () => {
    const solver = solverOf(operator);
    const x = zeros(n, 1);
    const cold = solver.solve(b, x).iterations;
    for (let i = 0; i < n; i++) x.data[i] = exact.data[i] * (1 + 1e-5 * Math.sin(i));
    const warm = solver.solve(b, x, { guess: x });
    expect(warm.outcome).toBe('converged');
    expect(warm.iterations).toBeLessThan(cold);
    expect(warm.history[0]).toBeLessThan(1e-3);
  });

  it('b_and_x_may_be_one_vector_of_either_precision_anywhere_in_an_array', () => {
    const solver = solverOf(operator);
    const inPlace = view(new Float64Array(n + 3), 3, n, 1);
    for (let i = 0; i < n; i++) inPlace.data[3 + i] = b.data[i];
    const apart = zeros(n, 1);
    solver.solve(b, apart);
    expect(solver.solve(inPlace, inPlace).outcome).toBe('converged');
    expect([...inPlace.data.subarray(3)]).toEqual([...apart.data]);
    const single = zeros(n, 1, 'f32');
    single.data.set(b.data);
    const x = zeros(n, 1);
    expect(solver.solve(single, x).outcome).toBe('converged');
    expect(relativeError(x, denseSolve(A, column(single.data), blas))).toBeLessThan(1e-8 * kappa);
  });

  it('right_hand_sides_near_the_ends_of_the_range_are_scaled', () => {
    for (const exponent of [-200, 200]) {
      const x = zeros(n, 1);
      const solution = solverOf(operator).solve(column(b.data.map((value) => value * 10 ** exponent)), x);
      expect(solution.outcome).toBe('converged');
      expect(relativeError(column(x.data.map((value) => value / 10 ** exponent)), exact)).toBeLessThan(1e-8 * kappa);
      expect(solution.residualNorm / 10 ** exponent / norm2(b)).toBeLessThan(1e-8);
    }
  });

  it('nonFinite_products_are_an_outcome_and_leave_a_finite_x', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const at of [1, 7]) {
        const x = zeros(n, 1);
        const solution = solverOf(
          counted(operator, (product, out) => {
            if (product === at) out.data[out.offset + 3] = bad;
          }),
        ).solve(b, x);
        expect(solution).toMatchObject({ outcome: 'nonFinite', iterations: at - 1 });
        expect(x.data.every(Number.isFinite)).toBe(true);
        expect(Math.abs(solution.residualNorm - residualOf(A, b, x, blas))).toBeLessThan(1e-10 * norm2(b));
      }
    }
    const hurt = counted(diagonalOperator(filled(n, () => 1)), (_, out) => {
      out.data[out.offset] = Number.NaN;
    });
    expect(solverOf(operator, { preconditioner: hurt }).solve(b, zeros(n, 1)).outcome).toBe('nonFinite');
    expect(solverOf(hurt).solve(b, zeros(n, 1), { guess: b })).toMatchObject({ outcome: 'nonFinite', iterations: 0 });
  });

  it('abort_is_seen_between_iterations', () => {
    const controller = new AbortController();
    const x = zeros(n, 1);
    const solution = solverOf(operator).solve(b, x, {
      signal: controller.signal,
      onIteration: (iteration) => {
        if (iteration === 4) controller.abort();
      },
    });
    expect(solution).toMatchObject({ outcome: 'aborted', iterations: 4 });
    expect(Math.abs(solution.residualNorm - residualOf(A, b, x, blas))).toBeLessThan(1e-12 * norm2(b));
    expect(solverOf(operator).solve(b, x, { signal: controller.signal })).toMatchObject({
      outcome: 'aborted',
      iterations: 0,
      residual: 1,
    });
  });

  it('solveAsync_gives_the_same_bits_and_lets_a_timer_abort_it', async () => {
    const solver = solverOf(operator);
    const x = zeros(n, 1);
    const y = zeros(n, 1);
    const solution = solver.solve(b, x);
    expect(await solver.solveAsync(b, y)).toEqual({ ...solution, x: y });
    const controller = new AbortController();
    // Down to stagnation this takes some 300 iterations, of 2 ms and more.
    const endless = solver.solveAsync(b, y, {
      relativeTolerance: 0,
      signal: controller.signal,
      onIteration: (iteration) => {
        if (iteration === 2)
          setTimeout(() => {
            controller.abort();
          }, 0);
        const until = performance.now() + 2;
        while (performance.now() < until);
      },
    });
    expect(() => solver.solve(b, x)).toThrow(OptionError);
    expect((await endless).outcome).toBe('aborted');
    expect(solver.solve(b, x).outcome).toBe('converged');
  });

  it('an_indefinite_preconditioner_is_told', () => {
    const x = zeros(n, 1);
    const solution = solverOf(operator, { preconditioner: diagonalOperator(filled(n, () => -2)) }).solve(b, x);
    // Of one reduction for each step, that of the preconditioner comes after the product.
    expect(solution).toMatchObject({
      outcome: 'indefinitePreconditioner',
      iterations: 0,
      products: title === 'conjugateGradients over own rows' ? 1 : 0,
    });
    if (solution.outcome === 'indefinitePreconditioner') expect(solution.preconditionerCurvature).toBeCloseTo(-2, 12);
    expect(norm2(x)).toBe(0);
    const mixed = solverOf(operator, { preconditioner: diagonalOperator(filled(n, (i) => (i < 50 ? -1 : 1))) }).solve(
      b,
      x,
    );
    expect(mixed.outcome).toBe('indefinitePreconditioner');
  });

  it('a_tolerance_below_rounding_stagnates_and_is_not_claimed', () => {
    const x = zeros(n, 1);
    const solution = solverOf(operator).solve(b, x, { relativeTolerance: 1e-17 });
    expect(solution.outcome).toBe('stagnated');
    expect(solution.estimatedResidual).toBeLessThan(1e-17);
    expect(solution.residual).toBeGreaterThan(1e-17);
    expect(solution.residual).toBeLessThan(100 * n * Number.EPSILON * kappa);
    expect(Math.abs(residualOf(A, b, x, blas) - solution.residualNorm)).toBeLessThan(
      n * Number.EPSILON * kappa * norm2(b),
    );
  });

  it('goes_on_from_the_true_residual_where_the_recurrence_has_drifted', () => {
    // A product that is wrong once by 1e-4: the recurrence never learns of it.
    const solver = solverOf(
      counted(operator, (product, out) => {
        if (product === 8) for (let i = 0; i < n; i++) out.data[out.offset + i] *= 1 + 1e-4 * Math.cos(i);
      }),
    );
    const x = zeros(n, 1);
    const solution = solver.solve(b, x);
    expect(solution.outcome).toBe('converged');
    expect(solution.restarts).toBeGreaterThan(0);
    expect(residualOf(A, b, x, blas)).toBeLessThanOrEqual(1.001e-8 * norm2(b));
    const once = solverOf(
      counted(operator, (product, out) => {
        if (product === 8) out.data[out.offset] *= 1.5;
      }),
    ).solve(b, x, { maxRestarts: 0 });
    expect(once).toMatchObject({ outcome: 'stagnated', restarts: 0 });
  });

  it('gives_the_same_bits_again_and_allocates_nothing_of_size_N_at_the_second_solve', () => {
    const size = 4000;
    const big = diagonalOperator(filled(size, (i) => 1 + (i % 50)));
    const right = normals(size, 1, 9);
    const x = zeros(size, 1);
    const y = zeros(size, 1);
    let solver: LinearSolver | undefined;
    const making = allocations(size, () => {
      solver = solverOf(big, { preconditioner: diagonalOperator(filled(size, (i) => 1 / (1 + (i % 7)))) });
    });
    expect(making.reduce((sum, length) => sum + 8 * length, 0)).toBeGreaterThanOrEqual(solver!.workspaceBytes);
    const first = solver!.solve(right, x);
    let second = first;
    const made = allocations(size, () => {
      second = solver!.solve(right, y);
    });
    // What is whole is gathered, and the products of this operator over own rows make their own.
    if (!own) expect(made).toEqual([]);
    expect(first.outcome).toBe('converged');
    expect(second).toEqual({ ...first, x: y });
    expect([...y.data]).toEqual([...x.data]);
  });

  it('solves_a_single_equation', () => {
    const x = zeros(1, 1);
    expect(solverOf(diagonalOperator(Float64Array.of(4))).solve(column([2]), x)).toMatchObject({
      outcome: 'converged',
      iterations: 1,
    });
    expect(x.data[0]).toBe(0.5);
  });

  it('misuse_is_an_error', () => {
    const x = zeros(n, 1);
    const vector = (length: number, cols = 1): Matrix => zeros(length, cols);
    expect(() => solverOf(operator).solve(vector(n - 1), x)).toThrow(ShapeError);
    expect(() => solverOf(operator).solve(b, vector(n + 1))).toThrow(ShapeError);
    expect(() => solverOf(operator).solve(vector(n, 2), vector(n, 2))).toThrow(/blockConjugateGradients/);
    expect(() => solverOf(operator).solve(b, x, { guess: vector(3) })).toThrow(ShapeError);
    expect(() => matrixOver(new Float64Array(3), n, 1)).toThrow(ShapeError);
    expect(() => solverOf(denseOperator(zeros(3, 4), false, { blas }))).toThrow(ShapeError);
    expect(() => solverOf(denseOperator(zeros(4, 4), false, { blas }))).toThrow(OptionError);
    expect(() => solverOf(operator, { preconditioner: diagonalOperator(filled(n + 1, () => 1)) })).toThrow(ShapeError);
    for (const bad of [
      { relativeTolerance: -1 },
      { relativeTolerance: Number.NaN },
      { relativeTolerance: 1 },
      { absoluteTolerance: -1 },
      { maxIterations: 1.5 },
      { maxIterations: -1 },
      { maxRestarts: -1 },
    ]) {
      expect(() => solverOf(operator, bad)).toThrow(OptionError);
      expect(() => solverOf(operator).solve(b, x, bad)).toThrow(OptionError);
    }
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const wrong = column(b.data);
      wrong.data[17] = bad;
      expect(() => solverOf(operator).solve(wrong, x)).toThrow(NonFiniteError);
      expect(() => solverOf(operator).solve(wrong, x)).toThrow(/row 17/);
      expect(() => solverOf(operator).solve(b, x, { guess: wrong })).toThrow(NonFiniteError);
    }
    // A solve that threw leaves the solver free.
    const solver = solverOf(operator);
    expect(() =>
      solver.solve(b, x, {
        onIteration: () => {
          throw new Error('from the caller');
        },
      }),
    ).toThrow('from the caller');
    expect(solver.solve(b, x).outcome).toBe('converged');
  });
});
