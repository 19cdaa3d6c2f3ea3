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

describe('samples as rows', () => {
  it('go_with_targets_as_labelTargets_makes_them', () => {
    const rows = randomMatrix(5, 3, 4);
    const labels = hmatrix.networks.labelTargets([0, 1, 1, 0, 1], 2);
    const data = hmatrix.networks.memoryDataSet(rows, labels, { samples: 'rows' });
    expect([data.samples, data.inputs, data.outputs]).toEqual([5, 3, 2]);
    const { inputs: x, targets: y } = data.batch(1, 3);
    for (let j = 0; j < 3; j++) {
      for (let i = 0; i < 3; i++) expect(x.data[x.offset + i + j * x.ld]).toBe(rows.data[1 + j + i * 5]);
      for (let i = 0; i < 2; i++) expect(y.data[y.offset + i + j * y.ld]).toBe(labels.data[i + (1 + j) * 2]);
    }
    // Targets as rows, and square ones, which are rows as was said.
    const pairs = hmatrix.networks.memoryDataSet(rows, randomMatrix(5, 2, 5), { samples: 'rows' });
    expect([pairs.samples, pairs.outputs]).toEqual([5, 2]);
    const square = randomMatrix(5, 5, 6);
    const turned = hmatrix.networks.memoryDataSet(rows, square, { samples: 'rows' }).batch(0, 1).targets;
    expect(turned.data[turned.offset + 1]).toBe(square.data[5]);
  });

  it('that_are_given_as_columns_are_told_apart', () => {
    const rows = randomMatrix(5, 3, 4);
    const make = hmatrix.networks.memoryDataSet;
    expect(() => make(rows, hmatrix.networks.labelTargets([0, 1, 1, 0, 1], 2))).toThrow(
      /3 samples of inputs, 5 of targets\. The inputs have 5 rows: .*\{ samples: 'rows' \}/,
    );
    expect(() => make(rows, randomMatrix(5, 2, 5))).toThrow(/as many rows, 5: .*\{ samples: 'rows' \}/);
    expect(() => make(randomMatrix(3, 5, 4), randomMatrix(5, 2, 5))).toThrow(
      /targets have 5 rows: .*transpose\(targets\)/,
    );
    expect(() => hmatrix.networks.labelTargets(randomMatrix(1, 5, 1) as never, 2)).toThrow(
      /matrix \(1 × 5\): pass its \.data\./,
    );
  });
});
