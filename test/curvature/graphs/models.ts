/** Small networks of layers with their data, and dense curvature of them by differences of outputs and gradients. */
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros, type FloatArray, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { conv2d, dense } from '#hmatrix/layers/affine.js';
import type { Layer } from '#hmatrix/layers/builder.js';
import { activation, dropout, flatten, stack } from '#hmatrix/layers/compose.js';
import { lossAndGradient } from '#hmatrix/layers/gradient.js';
import type { GraphModel } from '#hmatrix/layers/graph-model.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss, type GraphLoss } from '#hmatrix/layers/losses.js';
import { batchNorm, groupNorm } from '#hmatrix/layers/normalization.js';
import { averagePool } from '#hmatrix/layers/pooling.js';
import { predict } from '#hmatrix/layers/predict.js';
import { languageModel } from '#hmatrix/models/transformer.js';
import { variationalAutoencoder } from '#hmatrix/models/variational-autoencoder.js';
import { labelTargets, memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { applyLossHessian } from '#hmatrix/network/losses/evaluate.js';

export interface NamedGraph {
  readonly name: string;
  readonly model: GraphModel;
}

function modelOf(network: GraphNetwork, data: DataSet, seed: number, precision: Precision): GraphModel {
  const parameters = initialParameters(network, { seed, precision: 'f64' });
  const random = new RandomStream(seed, 1);
  // Biases and scales off their beginnings; variances stay above zero.
  for (let k = 0; k < network.trained; k++) parameters[k] += 0.1 * random.normal();
  for (let k = network.trained; k < parameters.length; k++) parameters[k] = 0.5 + random.uniform();
  const numbers: FloatArray = precision === 'f64' ? parameters : Float32Array.from(parameters);
  return { network, parameters: numbers, loss: network.loss, data };
}

function randomInputs(rows: number, samples: number, seed: number): Matrix {
  const inputs = zeros(rows, samples);
  new RandomStream(seed, 2).fillNormal(inputs.data as Float64Array);
  return inputs;
}

const labels = (samples: number, classes: number): Matrix =>
  labelTargets(
    Array.from({ length: samples }, (_, i) => (i * 7) % classes),
    classes,
  );

const withLoss = (layers: Layer, loss: GraphLoss, size: number): GraphNetwork =>
  graphNetwork({ inputs: vectorInput(size), layers, loss });

/** A convolution with strides, batch norm, another one, pooling, a dense layer. */
export function convolutional(samples: number, precision: Precision = 'f64', seed = 3): GraphModel {
  const network = graphNetwork({
    inputs: imageInput({ channels: 2, height: 4, width: 5 }),
    layers: stack({
      conv1: conv2d(3, 3, { padding: 'same', bias: false }),
      bn1: batchNorm(),
      tanh1: activation('tanh'),
      pool1: averagePool(2),
      conv2: conv2d(2, 2, { stride: [1, 1] }),
      tanh2: activation('tanh'),
      drop: dropout(0.5),
      flatten,
      fc: dense(3),
    }),
    loss: 'cross-entropy',
  });
  return modelOf(network, memoryDataSet(randomInputs(40, samples, seed), labels(samples, 3)), seed, precision);
}

/** Convolutions of groups with strides, of single channels, of single pixels, with dilation; a norm of groups. */
export function windows(samples: number, precision: Precision = 'f64', seed = 9): GraphModel {
  const network = graphNetwork({
    inputs: imageInput({ channels: 4, height: 5, width: 6 }),
    layers: stack({
      conv1: conv2d(4, 3, { stride: 2, padding: 1, groups: 2 }),
      norm: groupNorm(2),
      tanh1: activation('tanh'),
      conv2: conv2d(4, 3, { padding: 'same', groups: 4 }),
      conv3: conv2d(3, 1),
      tanh2: activation('tanh'),
      conv4: conv2d(2, 2, { dilation: 2, padding: 1, bias: false }),
      flatten,
      fc: dense(3),
    }),
    loss: 'cross-entropy',
  });
  return modelOf(network, memoryDataSet(randomInputs(120, samples, seed), labels(samples, 3)), seed, precision);
}

/** A decoder of two heads whose last tokens are padding in some samples. */
export function language(samples: number, precision: Precision = 'f64', seed = 5): GraphModel {
  const [words, length] = [6, 4];
  const network = graphNetwork({
    inputs: tokenInput(length, words),
    layers: languageModel({ words, features: 4, heads: 2, layers: 1, padding: 0, activation: 'tanh' }),
    loss: tokenLoss({ padding: 0, smoothing: 0.1 }),
  });
  const inputs = zeros(length, samples);
  const targets = zeros(length, samples);
  const random = new RandomStream(seed, 3);
  for (let i = 0; i < samples; i++)
    for (let p = 0; p < length - (i % 3); p++) {
      inputs.data[i * length + p] = 1 + Math.floor((words - 1) * random.uniform());
      targets.data[i * length + p] = 1 + Math.floor((words - 1) * random.uniform());
    }
  return modelOf(network, memoryDataSet(inputs, targets, { samples: 'columns' }), seed, precision);
}

const CODE = 2;
const encoder = stack({ fc: dense(3), tanh: activation('tanh') });

/** An autoencoder with a Gaussian code: a loss of two terms, the reconstruction's and the divergence's. */
export function variational(samples: number, precision: Precision = 'f64', seed = 6): GraphModel {
  const network = withLoss(variationalAutoencoder({ encoder, decoder: dense(3), code: CODE }), 'bce', 3);
  const inputs = randomInputs(3, samples, seed);
  const targets = zeros(3, samples);
  inputs.data.forEach((value, k) => (targets.data[k] = 1 / (1 + Math.exp(-value))));
  return modelOf(network, memoryDataSet(inputs, targets, { samples: 'columns' }), seed, precision);
}

/** Its G: that of the reconstruction, and JᵀHJ of the code's features, H = diag(1, ½e^s). */
export function denseVariationalGaussNewton(model: GraphModel): Matrix {
  const out = denseGraphGaussNewton(model);
  const network = withLoss(stack({ encoder, code: dense(2 * CODE) }), 'mse', 3);
  const { inputs } = model.data.batch(0, model.data.samples);
  const data = memoryDataSet(inputs, zeros(2 * CODE, model.data.samples), { samples: 'columns' });
  const own = { network, loss: network.loss, data, parameters: model.parameters.slice(0, network.parameters) };
  const jacobian = differencedJacobian(own);
  predict(own, inputs).data.forEach((feature, k) => {
    const curvature = (k % (2 * CODE) < CODE ? 1 : Math.exp(feature) / 2) / model.data.samples;
    for (let b = 0; b < network.trained; b++)
      for (let a = 0; a < network.trained; a++)
        out.data[a + b * out.rows] +=
          curvature * jacobian.data[k + a * jacobian.rows] * jacobian.data[k + b * jacobian.rows];
  });
  return out;
}

export function smallGraphs(samples: number, precision: Precision = 'f64'): NamedGraph[] {
  const layers = stack({ fc1: dense(4), tanh: activation('tanh'), fc2: dense(2) });
  const inputs = randomInputs(3, samples, 7);
  const numbers = memoryDataSet(inputs, randomInputs(2, samples, 8));
  const signs = memoryDataSet(inputs, labels(samples, 2));
  return [
    { name: 'convolutions', model: convolutional(samples, precision) },
    { name: 'tokens', model: language(samples, precision) },
    { name: 'mse', model: modelOf(withLoss(layers, 'mse', 3), numbers, 1, precision) },
    { name: 'mean-squared', model: modelOf(withLoss(layers, 'mean-squared', 3), numbers, 1, precision) },
    { name: 'bce', model: modelOf(withLoss(layers, 'bce', 3), signs, 2, precision) },
  ];
}

const STENCIL = [
  [-2, 1],
  [-1, -8],
  [1, 8],
  [2, -1],
] as const;

/** ∂f/∂θ_b for b < trained, one column each, by differences of fourth order. */
function differenced(model: GraphModel, value: (model: GraphModel) => FloatArray, h: number): Matrix {
  const { network } = model;
  let out: Matrix | undefined;
  for (let b = 0; b < network.trained; b++)
    for (const [steps, weight] of STENCIL) {
      const parameters = Float64Array.from(model.parameters);
      parameters[b] += steps * h;
      const values = value({ ...model, parameters });
      out ??= zeros(values.length, network.trained);
      for (let i = 0; i < values.length; i++) out.data[i + b * values.length] += (weight * values[i]) / (12 * h);
    }
  return out!;
}

/** J: the outputs of all samples, one sample after the other, along every trained parameter. */
export const differencedJacobian = (model: GraphModel): Matrix => {
  const { inputs } = model.data.batch(0, model.data.samples);
  return differenced(model, (moved) => predict(moved, inputs).data, 3e-4);
};

export const differencedHessian = (model: GraphModel): Matrix =>
  differenced(model, (moved) => lossAndGradient(moved).gradient, 3e-4);

/** Numbers of one output column, its loss's Hessian (column-major), and what the sum over columns is divided by. */
interface OutputHessians {
  readonly size: number;
  readonly columns: readonly Matrix[];
  readonly weight: number;
}

/** Q at every sample, of tokens at every position, from the formulas of the losses. */
export function outputHessians(model: GraphModel): OutputHessians {
  const { network, data, loss } = model;
  const { inputs, targets } = data.batch(0, data.samples);
  const outputs = predict(model, inputs);
  const positions = typeof loss === 'string' ? 1 : network.outputs;
  const size = outputs.rows / positions;
  const name = typeof loss === 'string' ? loss : 'cross-entropy';
  let weight = 0;
  const columns = Array.from({ length: data.samples * positions }, (_, k) => {
    const f = { ...zeros(size, size), data: new Float64Array(size * size) };
    const identity = zeros(size, size);
    for (let i = 0; i < size; i++) {
      identity.data[i * (size + 1)] = 1;
      f.data.set(outputs.data.subarray(k * size, (k + 1) * size), i * size);
    }
    const q = zeros(size, size);
    const isPadding = typeof loss !== 'string' && targets.data[targets.offset + k] === loss.padding;
    if (isPadding) return q;
    weight++;
    applyLossHessian(name, f, identity, q);
    return q;
  });
  return { size, columns, weight };
}

/** (1/weight) Σ J_kᵀQ_kJ_k over the columns of outputs. */
export function denseGraphGaussNewton(model: GraphModel): Matrix {
  const jacobian = differencedJacobian(model);
  const { size, columns, weight } = outputHessians(model);
  const n = model.network.trained;
  const out = zeros(n, n);
  columns.forEach((q, k) => {
    const at = (i: number, a: number): number => jacobian.data[k * size + i + a * jacobian.rows];
    for (let b = 0; b < n; b++)
      for (let i = 0; i < size; i++) {
        let qj = 0;
        for (let l = 0; l < size; l++) qj += q.data[i + l * size] * at(l, b);
        for (let a = 0; a < n; a++) out.data[a + b * n] += (at(i, a) * qj) / weight;
      }
  });
  return out;
}
