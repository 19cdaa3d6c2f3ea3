/**
 * K-FAC: its factors and products against brute force, where it is exact, its sampled variant, precisions, batches,
 * memory and misuse.
 */
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { kfac, type KroneckerFactored } from '#hmatrix/curvature/kronecker/kfac.js';
import { planErrorGrams } from '#hmatrix/curvature/kronecker/layer-gram-plan.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, view, zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { squaredScale } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { randomMatrix, relativeError } from '../support.js';
import { denseGaussNewton, randomModel, smallModels } from './brute-force.js';
import {
  bruteForceFactors,
  bruteForceGrams,
  denseOperator,
  frobenius,
  kroneckerDense,
  layerBlock,
  roundingOf,
} from './kronecker-reference.js';

const blas = openBlas();
const models = smallModels();

const outputFactor = (k: KroneckerFactored, ℓ: number): Matrix => {
  const { output, outputs } = k.layers[ℓ];
  if (output.kind === 'dense') return output.matrix;
  const dense = zeros(outputs, outputs);
  for (let p = 0; p < outputs; p++) dense.data[p * (outputs + 1)] = output.values[p];
  return dense;
};

describe('K-FAC by the definition', () => {
  it.each(models)('has the blocks A ⊗ Γ: $name', ({ model }) => {
    const expected = kroneckerDense(model.network.layers, model.network.parameters, bruteForceFactors(model));
    const dense = denseOperator(kfac(model, { blas }));
    expect(frobenius(dense, expected)).toBeLessThanOrEqual(roundingOf(model) * frobenius(expected));
  });

  // Every form that the errors' Gram matrices take, on the way down.
  it.each([
    {
      widths: [5, 3, 2, 8, 9],
      loss: 'mse',
      activation: 'tanh',
      outputActivation: 'linear',
      forms: ['grams', 'grams', 'shared', 'uniform'],
    },
    {
      widths: [5, 3, 9, 2],
      loss: 'mse',
      activation: 'tanh',
      outputActivation: 'linear',
      forms: ['columns', 'shared', 'uniform'],
    },
    {
      widths: [4, 3, 2, 12],
      loss: 'bce',
      activation: 'gelu',
      outputActivation: 'linear',
      forms: ['grams', 'grams', 'output'],
    },
    {
      widths: [4, 3, 2, 12],
      loss: 'cross-entropy',
      activation: 'tanh',
      outputActivation: 'sigmoid',
      forms: ['grams', 'grams', 'output'],
    },
    {
      widths: [4, 3, 6, 5],
      loss: 'cross-entropy',
      activation: 'softplus',
      outputActivation: 'tanh',
      forms: ['columns', 'columns', 'output'],
    },
    {
      widths: [4, 3, 6, 5],
      loss: 'squared-error',
      activation: 'linear',
      outputActivation: 'linear',
      forms: ['shared', 'shared', 'uniform'],
    },
    {
      widths: [4, 3, 6, 5],
      loss: 'mean-squared',
      activation: 'tanh',
      outputActivation: 'linear',
      forms: ['columns', 'shared', 'uniform'],
    },
    {
      widths: [6, 4, 3, 2],
      loss: 'squared-error',
      activation: 'relu',
      outputActivation: 'sigmoid',
      forms: ['columns', 'columns', 'output'],
    },
  ] as const)('takes $forms on $widths with $loss', ({ widths, loss, activation, outputActivation, forms }) => {
    const model = randomModel({ widths, loss, activation, outputActivation, bias: true, samples: 11, seed: 3 });
    const plan = planErrorGrams(model.network, model.parameters, loss, null, blas);
    expect(plan.forms.map(({ form }) => form)).toEqual(forms);
    const expected = kroneckerDense(model.network.layers, model.network.parameters, bruteForceFactors(model));
    expect(frobenius(denseOperator(kfac(model, { blas })), expected)).toBeLessThanOrEqual(
      roundingOf(model) * frobenius(expected),
    );
  });

  it.each(
    models.filter(
      ({ model: { loss, network } }) =>
        squaredScale(loss, network.outputs) !== null && network.layers.at(-1)?.activation === 'linear',
    ),
  )('is exact for the last layer of squared losses: $name', ({ model }) => {
    const layer = model.network.layers.at(-1)!;
    const exact = layerBlock(denseGaussNewton(model), layer);
    expect(relativeError(layerBlock(denseOperator(kfac(model, { blas })), layer), exact)).toBeLessThanOrEqual(1e-13);
  });

  it.each(['mse', 'squared-error', 'mean-squared'] as const)(
    'is the Gauss–Newton Hessian of a single linear layer: %s',
    (loss) => {
      const model = randomModel({ widths: [9, 6], activation: 'linear', loss, bias: true, samples: 13 });
      expect(relativeError(denseOperator(kfac(model, { blas })), denseGaussNewton(model))).toBeLessThanOrEqual(1e-13);
    },
  );

  it('keeps the relative accuracy of Γ where the model is all but certain', () => {
    // Logits (40, 0): Γ = p(1 − p)·[1 −1; −1 1] with p(1 − p) = e^{-40}/(1 + e^{-40})², far below eps.
    const network = defineNetwork({ widths: [1, 2], bias: false });
    const one = view(Float64Array.of(1), 0, 1, 1);
    const model: Model = {
      network,
      parameters: Float64Array.of(40, 0),
      loss: 'cross-entropy',
      data: memoryDataSet(one, view(Float64Array.of(1, 0), 0, 2, 1)),
    };
    const variance = Math.exp(-40) / (1 + Math.exp(-40)) ** 2;
    const factor = outputFactor(kfac(model, { blas }), 0);
    [variance, -variance, -variance, variance].forEach((value, i) =>
      expect(Math.abs(factor.data[i] - value)).toBeLessThanOrEqual(1e-13 * variance),
    );
  });
});

describe('K-FAC as an operator', () => {
  const model = randomModel({
    widths: [7, 5, 3, 6],
    activation: 'tanh',
    loss: 'cross-entropy',
    bias: true,
    samples: 10,
    seed: 5,
  });
  const k = kfac(model, { blas });
  const dense = denseOperator(k);
  const n = k.rows;

  it('is symmetric in both its entries and its word', () => {
    expect(k.symmetric).toBe(true);
    expect(n).toBe(model.network.parameters);
    for (let j = 0; j < n; j++)
      for (let i = 0; i < j; i++)
        expect(Math.abs(dense.data[i + j * n] - dense.data[j + i * n])).toBeLessThanOrEqual(
          4 * Number.EPSILON * frobenius(dense),
        );
  });

  it.each([1, 3, 700])(
    'adds α times the product of %i vectors at a time to β times what is there, within strided views',
    (vectors) => {
      const x = block(randomMatrix(n + 3, vectors + 1, 1), 2, 1, n, vectors);
      const wide = randomMatrix(n + 5, vectors, 2);
      const before = Float64Array.from(wide.data);
      const out = block(wide, 1, 0, n, vectors);
      const expected = view(Float64Array.from(before), out.offset, n, vectors, out.ld);
      blas.gemm('N', 'N', -1.5, dense, x, 0.5, expected);
      k.applyUnchecked(out, x, -1.5, 0.5);
      expect(frobenius(out, expected)).toBeLessThanOrEqual(
        8 * n * Number.EPSILON * (frobenius(dense) * frobenius(x) + frobenius(expected)),
      );
      // Outside the view nothing moved.
      for (let j = 0; j < vectors; j++)
        for (const i of [0, n + 1, n + 4]) expect(wide.data[i + j * wide.ld]).toBe(before[i + j * wide.ld]);
    },
  );

  it('does not read what is there when β is 0', () => {
    const out = zeros(n, 2);
    out.data.fill(Number.NaN);
    k.applyUnchecked(out, randomMatrix(n, 2, 4), 1, 0);
    expect(out.data.every(Number.isFinite)).toBe(true);
  });

  it.each(models)('counts the bytes of its arrays: $name', ({ model: some }) => {
    const { layers, bytes } = kfac(some, { blas });
    const arrays = layers.flatMap(({ input, output }) => [
      input.data,
      output.kind === 'dense' ? output.matrix.data : output.values,
    ]);
    expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(arrays.length);
    expect(bytes).toBe(arrays.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
    const last = layers.length - 1;
    const numbers = layers.reduce(
      (sum, { width, outputs }, ℓ) =>
        sum + width ** 2 + (ℓ === last && some.loss !== 'cross-entropy' ? outputs : outputs ** 2),
      0,
    );
    expect(bytes).toBe(8 * numbers);
  });
});

describe('K-FAC over streamed data', () => {
  const shape = { widths: [6, 7, 2, 7, 6], activation: 'tanh', bias: true, samples: 23, seed: 8 } as const;

  it.each(['mse', 'bce', 'cross-entropy'] as const)('does not depend on the batches beyond rounding: %s', (loss) => {
    const model = randomModel({ ...shape, loss });
    for (const variant of ['exact', 'monte-carlo'] as const) {
      const whole = denseOperator(kfac(model, { variant, seed: 4, draws: 2, blas }));
      for (const batchSize of [1, 5, 23, 100]) {
        expect(
          frobenius(denseOperator(kfac(model, { variant, seed: 4, draws: 2, blas, batchSize })), whole),
        ).toBeLessThanOrEqual(roundingOf(model) * frobenius(whole));
      }
    }
  });

  it('reads each sample once, in order, and never more than a batch', () => {
    const model = randomModel({ ...shape, loss: 'mse' });
    const asked: number[][] = [];
    kfac(
      {
        ...model,
        data: {
          ...model.data,
          batch: (first, count) => {
            asked.push([first, count]);
            return model.data.batch(first, count);
          },
        },
      },
      { blas, batchSize: 10 },
    );
    expect(asked).toEqual([
      [0, 10],
      [10, 10],
      [20, 3],
    ]);
  });

  it('rounds the double-precision factors for a single-precision model', () => {
    for (const loss of ['mse', 'cross-entropy'] as const) {
      const single = randomModel({ ...shape, loss, precision: 'f32' });
      const double: Model = { ...single, parameters: Float64Array.from(single.parameters) };
      const k = kfac(single, { blas });
      const reference = kfac(double, { blas });
      expect(k.precision).toBe('f32');
      expect(k.bytes).toBe(reference.bytes / 2);
      k.layers.forEach(({ input }, ℓ) => {
        expect(input.data).toEqual(Float32Array.from(reference.layers[ℓ].input.data));
        expect(
          outputFactor(k, ℓ).data.every((value, i) => value === Math.fround(outputFactor(reference, ℓ).data[i])),
        ).toBe(true);
      });
      const dense = denseOperator(reference);
      expect(frobenius(denseOperator(k, 'f32'), dense)).toBeLessThanOrEqual(2 ** -23 * 32 * frobenius(dense));
    }
  });
});

describe('Monte Carlo K-FAC', () => {
  /** E‖Γ̂ − Γ‖_F² for one draw a sample and the squared losses: (1/n²) Σ_i (tr M_i)² + ‖M_i‖_F². */
  const squaredErrors = (model: Model): number[] =>
    bruteForceGrams(model).map(
      (grams) =>
        grams.reduce((sum, gram) => {
          let trace = 0;
          for (let p = 0; p < gram.rows; p++) trace += gram.data[p * (gram.rows + 1)];
          return sum + trace ** 2 + frobenius(gram) ** 2;
        }, 0) /
        grams.length ** 2,
    );

  it.each(['mse', 'squared-error', 'mean-squared'] as const)(
    'errs as the fourth moments of normal draws say, less by the number of draws: %s',
    (loss) => {
      const model = randomModel({ widths: [3, 4, 3], activation: 'tanh', loss, bias: true, samples: 12, seed: 2 });
      const exact = bruteForceFactors(model);
      const predicted = squaredErrors(model);
      const seeds = 400;
      for (const draws of [1, 4]) {
        const observed = exact.map(() => 0);
        for (let seed = 0; seed < seeds; seed++) {
          const k = kfac(model, { variant: 'monte-carlo', draws, seed, blas });
          exact.forEach(({ output }, ℓ) => {
            observed[ℓ] += frobenius(outputFactor(k, ℓ), output) ** 2 / seeds;
          });
        }
        // A squared error is a quadratic form in near-normal entries: its standard deviation is at most about √2 of its
        // mean; five deviations of the mean.
        observed.forEach((error, ℓ) =>
          expect(Math.abs((error * draws) / predicted[ℓ] - 1)).toBeLessThanOrEqual((5 * Math.SQRT2) / Math.sqrt(seeds)),
        );
      }
    },
  );

  it.each(['cross-entropy', 'bce'] as const)('is unbiased for labels drawn from probabilities: %s', (loss) => {
    const model = randomModel({ widths: [3, 4, 3], activation: 'tanh', loss, bias: true, samples: 10, seed: 6 });
    const exact = bruteForceFactors(model);
    const grams = bruteForceGrams(model);
    const draws = 20_000;
    const k = kfac(model, { variant: 'monte-carlo', draws, seed: 1, blas });
    exact.forEach(({ output }, ℓ) => {
      // E‖δδᵀ‖_F² = E‖δ‖⁴ ≤ max‖δ‖²·tr M_i, and |g|² ≤ 2 (cross-entropy) or r (bce) bounds ‖δ‖² through ‖∂a_L/∂z_ℓ‖²:
      // five deviations by Chebyshev.
      const weights = model.network.layers
        .slice(ℓ + 1)
        .reduce(
          (product, layer) =>
            product * frobenius(view(model.parameters, layer.offset, layer.width, layer.outputs)) ** 2,
          1,
        );
      const largest = 3 * weights;
      const variance =
        grams[ℓ].reduce((sum, gram) => {
          let trace = 0;
          for (let p = 0; p < gram.rows; p++) trace += gram.data[p * (gram.rows + 1)];
          return sum + largest * trace;
        }, 0) /
        (draws * grams[ℓ].length ** 2);
      expect(frobenius(outputFactor(k, ℓ), output)).toBeLessThanOrEqual(5 * Math.sqrt(variance));
      expect(frobenius(outputFactor(k, ℓ), output)).toBeLessThanOrEqual(0.05 * frobenius(output));
    });
  });

  it('gives the same factors for the same seed, others for another; A is always exact', () => {
    const model = randomModel({ widths: [4, 3, 5], activation: 'relu', loss: 'bce', bias: true, samples: 9 });
    const [one, same, other] = [7, 7, 8].map((seed) => kfac(model, { variant: 'monte-carlo', seed, blas }));
    const exact = kfac(model, { blas });
    one.layers.forEach(({ input }, ℓ) => {
      expect(outputFactor(one, ℓ).data).toEqual(outputFactor(same, ℓ).data);
      expect(outputFactor(one, ℓ).data).not.toEqual(outputFactor(other, ℓ).data);
      expect(input.data).toEqual(exact.layers[ℓ].input.data);
    });
  });
});

describe('K-FAC of unfit models', () => {
  const model = randomModel({ widths: [4, 3, 2], activation: 'tanh', loss: 'mse', bias: true, samples: 5 });

  it('refuses options outside their domain', () => {
    expect(() => kfac(model, { blas, variant: 'sampled' as never })).toThrow(/exact or monte-carlo/);
    for (const draws of [0, -1, 1.5, Number.NaN])
      expect(() => kfac(model, { blas, variant: 'monte-carlo', draws })).toThrow(OptionError);
    for (const batchSize of [0, 2.5, Number.POSITIVE_INFINITY])
      expect(() => kfac(model, { blas, batchSize })).toThrow(OptionError);
    expect(() => kfac(model, { blas, variant: 'monte-carlo', seed: 0.5 })).toThrow(OptionError);
    expect(() => kfac({ ...model, loss: 'hinge' as never }, { blas })).toThrow(OptionError);
  });

  it('refuses parameters and data that do not fit or are not finite', () => {
    expect(() => kfac({ ...model, parameters: new Float64Array(3) }, { blas })).toThrow(ShapeError);
    const broken = Float64Array.from(model.parameters);
    broken[2] = Number.NaN;
    expect(() => kfac({ ...model, parameters: broken }, { blas })).toThrow(NonFiniteError);
    const inputs = zeros(4, 5);
    inputs.data[6] = Number.POSITIVE_INFINITY;
    expect(() => kfac({ ...model, data: memoryDataSet(inputs, zeros(2, 5)) }, { blas })).toThrow(NonFiniteError);
  });

  it('says where second moments overflow', () => {
    const inputs = zeros(4, 5);
    inputs.data.fill(1e200);
    expect(() => kfac({ ...model, data: memoryDataSet(inputs, zeros(2, 5)) }, { blas })).toThrow(
      /inputs of layer 1 overflow/,
    );
  });
});
