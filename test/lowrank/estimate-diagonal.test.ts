/** Diagonals from products: exact where they can be, and standard errors that hold. */
import { beforeAll, describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { matrixOver } from '#hmatrix/dense/matrix.js';
import { estimateDiagonal } from '#hmatrix/lowrank/estimate-diagonal.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
});

/** A = 3·I + R/10, not symmetric; products alone. */
function blind(n: number): { operator: LinearOperator; dense: Float64Array } {
  const dense = (randomMatrix(n, n, 5).data as Float64Array).map((value) => value / 10);
  for (let i = 0; i < n; i++) dense[i * (n + 1)] += 3;
  const { applyUnchecked } = denseOperator(matrixOver(dense, n, n), false, { blas: team.blas });
  return { operator: { rows: n, cols: n, symmetric: false, applyUnchecked }, dense };
}

describe('a diagonal', () => {
  it('is_told_by_the_operator_or_found_by_unit_vectors', async () => {
    for (const n of [1, 2, 33]) {
      const { operator, dense } = blind(n);
      const right = Float64Array.from({ length: n }, (_, i) => dense[i * (n + 1)]);
      const found = await estimateDiagonal(operator, { products: Math.max(2, n) }, { team });
      expect(found).toMatchObject({ exact: true, method: 'unit-vectors', products: n });
      expect(found.values).toEqual(right);
      const knowing = { ...operator, diagonal: (out: Float64Array): void => out.set(right) };
      const told = await estimateDiagonal(knowing, {}, { team });
      expect(told).toEqual({
        values: right,
        standardErrors: new Float64Array(n),
        method: 'diagonal',
        exact: true,
        products: 0,
      });
    }
  });

  it('is_within_its_standard_errors', async () => {
    const n = 400;
    const { operator, dense } = blind(n);
    for (const products of [20, 300]) {
      const { values, standardErrors, exact, method } = await estimateDiagonal(operator, { products }, { team });
      expect([exact, method]).toEqual([false, 'random-signs']);
      let within = 0;
      let ratio = 0;
      for (let i = 0; i < n; i++) {
        let rest = 0;
        for (let j = 0; j < n; j++) if (j !== i) rest += dense[i + j * n] ** 2;
        ratio += standardErrors[i] / Math.sqrt(rest / products) / n;
        if (Math.abs(values[i] - dense[i * (n + 1)]) <= 2 * standardErrors[i]) within++;
      }
      expect(within / n).toBeGreaterThan(0.9);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
    }
  });

  it('is_exact_for_a_diagonal_matrix_and_follows_the_seed', async () => {
    const n = 50;
    const dense = new Float64Array(n * n);
    for (let i = 0; i < n; i++) dense[i * (n + 1)] = i - 20;
    const { applyUnchecked } = denseOperator(matrixOver(dense, n, n), true, { blas: team.blas });
    const operator = { rows: n, cols: n, symmetric: true, applyUnchecked };
    const { values, standardErrors } = await estimateDiagonal(operator, { products: 2 }, { team });
    values.forEach((value, i) => expect(value).toBe(i - 20));
    expect(Math.max(...standardErrors)).toBe(0);
    const other = blind(n).operator;
    const [a, b, c] = await Promise.all(
      [1, 1, 2].map((seed) => estimateDiagonal(other, { products: 9, seed }, { team })),
    );
    expect(a).toEqual(b);
    expect(a.values).not.toEqual(c.values);
  });

  it('refuses_what_has_none', async () => {
    const { operator } = blind(4);
    await expect(estimateDiagonal({ ...operator, cols: 5 }, {}, { team })).rejects.toThrow(ShapeError);
    await expect(estimateDiagonal(operator, { products: 1 }, { team })).rejects.toThrow(OptionError);
    const nan: LinearOperator = { ...operator, applyUnchecked: (out) => void out.data.fill(NaN) };
    await expect(estimateDiagonal(nan, { products: 3 }, { team })).rejects.toThrow(NonFiniteError);
    await expect(estimateDiagonal(nan, { products: 4 }, { team })).rejects.toThrow(NonFiniteError);
    const signal = AbortSignal.abort();
    await expect(estimateDiagonal(operator, { products: 3 }, { team, signal })).rejects.toThrow(AbortedError);
  });
});
