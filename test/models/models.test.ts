/** Models: as many parameters as PyTorch's have, under the same names; losses that fall; mistakes named. */
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { Layer } from '#hmatrix/layers/builder.js';
import { graphNetwork, imageInput, tokenInput, type GraphNetwork } from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { toStateDict } from '#hmatrix/layers/state-dict.js';
import { mobilenet } from '#hmatrix/models/mobilenet.js';
import { resnet18, resnet20, resnet32, resnet50 } from '#hmatrix/models/resnet.js';
import { simpleCnn } from '#hmatrix/models/simple-cnn.js';
import { languageModel, transformer } from '#hmatrix/models/transformer.js';
import { compute, randomDirection, randomParameters, randomSamples } from '../layers/networks.js';

const image = (layers: Layer, side: number, channels = 3): GraphNetwork =>
  graphNetwork({ inputs: imageInput({ channels, height: side, width: side }), layers, loss: 'cross-entropy' });

const SHARED = { features: 512, heads: 8, feedForward: 2048, layers: 6 } as const;

describe('models', () => {
  // Counted by PyTorch of the modules named in their docstrings.
  it.each<[string, () => GraphNetwork, number]>([
    ['simpleCnn', () => image(simpleCnn(), 28, 1), 16 * 10 + 32 * 145 + 10 * 1569],
    ['resnet20 with shortcuts A', () => image(resnet20(), 32), 269_722],
    ['resnet20 with shortcuts B', () => image(resnet20({ shortcut: 'B' }), 32), 272_474],
    ['resnet32', () => image(resnet32(), 32), 464_154],
    ['resnet18', () => image(resnet18(), 224), 11_689_512],
    ['resnet18 for small images', () => image(resnet18({ images: 'small', classes: 10 }), 32), 11_173_962],
    ['resnet50', () => image(resnet50(), 224), 25_557_032],
    ['mobilenet', () => image(mobilenet(), 32), 3_217_226],
    ['mobilenet for large images', () => image(mobilenet(1, { images: 'large', classes: 1000 }), 224), 4_231_976],
    [
      // nn.Transformer has 44,140,544 numbers; embeddings and the generator come beside.
      'transformer',
      () =>
        graphNetwork({
          inputs: [tokenInput(4, 10), tokenInput(4, 20)],
          layers: transformer({ ...SHARED, sourceWords: 10, targetWords: 20 }),
          loss: tokenLoss(),
        }),
      44_140_544 + 512 * 30 + 513 * 20,
    ],
  ])('%s_has_as_many_parameters_as_in_PyTorch', (_, make, parameters) => {
    expect(make().trained).toBe(parameters);
  });

  it('are_named_as_in_PyTorch', () => {
    const names = (network: GraphNetwork): string[] =>
      Object.keys(toStateDict(network, new Float32Array(network.parameters)));
    const large = names(image(resnet18({ classes: 2 }), 32));
    for (const name of ['conv1.weight', 'layer1.0.conv1.weight', 'layer2.0.downsample.0.weight', 'fc.bias'])
      expect(large).toContain(name);
    expect(large).toContain('layer4.1.bn2.running_var');
    expect(large).not.toContain('layer1.0.downsample.0.weight');
    const small = names(image(resnet20({ shortcut: 'B' }), 8));
    expect(small).toContain('layer3.0.shortcut.1.running_mean');
    expect(small).toContain('linear.weight');
    expect(names(image(mobilenet(0.25), 32))).toContain('layers.12.conv2.weight');
  });

  it('take_a_step_along_the_gradient_of_large_ones_too', () => {
    const network = image(resnet18({ images: 'small', classes: 3 }), 8);
    const [samples, θ] = [randomSamples(network, 2, 1), randomParameters(network, 2)];
    const { loss, gradient } = compute(network, θ, samples, { precision: 'f32' });
    const size = gradient.reduce((sum, g) => sum + g * g, 0);
    const step = (0.01 * loss) / size;
    const after = compute(
      network,
      θ.map((x, k) => x - step * gradient[k]),
      samples,
      { precision: 'f32' },
    );
    // A hundredth of the loss to first order.
    expect(after.loss).toBeLessThan(loss);
    expect(after.loss).toBeGreaterThan(0.98 * loss);
  });

  it('of_words_have_products_that_differences_of_gradients_say', () => {
    const network = graphNetwork({
      inputs: tokenInput(4, 7),
      layers: languageModel({ words: 7, features: 8, heads: 2, layers: 2, padding: 0, activation: 'gelu' }),
      loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
    });
    const [samples, θ] = [randomSamples(network, 3, 1), randomParameters(network, 2)];
    const direction = randomDirection(network, 3);
    const step = 1e-5;
    const [plus, minus] = [1, -1].map(
      (sign) =>
        compute(
          network,
          θ.map((x, k) => x + sign * step * direction[k]),
          samples,
        ).gradient,
    );
    const { product } = compute(network, θ, samples, { direction });
    const error = Math.hypot(...product.map((value, k) => value - (plus[k] - minus[k]) / (2 * step)));
    expect(error).toBeLessThanOrEqual(1e-6 * Math.hypot(...product));
  });

  it.each<[string, () => unknown, RegExp, new (...args: never[]) => Error]>([
    [
      'another shortcut',
      () => resnet20({ shortcut: 'C' as never }),
      /shortcut of resnet20 is "C": choose A, B/,
      OptionError,
    ],
    ['no width', () => mobilenet(0), /width must be a positive number/, OptionError],
    ['no classes', () => resnet50({ classes: 0 }), /classes must be a whole number ≥ 1/, OptionError],
    [
      'other positions',
      () => languageModel({ words: 3, features: 4, heads: 2, layers: 1, positions: 'x' as never }),
      /positions of languageModel is "x"/,
      OptionError,
    ],
    [
      'images that are too small',
      () => image(simpleCnn(), 3),
      /^pool2\/maxPool: a window of 2 × 2 pixels does not fit/,
      ShapeError,
    ],
  ])('refuse_%s', (_, make, message, type) => {
    expect(make).toThrow(type);
    expect(make).toThrow(message);
  });
});
