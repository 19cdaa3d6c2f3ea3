/**
 * Draws through factorizations of curvature matrices. A draw is S·z with a matrix S that does not depend on z: as many
 * draws as z is long tell S, and S·Sᵀ is compared with the covariance.
 */
import { describe, expect, it } from 'vitest';
import { OptionError } from '#hmatrix/core/errors.js';
import { factorKronecker } from '#hmatrix/curvature/eigenbasis/factorization.js';
import { kroneckerHierarchical } from '#hmatrix/curvature/eigenbasis/compress.js';
import { dualForm } from '#hmatrix/curvature/entries/dual-form.js';
import { ekfac } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { copyInto, squaredNorm, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { transpose } from '#hmatrix/dense/transpose.js';
import type { Model } from '#hmatrix/network/model.js';
import { normalVectors, type SampleOptions } from '#hmatrix/operator/draws.js';
import { smallModel } from '../network/models.js';
import { relativeError } from '../support.js';
import { sharedTeam } from '../teams.js';
import { denseGaussNewton, smallModels } from './brute-force.js';
import { denseInverse, denseOperator } from './operators.js';

const blas = openBlas();
type Sample = (options?: SampleOptions) => Matrix;

/** S·Sᵀ of the map from `noise` standard normal numbers to a draw. */
function covarianceOf(sample: Sample, noise: number, of: 'matrix' | 'inverse'): Matrix {
  const options = { count: noise, seed: 7, of };
  const z = normalVectors(noise, options);
  // Sᵀ = Z⁻ᵀ·Xᵀ.
  const s = transpose(sample(options));
  const lu = zeros(noise, noise);
  copyInto(lu, z);
  const pivots = new Int32Array(noise);
  expect(blas.getrf(lu, pivots)).toBe(0);
  blas.getrs('T', lu, pivots, s);
  const product = zeros(s.cols, s.cols);
  blas.gemm('T', 'N', 1, s, s, 0, product);
  return product;
}

function expectDraws(sample: Sample, noise: number, matrix: Matrix, shift: number): void {
  const whole = zeros(matrix.rows, matrix.rows);
  copyInto(whole, matrix);
  for (let i = 0; i < matrix.rows; i++) whole.data[i * (matrix.rows + 1)] += shift;
  // The condition of Z, some thousands, times that of the matrix, 100.
  expect(relativeError(covarianceOf(sample, noise, 'matrix'), whole)).toBeLessThan(1e-8);
  expect(relativeError(covarianceOf(sample, noise, 'inverse'), denseInverse(matrix, shift, blas))).toBeLessThan(1e-8);
  for (const of of ['matrix', 'inverse'] as const) {
    const three = sample({ count: 3, seed: 5, of });
    expect([three.rows, three.cols, three.data.constructor]).toEqual([matrix.rows, 3, Float64Array]);
    expect(sample({ count: 3, seed: 5, of }).data).toEqual(three.data);
    expect(relativeError(sample({ seed: 5, of }), { ...three, cols: 1 })).toBeLessThan(1e-12);
    expect(relativeError(sample({ count: 3, seed: 6, of }), three)).toBeGreaterThan(0.1);
  }
  expect(sample().data).toEqual(sample({ count: 1, seed: 0, of: 'matrix' }).data);
  expect(sample({ count: 0 }).cols).toBe(0);
  expect(() => sample({ of: 'root' as never })).toThrow(/of must be 'matrix' or 'inverse', not "root"/);
  expect(() => sample({ count: -1 })).toThrow(OptionError);
  expect(() => sample({ seeds: 1 } as never)).toThrow(/did you mean "seed"/);
}

const shiftOf = (matrix: Matrix): number => 1e-2 * Math.sqrt(squaredNorm(matrix));

describe.each(smallModels())('draws of $name', ({ model }) => {
  const size = model.network.parameters;

  it('of_the_dual_form', () => {
    const matrix = denseGaussNewton(model);
    const λ = shiftOf(matrix);
    const dual = dualForm(model);
    expectDraws((options) => dual.sample(λ, options), size + dual.order, matrix, λ);
    expect(() => dual.sample(0)).toThrow(OptionError);
  });

  it('of_Kronecker_factors', () => {
    for (const factored of [kfac(model), ekfac(model)]) {
      const matrix = denseOperator(factored);
      const λ = shiftOf(matrix);
      expectDraws(factored.solver({ damping: λ }).sample, size, matrix, λ);
    }
    const damped = kfac(model).solver({ damping: 0.1, kind: 'factored-tikhonov' });
    expectDraws(damped.sample, size, denseInverse(denseOperator(damped), 0, blas), 0);
  });
});

describe('draws of Kronecker-hierarchical matrices', () => {
  const models: readonly (readonly [string, Model, number])[] = [
    ...smallModels().map(({ name, model }) => [name, model, 10] as const),
    // With a core that is smaller than the matrix, and a complement.
    ['fewer samples than outputs', smallModel({ widths: [4, 5, 12], samples: 3 }), 10],
    ['a share', smallModel({ widths: [6, 4, 6], samples: 40 }), 0.3],
  ];

  it.each(models)('%s', async (_name, model, share) => {
    const results: Float64Array[] = [];
    for (const workers of [1, 2]) {
      const team = await sharedTeam(workers);
      const options = { preserve: 'positive-definite', share, leafSize: 4 } as const;
      const matrix = await kroneckerHierarchical(model, options, { team });
      const dense = denseOperator(matrix);
      const λ = shiftOf(dense);
      const factorization = await factorKronecker(matrix, { shift: 2 * λ }, { team });
      await factorization.refactor(λ);
      const b = normalVectors(matrix.size, { count: 2, seed: 1 });
      const before = factorization.solve(b);
      expectDraws((asked) => factorization.sample(asked), matrix.size, dense, λ);
      // Drawing leaves the inverse as it was.
      expect(factorization.solve(b).data).toEqual(before.data);
      results.push(factorization.sample({ count: 2, of: 'inverse' }).data as Float64Array);
      factorization.release();
      expect(() => factorization.sample()).toThrow(OptionError);
      matrix.release();
    }
    expect(results[1]).toEqual(results[0]);
  });
});

it('draws_in_float32_are_those_of_float64_to_its_precision', () => {
  const model = smallModel();
  const single = { ...model, parameters: Float32Array.from(model.parameters) };
  for (const kind of ['exact', 'factored-tikhonov'] as const)
    for (const of of ['matrix', 'inverse'] as const) {
      const exact = kfac(model).solver({ damping: 0.1, kind }).sample({ of });
      const close = kfac(single).solver({ damping: 0.1, kind }).sample({ of });
      // Eigenvectors of equal eigenvalues may turn: the same distribution, not the same draw.
      if (kind === 'factored-tikhonov') expect(relativeError(close, exact)).toBeLessThan(1e-4);
      expect(close.data).toBeInstanceOf(Float64Array);
    }
});
