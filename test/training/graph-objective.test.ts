import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { zeros, type Matrix } from '#hmatrix/dense/matrix.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import type { Layer } from '#hmatrix/layers/builder.js';
import { activation, dropout, flatten, residual, sequential } from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { embedding } from '#hmatrix/layers/tokens.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { squaredScale } from '#hmatrix/network/losses/table.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { GraphObjective, type GraphObjectiveOptions } from '#hmatrix/training/graph/graph-objective.js';
import { PerceptronObjective } from '#hmatrix/training/objective/perceptron-objective.js';
import { gaussNewtonCg } from '#hmatrix/training/optimizers/newton-cg.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { ekfacAdam } from '#hmatrix/training/optimizers/ekfac-adam.js';
import { kfacOptimizer } from '#hmatrix/training/optimizers/kfac.js';
import { readCheckpoint } from '#hmatrix/training/checkpoint.js';
import { train } from '#hmatrix/training/train.js';
import { normalMatrix, targetsFor } from '../network/models.js';
import { sharedTeam } from '../teams.js';

const blas = openBlas();
const teams = await Promise.all([1, 2, 3].map(sharedTeam));
/** More than two slices, the last samples few. */
const SAMPLES = 37;

const images = imageInput({ channels: 2, height: 5, width: 4 });
const convolutions = (last: Layer): Layer =>
  sequential(
    conv2d(3, 3, { padding: 'same' }),
    activation('tanh'),
    residual(conv2d(3, 3, { padding: 1 })),
    activation('softplus'),
    last,
    flatten,
    dense(4),
  );
const plain = graphNetwork({ inputs: images, layers: convolutions(activation('linear')), loss: 'cross-entropy' });
const normed = graphNetwork({ inputs: images, layers: convolutions(batchNorm()), loss: 'squared-error' });
const dropping = graphNetwork({ inputs: images, layers: convolutions(dropout(0.4)), loss: 'bce' });
const LENGTH = 5;
const WORDS = 6;
const words = graphNetwork({
  inputs: tokenInput(LENGTH, WORDS),
  layers: sequential(embedding(WORDS, 4), activation('tanh'), dense(WORDS)),
  loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
});

function tokens(rows: number, samples: number, seed: number): Matrix {
  const random = new RandomStream(seed);
  const ids = zeros(rows, samples);
  ids.data.forEach((_, k) => (ids.data[k] = random.integer(WORDS)));
  return ids;
}

function modelOf(network: GraphNetwork, samples = SAMPLES): GraphModel {
  const { loss } = network;
  const data =
    typeof loss === 'string'
      ? memoryDataSet(normalMatrix(network.inputs, samples, 7), targetsFor(loss, network.outputs, samples, 8))
      : memoryDataSet(tokens(LENGTH, samples, 5), tokens(LENGTH, samples, 6));
  return { network, loss, data, parameters: initialParameters(network, { seed: 3, precision: 'f64' }) };
}

async function opened(
  { network, data, parameters }: GraphModel,
  options: Partial<GraphObjectiveOptions> = {},
): Promise<GraphObjective> {
  const objective = await GraphObjective.open({
    network,
    precision: 'f64',
    batchSize: data.samples,
    curvature: 'hessian',
    spare: 12 * (network.parameters + 16),
    blas,
    ...options,
  });
  objective.parameters.set(parameters);
  objective.load(data.batch(0, data.samples));
  return objective;
}

/** A direction in what is trained. */
function direction(objective: GraphObjective, seed: number): FloatArray {
  const v = objective.vector();
  new RandomStream(seed).fillNormal(v.subarray(0, objective.network.trained));
  return v;
}

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += x[k] * y[k];
  return sum;
};
const total = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, value) => sum + value, 0);
const distance = (x: FloatArray, y: FloatArray): number => {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += (x[k] - y[k]) ** 2;
  return Math.sqrt(sum / dot(y, y));
};

/** f(θ + εv) and ∇f there, of the same masks; statistics stay as they were. */
function moved(objective: GraphObjective, v: FloatArray, ε: number): { loss: number; gradient: FloatArray } {
  const before = objective.parameters.slice();
  for (let k = 0; k < v.length; k++) objective.parameters[k] += ε * v[k];
  const loss = objective.evaluate({ step: 3 });
  objective.parameters.set(before);
  return { loss, gradient: objective.gradient.slice() };
}

const NETWORKS = { plain, normed, dropping, words } as const;
const names = Object.keys(NETWORKS) as (keyof typeof NETWORKS)[];

describe('the objective of networks of layers', () => {
  it.each(names)('%s_has_the_gradient_of_its_loss_and_the_derivative_of_that', async (name) => {
    const objective = await opened(modelOf(NETWORKS[name]), { regularization: 0.01 });
    const v = direction(objective, 1);
    const ε = 1e-5;
    const [up, down] = [moved(objective, v, ε), moved(objective, v, -ε)];
    objective.evaluate({ step: 3 });
    const along = (up.loss - down.loss) / (2 * ε);
    expect(dot(objective.gradient, v)).toBeCloseTo(along, 6);
    const difference = up.gradient.map((value, k) => (value - down.gradient[k]) / (2 * ε));
    // Statistics are followed by evaluations: the point is that of the last one but for them, which no pass reads.
    const out = objective.vector();
    objective.product('hessian', v, out);
    expect(distance(out, difference)).toBeLessThan(1e-6);
  });

  it.each(names)('%s_has_a_symmetric_semidefinite_Gauss–Newton_matrix_whose_form_quadratic_gives', async (name) => {
    const objective = await opened(modelOf(NETWORKS[name]), { curvature: 'gauss-newton', regularization: 0.02 });
    objective.evaluate({ step: 3 });
    for (const samples of [SAMPLES, 20]) {
      const [u, v] = [direction(objective, 1), direction(objective, 2)];
      const [gu, gv] = [objective.vector(), objective.vector()];
      objective.product('gauss-newton', u, gu, samples);
      objective.product('gauss-newton', v, gv, samples);
      expect(dot(u, gv)).toBeCloseTo(dot(v, gu), 10);
      expect(dot(u, gu)).toBeGreaterThan(0);
      const form = objective.quadratic([u, v], samples);
      const products = [dot(u, gu), dot(u, gv), dot(v, gu), dot(v, gv)];
      form.forEach((value, k) => {
        expect(value).toBeCloseTo(products[k], 9);
      });
    }
  });

  it('is_that_of_a_perceptron_for_dense_layers_parameters_and_all', async () => {
    const network = graphNetwork({
      inputs: vectorInput(5),
      layers: sequential(dense(7), activation('tanh'), dense(4)),
      loss: 'cross-entropy',
    });
    const model = modelOf(network);
    const own = await opened(model);
    const perceptron = await PerceptronObjective.open({
      network: defineNetwork({ widths: [5, 7, 4], activation: 'tanh' }),
      loss: 'cross-entropy',
      precision: 'f64',
      batchSize: SAMPLES,
      curvature: 'hessian',
      spare: 12 * (network.parameters + 16),
      blas,
    });
    perceptron.parameters.set(model.parameters);
    perceptron.load(model.data.batch(0, SAMPLES));
    expect(own.evaluate()).toBeCloseTo(perceptron.evaluate(), 12);
    expect(distance(own.gradient, perceptron.gradient)).toBeLessThan(1e-13);
    for (const of of ['gauss-newton', 'hessian'] as const) {
      const both = [own, perceptron].map((objective) => {
        const [v, out] = [objective.vector(), objective.vector()];
        new RandomStream(4).fillNormal(v);
        if (of === 'hessian') objective.product(of, v, out);
        else objective.quadratic([v]).forEach((value) => (out[0] = value));
        return out;
      });
      expect(distance(both[0], both[1])).toBeLessThan(1e-12);
    }
    expect(own.measure().accuracy).toBe(perceptron.measure().accuracy);
  });

  it.each(names)('%s_takes_steps_and_products_without_memory_of_the_size_of_θ_or_of_the_batch', async (name) => {
    const [model, SIZE] = [modelOf(NETWORKS[name], 150), 150];
    const objective = await opened(model, { curvature: 'gauss-newton' });
    const [u, v, out] = [direction(objective, 1), direction(objective, 2), objective.vector()];
    const batch = model.data.batch(0, SIZE);
    const step = (k: number): void => {
      objective.load(batch);
      objective.evaluate({ step: k });
      objective.product('gauss-newton', v, out);
      objective.product('gauss-newton', v, out, 40);
      objective.quadratic([u, v], 40);
      objective.quadratic([u, v]);
      objective.measure(v);
      objective.draw(k);
    };
    for (let k = 0; k < 3; k++) step(k);
    // What a step adds to the memory of arrays; what is given back in a step would hide it in a few of them at most.
    let taken = 0;
    for (let k = 0; k < 100; k++) {
      const before = process.memoryUsage().arrayBuffers;
      step(k);
      taken += Math.max(0, process.memoryUsage().arrayBuffers - before);
    }
    expect(taken / 100).toBeLessThan(Math.min(8 * model.network.parameters, 8 * SIZE * model.network.outputs) / 4);
  });

  it.each(names)('%s_has_the_same_bits_on_any_team', async (name) => {
    const results = await Promise.all(
      [undefined, ...teams].map(async (team) => {
        const objective = await opened(modelOf(NETWORKS[name]), { team });
        // Several evaluations: the trial tries both ways.
        for (let k = 0; k < 12; k++) objective.evaluate({ step: 3 });
        const [v, out] = [direction(objective, 1), objective.vector()];
        objective.product('hessian', v, out);
        const layers = objective.network.layers.map((_, layer) => layer);
        const moments = layers.map((layer) => ({
          layer,
          of: 'errors' as const,
          diagonal: true,
          out: objective.take(objective.network.layers[layer].outputs),
        }));
        objective.draw(1);
        objective.moments(moments, 0);
        const kept = [objective.gradient.slice(), out.slice(), ...moments.map((moment) => moment.out.slice())];
        objective.close();
        return kept;
      }),
    );
    for (const other of results.slice(1)) expect(other).toEqual(results[0]);
  });

  it('sums_parts_of_a_batch_to_the_whole', async () => {
    const model = modelOf(plain);
    const whole = await opened(model);
    const loss = whole.evaluate();
    const parts = await opened(model);
    parts.load(model.data.batch(0, 20));
    parts.accumulate();
    parts.load(model.data.batch(20, SAMPLES - 20));
    expect(parts.evaluate()).toBeCloseTo(loss, 12);
    expect(distance(parts.gradient, whole.gradient)).toBeLessThan(1e-13);
  });

  it('is_a_mean_over_tokens_whatever_padding_its_parts_have', async () => {
    const model = modelOf(words);
    const { inputs, targets } = model.data.batch(0, SAMPLES);
    // Nothing but padding, half of it, none.
    targets.data.fill(0, 0, 10 * LENGTH);
    for (let k = 20 * LENGTH; k < targets.data.length; k++) targets.data[k] = Math.max(1, targets.data[k]);
    const data = memoryDataSet(inputs, targets);
    const whole = await opened({ ...model, data });
    const loss = whole.evaluate();
    const own = Array.from(targets.data).filter((word) => word !== 0).length;
    expect(whole.weight).toBe(own);
    const parts = await opened({ ...model, data });
    for (const [first, count] of [
      [0, 10],
      [10, 20],
    ]) {
      parts.load(data.batch(first, count));
      parts.accumulate();
    }
    parts.load(data.batch(30, SAMPLES - 30));
    expect(parts.evaluate()).toBeCloseTo(loss, 12);
    expect(distance(parts.gradient, whole.gradient)).toBeLessThan(1e-13);
    parts.load(data.batch(0, 10));
    expect(parts.weight).toBe(0);
    expect(parts.evaluate()).toBe(0);
    expect(parts.measure()).toEqual({ loss: 0, accuracy: 0 });
  });

  it('draws_errors_of_tokens_whose_factors_have_the_trace_of_the_Gauss–Newton_matrix', async () => {
    // Words as vectors of signs, and scores that are all zero: |a|² = 5 everywhere, tr G = 5·tr(diag p − ppᵀ).
    const model = modelOf(words);
    const [first, last] = words.layers;
    const θ = Float64Array.from(model.parameters);
    for (let k = 0; k < first.width * first.outputs; k++) θ[first.offset + k] = 30 * (k % 3 === 0 ? -1 : 1);
    θ.fill(0, last.offset, last.offset + last.width * last.outputs);
    const objective = await opened({ ...model, parameters: θ }, { curvature: 'gauss-newton' });
    objective.evaluate();
    const DRAWS = 60;
    const [a, γ] = [objective.take(last.width), objective.take(last.outputs)];
    let trace = 0;
    for (let draw = 0; draw < DRAWS; draw++) {
      objective.draw(draw);
      objective.moments(
        [
          { layer: 1, of: 'inputs', diagonal: true, out: a },
          { layer: 1, of: 'errors', diagonal: true, out: γ },
        ],
        0,
      );
      trace += total(γ) / DRAWS;
    }
    expect(total(a)).toBeCloseTo(5, 10);
    // What a token gives lies in [0, 1]: five standard deviations of the mean at most.
    expect(Math.abs(trace - (1 - 1 / WORDS))).toBeLessThan(2.5 / Math.sqrt(DRAWS * objective.weight));
  });

  it('draws_errors_whose_second_moments_are_the_Kronecker_factors_of_a_dense_layer', async () => {
    // One position and squared errors: Γ is a multiple of the identity, A the second moment of [x; 1].
    const network = graphNetwork({ inputs: vectorInput(3), layers: dense(2), loss: 'squared-error' });
    const model = modelOf(network, 40);
    const objective = await opened(model, { curvature: 'gauss-newton' });
    objective.evaluate();
    objective.draw(0);
    const [a, γ] = [objective.take(16), objective.take(4)];
    objective.moments(
      [
        { layer: 0, of: 'inputs', diagonal: false, out: a },
        { layer: 0, of: 'errors', diagonal: true, out: γ.subarray(0, 2) },
      ],
      0,
    );
    const { data } = model.data.batch(0, 40).inputs;
    for (let i = 0; i < 4; i++)
      for (let j = 0; j < 4; j++) {
        let moment = 0;
        for (let s = 0; s < 40; s++) moment += (i < 3 ? data[3 * s + i] : 1) * (j < 3 ? data[3 * s + j] : 1);
        expect(a[i + 4 * j]).toBeCloseTo(moment / 40, 12);
      }
    for (const value of γ.subarray(0, 2)) expect(value).toBeCloseTo(squaredScale('squared-error', 2)!, 12);
  });

  it('refuses_indices_that_are_no_words_and_names_the_place', async () => {
    const model = modelOf(words);
    const objective = await opened(model);
    const { inputs, targets } = model.data.batch(0, 3);
    const wrong = { ...inputs, data: inputs.data.slice(), offset: 0 };
    wrong.data[LENGTH + 2] = WORDS;
    expect(() => {
      objective.load({ inputs: wrong, targets });
    }).toThrow(ShapeError);
    expect(() => {
      objective.load({ inputs: wrong, targets });
    }).toThrow(/Position 2 of sample 1 of input 0 is 6/);
  });
});

describe('training networks of layers', () => {
  const OPTIMIZERS = {
    adam: adam({ learningRate: 0.01 }),
    'ekfac-adam': ekfacAdam(),
    kfac: kfacOptimizer(),
    'gauss-newton-cg': gaussNewtonCg(),
  };

  it.each(Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[])(
    '%s_lowers_the_loss_with_one_seed_one_way',
    async (name) => {
      const run = (team: (typeof teams)[number] | undefined) =>
        train(
          modelOf(normed, 60),
          { optimizer: OPTIMIZERS[name], batchSize: 30, epochs: 6, seed: 2, validation: 0.2 },
          { team },
        );
      const [one, two] = [await run(teams[0]), await run(teams[1])];
      const { evaluations, outcome } = one;
      expect(outcome).toBe('finished');
      expect(evaluations.at(-1)!.loss).toBeLessThan(0.9 * evaluations[0].loss!);
      expect(two.parameters).toEqual(one.parameters);
    },
  );

  it('keeps_variances_of_what_is_constant_at_zero_and_not_below', async () => {
    for (const epsilon of [1e-5, 1e-4, 3e-4, 1e-3, 7e-3]) {
      const network = graphNetwork({
        inputs: vectorInput(3),
        layers: sequential(batchNorm({ momentum: 1, epsilon }), dense(4)),
        loss: 'squared-error',
      });
      const inputs = zeros(3, 20);
      inputs.data.forEach((_, k) => (inputs.data[k] = 1 + (k % 3)));
      const data = memoryDataSet(inputs, normalMatrix(4, 20, 1));
      const objective = await opened({ ...modelOf(network, 20), data }, { precision: 'f32' });
      objective.evaluate();
      const variances = objective.parameters.subarray(network.trained + 3);
      for (const variance of variances) {
        expect(variance).toBeGreaterThanOrEqual(0);
        expect(variance).toBeLessThanOrEqual(4 * epsilon * 2 ** -23);
      }
    }
  });

  it('compares_losses_by_the_same_statistics_before_and_behind_a_step_of_K-FAC', async () => {
    const optimizer = kfacOptimizer({ damping: 1e5, dampingCeiling: 1e5, ratioEvery: 1 });
    const model = modelOf(normed);
    const objective = await opened(model, {
      curvature: optimizer.curvature,
      spare: optimizer.spare(normed, SAMPLES),
    });
    const layers = normed.layers.map(({ kind }) =>
      kind === 'statistics' ? null : { factor: 1, decay: 0, decayBias: false },
    );
    // So short a step that f falls by its slope along it; the model's damping takes half of that.
    const { ratio, rejected } = optimizer.begin(objective).step({ step: 0, factor: 1, layers, clip: null });
    expect(rejected).toBeUndefined();
    expect(ratio).toBeCloseTo(2, 2);
  });

  it('keeps_running_statistics_in_θ_that_evaluation_reads', async () => {
    const { parameters } = await train(modelOf(normed, 60), { optimizer: adam(), batchSize: 30, epochs: 20, seed: 2 });
    const { layers } = normed;
    const variance = layers.find(({ name }) => name.endsWith('running_var'))!;
    const mean = layers.find(({ name }) => name.endsWith('running_mean'))!;
    for (const { offset, width } of [variance, mean])
      for (let k = offset; k < offset + width; k++) expect(parameters[k]).not.toBe(initialParameters(normed)[k]);
    for (let k = variance.offset; k < variance.offset + variance.width; k++) expect(parameters[k]).toBeGreaterThan(0);
  });

  it('tells_losses_and_accuracies_as_means_over_tokens', async () => {
    const SENTENCES = 61;
    const model = modelOf(words, 2 * SENTENCES);
    const batch = model.data.batch(0, 2 * SENTENCES);
    // Sentences of the second half are of a word or two.
    for (let i = SENTENCES; i < 2 * SENTENCES; i++)
      batch.targets.data.fill(0, i * LENGTH + 1 + (i % 2), (i + 1) * LENGTH);
    const data = memoryDataSet(batch.inputs, batch.targets);
    const objective = await opened({ ...model, data });
    const { loss, accuracy } = objective.measure();
    const few = data.batch(0, 10);
    const run = await train(
      { ...model, data: memoryDataSet(few.inputs, few.targets) },
      { optimizer: adam({ learningRate: 1e-15 }), batchSize: 4, epochs: 1, validation: data },
    );
    const [at] = run.evaluations;
    expect(at.validationLoss).toBeCloseTo(loss, 10);
    expect(at.validationAccuracy).toBeCloseTo(accuracy!, 10);
    for (const accumulate of [1, 2]) {
      const options = { optimizer: adam({ learningRate: 1e-15 }), batchSize: 8, epochs: 1, accumulate };
      const { evaluations } = await train({ ...model, data }, options);
      expect(evaluations[0].loss).toBeCloseTo(loss, 10);
    }
  });

  it('goes_on_from_a_checkpoint_with_the_same_bits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'graph-'));
    try {
      const options = { optimizer: ekfacAdam(), batchSize: 30, seed: 2, validation: 0.2 };
      const whole = await train(modelOf(normed, 60), { ...options, epochs: 4 });
      await train(modelOf(normed, 60), { ...options, epochs: 2, checkpoint: folder });
      const resumed = await train(modelOf(normed, 60), { ...options, epochs: 4, checkpoint: folder, resume: true });
      expect(resumed.parameters).toEqual(whole.parameters);
      const { parameters, network } = await readCheckpoint(folder);
      expect(parameters).toEqual(resumed.parameters);
      expect(network.parameters).toBe(normed.parameters);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses_what_perceptrons_alone_know', async () => {
    const model = modelOf(plain);
    for (const options of [{ dropout: 0.1 }, { rotateInputs: true }, { optimizer: gaussNewtonCg(), lastLayer: true }])
      await expect(train(model, options)).rejects.toThrow(OptionError);
    await expect(train({ ...model, loss: 'bce' } as never, {})).rejects.toThrow(/loss from graphNetwork/);
  });
});
