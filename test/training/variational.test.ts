import { describe, expect, it } from 'vitest';
import { OptionError, ShapeError } from '#hmatrix/core/errors.js';
import type { FloatArray } from '#hmatrix/core/floats.js';
import { RandomStream } from '#hmatrix/core/random.js';
import { defaultBlas } from '#hmatrix/dense/default-blas.js';
import { matrixOver, type Matrix } from '#hmatrix/dense/matrix.js';
import { memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { LossName } from '#hmatrix/network/losses/table.js';
import { defineNetwork, type Network } from '#hmatrix/network/network.js';
import { predict } from '#hmatrix/network/predict.js';
import type { Optimizer } from '#hmatrix/training/optimizer.js';
import { PerceptronObjective } from '#hmatrix/training/objective/perceptron-objective.js';
import { newtonCg } from '#hmatrix/training/optimizers/newton-cg.js';
import { ekfacAdam } from '#hmatrix/training/optimizers/ekfac-adam.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { hessianFree } from '#hmatrix/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '#hmatrix/training/optimizers/kfac.js';
import { levenbergMarquardt } from '#hmatrix/training/optimizers/levenberg-marquardt.js';
import { trainVariational, type VariationalModel } from '#hmatrix/training/variational.js';
import { digitImages } from '../../dist/datasets/digits.js';
import { normalMatrix, targetsFor } from '../network/models.js';
import { sharedTeam } from '../teams.js';

const [k, β, n] = [2, 0.7, 60];
const encoder = defineNetwork({ widths: [5, 4, 2 * k], activation: 'tanh' });
const decoder = defineNetwork({ widths: [k, 3, 5], activation: 'sigmoid', bias: [true, false] });
const length = encoder.parameters;
const θ = Float64Array.from([...initialParameters(encoder, 1), ...initialParameters(decoder, 2)]);
const network: Network = {
  layers: [...encoder.layers, ...decoder.layers.map((layer) => ({ ...layer, offset: layer.offset + length }))],
  inputs: 5,
  outputs: 5,
  parameters: θ.length,
};
const dataOf = (loss: LossName): DataSet => memoryDataSet(normalMatrix(5, n, 3), targetsFor(loss, 5, n, 4));

async function opened(loss: LossName, options: { team?: Awaited<ReturnType<typeof sharedTeam>> } = {}) {
  const objective = await PerceptronObjective.open({
    network,
    loss,
    precision: 'f64',
    batchSize: n,
    curvature: 'gauss-newton',
    spare: 40 * (network.parameters + 16),
    code: { layer: 1, weight: β },
    seed: 9,
    blas: defaultBlas(),
    ...options,
  });
  objective.parameters.set(θ);
  objective.load(dataOf(loss).batch(0, n));
  return objective;
}

/** (outputs, μ, s) of all samples by plain formulas. */
function parts(at: FloatArray, inputs: Matrix, noise: ArrayLike<number>): { outputs: FloatArray; code: FloatArray } {
  const code = predict({ network: encoder, parameters: at.slice(0, length) }, inputs).data;
  const z = matrixOver(new Float64Array(k * n), k, n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < k; j++)
      z.data[k * i + j] = code[2 * k * i + j] + Math.exp(code[2 * k * i + k + j] / 2) * noise[k * i + j];
  return { outputs: predict({ network: decoder, parameters: at.slice(length) }, z).data, code };
}

/** ε of the last evaluation, from the codes that it left. */
function noiseOf(objective: PerceptronObjective, inputs: Matrix): Float64Array {
  const { code } = parts(θ, inputs, new Float64Array(k * n));
  const z = objective.inputsOf(2);
  return Float64Array.from({ length: k * n }, (_, at) => {
    const [i, j] = [Math.floor(at / k), at % k];
    return (z[(k + 1) * i + j] - code[2 * k * i + j]) / Math.exp(code[2 * k * i + k + j] / 2);
  });
}

function vector(objective: PerceptronObjective, seed: number): FloatArray {
  const v = objective.vector();
  new RandomStream(seed).fillNormal(v);
  return v;
}

const moved = (v: FloatArray, t: number): Float64Array => θ.map((value, p) => value + t * v[p]);
const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, value, p) => sum + value * y[p], 0);

describe.each(['mse', 'bce'] as const)('a Gaussian code with %s', (loss) => {
  it('has the loss of the definition with the divergence of normal variables', async () => {
    const objective = await opened(loss);
    const found = objective.evaluate({ step: 4 });
    const { inputs, targets } = dataOf(loss).batch(0, n);
    const noise = noiseOf(objective, inputs);
    expect(Math.abs(dot(noise, noise) / (k * n) - 1)).toBeLessThan(0.4);
    const { outputs, code } = parts(θ, inputs, noise);
    let sum = 0;
    outputs.forEach((f, at) => {
      const y = targets.data[at];
      sum += loss === 'mse' ? (f - y) ** 2 / 2 : Math.log1p(Math.exp(f)) - y * f;
    });
    for (let i = 0; i < n; i++)
      for (let j = 0; j < k; j++) {
        const [μ, s] = [code[2 * k * i + j], code[2 * k * i + k + j]];
        sum += (β / 2) * (μ * μ + Math.exp(s) - 1 - s);
      }
    expect(found).toBeCloseTo(sum / n, 12);
    expect(objective.measure(objective.parameters, 4).loss).toBeCloseTo(sum / n, 12);
    expect(objective.measure().loss).not.toBeCloseTo(sum / n, 3);
    expect(objective.evaluate({ step: 5 })).not.toBeCloseTo(sum / n, 3);
    expect(objective.measure().loss).toBe(objective.measure().loss);
  });

  it('has the gradient of that loss, by finite differences', async () => {
    const objective = await opened(loss);
    objective.evaluate({ step: 4 });
    const { gradient } = objective;
    const other = objective.vector();
    const h = 1e-5;
    for (let p = 0; p < θ.length; p++) {
      const along = [h, -h].map((t) => {
        other.set(θ);
        other[p] += t;
        return objective.measure(other, 4).loss;
      });
      expect((along[0] - along[1]) / (2 * h)).toBeCloseTo(gradient[p], 7);
    }
  });

  it('has the Gauss–Newton matrix of outputs and divergence', async () => {
    const objective = await opened(loss);
    objective.evaluate({ step: 4 });
    const { inputs } = dataOf(loss).batch(0, n);
    const noise = noiseOf(objective, inputs);
    const vectors = [vector(objective, 1), vector(objective, 2)];
    const at = parts(θ, inputs, noise);
    const h = 1e-5;
    const tangents = vectors.map((v) => {
      const [plus, minus] = [h, -h].map((t) => parts(moved(v, t), inputs, noise));
      const difference = (x: FloatArray, y: FloatArray) => x.map((value, p) => (value - y[p]) / (2 * h));
      return { outputs: difference(plus.outputs, minus.outputs), code: difference(plus.code, minus.code) };
    });
    const form = (u: (typeof tangents)[number], w: (typeof tangents)[number]): number => {
      let sum = 0;
      u.outputs.forEach((value, p) => {
        const mean = 1 / (1 + Math.exp(-at.outputs[p]));
        sum += value * w.outputs[p] * (loss === 'mse' ? 1 : mean * (1 - mean));
      });
      u.code.forEach((value, p) => {
        const isMean = p % (2 * k) < k;
        sum += β * value * w.code[p] * (isMean ? 1 : Math.exp(at.code[p]) / 2);
      });
      return sum / n;
    };
    const expected = [0, 1, 2, 3].map((e) => form(tangents[e >> 1], tangents[e & 1]));
    const found = objective.quadratic(vectors);
    const out = objective.vector();
    vectors.forEach((v, i) => {
      objective.product('gauss-newton', v, out);
      vectors.forEach((w, j) => {
        expect(Math.abs(found[2 * i + j] - expected[2 * i + j])).toBeLessThan(1e-7 * Math.abs(expected[0]));
        expect(Math.abs(dot(out, w) - found[2 * i + j])).toBeLessThan(1e-12 * Math.abs(expected[0]));
      });
    });
  });

  it('draws errors whose moments are those of that matrix', async () => {
    const objective = await opened(loss);
    objective.evaluate({ step: 4 });
    const rows = 2 * k;
    const Γ = objective.take(rows * rows);
    for (let step = 0; step < 4000; step++) {
      objective.draw(step);
      objective.moments([{ layer: 1, of: 'errors', out: Γ, diagonal: false }], step / (step + 1));
    }
    // The block of the biases of the encoder's last layer is the mean of Γ over samples.
    const { offset, width } = encoder.layers[1];
    const biases = Array.from({ length: rows }, (_, p) => offset + (p + 1) * width - 1);
    const [v, out] = [objective.vector(), objective.vector()];
    const largest = Math.max(...Γ);
    biases.forEach((bias, p) => {
      v.fill(0);
      v[bias] = 1;
      objective.product('gauss-newton', v, out);
      biases.forEach((other, q) => {
        expect(Math.abs(Γ[p + rows * q] - out[other])).toBeLessThan(0.05 * largest);
      });
    });
  });
});

const images = digitImages(300, 1);
const pixels = matrixOver(Float64Array.from(images.images.coordinates), 784, 300);
const small: VariationalModel = {
  encoder: defined([784, 12, 4], 5),
  decoder: defined([2, 12, 784], 6),
  loss: 'bce',
  data: memoryDataSet(pixels, pixels),
};

function defined(widths: number[], seed: number) {
  const net = defineNetwork({ widths, activation: 'tanh' });
  return { network: net, parameters: Float32Array.from(initialParameters(net, seed)) };
}

describe('trainVariational', () => {
  it.each<[string, Optimizer, number]>([
    ['adam', adam({ learningRate: 3e-3 }), 50],
    ['ekfac-adam', ekfacAdam(), 50],
    ['kfac', kfacOptimizer(), 100],
    ['hessian-free', hessianFree({ iterations: 20 }), 300],
  ])('lowers the bound by %s, and leaves two networks that work alone', async (_, optimizer, batchSize) => {
    const run = await trainVariational(small, { optimizer, batchSize, epochs: 8, validation: 0.1 });
    const losses = run.evaluations.map(({ validationLoss }) => validationLoss!);
    expect(run.failure).toBeNull();
    expect(losses.at(-1)).toBeLessThan(losses[0]);
    const { encoder, decoder } = run.parameters;
    expect([encoder.length, decoder.length]).toEqual([small.encoder, small.decoder].map((x) => x.parameters.length));
    const codes = predict({ ...small.encoder, parameters: encoder }, pixels);
    expect(codes.rows).toBe(4);
    const decoded = predict(
      { ...small.decoder, parameters: decoder, loss: 'bce' },
      matrixOver(new Float32Array(2), 2, 1),
      { probabilities: true },
    );
    expect(decoded.data.every((value) => value > 0 && value < 1)).toBe(true);
  });

  it('gives the same bits on any team', async () => {
    const runs = await Promise.all(
      [1, 2].map(async (workers) =>
        trainVariational(small, { epochs: 2, batchSize: 100 }, { team: await sharedTeam(workers) }),
      ),
    );
    expect(runs[0].parameters).toEqual(runs[1].parameters);
  });

  it('refuses what does not fit, by name', async () => {
    const refused = (changes: object, options = {}) => trainVariational({ ...small, ...changes }, options);
    await expect(refused({ decoder: defined([3, 784], 1) })).rejects.toThrow(ShapeError);
    await expect(refused({ decoder: small.encoder })).rejects.toThrow(/4 outputs, the decoder 784 inputs/);
    await expect(refused({ divergence: -1 })).rejects.toThrow(/divergence/);
    await expect(refused({ beta: 1 })).rejects.toThrow(/beta/);
    await expect(refused({}, { lastLayer: true })).rejects.toThrow(/lastLayer/);
    await expect(refused({}, { optimizer: newtonCg() })).rejects.toThrow(/Hessian of a network with a code/);
    await expect(refused({}, { optimizer: levenbergMarquardt({ solver: 'dual' }), batchSize: 2 })).rejects.toThrow(
      OptionError,
    );
    const net = defineNetwork({ widths: [784, 4], outputActivation: 'tanh' });
    await expect(
      refused({ encoder: { network: net, parameters: Float32Array.from(initialParameters(net, 1)) } }),
    ).rejects.toThrow(/linear outputs/);
  });
});
