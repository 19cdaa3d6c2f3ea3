/** Data sets that hand over more or fewer samples than they are asked for: refused wherever they are read. */
import { describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { ShapeError } from '#hmatrix/core/errors.js';
import { block } from '#hmatrix/dense/matrix.js';
import { batchOf, type Batch, type DataSet } from '#hmatrix/network/data-set.js';
import type { Model } from '#hmatrix/network/model.js';
import { randomMatrix } from '../support.js';

const SAMPLES = 6;
const [inputs, targets] = [randomMatrix(4, 20, 1), randomMatrix(2, 20, 2)];
const network = hmatrix.networks.defineNetwork({ widths: [4, 3, 2] });

function modelOver(batch: DataSet['batch']): Model {
  const data = { samples: SAMPLES, inputs: 4, outputs: 2, batch };
  return { network, parameters: hmatrix.networks.initialParameters(network, 3), loss: 'mse', data };
}

/** `count` samples from `first` on of inputs and of targets, or other numbers of units. */
const batch = (first: number, ofInputs: number, ofTargets: number, units = 4, outputs = 2): Batch => ({
  inputs: block(inputs, 0, first, units, ofInputs),
  targets: block(targets, 0, first, outputs, ofTargets),
});

const WRONG: readonly (readonly [string, DataSet['batch']])[] = [
  ['more targets', (first, count) => batch(first, count, count + 4)],
  ['fewer targets', (first, count) => batch(first, count, count - 1)],
  ['more inputs', (first, count) => batch(first, count + 4, count)],
  ['fewer inputs', (first, count) => batch(first, count - 1, count)],
  ['more of both', (first, count) => batch(first, count + 1, count + 1)],
  ['fewer of both', (first, count) => batch(first, count - 1, count - 1)],
  ['inputs of another size', (first, count) => batch(first, count, count, 3)],
  ['targets of another size', (first, count) => batch(first, count, count, 4, 1)],
];

/** All that reads the data of a model. */
const READERS: Readonly<Record<string, (model: Model) => unknown>> = {
  meanLoss: hmatrix.networks.meanLoss,
  lossAndGradient: hmatrix.networks.lossAndGradient,
  train: (model) => hmatrix.training.train(model, { epochs: 1, batchSize: 4 }),
  gaussNewton: (model) => hmatrix.gaussNewton(model),
  hessian: (model) => hmatrix.curvature.hessian(model),
  empiricalFisher: (model) => hmatrix.curvature.empiricalFisher(model),
  monteCarloFisher: (model) => hmatrix.curvature.monteCarloFisher(model, { seed: 0 }),
  kfac: (model) => hmatrix.curvature.kfac(model),
  ekfac: (model) => hmatrix.curvature.ekfac(model),
  curvatureDiagonal: (model) => hmatrix.curvature.curvatureDiagonal(model),
  gaussNewtonSource: (model) => hmatrix.curvature.gaussNewtonSource(model),
  dualForm: (model) => hmatrix.curvature.dualForm(model),
  sketchEmbedding: (model) => hmatrix.curvature.sketchEmbedding(model, {}),
};

describe('a data set', () => {
  it.each(Object.entries(READERS))('is_read_with_as_many_inputs_and_targets_as_asked_for_only: %s', async (_, read) => {
    const of = async (given: DataSet['batch']): Promise<unknown> => Promise.resolve(read(modelOver(given)));
    await expect(of((first, count) => batch(first, count, count))).resolves.toBeDefined();
    for (const [, wrong] of WRONG) {
      await expect((async () => of(wrong))()).rejects.toThrow(ShapeError);
      await expect((async () => of(wrong))()).rejects.toThrow(/batch\(0, \d+\) of the data set gives /);
    }
  });

  it.each(WRONG)('is_refused_with_sizes: %s', (_, wrong) => {
    expect(() => batchOf(modelOver(wrong).data, 1, 5)).toThrow(ShapeError);
    expect(batchOf(modelOver((first, count) => batch(first, count, count)).data, 1, 5).inputs.cols).toBe(5);
  });
});
