import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { logMarginalLikelihood } from '#hmatrix/curvature/products/marginal-likelihood.js';
import { predictiveVariance } from '#hmatrix/curvature/products/predictive-variance.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { matrixOver, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { meanLoss } from '#hmatrix/network/gradient.js';
import { LOSSES, squaredScale } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { toDense } from '#hmatrix/operator/to-dense.js';
import { scaled } from '#hmatrix/operator/scaled.js';
import { normalMatrix } from '../network/models.js';
import { smallModel } from '../network/models.js';

const blas = openBlas();

/** Cholesky factor of a small symmetric matrix, and its log det. */
function cholesky(a: Matrix): { lower: Matrix; logdet: number } {
  const lower = zeros(a.rows, a.rows);
  lower.data.set(a.data);
  expect(blas.potrf('L', lower)).toBe(0);
  let logdet = 0;
  for (let k = 0; k < a.rows; k++) logdet += 2 * Math.log(lower.data[k * (a.rows + 1)]);
  return { lower, logdet };
}

/** A linear regression y = Wx + b + noise of variance 1/q at its optimum for the prior of precision nλ. */
function linearModel(loss: 'mse' | 'squared-error' | 'mean-squared', λ: number) {
  const [d, r, n] = [3, 2, 20];
  const network = defineNetwork({ widths: [d, r] });
  const q = squaredScale(loss, r)!;
  const inputs = normalMatrix(d, n, 1);
  const targets = normalMatrix(r, n, 2);
  const width = d + 1;
  const extended = zeros(width, n);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < d; k++) extended.data[i * width + k] = inputs.data[i * d + k];
    extended.data[i * width + d] = 1;
  }
  // θ̂: (q/n XXᵀ + λI) w = q/n X y.
  const system = zeros(width, width);
  blas.gemm('N', 'T', q / n, extended, extended, 0, system);
  for (let k = 0; k < width; k++) system.data[k * (width + 1)] += λ;
  const solution = zeros(width, r);
  blas.gemm('N', 'T', q / n, extended, targets, 0, solution);
  const { lower } = cholesky(system);
  blas.trsm('L', 'L', 'N', 'N', 1, lower, solution);
  blas.trsm('L', 'L', 'T', 'N', 1, lower, solution);
  const model: Model = { network, parameters: solution.data, loss, data: memoryDataSet(inputs, targets) };
  return { model, extended, targets, q, n, r };
}

describe('logMarginalLikelihood', () => {
  it.each(['mse', 'squared-error', 'mean-squared'] as const)(
    'is that of normal targets for a linear model with %s, and predictive variances are its posterior',
    (loss) => {
      const λ = 0.03;
      const { model, extended, targets, q, n, r } = linearModel(loss, λ);
      // Each output: y ~ N(0, XᵀX/(nλ) + I/q).
      const covariance = zeros(n, n);
      blas.gemm('T', 'N', 1 / (n * λ), extended, extended, 0, covariance);
      for (let i = 0; i < n; i++) covariance.data[i * (n + 1)] += 1 / q;
      const { lower, logdet } = cholesky(covariance);
      const y = zeros(n, r);
      for (let k = 0; k < r; k++) for (let i = 0; i < n; i++) y.data[k * n + i] = targets.data[i * r + k];
      blas.trsm('L', 'L', 'N', 'N', 1, lower, y);
      const squares = y.data.reduce((sum, value) => sum + value * value, 0);
      const expected = -squares / 2 - (r / 2) * (logdet + n * Math.log(2 * Math.PI));
      for (const inverse of [
        dualForm(model).inverse(λ),
        // Exact of one linear layer.
        kfac(model).solver({ damping: λ }),
        ekfac(model).solver({ damping: λ }),
      ]) {
        const evidence = logMarginalLikelihood(model, inverse);
        expect(evidence.value).toBeCloseTo(expected, 9);
        expect(evidence.logLikelihood + evidence.logPrior + evidence.occam).toBe(evidence.value);
        expect(evidence.occam).toBeLessThan(0);
        // Variance of the function at new points: k(x, x) − k(x, X)(K + I/q)⁻¹k(X, x).
        const places = normalMatrix(3, 4, 5);
        const variance = predictiveVariance(model, scaled(inverse, 1 / n), places);
        for (let j = 0; j < places.cols; j++) {
          const x = [...places.data.subarray(3 * j, 3 * j + 3), 1];
          const across = zeros(n, 1);
          blas.gemm('T', 'N', 1 / (n * λ), extended, matrixOver(x, 4, 1), 0, across);
          blas.trsm('L', 'L', 'N', 'N', 1, lower, across);
          const own = x.reduce((sum, value) => sum + value * value, 0) / (n * λ);
          const known = across.data.reduce((sum, value) => sum + value * value, 0);
          for (let k = 0; k < r; k++) expect(variance.data[r * j + k]).toBeCloseTo(own - known, 9);
        }
      }
    },
  );

  it('is largest at the λ that the data was made with', () => {
    const [d, n, precision] = [30, 400, 4];
    const random = new RandomStream(3);
    const w = Float64Array.from({ length: d }, () => random.normal() / Math.sqrt(precision));
    const inputs = normalMatrix(d, n, 4);
    const targets = zeros(1, n);
    for (let i = 0; i < n; i++) {
      targets.data[i] = random.normal();
      for (let k = 0; k < d; k++) targets.data[i] += w[k] * inputs.data[i * d + k];
    }
    const network = defineNetwork({ widths: [d, 1], bias: false });
    const values = [1 / 64, 1 / 8, 1, 8, 64].map((factor) => {
      const λ = (factor * precision) / n;
      const system = zeros(d, d);
      blas.gemm('N', 'T', 1 / n, inputs, inputs, 0, system);
      for (let k = 0; k < d; k++) system.data[k * (d + 1)] += λ;
      const solution = zeros(d, 1);
      blas.gemm('N', 'T', 1 / n, inputs, targets, 0, solution);
      const { lower } = cholesky(system);
      blas.trsm('L', 'L', 'N', 'N', 1, lower, solution);
      blas.trsm('L', 'L', 'T', 'N', 1, lower, solution);
      const data = memoryDataSet(inputs, targets);
      const model: Model = { network, parameters: solution.data, loss: 'mse', data };
      return logMarginalLikelihood(model, dualForm(model).inverse(λ)).value;
    });
    expect(values.indexOf(Math.max(...values))).toBe(2);
  });

  it.each(LOSSES)('takes the log det of every inverse of %s, as it is written', (loss) => {
    const model = smallModel({ loss });
    const λ = 0.3;
    for (const inverse of [
      kfac(model).solver({ damping: λ }),
      kfac(model).solver({ damping: λ, kind: 'factored-tikhonov' }),
      ekfac(model).solver({ damping: λ }),
    ]) {
      const { logdet } = cholesky(toDense(inverse));
      expect(inverse.logdet).toBeCloseTo(-logdet, 8);
      const { logLikelihood, logPrior, occam } = logMarginalLikelihood(model, inverse);
      const square = Array.from(model.parameters).reduce((sum, value) => sum + value * value, 0);
      expect(logPrior).toBeCloseTo((-7 * λ * square) / 2, 10);
      expect(occam).toBeCloseTo((model.network.parameters * Math.log(λ) + logdet) / 2, 8);
      const constant = squaredScale(loss, 3) === null ? 0 : (21 / 2) * Math.log(squaredScale(loss, 3)! / (2 * Math.PI));
      expect(logLikelihood).toBeCloseTo(constant - 7 * meanLoss(model), 10);
    }
  });

  it('refuses what knows no log det', () => {
    const model = smallModel();
    expect(() => logMarginalLikelihood(model, dualForm(model) as never)).toThrow(/dualForm\(model\)\.inverse\(λ\)/);
    expect(() => logMarginalLikelihood(model, { logdet: 1, shift: 0 })).toThrow(OptionError);
    expect(() => logMarginalLikelihood(model, { logdet: Number.NaN, shift: 1 })).toThrow(OptionError);
  });
});
