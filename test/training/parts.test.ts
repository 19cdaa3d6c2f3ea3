/** Frozen layers, rotated inputs and splits: what is trained in the place of a model. */
import { describe, expect, it } from 'vitest';
import { openBlas } from '#hmatrix/dense/backend.js';
import { matrixOver, zeros } from '#hmatrix/dense/matrix.js';
import { memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { forward } from '#hmatrix/network/forward.js';
import { lossAndGradient, meanLoss } from '#hmatrix/network/gradient.js';
import type { Model } from '#hmatrix/network/model.js';
import { predict } from '#hmatrix/network/predict.js';
import { Breath } from '#hmatrix/training/breath.js';
import { mappedData } from '#hmatrix/training/data/mapped.js';
import { splitData } from '#hmatrix/training/data/split.js';
import { activations, splitNetwork } from '#hmatrix/training/frozen-layers.js';
import { adam, momentum, sgd } from '#hmatrix/training/optimizers/first-order.js';
import { inputBasis, rotatedNetwork, rotateParameters, rotation } from '#hmatrix/training/rotate-inputs.js';
import { train } from '#hmatrix/training/train.js';
import { largestDifference, smallModel } from '../network/models.js';

const blas = openBlas();
const control = { blas };
const breath = new Breath(undefined);

const columns = (data: DataSet): Float64Array => {
  const { inputs, targets } = data.batch(0, data.samples);
  return Float64Array.from({ length: data.samples * (inputs.rows + targets.rows) }, (_, k) => {
    const [i, row] = [Math.floor(k / (inputs.rows + targets.rows)), k % (inputs.rows + targets.rows)];
    return row < inputs.rows
      ? inputs.data[inputs.offset + i * inputs.ld + row]
      : targets.data[targets.offset + i * targets.ld + row - inputs.rows];
  });
};

describe('rotated inputs', () => {
  /** Inputs of few directions: most eigenvalues are zero. */
  function flat(bias: boolean, precision: 'f64' | 'f32' = 'f64'): Model {
    const model = smallModel({ widths: [9, 5, 3], samples: 30, bias, precision });
    const { inputs, targets } = model.data.batch(0, 30);
    for (let i = 0; i < 30; i++)
      for (let k = 3; k < 9; k++) inputs.data[i * 9 + k] = k === 3 ? 0 : inputs.data[i * 9 + (k % 3)];
    return { ...model, data: memoryDataSet(inputs, targets) };
  }

  async function turned(model: Model): Promise<{ model: Model; basis: ReturnType<typeof zeros> }> {
    const basis = await inputBasis(model.network, model.data, blas, breath);
    const map = rotation(model.network, basis, model.parameters, blas);
    return {
      basis,
      model: {
        ...model,
        network: rotatedNetwork(model.network),
        parameters: rotateParameters(model.network, basis, model.parameters, blas),
        data: await mappedData(model.data, map, breath),
      },
    };
  }

  it.each([
    [true, 'f64', 1e-13],
    [false, 'f64', 1e-13],
    [true, 'f32', 1e-5],
  ] as const)(
    'leave outputs and loss as they are, turn the gradient, and come back (bias %s, %s)',
    async (bias, precision, tolerance) => {
      const model = flat(bias, precision);
      const other = await turned(model);
      const outputs = (of: Model): ArrayLike<number> =>
        forward(of.network, of.parameters, of.data.batch(0, 30).inputs, blas).output.data;
      expect(largestDifference(outputs(other.model), outputs(model))).toBeLessThan(tolerance);
      const [before, after] = [lossAndGradient(model, { blas }), lossAndGradient(other.model, { blas })];
      expect(Math.abs(after.loss - before.loss)).toBeLessThan(tolerance * before.loss);
      const gradient = rotateParameters(model.network, other.basis, before.gradient, blas);
      expect(largestDifference(after.gradient, gradient)).toBeLessThan(tolerance);
      const back = rotateParameters(model.network, other.basis, other.model.parameters, blas, true);
      expect(largestDifference(back, model.parameters)).toBeLessThan(tolerance);
      // Uncorrelated, so that the second moment is diagonal.
      const { inputs } = other.model.data.batch(0, 30);
      const moment = zeros(inputs.rows, inputs.rows);
      blas.syrk('L', 'N', 1 / 30, matrixOver(Float64Array.from(inputs.data), inputs.rows, 30), 0, moment);
      for (let j = 0; j < inputs.rows; j++)
        for (let i = j + 1; i < inputs.rows; i++)
          expect(Math.abs(moment.data[i + j * inputs.rows])).toBeLessThan(tolerance);
    },
  );

  it('are turned back in all that a run gives, whose steps of gradient descent are the same', async () => {
    const model = flat(true);
    const options = { optimizer: sgd(), epochs: 5, batchSize: 8, average: 0.5, validation: 0.2 };
    const plain = await train(model, options, control);
    const other = await train(model, { ...options, rotateInputs: true }, control);
    for (const [a, b] of [
      [other.parameters, plain.parameters],
      [other.averaged!, plain.averaged!],
      [other.best.parameters, plain.best.parameters],
    ])
      expect(largestDifference(a, b)).toBeLessThan(1e-12);
    const changed = await train(model, { ...options, optimizer: adam(), rotateInputs: true }, control);
    const usual = await train(model, { ...options, optimizer: adam() }, control);
    expect(largestDifference(changed.parameters, usual.parameters)).toBeGreaterThan(1e-6);
    const { validation } = splitData(model.data, 0.2, 0) as { validation: DataSet };
    const held = meanLoss({ ...model, parameters: changed.parameters, data: validation }, { blas });
    expect(Math.abs(held - changed.evaluations.at(-1)!.validationLoss!)).toBeLessThan(1e-12);
  });

  it('are those of the optimizer that asks for them, and of no other', async () => {
    const model = flat(true);
    const options = { epochs: 3, batchSize: 8 };
    const asked = { ...adam(), rotateInputs: () => true };
    const [by, explicit, not] = [
      await train(model, { ...options, optimizer: asked }, control),
      await train(model, { ...options, optimizer: adam(), rotateInputs: true }, control),
      await train(model, { ...options, optimizer: asked, rotateInputs: false }, control),
    ];
    expect(by.parameters).toEqual(explicit.parameters);
    expect(not.parameters).toEqual((await train(model, { ...options, optimizer: adam() }, control)).parameters);
  });
});

describe('frozen layers', () => {
  const model = smallModel({ widths: [4, 6, 5, 3], samples: 30 });

  it('at the beginning become part of the data, and are put back', async () => {
    const { before, after } = splitNetwork(model.network, 2);
    const inputs = predict(
      { network: before, parameters: model.parameters.slice(0, before.parameters) },
      model.data.batch(0, 30).inputs,
      { blas },
    );
    const part: Model = {
      network: after,
      parameters: model.parameters.slice(before.parameters),
      loss: model.loss,
      data: memoryDataSet(inputs, model.data.batch(0, 30).targets),
    };
    const options = { epochs: 6, batchSize: 7, optimizer: momentum(), validation: 0.2 };
    const expected = await train(part, options, control);
    for (const other of [{ lastLayer: true }, { groups: [{ layers: [0, 1], frozen: true }] }]) {
      const run = await train(model, { ...options, ...other }, control);
      expect(run.parameters.subarray(0, before.parameters)).toEqual(model.parameters.subarray(0, before.parameters));
      expect(largestDifference(run.parameters.subarray(before.parameters), expected.parameters)).toBeLessThan(1e-13);
      expect(run.best.at.validationLoss).toBeCloseTo(expected.best.at.validationLoss!, 12);
      expect(run.optimizer.rules).toEqual(['frozen', 'frozen', 'momentum']);
      // By masks, the whole network going forward and backward, it is the same.
      const masked = await train(model, { ...options, groups: [{ layers: [0, 1], rate: 0 }] }, control);
      expect(largestDifference(run.parameters, masked.parameters)).toBeLessThan(1e-12);
    }
  });

  it('and rotated activations go together', async () => {
    const options = { epochs: 4, batchSize: 7, optimizer: sgd(), lastLayer: true };
    const plain = await train(model, options, control);
    const other = await train(model, { ...options, rotateInputs: true }, control);
    expect(largestDifference(other.parameters, plain.parameters)).toBeLessThan(1e-12);
  });

  it('of data that does not fit are applied each time', async () => {
    const { before } = splitNetwork(model.network, 2);
    const map = activations(before, model.parameters.slice(0, before.parameters), blas);
    const kept = await mappedData(model.data, map, breath);
    const streamed = await mappedData(model.data, map, breath, 0);
    expect(columns(streamed)).toEqual(columns(kept));
    const some = streamed.batch(7, 5).inputs;
    expect(some.data.slice(0, 5 * some.rows)).toEqual(
      kept.batch(7, 5).inputs.data.slice(7 * some.rows, 12 * some.rows),
    );
  });
});

describe('a split', () => {
  it('has each sample once, whoever reads it', () => {
    const samples = 3000;
    const x = matrixOver(
      Float64Array.from({ length: samples }, (_, i) => i),
      1,
      samples,
    );
    const data = memoryDataSet(x, x);
    const { training, validation } = splitData(data, 0.1, 5);
    expect([training.samples, validation.samples]).toEqual([2700, 300]);
    const [a, b] = [training, validation].map((part) => Array.from(columns(part)).filter((_, k) => k % 2 === 0));
    expect([...a, ...b].sort((p, q) => p - q)).toEqual(Array.from({ length: samples }, (_, i) => i));
    expect(b).not.toEqual(Array.from(columns(splitData(data, 0.1, 6).validation)).filter((_, k) => k % 2 === 0));
    const { inputs, targets } = training.batch(100, 3);
    expect(Array.from(inputs.data.subarray(0, 3))).toEqual(a.slice(100, 103));
    expect(Array.from(targets.data.subarray(0, 3))).toEqual(a.slice(100, 103));
  });
});
