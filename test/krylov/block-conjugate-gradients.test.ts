/**
 * Block conjugate gradients: one vector is conjugate gradients, many share directions, dependent and converged columns
 * leave.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, copyInto, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { blockConjugateGradients, blockConjugateGradientSolver } from '#hmatrix/krylov/block-conjugate-gradients.js';
import { BlockDirections } from '#hmatrix/krylov/block-directions.js';
import type { BlockSolution } from '#hmatrix/krylov/block-solution.js';
import { conjugateGradients } from '#hmatrix/krylov/conjugate-gradients.js';
import { pivotedCholesky } from '#hmatrix/krylov/pivoted-cholesky.js';
import { RangedSystem } from '#hmatrix/krylov/ranged-system.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import { randomMatrix, relativeError } from '../support.js';
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
const n = 150;
const kappa = 1e4;
const A = withEigenvalues(geometric(n, kappa), blas, 2);
const operator = denseOperator(A, true, { blas });
const jacobi = diagonalOperator(filled(n, (i) => 1 / A.data[i * (n + 1)]));

describe('one right-hand side', () => {
  it('is_solved_by_the_steps_of_conjugate_gradients', () => {
    const b = normals(n, 1, 3);
    const mild = denseOperator(withEigenvalues(geometric(n, 100), blas, 2), true, { blas });
    for (const options of [{}, { preconditioner: diagonalOperator(filled(n, (i) => 1 + (i % 3))) }]) {
      const x = zeros(n, 1);
      const y = zeros(n, 1);
      const single = conjugateGradients(mild, b, x, { ...options, relativeTolerance: 1e-6 });
      const many = blockConjugateGradients(mild, b, y, { ...options, relativeTolerance: 1e-6, blas });
      expect(many.outcome).toBe('converged');
      for (let k = 0; k < 25; k++) expect(Math.abs(many.history[k] / single.history[k] - 1)).toBeLessThan(1e-9);
      expect(Math.abs(many.iterations - single.iterations)).toBeLessThanOrEqual(0.03 * single.iterations);
      expect(relativeError(y, x)).toBeLessThan(2e-6 * 100);
    }
  });
});

describe('over own rows', () => {
  it('is_what_it_is_over_all_rows_to_rounding', () => {
    const b = normals(n, 6, 11);
    b.data.fill(0, n, 2 * n);
    for (let i = 0; i < n; i++) b.data[i + 4 * n] = 3 * b.data[i] - b.data[i + 2 * n];
    const guess = normals(n, 6, 12);
    for (const options of [{}, { preconditioner: jacobi }, { blockSize: 4 }]) {
      const { preconditioner, ...others } = { preconditioner: undefined, ...options };
      const tolerances = { relativeTolerance: 1e-10, blas, guess };
      const [x, y] = [zeros(n, 6), zeros(n, 6)];
      const all = blockConjugateGradients(operator, b, x, { ...options, ...tolerances });
      const own = blockConjugateGradients(withOwnRows(operator), b, y, {
        ...others,
        ...tolerances,
        preconditioner: preconditioner && withOwnRows(preconditioner),
      });
      expect([all.outcome, own.outcome]).toEqual(['converged', 'converged']);
      expect(Math.abs(own.iterations - all.iterations)).toBeLessThanOrEqual(2 + 0.1 * all.iterations);
      expect(relativeError(y, x)).toBeLessThan(2e-10 * kappa);
      for (let j = 0; j < 6; j++)
        if (j !== 1) expect(residualOf(A, b, y, blas, j)).toBeLessThanOrEqual(1.01e-10 * norm2(b, j));
    }
  });
});

describe('many right-hand sides', () => {
  it('are_solved_as_LAPACK_does_in_far_fewer_steps', () => {
    const b = normals(n, 10, 4);
    const exact = denseSolve(A, b, blas);
    for (const options of [{}, { preconditioner: jacobi }]) {
      const x = zeros(n, 10);
      const solution = blockConjugateGradients(operator, b, x, { ...options, relativeTolerance: 1e-9, blas });
      expect(solution.outcome).toBe('converged');
      expect(relativeError(x, exact)).toBeLessThan(1e-9 * kappa);
      for (let j = 0; j < 10; j++) {
        expect(solution.residuals[j]).toBeLessThanOrEqual(1e-9);
        expect(Math.abs(solution.residuals[j] - residualOf(A, b, x, blas, j) / norm2(b, j))).toBeLessThan(1e-12);
        expect(solution.columnIterations[j]).toBeLessThanOrEqual(solution.iterations);
      }
      expect(solution.residual).toBe(Math.max(...solution.residuals));
      const single = conjugateGradients(operator, column(b.data.subarray(0, n)), zeros(n, 1), {
        ...options,
        relativeTolerance: 1e-9,
      });
      expect(solution.iterations).toBeLessThan(single.iterations / 3);
    }
  });

  it('need_no_more_steps_than_blocks_fill_the_space', () => {
    const mild = denseOperator(withEigenvalues(geometric(n, 20), blas), true, { blas });
    const solution = blockConjugateGradients(mild, normals(n, 30, 1), zeros(n, 30), { relativeTolerance: 1e-11, blas });
    expect(solution).toMatchObject({ outcome: 'converged' });
    expect(solution.iterations).toBeLessThanOrEqual(n / 30 + 1);
  });

  it('in_groups_are_those_of_separate_solves', () => {
    const b = normals(n, 7, 5);
    const x = zeros(n, 7);
    const solver = blockConjugateGradientSolver(operator, { blas, blockSize: 3 });
    const solution = solver.solve(b, x);
    expect(solution.outcome).toBe('converged');
    let iterations = 0;
    for (const [first, count] of [
      [0, 3],
      [3, 3],
      [6, 1],
    ]) {
      const y = zeros(n, count);
      iterations += blockConjugateGradients(operator, block(b, 0, first, n, count), y, { blas }).iterations;
      expect([...y.data]).toEqual([...x.data.subarray(first * n, (first + count) * n)]);
    }
    expect(solution.iterations).toBe(iterations);
    expect(solution.history.length).toBe(iterations + 3);
  });

  it('are_as_random_blocks_have_them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 1e6 }),
        (size, cols, rank, digits, seed) => {
          const a = withEigenvalues(size === 1 ? [1] : geometric(size, 10 ** digits), blas, seed);
          // Right-hand sides of low rank, dependent up to rounding.
          const b = zeros(size, cols);
          blas.gemm('N', 'N', 1, randomMatrix(size, rank, seed + 1), randomMatrix(rank, cols, seed + 2), 0, b);
          const x = zeros(size, cols);
          const solution = blockConjugateGradients(denseOperator(a, true, { blas }), b, x, {
            blas,
            relativeTolerance: 1e-9,
          });
          expect(solution.outcome).toBe('converged');
          const exact = denseSolve(a, b, blas);
          for (let j = 0; j < cols; j++)
            expect(relativeError(block(x, 0, j, size, 1), block(exact, 0, j, size, 1))).toBeLessThan(
              2e-9 * 10 ** digits,
            );
        },
      ),
      { numRuns: 80, seed: 7 },
    );
  });
});

describe('deflation', () => {
  it('equal_opposite_scaled_and_dependent_columns_cost_no_products_of_their_own', () => {
    const two = normals(n, 2, 6);
    const coefficients = [
      [1, 0],
      [0, 1],
      [1, 0],
      [-1, 0],
      [1e-3, 0],
      [1, 1],
      [2, -3],
    ];
    const b = zeros(n, coefficients.length);
    coefficients.forEach(([s, t], j) => {
      for (let i = 0; i < n; i++) b.data[i + j * n] = s * two.data[i] + t * two.data[i + n];
    });
    const x = zeros(n, coefficients.length);
    const y = zeros(n, 2);
    const alone = blockConjugateGradients(operator, two, y, { blas, relativeTolerance: 1e-8 });
    const solution = blockConjugateGradients(operator, b, x, { blas, relativeTolerance: 1e-8 });
    expect(solution.outcome).toBe('converged');
    expect(Math.abs(solution.iterations - alone.iterations)).toBeLessThanOrEqual(0.1 * alone.iterations);
    // Two products a step, and one for each column's true residual. Near the end a backend's rounding may give a
    // dependent column a direction for a few steps.
    expect(solution.products).toBeLessThanOrEqual(
      2.04 * solution.iterations + coefficients.length * (1 + solution.restarts),
    );
    expect(relativeError(x, denseSolve(A, b, blas))).toBeLessThan(1e-8 * kappa);
  });

  it('zero_columns_are_solved_by_zero_at_no_cost', () => {
    const b = normals(n, 4, 7);
    b.data.fill(0, n, 2 * n);
    b.data.fill(0, 3 * n, 4 * n);
    const x = normals(n, 4, 8);
    const solution = blockConjugateGradients(operator, b, x, { blas });
    expect(solution.outcome).toBe('converged');
    expect(solution.residuals[1]).toBe(0);
    expect(solution.columnIterations[3]).toBe(0);
    expect([...x.data.subarray(n, 2 * n)].every((value) => value === 0)).toBe(true);
    const all = counted(operator);
    expect(blockConjugateGradients(all, zeros(n, 3), zeros(n, 3), { blas })).toMatchObject({
      outcome: 'converged',
      iterations: 0,
      products: 0,
      residual: 0,
    });
    expect(all.products).toBe(0);
  });

  it('columns_that_are_almost_dependent_still_reach_a_tolerance_far_below_their_distance', () => {
    const b = normals(n, 3, 9);
    const other = normals(n, 1, 10);
    for (let i = 0; i < n; i++) b.data[i + n] = b.data[i] + 1e-7 * other.data[i];
    const x = zeros(n, 3);
    const solution = blockConjugateGradients(operator, b, x, { blas, relativeTolerance: 1e-11 });
    expect(solution.outcome).toBe('converged');
    expect(relativeError(x, denseSolve(A, b, blas))).toBeLessThan(1e-11 * kappa);
  });

  it('columns_that_have_converged_leave_the_block_and_the_others_keep_their_pace', () => {
    // Three columns in few eigenvectors end early; the fourth needs the whole spectrum.
    const values = filled(n, (i) => 1 + i);
    const b = zeros(n, 4);
    for (let j = 0; j < 3; j++) for (const i of [3 * j, 40 + j, 90 + 7 * j]) b.data[i + j * n] = 1 + i / 10;
    copyInto(block(b, 0, 3, n, 1), normals(n, 1, 2));
    const diagonal = counted(diagonalOperator(values));
    const x = zeros(n, 4);
    const solution = blockConjugateGradients(diagonal, b, x, { blas, relativeTolerance: 1e-10 });
    expect(solution.outcome).toBe('converged');
    const [a0, a1, a2, last] = solution.columnIterations;
    expect(Math.max(a0, a1, a2)).toBeLessThan(last);
    expect(solution.products).toBe(diagonal.vectors);
    expect(diagonal.vectors).toBeLessThan(4 * solution.iterations);
    const alone = conjugateGradients(diagonalOperator(values), column(b.data.subarray(3 * n)), zeros(n, 1), {
      relativeTolerance: 1e-10,
    });
    expect(last).toBeLessThanOrEqual(alone.iterations);
  });

  it('keeps_all_directions_A_orthogonal_when_the_block_shrinks', () => {
    // Residuals that are updated as in the solver; after two blocks of four, one column is no longer extended.
    const size = 60;
    const a = withEigenvalues(geometric(size, 50), blas, 5);
    const dense = denseOperator(a, true, { blas });
    const directions = new BlockDirections(size, 4, blas);
    const r = normals(size, 4, 3);
    const x = zeros(size, 4);
    const seen: Matrix[] = [];
    const images: Matrix[] = [];
    const spy = counted({
      ...dense,
      applyUnchecked: (out, p, alpha, beta) => {
        dense.applyUnchecked(out, p, alpha, beta);
        seen.push(zeros(size, p.cols));
        images.push(zeros(size, p.cols));
        copyInto(seen.at(-1)!, p);
        copyInto(images.at(-1)!, out);
      },
    });
    const system = new RangedSystem(spy, undefined);
    for (const active of [4, 4, 3, 3, 2, 2, 2]) {
      const left = block(r, 0, 0, size, active);
      copyInto(block(directions.z, 0, 0, size, active), left);
      const energies = new Float64Array(active);
      directions.meet(left, active, energies);
      energies.forEach((energy, j) => expect(energy / norm2(left, j) ** 2).toBeCloseTo(1, 12));
      expect(directions.extend(system, left, active).kind).toBe('positive');
      expect(directions.rank).toBe(active);
      expect(directions.advance(block(x, 0, 0, size, active), left, energies).kind).toBe('positive');
    }
    expect(directions.kept).toBe(2);
    seen.forEach((p, k) => {
      images.forEach((q, l) => {
        if (l >= k) return;
        const inner = zeros(p.cols, q.cols);
        blas.gemm('T', 'N', 1, p, q, 0, inner);
        for (const value of inner.data) expect(Math.abs(value)).toBeLessThan(1e-11);
      });
    });
  });

  it('pivoted_Cholesky_factors_the_leading_pivots_and_tells_the_rank', () => {
    const tall = randomMatrix(20, 3, 1);
    const wide = zeros(20, 6);
    blas.gemm('N', 'N', 1, tall, randomMatrix(3, 6, 2), 0, wide);
    const g = zeros(6, 6);
    blas.gemm('T', 'N', 1, wide, wide, 0, g);
    const l = zeros(6, 6);
    copyInto(l, g);
    const order = new Int32Array(6);
    expect(pivotedCholesky(l, order, 1e-8)).toBe(3);
    expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k <= j; k++) sum += l.data[i + 6 * k] * l.data[j + 6 * k];
        expect(Math.abs(sum - g.data[order[i] + 6 * order[j]])).toBeLessThan(1e-10);
      }
    }
    expect(pivotedCholesky(zeros(2, 2), order.subarray(0, 2), 1e-8)).toBe(0);
  });
});

describe('outcomes', () => {
  const b = normals(n, 4, 11);
  const solve = (
    a: Parameters<typeof blockConjugateGradients>[0],
    options: Partial<Parameters<typeof blockConjugateGradients>[3]> = {},
    x = zeros(n, 4),
  ): BlockSolution => blockConjugateGradients(a, b, x, { blas, ...options });

  it('maxIterations_per_group', () => {
    expect(solve(operator, { maxIterations: 3 })).toMatchObject({ outcome: 'maxIterations', iterations: 3 });
    expect(solve(operator, { maxIterations: 3, blockSize: 2 })).toMatchObject({
      outcome: 'maxIterations',
      iterations: 6,
    });
    expect(solve(operator, { maxIterations: 0 })).toMatchObject({
      outcome: 'maxIterations',
      iterations: 0,
      residual: 1,
    });
  });

  it('indefinite_with_its_direction', () => {
    const a = withEigenvalues(
      filled(n, (i) => (i === 7 ? -0.5 : 1 + i / 50)),
      blas,
      3,
    );
    const x = zeros(n, 4);
    const solution = solve(denseOperator(a, true, { blas }), {}, x);
    expect(solution.outcome).toBe('indefinite');
    if (solution.outcome !== 'indefinite') return;
    const ap = zeros(n, 1);
    blas.gemv('N', 1, a, solution.direction, 0, ap);
    const p = solution.direction.data.subarray(solution.direction.offset, solution.direction.offset + n);
    const pp = norm2(solution.direction) ** 2;
    const pap = filled(n, (i) => p[i] * ap.data[i]).reduce((sum, value) => sum + value, 0);
    expect(Math.abs(pap / pp - solution.curvature)).toBeLessThan(1e-10);
    expect(solution.curvature).toBeLessThan(-solution.curvatureBound);
    for (let j = 0; j < 4; j++)
      expect(Math.abs(solution.residuals[j] - residualOf(a, b, x, blas, j) / norm2(b, j))).toBeLessThan(1e-12);
  });

  it('nonFinite_aborted_stagnated_and_indefinite_preconditioners', () => {
    const x = zeros(n, 4);
    expect(
      solve(
        counted(operator, (product, out) => {
          if (product === 3) out.data[out.offset] = Number.NaN;
        }),
        {},
        x,
      ),
    ).toMatchObject({ outcome: 'nonFinite', iterations: 2 });
    expect(x.data.every(Number.isFinite)).toBe(true);
    expect(
      solve(operator, {
        preconditioner: counted(operator, (_, out) => {
          out.data[out.offset] = Number.NaN;
        }),
      }).outcome,
    ).toBe('nonFinite');
    const wrong = solve(operator, { preconditioner: diagonalOperator(filled(n, () => -1)) });
    expect(wrong.outcome).toBe('indefinitePreconditioner');
    if (wrong.outcome === 'indefinitePreconditioner') expect(wrong.preconditionerCurvature).toBeCloseTo(-1, 12);
    const controller = new AbortController();
    expect(
      solve(operator, {
        blockSize: 2,
        signal: controller.signal,
        onIteration: (k) => {
          if (k === 5) controller.abort();
        },
      }),
    ).toMatchObject({ outcome: 'aborted', iterations: 5, residuals: expect.objectContaining({ 3: 1 }) as unknown });
    const below = solve(operator, { relativeTolerance: 1e-17 });
    expect(below.outcome).toBe('stagnated');
    expect(below.residual).toBeLessThan(100 * n * Number.EPSILON * kappa);
  });

  it('exact_starts_need_no_iteration_and_true_residuals_decide', () => {
    const exact = denseSolve(A, b, blas);
    expect(solve(operator, { guess: exact })).toMatchObject({ outcome: 'converged', iterations: 0, products: 4 });
    const drifted = solve(
      counted(operator, (product, out) => {
        if (product === 9) for (let i = 0; i < n; i++) out.data[out.offset + i] *= 1 + 1e-4 * Math.cos(i);
      }),
    );
    expect(drifted.outcome).toBe('converged');
    expect(drifted.restarts).toBeGreaterThan(0);
  });

  it('are_the_same_bits_again_in_place_and_asynchronously_and_nothing_of_size_N_is_allocated', async () => {
    const size = 3000;
    const big = diagonalOperator(filled(size, (i) => 1 + (i % 40)));
    const right = normals(size, 6, 3);
    const solver = blockConjugateGradientSolver(big, { blas, blockSize: 4 });
    const x = zeros(size, 6);
    const y = zeros(size, 6);
    const first = solver.solve(right, x);
    let second = first;
    expect(
      allocations(size, () => {
        second = solver.solve(right, y);
      }),
    ).toEqual([]);
    expect(second).toEqual({ ...first, x: y });
    expect([...y.data]).toEqual([...x.data]);
    expect(solver.workspaceBytes).toBe(8 * size * 4 * 8);
    const later = zeros(size, 6);
    expect(await solver.solveAsync(right, later)).toEqual({ ...first, x: later });
    const inPlace = view(Float64Array.from(right.data), 0, size, 6);
    solver.solve(inPlace, inPlace);
    expect([...inPlace.data]).toEqual([...x.data]);
  });

  it('of_no_right_hand_sides_and_of_misuse', () => {
    expect(blockConjugateGradients(operator, zeros(n, 0), zeros(n, 0), { blas })).toMatchObject({
      outcome: 'converged',
      iterations: 0,
      residual: 0,
    });
    expect(() => blockConjugateGradients(operator, zeros(n, 2), zeros(n, 3), { blas })).toThrow(ShapeError);
    expect(() => blockConjugateGradients(operator, zeros(n - 1, 2), zeros(n - 1, 2), { blas })).toThrow(ShapeError);
    expect(() => solve(operator, { guess: zeros(n, 1) })).toThrow(ShapeError);
    expect(() => solve(operator, { blockSize: 0 })).toThrow(OptionError);
    expect(() => solve(operator, { relativeTolerance: -1 })).toThrow(OptionError);
    expect(() => blockConjugateGradientSolver(denseOperator(zeros(4, 4), false, { blas }), { blas })).toThrow(
      OptionError,
    );
    const wrong = normals(n, 2, 1);
    wrong.data[n + 4] = Number.NaN;
    expect(() => blockConjugateGradients(operator, wrong, zeros(n, 2), { blas })).toThrow(NonFiniteError);
    expect(() => blockConjugateGradients(operator, wrong, zeros(n, 2), { blas })).toThrow(/row 4, column 1/);
  });
});
