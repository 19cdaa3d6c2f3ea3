/** `solve` on what everybody has: a stored matrix, a flat array, entries. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Matrix as MlMatrix } from 'ml-matrix';
import { AsymmetryError, ShapeError } from '#hmatrix/core/errors.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solve } from '#hmatrix/solve/solve.js';
import { entryOperator } from '#hmatrix/source/entry-operator.js';
import { denseOf, gaussianSource } from '../support.js';
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
});
