/** Certificates of definiteness against dense eigenvalues. */
import { beforeAll, expect, it } from 'vitest';
import { copyInto, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { compress } from '#hmatrix/hierarchical/from-entries/compress.js';
import { certifyDefiniteness } from '#hmatrix/hierarchical/factor/definiteness.js';
import { factor } from '#hmatrix/hierarchical/factor/factor.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseSource } from '#hmatrix/source/dense-source.js';
import { denseOf, gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

function smallestEigenvalue(a: Matrix): number {
  const copy = zeros(a.rows, a.cols);
  copyInto(copy, a);
  const values = new Float64Array(a.rows);
  expect(team.blas.syevd(false, 'L', copy, values)).toBe(0);
  return values[0];
}

it.each(['hss', 'hodlr'] as const)(
  'an_indefinite_%s_gets_its_smallest_eigenvalue_and_a_shift_that_works',
  async (format) => {
    const matrix = await compress(
      gaussianSource(300, 4, 1.5, team.blas),
      { format, leafSize: 16, maxRank: 6, tolerance: 0.3 },
      { team },
    );
    const exact = smallestEigenvalue(matrix.toDense());
    expect(exact).toBeLessThan(0);
    const { smallest, definite, suggestedShift, proved } = await certifyDefiniteness(matrix, {}, { team });
    expect({ definite, proved }).toEqual({ definite: 'indefinite', proved: true });
    expect(Math.abs(smallest.value - exact)).toBeLessThanOrEqual(smallest.bound + 1e-10);
    expect(suggestedShift!).toBeGreaterThanOrEqual(-exact * (1 - 1e-9));
    expect(suggestedShift!).toBeLessThanOrEqual(-1.1 * exact);
    (await factor(matrix, { shift: suggestedShift! }, { team })).release();
  },
);

it('a_positive_definite_matrix_is_proved_to_be_one', async () => {
  const ridged = denseOf(gaussianSource(200, 3, 1, team.blas));
  for (let i = 0; i < 200; i++) ridged.data[i * 201] += 1;
  const matrix = await compress(denseSource(ridged), { format: 'hss', leafSize: 32, tolerance: 1e-6 }, { team });
  expect(await certifyDefiniteness(matrix, {}, { team })).toMatchObject({
    definite: 'positive',
    suggestedShift: 0,
    proved: true,
  });
});

it('a_matrix_of_low_rank_is_semidefinite', async () => {
  const matrix = await compress(
    gaussianSource(300, 2, 4, team.blas),
    { format: 'hss', leafSize: 32, tolerance: 0.1, preserve: 'positive-definite' },
    { team },
  );
  const { definite, suggestedShift, proved } = await certifyDefiniteness(matrix, {}, { team });
  expect({ definite, proved }).toEqual({ definite: 'semidefinite', proved: true });
  expect(suggestedShift!).toBeLessThan(1e-12 * matrix.report.norm);
});

it('near_blocks_leave_it_to_Lanczos', async () => {
  const matrix = await compress(
    gaussianSource(300, 4, 1.5, team.blas),
    { format: 'fmm', budget: 0.2, leafSize: 16, maxRank: 6, tolerance: 0.3 },
    { team },
  );
  const exact = smallestEigenvalue(matrix.toDense());
  const { definite, suggestedShift, proved } = await certifyDefiniteness(matrix, {}, { team });
  expect(proved).toBe(false);
  expect(definite).toBe(exact < -1e-6 ? 'indefinite' : 'undecided');
  expect(suggestedShift!).toBeGreaterThanOrEqual(-exact - 1e-8);
});
