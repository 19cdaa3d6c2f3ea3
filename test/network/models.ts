/**
 * What the tests of networks share: small models of every kind, and differences of fourth order.
 */
import { RandomStream } from '#hmatrix/core/random.js';
import { zeros, type Matrix, type Precision } from '#hmatrix/dense/matrix.js';
import type { ActivationName } from '#hmatrix/network/activations/table.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { squaredScale, type LossName } from '#hmatrix/network/losses/table.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';

export function normalMatrix(rows: number, cols: number, seed: number, precision: Precision = 'f64'): Matrix {
  const a = zeros(rows, cols, precision);
  new RandomStream(seed).fillNormal(a.data);
  return a;
}

/** Targets that the loss takes, none of them 0 or 1. */
export function targetsFor(
  loss: LossName,
  rows: number,
  cols: number,
  seed: number,
  precision: Precision = 'f64',
): Matrix {
  const y = normalMatrix(rows, cols, seed, precision);
  if (squaredScale(loss, rows) !== null) return y;
  for (let i = 0; i < cols; i++) {
    let sum = 0;
    for (let k = i * rows; k < (i + 1) * rows; k++) {
      y.data[k] = loss === 'bce' ? 1 / (1 + Math.exp(-y.data[k])) : Math.exp(y.data[k]);
      sum += y.data[k];
    }
    if (loss === 'cross-entropy') for (let k = i * rows; k < (i + 1) * rows; k++) y.data[k] /= sum;
  }
  return y;
}

export interface ModelOptions {
  readonly activation?: ActivationName;
  readonly outputActivation?: ActivationName;
  readonly loss?: LossName;
  readonly bias?: boolean;
  readonly samples?: number;
  readonly widths?: readonly number[];
  readonly precision?: Precision;
  readonly seed?: number;
}

/** Random parameters (biases too), inputs and targets. */
export function smallModel({
  activation = 'tanh',
  outputActivation = 'linear',
  loss = 'mse',
  bias = true,
  samples = 7,
  widths = [4, 5, 3],
  precision = 'f64',
  seed = 1,
}: ModelOptions = {}): Model {
  const network = defineNetwork({ widths, activation, outputActivation, bias });
  const parameters = initialParameters(network, seed, { scheme: 'lecun' });
  for (const layer of network.layers) {
    const random = new RandomStream(seed, 99, layer.offset);
    if (bias)
      for (let p = 0; p < layer.outputs; p++)
        parameters[layer.offset + (p + 1) * layer.width - 1] = 0.3 * random.normal();
  }
  const inputs = normalMatrix(network.inputs, samples, seed + 10, precision);
  const targets = targetsFor(loss, network.outputs, samples, seed + 20, precision);
  return {
    network,
    parameters: precision === 'f32' ? Float32Array.from(parameters) : parameters,
    loss,
    data: memoryDataSet(inputs, targets),
  };
}

/** Step of the fourth-order difference: ε^{1/5} balances h⁴ against ε/h, which leaves about 1e-12 of either. */
export const STEP = 2 ** -10;
/**
 * Of such differences of functions of size 1 whose fifth derivatives stay below some hundreds: h⁴/30·100 = 3e-12, ε/h =
 * 2e-13, times thirty.
 */
export const DIFFERENCE_TOLERANCE = 1e-10;

/** f′(x) by the five-point formula. */
export function derivative(f: (x: number) => number, x: number, h = STEP): number {
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let largest = 0;
  for (let i = 0; i < b.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
};

export const norm = (a: ArrayLike<number>): number => Math.hypot(...Array.from(a));
