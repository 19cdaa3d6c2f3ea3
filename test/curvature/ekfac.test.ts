/**
 * EKFAC: its eigenvalues against the dense Gauss–Newton blocks in its basis, its order against K-FAC, sampled variant,
 * memory.
 */
import { describe, expect, it } from 'vitest';
import { ekfac, type EigenvalueCorrected } from '#hmatrix/curvature/kronecker/ekfac.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { relativeError } from '../support.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import { denseOperator, frobenius, layerBlock, roundingOf } from './kronecker-reference.js';

const blas = openBlas();
const models = smallModels();

/** U_Γ ⊗ U_A of a layer in the order of its parameters: column (p, q) is U_Γ(:, p) ⊗ U_A(:, q). */
function basisOf({ width, outputs, inputVectors, outputVectors }: EigenvalueCorrected['layers'][number]): Matrix {
  const size = width * outputs;
  const basis = zeros(size, size);
  for (let p = 0; p < outputs; p++)
    for (let q = 0; q < width; q++)
      for (let s = 0; s < outputs; s++)
        for (let t = 0; t < width; t++) {
          const u = outputVectors === null ? Number(s === p) : outputVectors.data[s + p * outputs];
          basis.data[s * width + t + (p * width + q) * size] = u * inputVectors.data[t + q * width];
        }
  return basis;
}

const product = (transA: 'N' | 'T', transB: 'N' | 'T', a: Matrix, b: Matrix): Matrix => {
  const c = zeros(a.rows, b.cols);
  blas.gemm(transA, transB, 1, a, b, 0, c);
  return c;
};

describe('EKFAC by the definition', () => {
  it.each(models)('has the diagonal of each block in its basis, and that alone: $name', ({ model }) => {
    const exact = denseGaussNewton(model);
    const k = ekfac(model, { blas });
    const dense = denseOperator(k);
    k.layers.forEach((layer) => {
      const size = layer.width * layer.outputs;
      const gaussNewton = layerBlock(exact, layer);
      const basis = basisOf(layer);
      const inBasis = product('T', 'N', basis, product('N', 'N', gaussNewton, basis));
      const own = product('T', 'N', basis, product('N', 'N', layerBlock(dense, layer), basis));
      const bound = roundingOf(model) * frobenius(gaussNewton);
      let error = 0;
      for (let i = 0; i < size; i++) {
        const value = layer.eigenvalues.data[i];
        expect(value).toBeGreaterThanOrEqual(0);
        error += (value - inBasis.data[i * (size + 1)]) ** 2;
        own.data[i * (size + 1)] -= value;
      }
      expect(Math.sqrt(error)).toBeLessThanOrEqual(bound);
      expect(frobenius(own)).toBeLessThanOrEqual(bound);
    });
    // Between layers there is nothing.
    expect(frobenius(dense) ** 2).toBeCloseTo(
      k.layers.reduce((sum, layer) => sum + frobenius(layerBlock(dense, layer)) ** 2, 0),
      10,
    );
  });

  it.each(models)('is at least as near to each block as K-FAC: $name', ({ model }) => {
    const exact = denseGaussNewton(model);
    const corrected = denseOperator(ekfac(model, { blas }));
    const kronecker = denseOperator(kfac(model, { blas }));
    model.network.layers.forEach((layer) => {
      const gaussNewton = layerBlock(exact, layer);
      expect(frobenius(layerBlock(corrected, layer), gaussNewton)).toBeLessThanOrEqual(
        frobenius(layerBlock(kronecker, layer), gaussNewton) + roundingOf(model) * frobenius(gaussNewton),
      );
    });
  });

  it('is strictly nearer where inputs and errors depend on each other', () => {
    const model = randomModel({
      widths: [6, 5, 4],
      activation: 'tanh',
      loss: 'cross-entropy',
      bias: true,
      samples: 12,
    });
    const exact = denseGaussNewton(model);
    const layer = model.network.layers[0];
    const error = (operator: Matrix): number => relativeError(layerBlock(operator, layer), layerBlock(exact, layer));
    expect(error(denseOperator(ekfac(model, { blas })))).toBeLessThan(
      0.98 * error(denseOperator(kfac(model, { blas }))),
    );
  });

  it.each(['mse', 'squared-error', 'mean-squared'] as const)(
    'is K-FAC, and exact, for the last layer of a linear output: %s',
    (loss) => {
      const model = randomModel({ widths: [5, 4, 6], activation: 'sigmoid', loss, bias: true, samples: 9 });
      const layer = model.network.layers[1];
      const exact = layerBlock(denseGaussNewton(model), layer);
      for (const operator of [ekfac(model, { blas }), kfac(model, { blas })])
        expect(relativeError(layerBlock(denseOperator(operator), layer), exact)).toBeLessThanOrEqual(1e-12);
    },
  );
});

describe('EKFAC in practice', () => {
  const model = randomModel({
    widths: [5, 6, 2, 6, 5],
    activation: 'tanh',
    loss: 'bce',
    bias: true,
    samples: 17,
    seed: 9,
  });

  it('counts the bytes of its arrays', () => {
    for (const { model: some } of models.slice(0, 12)) {
      const { layers, bytes } = ekfac(some, { blas });
      const arrays = layers.flatMap(({ inputVectors, outputVectors, eigenvalues }) => [
        inputVectors.data,
        eigenvalues.data,
        ...(outputVectors === null ? [] : [outputVectors.data]),
      ]);
      expect(bytes).toBe(arrays.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
      expect(bytes).toBe(
        8 *
          layers.reduce(
            (sum, { width, outputs, outputVectors }) =>
              sum + width ** 2 + width * outputs + (outputVectors === null ? 0 : outputs ** 2),
            0,
          ),
      );
    }
  });

  it.each(['exact', 'monte-carlo'] as const)('does not depend on the batches beyond rounding: %s', (variant) => {
    const whole = denseOperator(ekfac(model, { variant, draws: 3, seed: 2, blas }));
    for (const batchSize of [1, 4]) {
      // The basis moves with rounding by eps over the gaps between eigenvalues; the matrix in near-degenerate
      // directions with it.
      expect(
        relativeError(denseOperator(ekfac(model, { variant, draws: 3, seed: 2, blas, batchSize })), whole),
      ).toBeLessThanOrEqual(1e-9);
    }
  });

  it('has the trace of the Gauss–Newton blocks, estimated without bias by draws', () => {
    const traceOf = (k: EigenvalueCorrected): number[] =>
      k.layers.map(({ eigenvalues }) => Float64Array.from(eigenvalues.data).reduce((sum, value) => sum + value, 0));
    const exact = denseGaussNewton(model);
    const expected = model.network.layers.map(({ offset, width, outputs }) => {
      let sum = 0;
      for (let i = offset; i < offset + width * outputs; i++) sum += exact.data[i * (exact.rows + 1)];
      return sum;
    });
    traceOf(ekfac(model, { blas })).forEach((value, ℓ) =>
      expect(Math.abs(value - expected[ℓ])).toBeLessThanOrEqual(roundingOf(model) * expected[ℓ]),
    );
    // Var of a draw's ‖ā‖²‖δ‖² is of the order of its mean squared; 17·4000 draws leave 0.4 %; five deviations.
    traceOf(ekfac(model, { blas, variant: 'monte-carlo', draws: 4000, seed: 1 })).forEach((value, ℓ) =>
      expect(Math.abs(value / expected[ℓ] - 1)).toBeLessThanOrEqual(0.02),
    );
  });

  it('serves a single-precision model with single-precision arrays', () => {
    const single = randomModel({
      widths: [5, 4, 3],
      activation: 'gelu',
      loss: 'cross-entropy',
      bias: true,
      samples: 8,
      precision: 'f32',
    });
    const k = ekfac(single, { blas });
    expect(k.precision).toBe('f32');
    const reference = denseOperator(ekfac({ ...single, parameters: Float64Array.from(single.parameters) }, { blas }));
    expect(frobenius(denseOperator(k, 'f32'), reference)).toBeLessThanOrEqual(2 ** -23 * 64 * frobenius(reference));
  });
});
