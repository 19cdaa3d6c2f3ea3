/** Gaussian codes: the divergence, noise that stays within a step, curvature of both terms of the loss. */
import { describe, expect, it } from 'vitest';
import { ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, sequential, stack } from '#hmatrix/layers/compose.js';
import { gaussianCode } from '#hmatrix/layers/gaussian-code.js';
import { graphNetwork, vectorInput } from '#hmatrix/layers/graph-network.js';
import { variationalAutoencoder } from '#hmatrix/models/variational-autoencoder.js';
import { compute, randomDirection, randomParameters, randomSamples, relativeDifference } from './networks.js';

const COUNT = 3;
const autoencoder = graphNetwork({
  inputs: vectorInput(5),
  layers: variationalAutoencoder({
    encoder: stack({ fc: dense(6), tanh: activation('tanh') }),
    decoder: stack({ fc: dense(4), tanh: activation('tanh'), out: dense(5) }),
    code: 2,
  }),
  loss: 'bce',
});
const samples = randomSamples(autoencoder, COUNT, 1);
const θ = randomParameters(autoencoder, 2);
const direction = randomDirection(autoencoder, 3);
const random = new RandomStream(4);
const masks = [Float64Array.from({ length: 2 * COUNT }, () => random.normal())];
const noisy = { mode: 'training', masks } as const;

describe('a Gaussian code', () => {
  it('adds_the_divergence_from_the_standard_normal_to_the_loss', () => {
    const network = graphNetwork({
      inputs: vectorInput(4),
      layers: sequential(dense(4), gaussianCode(2)),
      loss: 'mse',
    });
    const own = randomSamples(network, COUNT, 1);
    // Weights of the identity: the inputs themselves are means and logarithms of variances.
    const identity = new Float64Array(network.parameters);
    for (let i = 0; i < 4; i++) identity[5 * i + i] = 1;
    const { loss, output } = compute(network, identity, own);
    let expected = 0;
    for (let b = 0; b < COUNT; b++)
      for (let k = 0; k < 2; k++) {
        const [mean, logVariance] = [own.inputs[0][4 * b + k], own.inputs[0][4 * b + 2 + k]];
        expected += 0.5 * (mean ** 2 + Math.exp(logVariance) - logVariance - 1);
        expected += 0.5 * (mean - own.targets[2 * b + k]) ** 2;
        expect(output[2 * b + k]).toBe(mean);
      }
    expect(loss).toBeCloseTo(expected / COUNT, 13);
    // Drawn: the mean and a deviation's multiple.
    const noise = [Float64Array.from({ length: 2 * COUNT }, (_, k) => k - 2)];
    const drawn = compute(network, identity, own, { mode: 'training', masks: noise }).output;
    drawn.forEach((value, k) => {
      const [b, i] = [Math.floor(k / 2), k % 2];
      const deviation = Math.exp(own.inputs[0][4 * b + 2 + i] / 2);
      expect(value).toBeCloseTo(own.inputs[0][4 * b + i] + deviation * (k - 2), 13);
    });
  });

  it('has_gradients_and_products_that_differences_say', () => {
    const step = 1e-5;
    const at = (sign: number): ReturnType<typeof compute> =>
      compute(
        autoencoder,
        θ.map((x, k) => x + sign * step * direction[k]),
        samples,
        noisy,
      );
    const [plus, minus] = [at(1), at(-1)];
    const own = compute(autoencoder, θ, samples, { ...noisy, direction });
    const slope = own.gradient.reduce((sum, g, k) => sum + g * direction[k], 0);
    const size = Math.hypot(...own.gradient) * Math.hypot(...direction);
    expect(Math.abs(slope - (plus.loss - minus.loss) / (2 * step))).toBeLessThanOrEqual(1e-6 * size);
    const differences = plus.gradient.map((value, k) => (value - minus.gradient[k]) / (2 * step));
    expect(relativeDifference(own.product, differences)).toBeLessThanOrEqual(1e-6);
  });

  it('has_a_symmetric_semidefinite_gauss_newton_matrix_of_both_terms', () => {
    const other = randomDirection(autoencoder, 5);
    const [ofV, ofW] = [direction, other].map(
      (along) => compute(autoencoder, θ, samples, { ...noisy, direction: along, product: 'gauss-newton' }).product,
    );
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k], 0);
    expect(dot(ofV, direction)).toBeGreaterThan(0);
    expect(Math.abs(dot(ofV, other) - dot(ofW, direction))).toBeLessThanOrEqual(
      1e-12 * Math.hypot(...ofV) * Math.hypot(...other),
    );
  });

  it('has_the_hessian_for_a_gauss_newton_matrix_where_both_outputs_are_linear_in_the_parameters', () => {
    // In evaluation the output is the mean, and the features are linear: both terms are convex functions of them.
    const network = graphNetwork({
      inputs: vectorInput(3),
      layers: sequential(dense(4), gaussianCode(2)),
      loss: 'mse',
    });
    const [own, at, along] = [
      randomSamples(network, COUNT, 1),
      randomParameters(network, 2),
      randomDirection(network, 3),
    ];
    const [hessian, gaussNewton] = (['hessian', 'gauss-newton'] as const).map(
      (product) => compute(network, at, own, { direction: along, product }).product,
    );
    expect(relativeDifference(gaussNewton, hessian)).toBeLessThanOrEqual(1e-13);
  });

  it('takes_twice_as_many_features', () => {
    const make = (): unknown => graphNetwork({ inputs: vectorInput(3), layers: gaussianCode(2), loss: 'mse' });
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(/^gaussianCode: a code of 2 takes 4 features of a sample, not 3 × samples/);
  });
});
