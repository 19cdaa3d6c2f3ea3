/**
 * Inputs and targets with mean 0 and variance 1, and a network of such data as one of the raw data.
 * With x = μ + σ⊙z and y = m + s⊙t, a network of z and t is the same function of x and y with the first layer's weights
 * W ← W diag(σ)⁻¹, b ← b − Wμ, and the last, linear layer's W ← diag(s)W, b ← s⊙b + m: exact but for rounding.
 */
import { OptionError } from '../core/errors.js';
import type { FloatArray } from '../core/floats.js';
import { copyInto, zeros, type Matrix, type Precision } from '../dense/matrix.js';
import { batchOf, memoryDataSet, type DataSet } from '../network/data-set.js';
import { lossOf, type LossName } from '../network/losses/table.js';
import { layerWeights, type Network } from '../network/network.js';

/** Centers and scales of the rows of a matrix. */
export interface Scaling {
  readonly mean: Float64Array;
  /** Standard deviations, over n; 1 where that is zero. */
  readonly deviation: Float64Array;
}

/** Scalings of inputs and, of regressions, targets. */
export interface Standardization {
  readonly inputs: Scaling;
  readonly targets: Scaling | null;
}

/** Samples that are read at a time. */
const CHUNK = 1024;

function* parts(data: DataSet): Generator<{ inputs: Matrix; targets: Matrix; first: number }> {
  for (let first = 0; first < data.samples; first += CHUNK)
    yield { ...batchOf(data, first, Math.min(CHUNK, data.samples - first)), first };
}

/** Means and deviations in two passes. */
function scalingOf(data: DataSet, what: 'inputs' | 'targets'): Scaling {
  const rows = what === 'inputs' ? data.inputs : data.outputs;
  const mean = new Float64Array(rows);
  const deviation = new Float64Array(rows);
  const sum = (into: Float64Array, of: (value: number, row: number) => number): void => {
    for (const part of parts(data)) {
      const { data: values, offset, ld, cols } = part[what];
      for (let j = 0; j < cols; j++)
        for (let i = 0; i < rows; i++) into[i] += of(values[offset + j * ld + i], i) / data.samples;
    }
  };
  sum(mean, (value) => value);
  sum(deviation, (value, i) => (value - mean[i]) ** 2);
  for (let i = 0; i < rows; i++) {
    const root = Math.sqrt(deviation[i]);
    // Deviations that are rounding of the mean would blow it up.
    deviation[i] = root > 1e-12 * Math.abs(mean[i]) ? root : 1;
  }
  return { mean, deviation };
}

/** Whether targets may be scaled: a squared loss of linear outputs. */
const scalesTargets = ({ layers }: Network, loss: LossName): boolean =>
  lossOf(loss).squared !== null && layers.at(-1)!.activation === 'linear';

/**
 * The scalings that training data asks for. Throws OptionError for a network without the biases that centers need.
 */
export function standardizationOf(network: Network, loss: LossName, training: DataSet): Standardization {
  const targets = scalesTargets(network, loss);
  if (!network.layers[0].bias || (targets && !network.layers.at(-1)!.bias))
    throw new OptionError('Standardized data needs biases in the first and last layers, not bias: false.', {});
  return { inputs: scalingOf(training, 'inputs'), targets: targets ? scalingOf(training, 'targets') : null };
}

function scaled(matrix: Matrix, { mean, deviation }: Scaling): void {
  const { data, rows, cols, ld, offset } = matrix;
  for (let j = 0; j < cols; j++)
    for (let i = 0, at = offset + j * ld; i < rows; i++, at++) data[at] = (data[at] - mean[i]) / deviation[i];
}

/** A copy of the data in memory and in one precision, standardized where that is asked for. */
export function copiedData(data: DataSet, precision: Precision, by: Standardization | null = null): DataSet {
  const copy = (what: 'inputs' | 'targets', scaling: Scaling | null): Matrix => {
    const rows = what === 'inputs' ? data.inputs : data.outputs;
    const out = zeros(rows, data.samples, precision);
    for (const part of parts(data)) {
      const from = part[what];
      // In double precision: x − μ loses nothing of x.
      const room = zeros(rows, from.cols);
      copyInto(room, from);
      if (scaling !== null) scaled(room, scaling);
      const to = { ...out, offset: out.ld * part.first, cols: from.cols };
      copyInto(to, room);
    }
    return out;
  };
  return memoryDataSet(copy('inputs', by?.inputs ?? null), copy('targets', by?.targets ?? null), {
    samples: 'columns',
  });
}

/** θ in double precision, changed, and rounded back. */
function changed(θ: FloatArray, change: (θ: Float64Array) => void): FloatArray {
  const wide = Float64Array.from(θ);
  change(wide);
  return θ instanceof Float32Array ? Float32Array.from(wide) : wide;
}

/** θ of the raw data, new, from that of the standardized data. */
export const toRaw = (network: Network, θ: FloatArray, { inputs, targets }: Standardization): FloatArray =>
  changed(θ, (wide) => {
    const first = network.layers[0];
    const w = layerWeights(first, wide);
    for (let p = 0, at = w.offset; p < first.outputs; p++, at += w.ld)
      for (let q = 0; q < first.inputs; q++) {
        wide[at + q] /= inputs.deviation[q];
        wide[at + first.inputs] -= wide[at + q] * inputs.mean[q];
      }
    if (targets === null) return;
    const last = network.layers.at(-1)!;
    const v = layerWeights(last, wide);
    for (let p = 0, at = v.offset; p < last.outputs; p++, at += v.ld) {
      for (let q = 0; q < last.width; q++) wide[at + q] *= targets.deviation[p];
      wide[at + last.inputs] += targets.mean[p];
    }
  });

/** θ of the standardized data, new, from that of the raw data. */
export const fromRaw = (network: Network, θ: FloatArray, { inputs, targets }: Standardization): FloatArray =>
  changed(θ, (wide) => {
    if (targets !== null) {
      const last = network.layers.at(-1)!;
      const v = layerWeights(last, wide);
      for (let p = 0, at = v.offset; p < last.outputs; p++, at += v.ld) {
        wide[at + last.inputs] -= targets.mean[p];
        for (let q = 0; q < last.width; q++) wide[at + q] /= targets.deviation[p];
      }
    }
    const first = network.layers[0];
    const w = layerWeights(first, wide);
    for (let p = 0, at = w.offset; p < first.outputs; p++, at += w.ld)
      for (let q = 0; q < first.inputs; q++) {
        wide[at + first.inputs] += wide[at + q] * inputs.mean[q];
        wide[at + q] *= inputs.deviation[q];
      }
  });

/** Root mean squares of inputs and targets that lie apart by more than this ask for standardized data. */
const FAR = 10;

/**
 * What makes the scales of a table's columns hard to train on: the smallest and the largest, as text; null where they
 * are alike and near one. `names`: of inputs, then targets.
 */
export function unevenScales(data: DataSet, names: readonly string[]): string | null {
  const sizes = (['inputs', 'targets'] as const).flatMap((what) => {
    const { mean, deviation } = scalingOf(data, what);
    return Array.from(mean, (μ, i) => Math.hypot(μ, deviation[i]));
  });
  const order = sizes.map((_, i) => i).sort((a, b) => sizes[a] - sizes[b]);
  const [least, most] = [order[0], order.at(-1)!];
  if (sizes[most] <= FAR * Math.max(sizes[least], 1 / FAR) && sizes[most] <= FAR) return null;
  const text = (i: number): string => `${names[i] ?? `column ${i}`} about ${Number(sizes[i].toPrecision(2))}`;
  return `${text(least)}${least === most ? '' : ` to ${text(most)}`}`;
}
