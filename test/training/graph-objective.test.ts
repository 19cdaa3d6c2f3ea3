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

  it('keeps_running_statistics_in_θ_that_evaluation_reads', async () => {
    const { parameters } = await train(modelOf(normed, 60), { optimizer: adam(), batchSize: 30, epochs: 20, seed: 2 });
    const { layers } = normed;
    const variance = layers.find(({ name }) => name.endsWith('running_var'))!;
    const mean = layers.find(({ name }) => name.endsWith('running_mean'))!;
    for (const { offset, width } of [variance, mean])
      for (let k = offset; k < offset + width; k++) expect(parameters[k]).not.toBe(initialParameters(normed)[k]);
    for (let k = variance.offset; k < variance.offset + variance.width; k++) expect(parameters[k]).toBeGreaterThan(0);
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
