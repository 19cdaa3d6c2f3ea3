/**
 * What every curvature operator is tested against: Jacobians of single samples by plain loops over the definition, and
 * dense matrices made of them. Nothing here uses the network's batched passes, BLAS or the curvature code; only φ and
 * its derivatives (activate) and the loss Hessian are taken from the library.
 */
import { RandomStream } from '#hmatrix/core/random.js';
import { view, zeros, type FloatArray, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import { activate } from '#hmatrix/network/activations/activate.js';
import { ACTIVATIONS, type ActivationName } from '#hmatrix/network/activations/table.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { applyLossHessian, lossGradient } from '#hmatrix/network/losses/evaluate.js';
import { LOSSES, type LossName } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork, type Network } from '#hmatrix/network/network.js';

/** ā_{ℓ−1} and φ′(z_ℓ) of each layer, and a_L, for one sample. */
interface Trace {
  readonly inputs: Float64Array[];
  readonly slopes: Float64Array[];
  readonly output: Float64Array;
}

function trace(network: Network, parameters: FloatArray, input: Float64Array): Trace {
  const inputs: Float64Array[] = [];
  const slopes: Float64Array[] = [];
  let a = input;
  for (const { offset, width, outputs, bias, activation } of network.layers) {
    const extended = new Float64Array(width);
    extended.set(a);
    if (bias) extended[width - 1] = 1;
    const z = new Float64Array(outputs);
    for (let p = 0; p < outputs; p++)
      for (let q = 0; q < width; q++) z[p] += parameters[offset + p * width + q] * extended[q];
    const slope = new Float64Array(outputs);
    a = new Float64Array(outputs);
    activate(activation, z, a, slope, null);
    inputs.push(extended);
    slopes.push(slope);
  }
  return { inputs, slopes, output: a };
}

/** Sample i's input as doubles. */
function sampleInput({ data }: Model, i: number): Float64Array {
  const { inputs } = data.batch(i, 1);
  return Float64Array.from({ length: inputs.rows }, (_, q) => inputs.data[inputs.offset + q]);
}

/** J_i = ∂a_L(x_i)/∂θ, r × N in double precision, of each sample. */
export function bruteForceJacobian(model: Model): Matrix[] {
  const { network, parameters, data } = model;
  return Array.from({ length: data.samples }, (_, i) => {
    const { inputs, slopes } = trace(network, parameters, sampleInput(model, i));
    const jacobian = zeros(network.outputs, network.parameters);
    for (let k = 0; k < network.outputs; k++) {
      let error = new Float64Array(network.outputs);
      error[k] = 1;
      for (let ℓ = network.layers.length - 1; ℓ >= 0; ℓ--) {
        const { offset, width, outputs, inputs: units } = network.layers[ℓ];
        const delta = error.map((e, p) => e * slopes[ℓ][p]);
        error = new Float64Array(units);
        for (let p = 0; p < outputs; p++) {
          for (let q = 0; q < width; q++) {
            jacobian.data[k + (offset + p * width + q) * network.outputs] = delta[p] * inputs[ℓ][q];
            if (q < units) error[q] += parameters[offset + p * width + q] * delta[p];
          }
        }
      }
    }
    return jacobian;
  });
}

/** a_L of each sample, r × n in double precision. */
export function bruteForceOutputs(model: Model): Matrix {
  const { network, parameters, data } = model;
  const outputs = zeros(network.outputs, data.samples);
  for (let i = 0; i < data.samples; i++)
    outputs.data.set(trace(network, parameters, sampleInput(model, i)).output, i * network.outputs);
  return outputs;
}

/** Q_i of each sample, r × r: the loss Hessian applied to unit vectors. */
export function bruteForceLossHessians({ network, loss }: Model, outputs: Matrix): Matrix[] {
  const r = network.outputs;
  return Array.from({ length: outputs.cols }, (_, i) => {
    const identity = zeros(r, r);
    for (let k = 0; k < r; k++) identity.data[k * (r + 1)] = 1;
    const q = zeros(r, r);
    applyLossHessian(loss, view(outputs.data, i * r, r, 1), identity, q);
    return q;
  });
}

/** G = (1/n) Σ_i J_iᵀ Q_i J_i, N × N. */
export function denseGaussNewton(model: Model): Matrix {
  let dense = denseHessians.get(model);
  if (dense === undefined) denseHessians.set(model, (dense = sumOfSquares(model)));
  return { ...dense, data: dense.data.slice() };
}

/** Computed once for each model of a test's file, a triangle of it: Q_i is symmetric. */
const denseHessians = new WeakMap<Model, Matrix>();

function sumOfSquares(model: Model): Matrix {
  const jacobians = bruteForceJacobian(model);
  const hessians = bruteForceLossHessians(model, bruteForceOutputs(model));
  const size = model.network.parameters;
  const r = model.network.outputs;
  const dense = zeros(size, size);
  // Row k of J_i, one number after the other.
  const row = new Float64Array(size * r);
  jacobians.forEach(({ data: j }, i) => {
    const q = hessians[i].data;
    for (let k = 0; k < r; k++) for (let a = 0; a < size; a++) row[a + k * size] = j[k + a * r];
    for (let b = 0; b < size; b++) {
      for (let k = 0; k < r; k++) {
        let qj = 0;
        for (let l = 0; l < r; l++) qj += q[k + l * r] * j[l + b * r];
        qj /= jacobians.length;
        // Output k does not depend on most weights of the last layer.
        if (qj === 0) continue;
        for (let a = b; a < size; a++) dense.data[a + b * size] += row[a + k * size] * qj;
      }
    }
  });
  for (let b = 0; b < size; b++) for (let a = 0; a < b; a++) dense.data[a + b * size] = dense.data[b + a * size];
  return dense;
}

/** J_iᵀe_i for one error e_i ∈ ℝʳ a sample: N × n. */
export function pulledBack(jacobians: readonly Matrix[], errors: Matrix): Matrix {
  const size = jacobians[0].cols;
  const r = errors.rows;
  const out = zeros(size, jacobians.length);
  jacobians.forEach(({ data: j }, i) => {
    for (let a = 0; a < size; a++)
      for (let k = 0; k < r; k++)
        out.data[a + i * size] += j[k + a * r] * errors.data[errors.offset + k + i * errors.ld];
  });
  return out;
}

/** The gradient of each sample's loss at its targets, N × n. */
export function bruteForceGradients(model: Model): Matrix {
  const outputs = bruteForceOutputs(model);
  const errors = zeros(outputs.rows, outputs.cols);
  lossGradient(model.loss, outputs, model.data.batch(0, model.data.samples).targets, errors);
  return pulledBack(bruteForceJacobian(model), errors);
}

/** (1/n) Σ_i g_i g_iᵀ over the n columns of g. */
export function meanOuterProduct({ data: g, rows: size, cols: n }: Matrix): Matrix {
  const dense = zeros(size, size);
  for (let i = 0; i < n; i++)
    for (let b = 0; b < size; b++)
      for (let a = 0; a < size; a++) dense.data[a + b * size] += (g[a + i * size] * g[b + i * size]) / n;
  return dense;
}

/** Targets that the loss accepts: numbers for squared errors, classes for cross-entropy, zeros and ones for bce. */
export function randomTargets(
  loss: LossName,
  outputs: number,
  samples: number,
  random: RandomStream,
  precision: Precision = 'f64',
): Matrix {
  const targets = zeros(outputs, samples, precision);
  for (let i = 0; i < samples; i++) {
    if (loss === 'cross-entropy') targets.data[i * outputs + random.integer(outputs)] = 1;
    else
      for (let k = 0; k < outputs; k++)
        targets.data[i * outputs + k] = loss === 'bce' ? random.integer(2) : random.normal();
  }
  return targets;
}

export interface ModelShape {
  readonly widths: readonly number[];
  readonly activation: ActivationName | readonly ActivationName[];
  readonly outputActivation?: ActivationName;
  readonly loss: LossName;
  readonly bias: boolean;
  readonly samples: number;
  readonly seed?: number;
  readonly precision?: Precision;
}

/** Normal data; weights of variance 1/(inputs of the layer), biases of standard deviation ½. */
export function randomModel({
  widths,
  activation,
  outputActivation = 'linear',
  loss,
  bias,
  samples,
  seed = 1,
  precision = 'f64',
}: ModelShape): Model {
  const random = new RandomStream(seed, 77);
  const network = defineNetwork({ widths, activation, outputActivation, bias });
  const parameters = precision === 'f64' ? new Float64Array(network.parameters) : new Float32Array(network.parameters);
  for (const { offset, width, outputs, inputs } of network.layers) {
    for (let p = 0; p < outputs; p++)
      for (let q = 0; q < width; q++)
        parameters[offset + p * width + q] = random.normal() * (q < inputs ? 1 / Math.sqrt(inputs) : 0.5);
  }
  const inputs = zeros(network.inputs, samples, precision);
  random.fillNormal(inputs.data);
  return {
    network,
    parameters,
    loss,
    data: memoryDataSet(inputs, randomTargets(loss, network.outputs, samples, random, precision)),
  };
}

/**
 * Small models (N < 200): activation × loss × bias with one hidden layer, then deep, mixed, bottleneck, wide-output,
 * non-linear-output and single-layer ones.
 */
export function smallModels(precision: Precision = 'f64'): { readonly name: string; readonly model: Model }[] {
  const shapes: ModelShape[] = [];
  for (const activation of ACTIVATIONS)
    for (const loss of LOSSES)
      for (const bias of [true, false]) shapes.push({ widths: [4, 5, 3], activation, loss, bias, samples: 7 });
  for (const loss of LOSSES) {
    shapes.push({
      widths: [4, 5, 3, 4, 3],
      activation: ['tanh', 'gelu', 'sigmoid', 'linear'],
      loss,
      bias: true,
      samples: 9,
    });
    shapes.push({ widths: [6, 2, 9], activation: 'softplus', loss, bias: true, samples: 6 });
    shapes.push({ widths: [7, 4, 2, 4, 7], activation: 'tanh', loss, bias: false, samples: 5 });
    shapes.push({ widths: [3, 4, 6], activation: 'relu', outputActivation: 'tanh', loss, bias: true, samples: 8 });
    shapes.push({ widths: [5, 3], activation: 'linear', loss, bias: true, samples: 4 });
    shapes.push({
      widths: [3, 5, 1],
      activation: 'gelu',
      loss: loss === 'cross-entropy' ? 'mse' : loss,
      bias: true,
      samples: 6,
    });
  }
  // Seeds count the shapes: of these no sample has all units of a layer off, where the references of Kronecker factors
  // would divide by zero.
  shapes.sort((a, b) => Number(a.loss === 'mean-squared') - Number(b.loss === 'mean-squared'));
  return shapes.map((shape, seed) => {
    const { widths, activation, outputActivation, loss, bias } = shape;
    const name =
      `${widths.join('-')} ` +
      (typeof activation === 'string' ? activation : activation.join('/')) +
      `${outputActivation === undefined ? '' : `→${outputActivation}`} ` +
      `${loss} ${bias ? 'with' : 'without'} biases`;
    return { name, model: randomModel({ ...shape, seed: seed + 1, precision }) };
  });
}
