import { describe, expect, it } from 'vitest';
import { MemoryError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { kfac } from '#hmatrix/curvature/kronecker/kfac.js';
import { gaussNewton } from '#hmatrix/curvature/products/gauss-newton.js';
import { hessian } from '#hmatrix/curvature/products/hessian.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { lossAndGradient, meanLoss } from '#hmatrix/network/gradient.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { LOSSES, type LossName } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork, type NetworkOptions } from '#hmatrix/network/network.js';
import { accuracy } from '#hmatrix/network/predict.js';
import { apply } from '#hmatrix/operator/apply.js';
import type { LinearOperator } from '#hmatrix/operator/linear-operator.js';
import {
  PerceptronObjective,
  type PerceptronObjectiveOptions,
} from '#hmatrix/training/objective/perceptron-objective.js';
import { parameterBlocks, sliceCount, sliceFirst } from '#hmatrix/training/objective/slices.js';
import { normalMatrix, targetsFor } from '../network/models.js';
import { sharedTeam } from '../teams.js';

const blas = openBlas();
const teams = await Promise.all([1, 2, 3].map(sharedTeam));

const SHAPES: readonly NetworkOptions[] = [
  { widths: [5, 4], activation: 'linear' },
  { widths: [5, 7, 6, 4], activation: ['tanh', 'softplus', 'sigmoid'], bias: [true, false, true] },
  { widths: [5, 6, 4], activation: ['gelu', 'linear'], bias: false },
  { widths: [5, 9, 3, 4], activation: ['relu', 'tanh', 'linear'] },
];

function modelOf(shape: NetworkOptions, loss: LossName, samples: number): Model {
  const network = defineNetwork(shape);
  const inputs = normalMatrix(network.inputs, samples, 7);
  const targets = targetsFor(loss, network.outputs, samples, 8);
  return { network, loss, data: memoryDataSet(inputs, targets), parameters: initialParameters(network, 3) };
}

async function opened(model: Model, options: Partial<PerceptronObjectiveOptions> = {}): Promise<PerceptronObjective> {
  const { network, loss, data, parameters } = model;
  const objective = await PerceptronObjective.open({
    network,
    loss,
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

const productOf = (operator: LinearOperator, v: FloatArray): FloatArray => apply(operator, Float64Array.from(v)).data;

/** A random vector of the objective. */
function direction(objective: PerceptronObjective, seed: number): FloatArray {
  const v = objective.vector();
  new RandomStream(seed).fillNormal(v);
  return v;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  let largest = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    error = Math.max(error, Math.abs(actual[i] - expected[i]));
  }
  expect(actual.length).toBe(expected.length);
  expect(error).toBeLessThanOrEqual(tolerance * largest);
}

describe.each(LOSSES)('an objective with %s', (loss) => {
  it.each(SHAPES)('agrees with loss, gradient and curvature of the model: %j', async (shape) => {
    const model = modelOf(shape, loss, 123);
    const objective = await opened(model);
    const { parameters } = model;
    const reference = lossAndGradient(model);
    expect(objective.evaluate()).toBeCloseTo(reference.loss, 11);
    expectClose(objective.gradient, reference.gradient, 1e-13);
    const v = direction(objective, 1);
    const out = objective.vector();
    for (const [of, operator] of [
      ['gauss-newton', await gaussNewton(model)],
      ['hessian', await hessian(model)],
    ] as const) {
      objective.product(of, v, out);
      expectClose(out, productOf(operator, v), 1e-12);
    }
    expect(objective.measure().loss).toBeCloseTo(reference.loss, 11);
    const other = objective.vector();
    for (let i = 0; i < other.length; i++) other[i] = parameters[i] + 0.1 * v[i];
    expect(objective.measure(other).loss).toBeCloseTo(meanLoss({ ...model, parameters: Float64Array.from(other) }), 11);
    // What `measure` left alone is still the pass of θ.
    objective.product('hessian', v, out);
    expectClose(out, productOf(await hessian(model), v), 1e-12);
  });

  it('makes the quadratic form of several vectors by J·v alone, on some of the samples', async () => {
    const model = modelOf(SHAPES[1], loss, 90);
    const objective = await opened(model, { regularization: 0.2 });
    objective.evaluate();
    const vectors = [direction(objective, 1), direction(objective, 2)];
    const out = objective.vector();
    for (const samples of [90, 17]) {
      const form = objective.quadratic(vectors, samples);
      vectors.forEach((v, i) => {
        objective.product('gauss-newton', v, out, samples);
        const entries = vectors.map((w) => objective.kernels.dot(w.length, w, out));
        expectClose(form.subarray(2 * i, 2 * i + 2), entries, 1e-12);
      });
    }
  });

  it('draws errors whose moments are the factors of K-FAC in the mean', async () => {
    const model = modelOf(SHAPES[1], loss, 40);
    const objective = await opened(model);
    objective.evaluate();
    const layer = 1;
    const { width, outputs } = model.network.layers[layer];
    const a = objective.take(width * width);
    const Γ = objective.take(outputs * outputs);
    const draws = 4000;
    for (let step = 0; step < draws; step++) {
      objective.draw(step);
      objective.moments(
        [
          { layer, of: 'inputs', out: a, diagonal: false },
          { layer, of: 'errors', out: Γ, diagonal: false },
        ],
        step / (step + 1),
      );
    }
    const { input, output } = kfac(model).layers[layer];
    expectClose(a, input.data, 1e-12);
    if (output.kind !== 'dense') throw new Error('the output factor is dense');
    expectClose(Γ, output.matrix.data, 0.05);
  });
});

describe('an objective', () => {
  it('adds a regularization of weights, not of biases, to loss, gradient and products', async () => {
    const model = modelOf(SHAPES[1], 'mse', 60);
    const plain = await opened(model);
    const objective = await opened(model, { regularization: 0.3 });
    const weights = Float64Array.from(model.parameters);
    for (const { width, inputs, outputs, offset } of model.network.layers)
      for (let p = 0; p < outputs; p++) if (width > inputs) weights[offset + p * width + inputs] = 0;
    const square = weights.reduce((sum, w) => sum + w * w, 0);
    const before = plain.evaluate();
    expect(objective.evaluate()).toBeCloseTo(before + 0.15 * square, 12);
    expect(objective.measure().loss).toBeCloseTo(before + 0.15 * square, 12);
    expectClose(
      objective.gradient,
      plain.gradient.map((g, k) => g + 0.3 * weights[k]),
      1e-13,
    );
  });

  it('gives the same bits on any team and on none, in both precisions', async () => {
    for (const precision of ['f64', 'f32'] as const) {
      const model = modelOf({ widths: [5, 300, 130, 4], activation: 'tanh' }, 'cross-entropy', 333);
      const results: FloatArray[][] = [];
      for (const team of [undefined, ...teams]) {
        const objective = await opened(model, { precision, team, dropout: 0.3, seed: 5 });
        const v = direction(objective, 1);
        const out = [objective.vector(), objective.vector()];
        const losses: number[] = [];
        for (let step = 0; step < 16; step++) losses.push(objective.evaluate({ step: 3 }));
        objective.product('gauss-newton', v, out[0]);
        objective.product('hessian', v, out[1]);
        expect(new Set(losses).size).toBe(1);
        results.push([...out, objective.gradient].map((x) => x.slice()));
        results[results.length - 1].push(Float64Array.of(losses[0], objective.measure().loss));
        objective.close();
      }
      for (const result of results) expect(result).toEqual(results[0]);
    }
  });

  it('updates the parameters in the pass of the gradient as after it', async () => {
    const model = modelOf(SHAPES[3], 'mse', 70);
    const layers = model.network.layers.map((_, ℓ) => (ℓ === 1 ? null : { rate: 0.1, decay: 0.01, decayBias: false }));
    const update = { rule: { kind: 'sgd' as const }, layers };
    const fused = await opened(model);
    fused.evaluate({ update });
    const apart = await opened(model);
    apart.evaluate();
    apart.update(update);
    expect(fused.parameters).toEqual(apart.parameters);
    const { offset, width, outputs } = model.network.layers[1];
    expect(fused.parameters.slice(offset, offset + width * outputs)).toEqual(
      model.parameters.slice(offset, offset + width * outputs),
    );
    expect(fused.parameters[0]).toBeCloseTo(0.99 * model.parameters[0] - 0.1 * apart.gradient[0], 14);
    const bias = model.network.layers[0].inputs;
    expect(fused.parameters[bias]).toBeCloseTo(model.parameters[bias] - 0.1 * apart.gradient[bias], 14);
  });

  it('drops units by seed and step, scaled so that their mean stays', async () => {
    const model = modelOf({ widths: [5, 400, 4], activation: 'softplus' }, 'mse', 50);
    const objective = await opened(model, { dropout: 0.5, seed: 1 });
    const whole = objective.evaluate();
    const first = objective.evaluate({ step: 0 });
    expect(objective.evaluate({ step: 1 })).not.toBe(first);
    expect(objective.evaluate({ step: 0 })).toBe(first);
    expect(objective.evaluate()).toBe(whole);
    // Its derivative along a direction is that of the loss with the same mask.
    const v = direction(objective, 2);
    const g = objective.gradient;
    objective.evaluate({ step: 0 });
    const slope = objective.kernels.dot(g.length, g, v);
    const at = objective.parameters.slice();
    const h = 1e-6;
    const along = [h, -h].map((t) => {
      for (let k = 0; k < at.length; k++) objective.parameters[k] = at[k] + t * v[k];
      return objective.evaluate({ step: 0 });
    });
    expect((along[0] - along[1]) / (2 * h)).toBeCloseTo(slope, 4);
  });

  it('leaves the parameters alone where loss or errors are not finite', async () => {
    const model = modelOf(SHAPES[2], 'mse', 60);
    const objective = await opened(model);
    objective.parameters[0] = 1e200;
    objective.parameters[1] = 1e200;
    const before = objective.parameters.slice();
    const layers = model.network.layers.map(() => ({ rate: 0.1, decay: 0.5, decayBias: true }));
    expect(() => objective.evaluate({ update: { rule: { kind: 'sgd' }, layers } })).toThrow(NonFiniteError);
    expect(objective.parameters).toEqual(before);
  });

  it('takes smaller batches, and any first samples for its curvature', async () => {
    const soft = modelOf(SHAPES[1], 'bce', 200);
    const { inputs, targets } = soft.data.batch(0, 200);
    const classes = { ...targets, data: targets.data.map((y) => (y > 0.5 ? 1 : 0)) };
    for (const data of [soft.data, memoryDataSet(inputs, classes)]) {
      const model = { ...soft, data };
      const objective = await opened(model);
      for (const count of [200, 1, 77]) {
        const batch = data.batch(0, count);
        const part = { ...model, data: memoryDataSet(batch.inputs, batch.targets) };
        objective.load(batch);
        expect(objective.evaluate()).toBeCloseTo(meanLoss(part), 11);
        // Targets between 0 and 1 are no classes.
        if (data === soft.data) expect(objective.measure().accuracy).toBeNull();
        else expect(objective.measure().accuracy).toBeCloseTo(accuracy(part), 12);
        expectClose(objective.gradient, lossAndGradient(part).gradient, 1e-13);
      }
    }
  });

  it('refuses what it cannot take', async () => {
    const model = modelOf(SHAPES[0], 'mse', 20);
    const objective = await opened(model, { curvature: 'none', batchSize: 20 });
    expect(() => {
      objective.load(modelOf(SHAPES[0], 'mse', 21).data.batch(0, 21));
    }).toThrow(ShapeError);
    const v = objective.vector();
    expect(() => {
      objective.product('gauss-newton', v, v);
    }).toThrow(/curvature: 'none'/);
    expect(() => objective.measure(new Float64Array(24))).toThrow(/vector\(\) or take\(\)/);
    expect(() => objective.take(1e6)).toThrow(MemoryError);
    await expect(opened(model, { dropout: 1 })).rejects.toThrow(OptionError);
    await expect(opened(model, { regularization: -1 })).rejects.toThrow(OptionError);
  });
});

describe('slices and blocks', () => {
  it('cover samples and parameters once, by sizes alone', () => {
    for (const count of [1, 49, 50, 99, 100, 250, 8000]) {
      const slices = sliceCount(count);
      expect(sliceFirst(count, 0)).toBe(0);
      expect(sliceFirst(count, slices)).toBe(count);
      for (let s = 0; s < slices; s++) expect(sliceFirst(count, s + 1)).toBeGreaterThan(sliceFirst(count, s));
    }
    const network = defineNetwork({ widths: [784, 128, 3, 1, 500] });
    let offset = 0;
    for (const own of parameterBlocks(network)) {
      expect(own.offset).toBe(offset);
      offset += own.length;
    }
    expect(offset).toBe(network.parameters);
  });
});
