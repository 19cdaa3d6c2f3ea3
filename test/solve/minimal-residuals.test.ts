/** Systems with eigenvalues of both signs, or none: solve by minimal residuals. */
import { beforeAll, describe, expect, it } from 'vitest';
import { solve } from '#hmatrix/solve/solve.js';
import { NotPositiveDefiniteError, OptionError } from '#hmatrix/core/errors.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { filled, norm2, residualOf, withEigenvalues } from '../krylov/systems.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

const n = 90;
let team: Team;
let a: Matrix;

beforeAll(async () => {
  team = await sharedTeam(2);
  a = withEigenvalues(
    filled(n, (i) => (i % 3 === 0 ? -1 - i / 20 : 1 + i / 10)),
    team.blas,
    3,
  );
});

describe('an indefinite matrix', () => {
  it.each([1, 3])('is_solved_for_%s_right_hand_sides', async (cols) => {
    const b = randomMatrix(n, cols, 5);
    const byCg = await solve(denseOperator(a, true, { blas: team.blas }), b, { preconditioner: 'none' }, { team });
    expect(byCg.outcome).toBe('indefinite');
    expect(byCg.reason).toContain("method: 'minres'");
    for (const out of [zeros(n, cols), zeros(n, cols, 'f32')]) {
      const solved = await solve(a, b, { method: 'minres', out }, { team });
      expect(solved.outcome).toBe('converged');
      expect(solved.preconditioner.name).toBe('none');
      expect(solved.reason).toMatch(/^Minimal residuals/);
      for (let j = 0; j < cols; j++) {
        const residual = residualOf(a, b, solved.x, team.blas, j) / norm2(b, j);
        expect(residual).toBeLessThanOrEqual(solved.tolerance);
        expect(Math.abs(residual - solved.residuals[j])).toBeLessThan(1e-12);
      }
    }
  });

  it('takes_a_ready_preconditioner_and_tells_what_cannot_be_made', async () => {
    const b = randomMatrix(n, 1, 5);
    // |A|⁻¹: two distinct eigenvalues are left.
    const absolute = withEigenvalues(
      filled(n, (i) => 1 / (i % 3 === 0 ? 1 + i / 20 : 1 + i / 10)),
      team.blas,
      3,
    );
    const preconditioner = denseOperator(absolute, true, { blas: team.blas });
    const solved = await solve(a, b, { method: 'minres', preconditioner }, { team });
    expect(solved.outcome).toBe('converged');
    expect(solved.iterations).toBeLessThanOrEqual(4);
    const plain = await solve(a, b, { method: 'minres' }, { team });
    expect(plain.iterations).toBeGreaterThan(20);
    await expect(solve(a, b, { method: 'minres', preconditioner: 'cholesky' }, { team })).rejects.toThrow(
      NotPositiveDefiniteError,
    );
    await expect(solve(a, b, { method: 'gmres' as 'cg' }, { team })).rejects.toThrow(OptionError);
    await expect(solve(a, b, { method: 'minres', making: { rank: 9 } }, { team })).rejects.toThrow(/making is of a/);
  });

  it('is_shifted_and_ends_where_iterations_do', async () => {
    const b = randomMatrix(n, 1, 5);
    const { x, shift, outcome } = await solve(a, b, { method: 'minres', shiftRelative: 1e-2 }, { team });
    expect(outcome).toBe('converged');
    const product = zeros(n, 1);
    team.blas.gemv('N', 1, a, x, 0, product);
    let square = 0;
    for (let i = 0; i < n; i++) square += (b.data[i] - product.data[i] - shift * x.data[i]) ** 2;
    expect(Math.sqrt(square) / norm2(b)).toBeLessThan(1e-7);
    const few = await solve(a, b, { method: 'minres', maxIterations: 3 }, { team });
    expect(few.outcome).toBe('maxIterations');
    expect(few.iterations).toBe(3);
    expect(few.residual).toBeLessThan(1);
  });
});

it('of_a_singular_matrix_x_minimises_the_residual', async () => {
  const singular = withEigenvalues(
    filled(n, (i) => (i % 3 === 0 ? 0 : i % 3 === 1 ? 1 + i / 10 : -1)),
    team.blas,
    3,
  );
  const b = randomMatrix(n, 1, 5);
  const least = await solve(singular, b, { method: 'minres' }, { team });
  expect(least.outcome).toBe('leastSquares');
  const residual = zeros(n, 1);
  residual.data.set(b.data);
  team.blas.gemv('N', -1, singular, least.x, 1, residual);
  const gradient = zeros(n, 1);
  team.blas.gemv('N', 1, singular, residual, 0, gradient);
  expect(norm2(gradient) / norm2(b)).toBeLessThan(1e-6);
  // Of b in the range it is solved.
  const inRange = zeros(n, 1);
  team.blas.gemv('N', 1, singular, randomMatrix(n, 1, 6), 0, inRange);
  expect((await solve(singular, inRange, { method: 'minres' }, { team })).outcome).toBe('converged');
});
