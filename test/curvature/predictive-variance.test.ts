/** Variances of outputs under a Gaussian over the parameters, against dense inverses. */
import { describe, expect, it } from 'vitest';
import { AbortedError, AsymmetryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { predictiveVariance } from '#hmatrix/curvature/products/predictive-variance.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { get, squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { jacobian } from '#hmatrix/network/jacobian.js';
import { converted } from '#hmatrix/operator/converted.js';
import { denseOperator } from '#hmatrix/operator/dense-operator.js';
import { identityOperator } from '#hmatrix/operator/identity-operator.js';
import { smallModel } from '../network/models.js';
import { randomMatrix } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, smallModels } from './brute-force.js';
import { denseInverse } from './operators.js';

const blas = openBlas();

/** Entry (k, i) of diag(J_i Σ J_iᵀ), by plain sums. */
function expected(j: Matrix, covariance: Matrix, r: number): Matrix {
  const out = zeros(r, j.rows / r);
  for (let row = 0; row < j.rows; row++)
    for (let a = 0; a < j.cols; a++)
      for (let b = 0; b < j.cols; b++) out.data[row] += get(j, row, a) * get(covariance, a, b) * get(j, row, b);
  return out;
}

const largestOf = (a: Matrix): number => Math.max(...Array.from(a.data, Math.abs));
function difference(a: Matrix, b: Matrix): number {
  expect([a.rows, a.cols]).toEqual([b.rows, b.cols]);
  let most = 0;
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(a.data[i] - b.data[i]));
  return most / largestOf(b);
}

describe('predictiveVariance', () => {
  it.each(smallModels())('is_that_of_the_dense_inverse: $name', async ({ model }) => {
    const { network } = model;
    const exact = denseGaussNewton(model);
    const λ = 1e-2 * Math.sqrt(squaredNorm(exact));
    const inputs = randomMatrix(network.inputs, 5, 3);
    const inverse = denseInverse(exact, λ, blas);
    const dense = expected(jacobian(model, inputs), inverse, network.outputs);
    // Each inverse has a relative error of about ε·(‖G‖ + λ)/λ.
    const bound = 1e4 * Number.EPSILON * 1e2;
    expect(difference(predictiveVariance(model, denseOperator(inverse, true), inputs), dense)).toBeLessThan(bound);
    expect(difference(predictiveVariance(model, dualForm(model).inverse(λ), inputs), dense)).toBeLessThan(bound);
    const team = await sharedTeam(2);
    const matrix = await kroneckerHierarchical(
      model,
      { preserve: 'positive-definite', share: 10, leafSize: 4 },
      { team },
    );
    const factorization = await factorKronecker(matrix, { shift: λ }, { team });
    const variances = predictiveVariance(model, factorization, inputs);
    expect(difference(variances, dense)).toBeLessThan(bound);
    expect(difference(predictiveVariance(model, factorization, inputs, { batchSize: 2 }), dense)).toBeLessThan(bound);
    expect(variances.data.every((value) => value >= 0)).toBe(true);
    factorization.release();
    matrix.release();
  });

  it('works_in_the_precision_of_the_parameters', () => {
    const model = smallModel({ widths: [3, 4, 2] });
    const single = { ...model, parameters: Float32Array.from(model.parameters) };
    const inputs = randomMatrix(3, 4, 3);
    const exact = predictiveVariance(model, kfac(model).solver({ damping: 0.1 }), inputs);
    const close = predictiveVariance(single, kfac(model).solver({ damping: 0.1 }), inputs);
    expect(close.data).toBeInstanceOf(Float64Array);
    expect(difference(close, exact)).toBeLessThan(1e-4);
    const size = model.network.parameters;
    const covariance = denseOperator(denseInverse(denseGaussNewton(model), 1, blas), true);
    expect(() => predictiveVariance(single, covariance, inputs)).toThrow(ShapeError);
    expect(predictiveVariance(single, converted(covariance, 'f64'), inputs).cols).toBe(4);
    expect(predictiveVariance(single, identityOperator(size), zeros(3, 0)).cols).toBe(0);
  });

  it('refuses_bad_input_by_name', () => {
    const model = smallModel({ widths: [3, 4, 2] });
    const inputs = randomMatrix(3, 4, 3);
    const identity = identityOperator(model.network.parameters);
    expect(() => predictiveVariance(model, identityOperator(3), inputs)).toThrow(/is 3 × 3; the network has 26/);
    expect(() => predictiveVariance(model, identity, randomMatrix(4, 3, 1))).toThrow(/samples are columns/);
    expect(() => predictiveVariance(model, dualForm(model) as never, inputs)).toThrow(/takes a linear operator/);
    expect(() => predictiveVariance(model, identity, inputs, { batchSize: 0 })).toThrow(OptionError);
    expect(() => predictiveVariance(model, identity, inputs, { signal: AbortSignal.abort() })).toThrow(AbortedError);
    const skew = randomMatrix(26, 26, 1);
    const wrong = { ...denseOperator(skew, false), symmetric: true };
    expect(() => predictiveVariance(model, wrong, inputs)).toThrow(AsymmetryError);
  });
});
