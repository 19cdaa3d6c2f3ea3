/**
 * Systems whose preconditioner was chosen badly once: `auto` took none, predicted a tenth of the iterations that it
 * needed, or missed the tolerance; and HSS by name had a tolerance that did not look at λ.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { named } from '#datasets/named.js';
import { uniformPoints } from '#datasets/points.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solve } from '#hmatrix/solve/solve.js';
import type { GivenSolveOptions, SolveResult } from '#hmatrix/solve/options.js';
import type { EntrySource } from '#hmatrix/source/entry-source.js';
import { kernelSource } from '#hmatrix/source/kernel-source.js';
import { matern32, matern52 } from '#hmatrix/source/kernels/named.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const rightHandSide = (size: number): Float64Array => Float64Array.from({ length: size }, (_, i) => Math.cos(i * i));

async function solved(source: EntrySource, options: GivenSolveOptions): Promise<SolveResult> {
  const result = await solve(source.operator ?? source, rightHandSide(source.size), { ...options, source }, { team });
  expect(result.outcome).toBe('converged');
  expect(result.residual).toBeLessThanOrEqual(1e-8);
  return result;
}

describe('auto', () => {
  // Without a preconditioner: 6,000 iterations, and the tolerance is missed.
  it('solves_600_points_on_a_line_at_1e-6_where_none_misses_the_tolerance', async () => {
    const source = kernelSource(uniformPoints(600, 1, 1), matern32(0.2), { blas: team.blas });
    const { iterations, preconditioner } = await solved(source, { shift: 1e-6 });
    expect(preconditioner.name).not.toBe('none');
    expect(iterations).toBeLessThan(200);
  });

  // 171 and 531 iterations without.
  it.each([
    ['matern52', matern52(1), 1500, 100],
    ['matern32', matern32(0.5), 2500, 200],
  ] as const)('does_not_take_none_in_three_dimensions_at_small_shifts: %s', async (_, kernel, size, most) => {
    const source = kernelSource(uniformPoints(size, 3, 1), kernel, { blas: team.blas });
    const { iterations, preconditioner, reason } = await solved(source, { shift: 1e-2 });
    expect(preconditioner.name).not.toBe('none');
    expect(iterations).toBeLessThan(most);
    // What was not resolved is a bound.
    expect(reason).toMatch(/Chosen cholesky|none ≥ \S+ Gflop \(≥ \d+ iterations\)/);
  });

  it('solves_K02_at_1e-6_and_says_what_became_of_each_candidate', async () => {
    const { reason } = await solved(named('K02', 4096, { blas: team.blas }), { shiftRelative: 1e-6 });
    expect(reason).toMatch(/Solved with \w+(, \d+ iterations?)?\.$/);
  });
});

describe('hss by name', () => {
  it('has_a_tolerance_that_looks_at_the_shift', async () => {
    const source = named('K02', 4096, { blas: team.blas });
    for (const shiftRelative of [1e-3, 1e-6]) {
      const { iterations } = await solved(source, { shiftRelative, preconditioner: 'hss' });
      expect(iterations).toBeLessThan(30);
    }
  });
});
