/**
 * Networks that are certain of their outputs: Gauss–Newton matrices of any size down to 1e-300 stay symmetric and
 * positive semidefinite relative to themselves.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { zeros, view, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { sketchedNystrom } from '#hmatrix/lowrank/nystrom.js';
import { applyLossFactor, applyLossHessian } from '#hmatrix/network/losses/evaluate.js';
import type { Model } from '#hmatrix/network/model.js';
import { diagonalOperator } from '#hmatrix/operator/diagonal-operator.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { solveSystem } from '#hmatrix/solve/solve.js';
import { randomMatrix } from '../support.js';
import { asymmetryOf, denseOf, eigenvaluesOf } from '../solve/subjects.js';
import { sharedTeam } from '../teams.js';
import { randomModel } from './brute-force.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

function saturated(times: number, precision: Precision): Model {
  const model = randomModel({
    widths: [6, 8, 4],
    activation: 'softplus',
    loss: 'cross-entropy',
    bias: true,
    samples: 20,
    precision,
  });
  return { ...model, parameters: model.parameters.map((value) => value * times) };
}

/** a/max|a|: squares of its entries stay in range. */
function unit(a: Matrix): { largest: number; matrix: Matrix } {
  let largest = 0;
  for (const value of a.data) largest = Math.max(largest, Math.abs(value));
  return {
    largest,
    matrix: view(
      Float64Array.from(a.data, (value) => value / largest),
      0,
      a.rows,
      a.cols,
    ),
  };
}

describe('the Hessian of the cross-entropy', () => {
  it.each([0, 1, 30, 100, 600])('and_its_factor_are_exact_relative_to_each_entry_with_logits_apart_by %s', (gap) => {
    const f = view(Float64Array.of(gap, 0, -0.5, 1), 0, 4, 1);
    const e = [0, 1, 2, 3].map((k) => Math.exp(f.data[k] - Math.max(gap, 1)));
    const sum = e.reduce((a, b) => a + b, 0);
    const p = e.map((value) => value / sum);
    const rest = (k: number): number => p.reduce((total, value, j) => total + (j === k ? 0 : value), 0);
    for (let l = 0; l < 4; l++) {
      const x = zeros(4, 1);
      x.data[l] = 1;
      const q = zeros(4, 1);
      applyLossHessian('cross-entropy', f, x, q);
      const s = zeros(4, 1);
      applyLossFactor('cross-entropy', f, 'N', x, s);
      const t = zeros(4, 1);
      applyLossFactor('cross-entropy', f, 'T', x, t);
      for (let k = 0; k < 4; k++) {
        const entry = k === l ? p[k] * rest(k) : -p[k] * p[l];
        const factor = k === l ? Math.sqrt(p[k]) * rest(k) : -p[k] * Math.sqrt(p[l]);
        const transposed = k === l ? factor : -Math.sqrt(p[k]) * p[l];
        // 2⁻¹⁰ below 1, the difference form is left in peace: it loses ten bits at most.
        for (const [found, right] of [
          [q.data[k], entry],
          [s.data[k], factor],
          [t.data[k], transposed],
        ])
          expect(Math.abs(found - right)).toBeLessThanOrEqual(2 ** -38 * Math.abs(right));
      }
    }
  });
});

describe.each(['f64', 'f32'] as const)('a saturated network in %s', (precision) => {
  // Probabilities down to 1e-45 for float32, whose own logits allow no less.
  it.each(precision === 'f64' ? [10, 40, 70, 100] : [10, 40, 60])(
    'with weights times %s is_semidefinite_and_taken_by_Nyström_and_by_solve',
    async (times) => {
      const model = saturated(times, precision);
      const operator = gaussNewton(model, { blas: team.blas, team });
      const { largest, matrix } = unit(denseOf(operator));
      expect(largest).toBeGreaterThan(0);
      const eps = matrix.rows * 8 * (precision === 'f64' ? 2 ** -52 : 2 ** -23);
      expect(asymmetryOf(matrix)).toBeLessThan(eps);
      const values = eigenvaluesOf(matrix, team.blas);
      const norm = values[values.length - 1];
      expect(values[0]).toBeGreaterThan(-eps * norm);
      const { operator: approximation } = await sketchedNystrom(
        operator,
        { blas: team.blas, rank: 10, seed: 0 },
        { team },
      );
      expect(Math.abs(approximation.values[0] / largest / norm - 1)).toBeLessThan(1e-3);
      const dual = dualForm(model, { blas: team.blas });
      const top = eigenvaluesOf(unit(dual.matrix).matrix, team.blas).at(-1)! * unit(dual.matrix).largest;
      expect(Math.abs(top / largest / norm - 1)).toBeLessThan(precision === 'f64' ? 1e-10 : 1e-3);
      const solved = await solveSystem(
        operator,
        randomMatrix(operator.rows, 2, 1),
        { shift: 1e-2 * norm * largest },
        { team },
      );
      expect(solved.outcome).toBe('converged');
      operator.release();
    },
  );
});

describe('Nyström', () => {
  it.each([1e-300, 1e-200, 1e-150, 1, 1e150, 1e200, 1e300])(
    'of_a_matrix_times %s is_that_of_the_matrix_times_it',
    async (scale) => {
      const at = (factor: number) =>
        sketchedNystrom(diagonalOperator(Float64Array.from({ length: 60 }, (_, i) => factor * 2 ** -i)), {
          blas: team.blas,
          rank: 12,
          seed: 3,
        });
      const [one, other] = [await at(1), await at(scale)];
      for (let k = 0; k < 12; k++)
        expect(Math.abs(other.operator.values[k] / scale - one.operator.values[k])).toBeLessThan(1e-12);
      expect(other.shift / scale).toBeLessThan(1e-12);
    },
  );
});
