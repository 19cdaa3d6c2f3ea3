/** θ as PyTorch's tensors: layouts, names, round trips, files, and what does not fit. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { readSafetensors, writeSafetensors } from '#hmatrix/io/safetensors.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { flatten, named, sequential, stack } from '#hmatrix/layers/compose.js';
import { graphNetwork, imageInput, tokenInput, vectorInput } from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { fromStateDict, toStateDict, type StateTensor } from '#hmatrix/layers/state-dict.js';
import { transformer } from '#hmatrix/models/transformer.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { temporaryFolder } from '../io/temporary-folder.js';
import { compute, randomParameters, randomSamples } from './networks.js';

const convolutions = graphNetwork({
  inputs: imageInput({ channels: 2, height: 3, width: 4 }),
  layers: stack({
    conv1: conv2d(4, [3, 2], { padding: 1, groups: 2 }),
    bn1: batchNorm(),
    each: conv2d(4, [1, 2], { groups: 4 }),
    flatten,
    fc: dense(3),
  }),
  loss: 'cross-entropy',
});
const translator = graphNetwork({
  inputs: [tokenInput(3, 5), tokenInput(2, 6)],
  layers: transformer({ sourceWords: 5, targetWords: 6, features: 4, heads: 2, layers: 1 }),
  loss: tokenLoss(),
});

describe('a state dict', () => {
  it('has_the_names_and_shapes_of_PyTorch', () => {
    const shapes = Object.entries(toStateDict(convolutions, new Float64Array(convolutions.parameters))).map(
      ([name, { shape }]) => `${name} ${shape.join('×')}`,
    );
    expect(shapes).toEqual([
      'conv1.weight 4×1×2×3',
      'conv1.bias 4',
      'bn1.weight 4',
      'bn1.bias 4',
      'bn1.running_mean 4',
      'bn1.running_var 4',
      'each.weight 4×1×2×1',
      'each.bias 4',
      'fc.weight 3×48',
      'fc.bias 3',
    ]);
    const names = Object.keys(toStateDict(translator, new Float64Array(translator.parameters)));
    expect(names).toContain('decoder.layers.0.multihead_attn.in_proj_weight');
    expect(names).toContain('encoder.layers.0.self_attn.out_proj.bias');
    expect(names.some((name) => name.includes('q_proj'))).toBe(false);
  });

  it.each([
    ['convolutions', convolutions],
    ['transformers', translator],
  ] as const)('of_%s_comes_back_to_the_bit', (_, network) => {
    const θ = randomParameters(network, 1);
    expect(fromStateDict(network, toStateDict(network, θ))).toEqual(θ);
    const single = Float32Array.from(θ);
    expect(fromStateDict(network, toStateDict(network, single))).toEqual(single);
  });

  it('is_the_formula_of_a_convolution_and_a_dense_layer_in_the_order_of_PyTorch', () => {
    // Numbers of other layouts, and what torch.nn.functional.conv2d and linear make of them, term by term.
    const network = graphNetwork({
      inputs: imageInput({ channels: 2, height: 3, width: 3 }),
      layers: stack({ conv: conv2d(2, 2), flatten, fc: dense(2) }),
      loss: 'mse',
    });
    const tensor = (shape: readonly number[], start: number): StateTensor => ({
      shape,
      data: Float64Array.from({ length: shape.reduce((n, m) => n * m, 1) }, (_, k) => Math.sin(start + k)),
    });
    const [w, b] = [tensor([2, 2, 2, 2], 1), tensor([2], 30)];
    const [v, c] = [tensor([2, 8], 40), tensor([2], 70)];
    const θ = fromStateDict(network, { 'conv.weight': w, 'conv.bias': b, 'fc.weight': v, 'fc.bias': c });
    const samples = randomSamples(network, 1, 1);
    const [x] = samples.inputs;
    const features = Array.from({ length: 8 }, (_, k) => {
      const [o, i, j] = [Math.floor(k / 4), Math.floor(k / 2) % 2, k % 2];
      let total = b.data[o];
      for (let channel = 0; channel < 2; channel++)
        for (let p = 0; p < 2; p++)
          for (let q = 0; q < 2; q++)
            total += w.data[8 * o + 4 * channel + 2 * p + q] * x[9 * channel + 3 * (i + p) + j + q];
      return total;
    });
    const { output } = compute(network, Float64Array.from(θ), samples);
    for (let o = 0; o < 2; o++) {
      const expected = features.reduce((total, feature, k) => total + v.data[8 * o + k] * feature, c.data[o]);
      expect(output[o]).toBeCloseTo(expected, 13);
    }
  });

  it('goes_through_a_file_of_safetensors', async () => {
    const path = join(temporaryFolder(), 'network.safetensors');
    const θ = Float32Array.from(randomParameters(convolutions, 1));
    const counter = { shape: [1], data: Float32Array.of(7) };
    const tensors = { ...toStateDict(convolutions, θ), 'bn1.num_batches_tracked': counter };
    await writeSafetensors(path, new Map(Object.entries(tensors)));
    expect(fromStateDict(convolutions, (await readSafetensors(path)).tensors)).toEqual(θ);
  });

  it('takes_projections_of_attention_apart_too', () => {
    const network = graphNetwork({
      inputs: vectorInput(2),
      layers: sequential(named('q_proj', dense(2)), named('k_proj', dense(3))),
      loss: 'mse',
    });
    // Without a third of the kind they are no attention.
    const θ = randomParameters(network, 1);
    expect(Object.keys(toStateDict(network, θ))).toContain('0.q_proj.weight');
    expect(fromStateDict(network, toStateDict(network, θ))).toEqual(θ);
  });

  const tensors = (): Record<string, StateTensor> =>
    toStateDict(convolutions, new Float64Array(convolutions.parameters));
  const without = (name: string): Record<string, StateTensor> =>
    Object.fromEntries(Object.entries(tensors()).filter(([own]) => own !== name));

  it.each<[string, () => unknown, RegExp, new (...args: never[]) => Error]>([
    ['missing', () => fromStateDict(convolutions, without('fc.bias')), /"fc\.bias" is missing.*\(3,\)/, ShapeError],
    [
      'left over',
      () => fromStateDict(convolutions, { ...tensors(), 'fc2.bias': { shape: [1], data: [1] } }),
      /"fc2\.bias" is given, and the network has no parameters of that name/,
      ShapeError,
    ],
    [
      'turned',
      () => fromStateDict(convolutions, { ...tensors(), 'fc.weight': { shape: [48, 3], data: new Float64Array(144) } }),
      /"fc\.weight" has shape \(48, 3\); the network takes \(3, 48\)/,
      ShapeError,
    ],
    [
      'too short',
      () => fromStateDict(convolutions, { ...tensors(), 'fc.weight': [1, 2] }),
      /"fc\.weight" holds 2 numbers; the network takes \(3, 48\)/,
      ShapeError,
    ],
    [
      'not finite',
      () => fromStateDict(convolutions, { ...tensors(), 'fc.bias': [1, Number.NaN, 2] }),
      /"fc\.bias"\[1\] is NaN/,
      NonFiniteError,
    ],
    ['no tensors', () => fromStateDict(convolutions, [] as never), /a record or a map.*not an array of 0/, OptionError],
    ['of a perceptron', () => toStateDict(defineNetwork({ widths: [2, 1] }) as never, [1]), /toPyTorch/, OptionError],
    ['of too few', () => toStateDict(convolutions, [1, 2]), /parameters has 2 numbers; the network has/, ShapeError],
  ])('that_is_%s_is_refused_by_name', (_, call, message, type) => {
    expect(call).toThrow(type);
    expect(call).toThrow(message);
  });
});
