/**
 * Samples of a graph model's data, checked as they are read.
 */
import { NonFiniteError } from '../core/errors.js';
import type { FloatArray } from '../core/floats.js';
import { block, type Matrix } from '../dense/matrix.js';
import type { SampleRange } from '../distributed/sample-groups.js';
import { batchOf, type Batch } from '../network/data-set.js';
import { checkTargets } from '../network/losses/targets.js';
import { requireWords, type GraphModel } from './graph-model.js';
import { lossWeight } from './targets.js';

/**
 * Samples first … first + count − 1. Throws NonFiniteError for numbers that are not finite, ShapeError for words
 * outside the vocabulary, OptionError for targets that the loss cannot take.
 */
export function readSamples({ network, data }: GraphModel, first: number, count: number): Batch {
  const batch = batchOf(data, first, count);
  requireFiniteInputs(batch.inputs, first);
  requireWords(network, batch);
  if (typeof network.loss === 'string') checkTargets(network.loss, batch.targets, first);
  return batch;
}

/** Samples read at a time where nobody says. */
const BATCH = 256;

/**
 * Visits the samples of a range one by one, as batches of one, `batchSize` (default 256) of them read at a time.
 * Returns the sum of what their losses are means over (`lossWeight`). Throws as `readSamples`.
 */
export function eachSample(
  model: GraphModel,
  batchSize: number | undefined,
  range: SampleRange,
  visit: (sample: Batch, index: number) => void,
): number {
  const most = batchSize ?? BATCH;
  let weight = 0;
  for (let first = range.first; first < range.end; first += most) {
    const count = Math.min(most, range.end - first);
    const { inputs, targets } = readSamples(model, first, count);
    weight += lossWeight(model.loss, targets);
    for (let i = 0; i < count; i++)
      visit({ inputs: block(inputs, 0, i, inputs.rows, 1), targets: block(targets, 0, i, targets.rows, 1) }, first + i);
  }
  return weight;
}

/** Throws NonFiniteError for an input that is not finite; `first` is the number of the first column's sample. */
export function requireFiniteInputs({ data, offset, rows, cols, ld }: Matrix, first: number): void {
  for (let j = 0; j < cols; j++)
    for (let i = 0, at = offset + j * ld; i < rows; i++, at++)
      if (!Number.isFinite(data[at]))
        throw new NonFiniteError(`Input ${i} of sample ${first + j} is ${data[at]}: inputs are finite numbers.`, {
          sample: first + j,
          input: i,
          value: data[at],
        });
}

/** Throws NonFiniteError for a parameter that is not finite. */
export function requireFiniteParameters(parameters: FloatArray): void {
  const k = parameters.findIndex((value) => !Number.isFinite(value));
  if (k >= 0)
    throw new NonFiniteError(`Parameter ${k} is ${parameters[k]}: parameters are finite numbers.`, {
      parameter: k,
      value: parameters[k],
    });
}
