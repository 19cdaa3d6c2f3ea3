/** Properties of layers: what masks, norms, dropout and poolings promise, and where errors arise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import { multiHeadAttention } from '#hmatrix/layers/attention.js';
import type { Layer } from '#hmatrix/layers/builder.js';
import {
  activation,
  asSequence,
  dropout,
  flatten,
  named,
  relu,
  residual,
  sequential,
  stack,
  unflatten,
} from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  type GraphNetwork,
  imageInput,
  initialParameters,
  type InputKind,
  tokenInput,
  vectorInput,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { batchNorm, groupNorm, layerNorm, rmsNorm } from '#hmatrix/layers/normalization.js';
import { averagePool, globalAveragePool, maxPool } from '#hmatrix/layers/pooling.js';
import { embedding, learnedPositions, positionalEncoding } from '#hmatrix/layers/tokens.js';
import { transformerDecoderLayer } from '#hmatrix/layers/transformer-layers.js';
import { languageModel, transformer } from '#hmatrix/models/transformer.js';
import {
  compute,
  randomDirection,
  randomParameters,
  randomSamples,
  relativeDifference,
  type Samples,
} from './networks.js';

const EPS = 2 ** -53;
const images = imageInput({ channels: 4, height: 3, width: 5 });
const made = (layers: Layer, inputs: InputKind = images): GraphNetwork => graphNetwork({ inputs, layers, loss: 'mse' });
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const outputOf = (network: GraphNetwork, samples: Samples, seed = 1, mode?: 'training'): Float64Array =>
  compute(network, randomParameters(network, seed), samples, mode === undefined ? {} : { mode }).output;
const hidden = activation('tanh');

describe('curvature', () => {
  const networks: Readonly<Record<string, () => GraphNetwork>> = {
    'a network of convolutions': () =>
      graphNetwork({
        inputs: images,
        layers: sequential(conv2d(6, 3, { padding: 1, groups: 2 }), batchNorm(), relu, maxPool(2), flatten, dense(3)),
        loss: 'cross-entropy',
      }),
    'a transformer': () =>
      graphNetwork({
        inputs: [tokenInput(3, 5), tokenInput(4, 6)],
        layers: transformer({ sourceWords: 5, targetWords: 6, features: 4, heads: 2, layers: 1, padding: 0 }),
        loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
      }),
  };

  it.each(Object.keys(networks))('of_%s_is_symmetric_and_gauss_newton_semidefinite', (name) => {
    const network = networks[name]();
    const samples = randomSamples(network, 3, 1);
    const θ = randomParameters(network, 2);
    const [v, w] = [randomDirection(network, 3), randomDirection(network, 4)];
    const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, k) => sum + value * b[k], 0);
    for (const product of ['gauss-newton', 'hessian'] as const) {
      const along = (direction: Float64Array): Float64Array =>
        compute(network, θ, samples, { mode: 'training', direction, product }).product;
      const [ofV, ofW] = [along(v), along(w)];
      const size = Math.sqrt(dot(ofV, ofV) * dot(w, w)) + Math.sqrt(dot(ofW, ofW) * dot(v, v));
      expect(Math.abs(dot(ofV, w) - dot(ofW, v))).toBeLessThanOrEqual(1000 * EPS * size);
      if (product === 'gauss-newton') expect(dot(ofV, v)).toBeGreaterThan(0);
    }
  });

  it('of_a_linear_network_is_the_same_by_gauss_newton_and_hessian', () => {
    const network = made(sequential(conv2d(2, 2, { stride: 2 }), averagePool(1), flatten));
    const [samples, θ] = [randomSamples(network, 3, 1), randomParameters(network, 2)];
    const direction = randomDirection(network, 3);
    const [hessian, gaussNewton] = (['hessian', 'gauss-newton'] as const).map(
      (product) => compute(network, θ, samples, { direction, product }).product,
    );
    expect(relativeDifference(hessian, gaussNewton)).toBeLessThanOrEqual(100 * EPS);
  });

  it('in_single_precision_is_that_of_double_but_for_rounding', () => {
    const network = networks['a transformer']();
    const [samples, θ] = [randomSamples(network, 3, 1), randomParameters(network, 2)];
    const direction = randomDirection(network, 3);
    const [double, single] = (['f64', 'f32'] as const).map((precision) =>
      compute(network, θ, samples, { direction, precision }),
    );
    for (const name of ['output', 'gradient', 'product'] as const)
      expect(relativeDifference(single[name], double[name])).toBeLessThanOrEqual(1000 * 2 ** -24);
  });
});

describe('masks', () => {
  const words = { sourceWords: 7, targetWords: 6, features: 8, heads: 2, layers: 2, padding: 0 };
  const translator = (source: number, target: number): GraphNetwork =>
    graphNetwork({
      inputs: [tokenInput(source, 7), tokenInput(target, 6)],
      layers: transformer(words),
      loss: tokenLoss({ padding: 0 }),
    });

  it('let_padding_of_the_source_and_of_the_target_change_nothing', () => {
    const [short, long] = [translator(2, 3), translator(4, 5)];
    // Two sentences each, padded with zeros to the longer network's lengths.
    const ids = [
      [3, 1, 2, 4],
      [5, 2, 1, 3, 3, 4],
    ];
    const padded = (numbers: readonly number[], from: number, to: number): Float64Array =>
      Float64Array.from({ length: 2 * to }, (_, k) =>
        k % to < from ? numbers[Math.floor(k / to) * from + (k % to)] : 0,
      );
    const of = (source: number, target: number): Samples => ({
      count: 2,
      inputs: [padded(ids[0], 2, source), padded(ids[1], 3, target)],
      targets: padded([1, 2, 5, 4, 3, 2], 3, target),
    });
    const θ = randomParameters(short, 1);
    const direction = randomDirection(short, 2);
    const [one, other] = [compute(short, θ, of(2, 3), { direction }), compute(long, θ, of(4, 5), { direction })];
    expect(long.parameters).toBe(short.parameters);
    for (let b = 0; b < 2; b++)
      expect(
        relativeDifference(other.output.subarray(b * 30, b * 30 + 18), one.output.subarray(b * 18, b * 18 + 18)),
      ).toBeLessThanOrEqual(100 * EPS);
    expect(Math.abs(other.loss - one.loss)).toBeLessThanOrEqual(100 * EPS * one.loss);
    expect(relativeDifference(other.gradient, one.gradient)).toBeLessThanOrEqual(1000 * EPS);
    expect(relativeDifference(other.product, one.product)).toBeLessThanOrEqual(1000 * EPS);
  });

  it('let_later_words_change_nothing_before_them', () => {
    const network = graphNetwork({
      inputs: tokenInput(6, 9),
      layers: languageModel({ words: 9, features: 8, heads: 4, layers: 2, positions: 'learned', norm: 'post' }),
      loss: tokenLoss(),
    });
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 5 }), (seed, from) => {
        const samples = randomSamples(network, 1, seed);
        const changed = Float64Array.from(samples.inputs[0], (id, p) => (p < from ? id : (id + 1) % 9));
        const [one, other] = [samples, { ...samples, inputs: [changed] }].map((own) => outputOf(network, own));
        expect(other.subarray(0, 9 * from)).toEqual(one.subarray(0, 9 * from));
        expect(other.subarray(9 * from)).not.toEqual(one.subarray(9 * from));
      }),
      { numRuns: 10 },
    );
  });

  it('let_later_words_change_nothing_before_them_where_nothing_but_padding_comes_before', () => {
    const network = graphNetwork({
      inputs: tokenInput(4, 6),
      layers: languageModel({ words: 6, features: 8, heads: 2, layers: 2, padding: 0 }),
      loss: tokenLoss({ padding: 0 }),
    });
    const θ = randomParameters(network, 1);
    const outputOfSentence = (...words: number[]): Float64Array =>
      compute(network, θ, { count: 1, inputs: [Float64Array.from(words)], targets: new Float64Array(4) }).output;
    const [one, other] = [outputOfSentence(0, 0, 3, 4), outputOfSentence(0, 0, 5, 2)];
    expect(one.subarray(0, 12)).toEqual(other.subarray(0, 12));
    expect(relativeDifference(one.subarray(12, 18), other.subarray(12, 18))).toBeGreaterThan(1e-3);
  });

  it('let_attention_be_the_mean_of_all_values_where_scores_are_alike', () => {
    // Without weights of queries all scores are zero: attention is the mean of the values.
    const network = made(sequential(asSequence, multiHeadAttention({ heads: 2 }), flatten));
    const θ = new Float64Array(network.parameters);
    for (const { name, offset, width } of network.layers)
      if (/(v|out)_proj/.test(name)) for (let i = 0; i < 4; i++) θ[offset + i * width + i] = 1;
    const samples = randomSamples(network, 1, 1);
    const { output } = compute(network, θ, samples);
    for (let c = 0; c < 4; c++) {
      const mean = samples.inputs[0].subarray(15 * c, 15 * (c + 1)).reduce((sum, x) => sum + x, 0) / 15;
      for (let p = 0; p < 15; p++) expect(output[15 * c + p]).toBeCloseTo(mean, 13);
    }
  });
});

describe('dropout', () => {
  const network = made(sequential(flatten, dense(20), dropout(0.25), hidden, dense(2)));
  const samples = randomSamples(network, 2, 1);
  const θ = randomParameters(network, 2);

  it('has_the_same_mask_in_gradient_and_product', () => {
    const random = new RandomStream(5);
    const masks = [Float64Array.from({ length: 40 }, () => (random.uniform() < 0.25 ? 0 : 1 / 0.75))];
    const direction = randomDirection(network, 3);
    const step = 1e-5;
    const at = (factor: number): Float64Array =>
      compute(
        network,
        θ.map((x, k) => x + factor * step * direction[k]),
        samples,
        { mode: 'training', masks },
      ).gradient;
    const [plus, minus] = [at(1), at(-1)];
    const { product } = compute(network, θ, samples, { mode: 'training', masks, direction });
    const differences = plus.map((value, k) => (value - minus[k]) / (2 * step));
    // The error of differences is of second order in the step, third derivatives some thousand times the second.
    expect(relativeDifference(product, differences)).toBeLessThanOrEqual(1e4 * step ** 2);
  });

  it('is_nothing_in_evaluation', () => {
    const without = made(sequential(flatten, dense(20), activation('linear'), hidden, dense(2)));
    expect(outputOf(network, samples)).toEqual(outputOf(without, samples));
    expect(network.evaluation.masks).toEqual([]);
  });
});

describe('norms', () => {
  const statistics = (values: readonly number[]): { mean: number; variance: number } => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return { mean, variance: values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length };
  };
  /** Initial parameters: scales one, shifts zero. */
  const normed = (layer: Layer, mode: 'training' | 'evaluation'): { output: Float64Array; inputs: Float64Array } => {
    const network = made(sequential(layer, flatten));
    const samples = randomSamples(network, 3, 1);
    const θ = new Float64Array(network.parameters);
    for (const { name, offset, width, outputs } of network.layers)
      if (/weight|var/.test(name)) θ.fill(1, offset, offset + width * outputs);
    return { output: compute(network, θ, samples, { mode }).output, inputs: samples.inputs[0] };
  };
  /** Numbers of 3 samples of 4 channels of 15 pixels whose (sample, channel, pixel) belong to one group. */
  const grouped = (output: Float64Array, group: (b: number, c: number, p: number) => number): number[][] => {
    const groups: number[][] = [];
    output.forEach((value, k) => {
      (groups[group(Math.floor(k / 60), Math.floor(k / 15) % 4, k % 15)] ??= []).push(value);
    });
    return groups;
  };

  it.each<[string, Layer, 'training' | 'evaluation', (b: number, c: number, p: number) => number]>([
    ['batch norm', batchNorm({ epsilon: 0 }), 'training', (_, c) => c],
    ['layer norm', layerNorm({ epsilon: 0 }), 'evaluation', (b, _, p) => b * 15 + p],
    ['group norm', groupNorm(2, { epsilon: 0 }), 'evaluation', (b, c) => b * 2 + Math.floor(c / 2)],
    ['instance norm', groupNorm(4, { epsilon: 0 }), 'training', (b, c) => b * 4 + c],
  ])('%s_gives_mean_zero_and_variance_one', (_, layer, mode, group) => {
    for (const values of grouped(normed(layer, mode).output, group)) {
      const { mean, variance } = statistics(values);
      expect(mean).toBeCloseTo(0, 13);
      expect(variance).toBeCloseTo(1, 13);
    }
  });

  it('rms_norm_gives_a_mean_square_of_one', () => {
    for (const values of grouped(normed(rmsNorm({ epsilon: 0 }), 'evaluation').output, (b, _, p) => b * 15 + p))
      expect(values.reduce((sum, x) => sum + x * x, 0) / values.length).toBeCloseTo(1, 13);
  });

  it('batch_norm_with_running_statistics_lets_samples_be', () => {
    for (const [layer, mode] of [
      [batchNorm(), 'evaluation'],
      [batchNorm({ frozen: true }), 'training'],
    ] as const) {
      const network = made(sequential(layer, flatten));
      const samples = randomSamples(network, 3, 1);
      const first: Samples = {
        count: 1,
        inputs: [samples.inputs[0].subarray(0, 60)],
        targets: samples.targets.subarray(0, 60),
      };
      const θ = randomParameters(network, 2);
      const all = compute(network, θ, samples, { mode }).output;
      expect(all.subarray(0, 60)).toEqual(compute(network, θ, first, { mode }).output);
      expect(network[mode].updates).toEqual([]);
    }
    expect(made(sequential(batchNorm(), flatten)).training.updates).toHaveLength(1);
  });
});

describe('layers without parameters', () => {
  it('flatten_gives_images_as_they_come_and_unflatten_turns_it_back', () => {
    const samples = randomSamples(made(flatten), 2, 1);
    expect(outputOf(made(flatten), samples)).toEqual(samples.inputs[0]);
    expect(outputOf(made(sequential(flatten, unflatten(4, 5, 3), flatten)), samples)).toEqual(samples.inputs[0]);
    expect(outputOf(made(sequential(asSequence, flatten)), samples)).toEqual(samples.inputs[0]);
  });

  it('the_mean_over_all_pixels_is_the_mean_of_a_window_as_large', () => {
    const samples = randomSamples(made(globalAveragePool), 2, 1);
    const window = outputOf(made(sequential(averagePool([5, 3]), flatten)), samples);
    expect(relativeDifference(outputOf(made(globalAveragePool), samples), window)).toBeLessThanOrEqual(100 * EPS);
  });

  it('positions_are_sines_and_cosines', () => {
    const network = made(sequential(asSequence, positionalEncoding, flatten));
    const samples: Samples = { count: 1, inputs: [new Float64Array(60)], targets: new Float64Array(60) };
    outputOf(network, samples).forEach((value, k) => {
      const [i, p] = [Math.floor(k / 15), k % 15];
      const angle = p * 10000 ** (-(i - (i % 2)) / 4);
      expect(value).toBeCloseTo(i % 2 === 0 ? Math.sin(angle) : Math.cos(angle), 13);
    });
  });

  it('learned_positions_of_a_single_one_are_added_too', () => {
    const network = graphNetwork({
      inputs: tokenInput(1, 5),
      layers: sequential(embedding(5, 4), learnedPositions(), flatten, dense(2)),
      loss: 'mse',
    });
    const [samples, θ] = [randomSamples(network, 2, 1), randomParameters(network, 2)];
    const { gradient } = compute(network, θ, samples);
    const { offset } = network.layers[1];
    expect(gradient.subarray(offset, offset + 4).every((value) => value !== 0)).toBe(true);
  });
});

describe('mistakes', () => {
  it.each<[string, () => unknown, RegExp]>([
    ['a window that does not fit', () => made(sequential(relu, conv2d(2, 7))), /^1\/conv2d: a window of 7 × 7 pixels/],
    [
      'images that are none',
      () => made(named('pool', maxPool(2)), vectorInput(4)),
      /^pool\/maxPool: its input is 4 × s/,
    ],
    [
      'groups that do not divide',
      () => made(conv2d(6, 1, { groups: 3 })),
      /^conv2d: 3 groups do not divide 4 channels/,
    ],
    [
      'a branch of another shape',
      () => made(residual(conv2d(3, 1))),
      /^residual: the branch gives 3 × samples × 5 × 3/,
    ],
    [
      'heads that do not divide',
      () => made(sequential(asSequence, multiHeadAttention({ heads: 3 }))),
      /3 heads of 4 ×/,
    ],
    ['attention to images', () => made(multiHeadAttention({ heads: 2 })), /both are sequences/],
    ['a decoder alone', () => made(transformerDecoderLayer({ heads: 2 })), /no memory to attend to/],
    ['outputs at many positions', () => made(relu), /loss\/mse: the outputs are 4 × samples × 5 × 3.*flatten/],
    ['groups of channels', () => made(groupNorm(3)), /^groupNorm: 3 groups do not divide/],
    ['positions of images', () => made(positionalEncoding), /^positionalEncoding: its input is 4 × samples × 5 × 3/],
    [
      'a name twice',
      () => made((builder, x) => dense(4)(builder, dense(4)(builder, x))),
      /two blocks of parameters are named "weight": give their layers names/,
    ],
  ])('%s_are_named_with_their_place', (_, make, message) => {
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(message);
  });

  it('names_of_both_kinds_in_a_stack_padding_that_is_no_word_and_layers_that_return_nothing_are_refused', () => {
    expect(() => stack({ first: dense(3), 1: dense(4) })).toThrow(/names "1" and "first"/);
    const inputs = vectorInput(2);
    const numbered = graphNetwork({ inputs, layers: stack({ 0: dense(3), 1: dense(4) }), loss: 'mse' });
    expect(numbered.layers.map(({ name }) => name)).toEqual(['0.weight', '1.weight']);
    const nothing = (() => undefined) as unknown as Layer;
    expect(() => graphNetwork({ inputs, layers: nothing, loss: 'mse' })).toThrow(/give undefined: a layer returns/);
    const words = { inputs: tokenInput(2, 5), layers: sequential(embedding(5, 4), dense(5)) };
    expect(() => graphNetwork({ ...words, loss: tokenLoss({ padding: 5 }) })).toThrow(/padding is the word 5.*0 to 4/);
  });

  it('more_parameters_than_there_is_memory_are_refused', () => {
    const words = 1e12;
    const layers = sequential(embedding(words, 1000), dense(3));
    const network = graphNetwork({ inputs: tokenInput(2, words), layers, loss: tokenLoss() });
    expect(() => initialParameters(network)).toThrow(MemoryError);
  });

  it('a_parameter_that_the_loss_does_not_depend_on_is_named', () => {
    const network = made(
      sequential(flatten, (builder, x) => {
        builder.within('unused', () => dense(3)(builder, x));
        return x;
      }),
    );
    expect(() => compute(network, randomParameters(network, 1), randomSamples(network, 1, 1))).toThrow(OptionError);
    expect(() => compute(network, randomParameters(network, 1), randomSamples(network, 1, 1))).toThrow(
      /does not depend on the parameters "1\/unused\/weight/,
    );
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a stride of zero', () => conv2d(2, 3, { stride: 0 }), /stride of conv2d must be a whole number of at least 1/],
    ['a pair of one', () => maxPool(2, { stride: [2] as never }), /stride of maxPool.*an array of 1/],
    ['even windows of the same size', () => conv2d(2, [3, 2], { padding: 'same' }), /odd sides, not 3 × 2/],
    ['padding as large as the window', () => maxPool(2, { padding: 2 }), /padding of maxPool is 2 × 2: fewer/],
    ['all of it dropped', () => dropout(1), /share of dropout/],
    ['a layer that is none', () => sequential(relu, 3 as never), /layer 1 of sequential is 3/],
    ['a list for a record', () => stack([relu] as never), /takes a record of layers by name, not an array of 1/],
    ['an unknown activation', () => activation('swish' as never), /"swish": choose linear, relu/],
    ['inputs that are none', () => graphNetwork({ inputs: 4 as never, layers: relu, loss: 'mse' }), /not 4\.$/],
    ['no inputs', () => graphNetwork({ inputs: [], layers: relu, loss: 'mse' }), /not an array of 0\.$/],
    [
      'a loss that is none',
      () => graphNetwork({ inputs: images, layers: relu, loss: 3 as never }),
      /loss of graphN.*3/,
    ],
  ])('%s_is_refused_at_once', (_, make, message) => {
    expect(make).toThrow(OptionError);
    expect(make).toThrow(message);
  });
});
