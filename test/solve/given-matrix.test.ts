/** `solve` on what everybody has: a stored matrix, a flat array, entries. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Matrix as MlMatrix } from 'ml-matrix';
import { AsymmetryError, NotPositiveDefiniteError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solve } from '#hmatrix/solve/solve.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { gaussian } from '#hmatrix/source/kernels/named.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { denseOf, gaussianSource, normalPoints } from '../support.js';
import { sharedTeam } from '../teams.js';

const N = 150;
let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

describe('solve', () => {
  const options = { shift: 0.1, tolerance: 1e-10 } as const;
  const b = Array.from({ length: N }, (_, i) => Math.cos(i));

  it('takes_operators_sources_and_stored_matrices_of_any_kind', async () => {
    const source = gaussianSource(N, 2, 1, team.blas);
    const dense = denseOf(source);
    const rows = Array.from({ length: N }, (_, i) => Array.from({ length: N }, (_, j) => dense.data[i + j * N]));
    const operator = await entryOperator(source, {}, { team });
    const expected = await solve(operator, b, { ...options, source }, { team });
    expect(expected.outcome).toBe('converged');
    for (const given of [source, dense, dense.data, Array.from(dense.data), new MlMatrix(rows)]) {
      const { x, outcome, residual } = await solve(given, b, options, { team });
      expect([x.rows, x.cols, outcome]).toEqual([N, 1, 'converged']);
      expect(residual).toBeLessThanOrEqual(1e-10);
      x.data.forEach((value, i) => {
        expect(Math.abs(value - expected.x.data[i])).toBeLessThan(1e-7);
      });
    }
  });

  it('says_what_is_wrong_with_a_stored_matrix', async () => {
    await expect(solve([1, 2, 3], [1], {}, { team })).rejects.toBeInstanceOf(ShapeError);
    await expect(solve([2, 1, 0, 2], [1, 1], {}, { team })).rejects.toBeInstanceOf(AsymmetryError);
    await expect(solve(zeros(2, 3), [1, 1], {}, { team })).rejects.toThrow(/square/);
    await expect(solve([2, 1, 1, 2], [1, 1, 1], {}, { team })).rejects.toBeInstanceOf(ShapeError);
  });

  it('takes_an_indefinite_stored_matrix_where_the_shift_makes_it_definite', async () => {
    // Eigenvalues −1 and 3.
    const indefinite = [1, 2, 2, 1];
    const { x, outcome } = await solve(indefinite, [1, 2], { shift: 2 }, { team });
    expect(outcome).toBe('converged');
    expect(Math.abs(x.data[0] + 0.2)).toBeLessThan(1e-8);
    expect(Math.abs(x.data[1] - 0.8)).toBeLessThan(1e-8);
    // λ = 2·‖A‖ = 6.
    expect((await solve(indefinite, [1, 2], { shiftRelative: 2 }, { team })).outcome).toBe('converged');
    for (const [matrix, options, message] of [
      [indefinite, {}, /√\(K\(1,1\)·K\(0,0\)\) = 1: the matrix is not positive semidefinite.*at least 1 more .*shift/],
      [indefinite, { shift: 0.5 }, /\(K\(1,1\) \+ λ\).* = 1\.[45]\d*, λ = 0.5: the matrix \+ λI is not/],
      [[-1, 0, 0, 1], { shift: 0.5 }, /is -1, and -0.5 with the shift.*at least 1 more/],
    ] as const) {
      const error: unknown = await solve(matrix, [1, 2], options, { team }).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(NotPositiveDefiniteError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).not.toMatch(/another/);
      expect((error as NotPositiveDefiniteError).data['neededShift']).toBeCloseTo(1, 12);
    }
    await expect(solve([1, 2, 2.1, 1], [1, 2], { shiftRelative: 2 }, { team })).rejects.toThrow(AsymmetryError);
    await expect(solve([1, 2, 2.1, 1], [1, 2], { shift: 1e12 }, { team })).rejects.toThrow(AsymmetryError);
  });

  it('takes_what_rounding_leaves_beside_a_negative_diagonal', async () => {
    const rounded = [-1, 2e-17, -1e-17, -1];
    const { x, outcome } = await solve(rounded, [1, 2], { method: 'minres' }, { team });
    expect(outcome).toBe('converged');
    expect(Math.abs(x.data[0] + 1) + Math.abs(x.data[1] + 2)).toBeLessThan(1e-8);
  });

  it('takes_larger_indefinite_ones_and_their_preconditioners_say_what_they_cannot', async () => {
    // Random ±1 off the diagonal: eigenvalues from about −2√N to 2√N.
    const random = new RandomStream(3);
    const matrix = zeros(N, N);
    for (let j = 0; j < N; j++)
      for (let i = 0; i < j; i++) matrix.data[i + j * N] = matrix.data[j + i * N] = random.uniform() < 0.5 ? -1 : 1;
    const shift = 3 * Math.sqrt(N);
    for (const preconditioner of ['auto', 'none', 'jacobi'] as const) {
      const { x, outcome } = await solve(matrix, b, { shift, preconditioner }, { team });
      expect(outcome).toBe('converged');
      for (let i = 0; i < N; i++) {
        let sum = shift * x.data[i];
        for (let j = 0; j < N; j++) sum += matrix.data[i + j * N] * x.data[j];
        expect(Math.abs(sum - b[i])).toBeLessThan(1e-6);
      }
    }
    for (const preconditioner of ['hss', 'nystrom'] as const)
      await expect(solve(matrix, b, { shift, preconditioner }, { team })).rejects.toThrow(NotPositiveDefiniteError);
  });

  it('counts_the_ridge_of_a_source_to_the_matrix_when_it_predicts', async () => {
    const points = normalPoints(2500, 2, 1);
    const noisy = kernelSource(points, gaussian(0.5), { blas: team.blas, ridge: 0.01 });
    const plain = kernelSource(points, gaussian(0.5), { blas: team.blas });
    const y = Array.from({ length: 2500 }, (_, i) => Math.sin(i));
    const byRidge = await solve(noisy, y, {}, { team });
    const byShift = await solve(plain, y, { shift: 0.01 }, { team });
    expect(byRidge.reason).toMatch(/A holds a ridge of 0\.01: \(λ \+ ridge\)\/‖A‖ ≈ \S+, (?:about|at least) \d+ eigen/);
    expect(byRidge.reason).toMatch(/eigenvalues of A − ridge·I above λ \+ ridge/);
    expect(byRidge.reason).not.toMatch(/λ = 0|0\.0e\+0/);
    // The same system, told the same way: numbers of eigenvalues and of iterations.
    const count = (reason: string): number => Number(/(?:about|at least) (\d+) eigenvalues/.exec(reason)![1]);
    expect(Math.abs(count(byRidge.reason) - count(byShift.reason))).toBeLessThan(0.1 * count(byShift.reason));
    const steps = (reason: string): number => Number(/none (?:≥ )?\S+ Gflop \((?:≥ )?(\d+) it/.exec(reason)![1]);
    expect(Math.abs(steps(byRidge.reason) - steps(byShift.reason))).toBeLessThan(0.1 * steps(byShift.reason));
    expect(byRidge.outcome).toBe('converged');
    expect(noisy.lowerBound).toBe(0.01);
    const nugget = Float64Array.from({ length: 2500 }, (_, i) => 1 + (i % 3));
    expect(kernelSource(points, gaussian(1), { blas: team.blas, ridge: 0.5, nugget }).lowerBound).toBe(1.5);
    const { reason } = await solve([2, 1, 1, 2], [1, 1], {}, { team });
    expect(reason).toMatch(/^Chosen cholesky: it takes \S+ Gflop/);
  });

  it('a_report_says_the_distance_that_was_used', async () => {
    const source = kernelSource(normalPoints(300, 2, 1), gaussian(1), { blas: team.blas, ridge: 0.1 });
    const stored = denseSource(denseOf(source));
    for (const [given, distance, options] of [
      [source, 'geometric', {}],
      [stored, 'angle', {}],
      [stored, 'gram', { distance: 'gram' }],
    ] as const)
      expect((await compress(given, { leafSize: 64, ...options }, { team })).report.distance).toBe(distance);
  });
});
