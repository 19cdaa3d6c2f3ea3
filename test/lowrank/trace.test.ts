/** Traces: exact where they can be, and intervals that hold. */
import { beforeAll, describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { empiricalFisher } from '#hmatrix/curvature/products/fisher.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { zeros } from '#hmatrix/dense/matrix.js';
import { trace } from '#hmatrix/lowrank/trace.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import { shifted } from '#hmatrix/operator/shifted.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { randomModel } from '../curvature/brute-force.js';
import { denseOf, gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
let two: Team;
beforeAll(async () => {
  team = await sharedTeam(1);
  two = await sharedTeam(2);
});

/** Products alone. */
const blind = (operator: LinearOperator): LinearOperator => ({
  rows: operator.rows,
  cols: operator.cols,
  symmetric: operator.symmetric,
  applyUnchecked: (...operands) => {
    operator.applyUnchecked(...operands);
  },
});

describe('a trace', () => {
  const n = 500;
  const dense = (h: number): LinearOperator => denseOperator(denseOf(gaussianSource(n, 3, h, team.blas)), true);

  it('is_exact_by_the_diagonal_or_by_as_many_products_as_rows', async () => {
    const operator = dense(1);
    expect(await trace(operator, {}, { team })).toMatchObject({
      exact: true,
      method: 'diagonal',
      products: 0,
      standardError: 0,
    });
    const known = await trace(operator, {}, { team });
    expect(Math.abs(known.value - n)).toBeLessThan(1e-9);
    const found = await trace(blind(operator), { products: n }, { team });
    expect(found).toMatchObject({ exact: true, method: 'unit-vectors', products: n });
    expect(Math.abs(found.value - n)).toBeLessThan(1e-9);
  });

  it.each([0.3, 1, 4])('lies_in_its_interval_in_93_of_100_cases: h = %s', async (h) => {
    const operator = blind(dense(h));
    const seeds = 100;
    let covered = 0;
    for (let seed = 0; seed < seeds; seed++) {
      const { lower, upper, value, exact, method, products } = await trace(
        operator,
        { seed, products: 60 },
        { team: two },
      );
      expect([exact, method, products]).toEqual([false, 'hutch++', 60]);
      expect(value).toBeGreaterThanOrEqual(lower);
      if (lower <= n * (1 + 1e-12) && n * (1 - 1e-12) <= upper) covered++;
      // Hutchinson's estimate alone has √2‖A‖_F/√60.
      expect(Math.abs(value / n - 1)).toBeLessThan(0.2);
    }
    expect(covered).toBeGreaterThanOrEqual(h === 4 ? 85 : 89);
  });

  it('is_the_same_for_any_team_and_near_to_it_where_the_spectrum_falls', async () => {
    const operator = blind(dense(4));
    const found = await trace(operator, { seed: 2 }, { team });
    expect(await trace(operator, { seed: 2 }, { team: two })).toEqual(found);
    expect(Math.abs(found.value / n - 1)).toBeLessThan(1e-3);
  });

  it('of_a_network_is_exact_by_its_diagonal_in_both_precisions_and_shifted', async () => {
    for (const precision of ['f64', 'f32'] as const) {
      const model = randomModel({
        widths: [20, 16, 9, 5],
        activation: 'tanh',
        loss: 'cross-entropy',
        bias: true,
        samples: 30,
        precision,
      });
      for (const operator of [gaussNewton(model), hessian(model)]) {
        const found = await trace(shifted(operator, 0.1), {}, { team });
        expect(found).toMatchObject({ exact: true, method: 'diagonal', products: 0, standardError: 0 });
        expect([found.lower, found.upper]).toEqual([found.value, found.value]);
        const byProducts = await trace(blind(operator), { products: operator.rows }, { team });
        const exact = byProducts.value + 0.1 * operator.rows;
        expect(Math.abs(found.value / exact - 1)).toBeLessThan(precision === 'f64' ? 1e-11 : 1e-5);
      }
      // A Fisher matrix of gradients doesn't say its own.
      expect((await trace(empiricalFisher(model), {}, { team })).method).toBe('hutch++');
    }
  });

  it('refuses_what_has_none', async () => {
    await expect(trace(denseOperator(zeros(3, 4), false), {}, { team })).rejects.toBeInstanceOf(ShapeError);
    await expect(trace(diagonalOperator([1, 2]), { products: 3 }, { team })).rejects.toBeInstanceOf(OptionError);
    const asymmetric = blind(denseOperator(zeros(400, 400), false));
    await expect(trace(asymmetric, {}, { team })).rejects.toThrow(/symmetric/);
    const nan: LinearOperator = { ...blind(dense(1)), applyUnchecked: (out) => out.data.fill(Number.NaN) };
    await expect(trace(nan, {}, { team })).rejects.toBeInstanceOf(NonFiniteError);
  });
});
