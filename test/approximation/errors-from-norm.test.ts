/**
 * Errors that the form of an approximation tells from ‖G‖_F are those of all columns; where a table samples columns,
 * its interval holds the truth.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { approximateSubject } from '#hmatrix/approximation/approximate.js';
import { APPROXIMATION_METHODS, type ApproximationMethod } from '#hmatrix/approximation/methods/table.js';
import { operatorError, operatorErrors } from '#hmatrix/approximation/operator-error.js';
import { gaussNewtonNorm } from '#hmatrix/curvature/eigenbasis/norm.js';
import { gaussNewtonSource } from '#hmatrix/curvature/entries/gauss-newton-source.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { squaredNorm } from '#hmatrix/dense/matrix.js';
import type { Model } from '#hmatrix/network/model.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { denseOperator } from '../curvature/operators.js';
import { smallModel, type ModelOptions } from '../network/models.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

const MODELS: readonly (readonly [string, ModelOptions])[] = [
  ['mse, tanh', { widths: [12, 5, 12], samples: 30 }],
  [
    'squared error, relu, without biases',
    { widths: [9, 7, 6, 5], loss: 'squared-error', activation: 'relu', bias: false },
  ],
  ['cross-entropy, sigmoid', { widths: [10, 6, 4], loss: 'cross-entropy', activation: 'sigmoid', samples: 40 }],
  ['binary cross-entropy', { widths: [10, 6, 4], loss: 'bce', samples: 40 }],
  ['one layer', { widths: [12, 8], samples: 5 }],
  ['large numbers', { widths: [12, 5, 12], samples: 30 }],
];
const modelOf = (name: string, options: ModelOptions): Model => {
  const model = smallModel(options);
  // Where the slopes saturate and errors are far from 1.
  return name === 'large numbers'
    ? { ...model, parameters: Float64Array.from(model.parameters, (value) => 40 * value) }
    : model;
};
/** Of N² squares, summed in another order; √ of a difference of them where it is not small. */
const ROUNDING = 1e-12;

/** Methods that know their error, or have no form to tell it from. */
const WITHOUT: readonly string[] = ['hm', 'kronecker-sum', 'eigenbasis', 'hss', 'hodlr', 'fmm'];

describe.each(MODELS)('%s', (name, options) => {
  const model = modelOf(name, options);

  it('norm_is_that_of_the_columns', async () => {
    const exact = Math.sqrt(squaredNorm(denseOperator(gaussNewton(model, { blas: team.blas, team }))));
    expect(Math.abs((await gaussNewtonNorm(model, {}, { team })) / exact - 1)).toBeLessThanOrEqual(ROUNDING);
  });

  it.each(APPROXIMATION_METHODS.filter((method) => !WITHOUT.includes(method)))('%s', async (method) => {
    const operator = gaussNewton(model, { blas: team.blas, team });
    const made = await approximateSubject(operator, method, { share: 0.3 }, { seed: 3 }, { team });
    const norm = await gaussNewtonNorm(model, {}, { team });
    const { relative } = await operatorError(
      gaussNewtonSource(model, { blas: team.blas }),
      made.operator,
      {},
      { team },
    );
    // Differences of squares: absolute to rounding, so √ where nothing is left.
    expect(Math.abs((await made.squaredError!(norm)) - relative ** 2)).toBeLessThanOrEqual(
      ROUNDING * Math.max(1, relative ** 2),
    );
    made.release();
  });
});

describe('what is told', () => {
  const model = smallModel({ widths: [12, 5, 12], samples: 30 });

  it('is_of_the_Gauss_Newton_matrix_not_of_another_operator_with_its_network', async () => {
    const other = hessian(model, { blas: team.blas, team });
    for (const method of ['kfac', 'kfac-mc', 'ekfac'] as const) {
      const made = await approximateSubject(other, method, { share: 0.3 }, { model }, { team });
      expect(made.squaredError).toBeUndefined();
      made.release();
    }
  });

  it.each(['hss', 'hodlr', 'fmm'] as const)('is_nothing_by_%s', async (method: ApproximationMethod) => {
    const made = await approximateSubject(
      gaussNewton(model, { blas: team.blas, team }),
      method,
      { share: 0.7 },
      {},
      { team },
    );
    expect([made.squaredError, made.knownError, made.exactNorm]).toEqual([undefined, undefined, undefined]);
    made.release();
  });
});

describe('sampled columns of curvature', () => {
  it.each(['hss', 'hodlr', 'kfac'] as const)(
    'give_%s_an_interval_that_holds_the_truth_nineteen_times_in_twenty',
    async (method) => {
      const model = smallModel({ widths: [24, 6, 24], samples: 20 });
      const operator = gaussNewton(model, { blas: team.blas, team });
      const source = gaussNewtonSource(model, { blas: team.blas, operator });
      const { operator: approximation, release } = await approximateSubject(
        operator,
        method,
        { share: 0.4 },
        {},
        { team },
      );
      const truth = (await operatorError(source, approximation, {}, { team })).relative;
      let held = 0;
      const trials = 60;
      for (let seed = 0; seed < trials; seed++) {
        // A ninth of the columns: 500 of 4,500, where a table begins to sample.
        const [{ low, high, exact }] = await operatorErrors(source, [approximation], { columns: 36, seed }, { team });
        expect(exact).toBe(false);
        if (low <= truth && truth <= high) held++;
      }
      // Fewer than 48 of 60 at a chance of 0.95 each: below 1e-5.
      expect(held).toBeGreaterThanOrEqual(48);
      release();
    },
  );
});
