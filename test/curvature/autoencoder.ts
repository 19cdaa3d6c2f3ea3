/** Autoencoders and classifiers of digits, small enough for tests, after some epochs of training. */
import { digitImages } from '#datasets/digits.js';
import { sharedFloat64 } from '#hmatrix/core/shared-array.js';
import { view } from '#hmatrix/dense/matrix.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { train as minimise } from '#hmatrix/training/train.js';
import type { Team } from '#hmatrix/parallel/team.js';

const SIDE = 28;

interface DigitModelOptions {
  readonly classes?: boolean;
  readonly epochs?: number;
  readonly bias?: boolean;
  readonly pool?: number;
}

/** Trained once in each process: nobody changes a model. */
const trained = new Map<string, Promise<Model>>();

/**
 * p – hidden… – p (tanh, squared errors) or, with `classes`, p – hidden… – 10 (ReLU, cross-entropy), p = (28/pool)²
 * inputs, each the mean of pool × pool pixels.
 */
export function digitModel(
  hidden: readonly number[],
  samples: number,
  team: Team,
  options: DigitModelOptions = {},
): Promise<Model> {
  const key = JSON.stringify([hidden, samples, team.blas.kind, options]);
  let model = trained.get(key);
  if (model === undefined) trained.set(key, (model = train(hidden, samples, team, options)));
  return model;
}

async function train(
  hidden: readonly number[],
  samples: number,
  team: Team,
  { classes = false, epochs = 3, bias = false, pool = 2 }: DigitModelOptions,
): Promise<Model> {
  const { images, labels } = digitImages(samples, 1);
  const side = SIDE / pool;
  const inputsOf = side * side;
  const pixels = sharedFloat64(inputsOf * samples);
  for (let i = 0; i < samples; i++) {
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++)
        pixels[i * inputsOf + Math.floor(y / pool) * side + Math.floor(x / pool)] +=
          images.coordinates[i * SIDE * SIDE + y * SIDE + x] / (pool * pool);
    }
  }
  const inputs = view(pixels, 0, inputsOf, samples);
  const oneHot = sharedFloat64(10 * samples);
  labels.forEach((label, i) => {
    oneHot[10 * i + label] = 1;
  });
  const network = defineNetwork({
    widths: [inputsOf, ...hidden, classes ? 10 : inputsOf],
    activation: classes ? 'relu' : 'tanh',
    bias,
  });
  const model: Model = {
    network,
    parameters: initialParameters(network, 0),
    loss: classes ? 'cross-entropy' : 'mse',
    data: memoryDataSet(inputs, classes ? view(oneHot, 0, 10, samples) : inputs),
  };
  const { parameters } = await minimise(model, { optimizer: adam(), epochs, batchSize: 20 }, { blas: team.blas });
  return { ...model, parameters };
}
