/**
 * Slices of samples: as large as their own numbers allow, whatever the weights.
 */
import { describe, expect, it } from 'vitest';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, sequential } from '#hmatrix/layers/compose.js';
import { graphNetwork, imageInput, sliceSamples, vectorInput } from '#hmatrix/layers/graph-network.js';
import { graphSliceFirst, graphSlices } from '#hmatrix/layers/slices.js';
import { resnet20 } from '#hmatrix/models/resnet.js';

const perceptron = (...widths: readonly number[]) =>
  graphNetwork({
    inputs: vectorInput(widths[0]),
    layers: sequential(...widths.slice(1).flatMap((width) => [dense(width), activation('tanh')])),
    loss: 'squared-error',
  });

describe('slices_of_samples', () => {
  it('are_not_made_small_by_weights', () => {
    // 16 samples a slice would make products of matrices of 16 columns, at half of their rate.
    expect(sliceSamples(perceptron(784, 128, 32, 128, 784))).toBeGreaterThanOrEqual(128);
    expect(sliceSamples(perceptron(10, 4, 2))).toBe(256);
  });

  it('leave_at_least_as_many_numbers_as_their_own_gradient_has', () => {
    const wide = perceptron(784, 1000, 500, 250, 30, 250, 500, 1000, 784);
    const widths = 784 + 1000 + 500 + 250 + 30 + 250 + 500 + 1000 + 784;
    expect(sliceSamples(wide) * widths * 4).toBeGreaterThan(wide.parameters);
    expect(sliceSamples(wide)).toBeGreaterThan(2 ** 20 / (widths * 4));
  });

  it('are_few_of_images', () => {
    const size = { channels: 3, height: 32, width: 32 };
    expect(sliceSamples(graphNetwork({ inputs: imageInput(size), layers: resnet20(), loss: 'cross-entropy' }))).toBe(
      16,
    );
  });

  it('have_every_sample_once', () => {
    for (const [count, most] of [
      [1, 16],
      [500, 179],
      [257, 256],
      [96, 16],
    ]) {
      const slices = graphSlices(count, most);
      const sizes = Array.from(
        { length: slices },
        (_, s) => graphSliceFirst(count, most, s + 1) - graphSliceFirst(count, most, s),
      );
      expect(sizes.reduce((sum, size) => sum + size)).toBe(count);
      for (const size of sizes) expect(size > 0 && size <= most).toBe(true);
    }
  });
});
