import { describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block, view, zeros } from '#hmatrix/dense/matrix.js';
import { labelTargets, memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { lossAndGradient, meanLoss } from '#hmatrix/network/gradient.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { SampleOrder } from '#hmatrix/network/sample-order.js';
import { trainAdam, type AdamOptions } from '#hmatrix/network/train.js';
import { normalMatrix, smallModel } from './models.js';

const blas = openBlas();
const control = { blas };
const options: AdamOptions = { epochs: 30, batchSize: 16, learningRate: 0.01, seed: 3 };

/** Two classes: inside and outside a circle. */
function circle(samples: number): Model {
  const x = normalMatrix(2, samples, 1);
  const labels = Array.from({ length: samples }, (_, i) =>
    Math.hypot(x.data[2 * i], x.data[2 * i + 1]) < 1.2 ? 1 : 0,
  );
  const network = defineNetwork({ widths: [2, 16, 2], activation: 'gelu' });
  return {
    network,
    parameters: initialParameters(network, 1),
    loss: 'cross-entropy',
    data: memoryDataSet(x, labelTargets(labels, 2)),
  };
}

/** Samples numbered in their one input and one target. */
function numbered(samples: number, onRead: (first: number, count: number) => void = () => undefined): DataSet {
  const x = view(
    Float64Array.from({ length: samples }, (_, i) => i),
    0,
    1,
    samples,
  );
  const data = memoryDataSet(x, x);
  return {
    ...data,
    batch: (first, count) => {
      onRead(first, count);
      return data.batch(first, count);
    },
  };
}
const epochOf = (order: SampleOrder, epoch: number): number[][] =>
  Array.from(order.epoch(epoch), ({ inputs }) => Array.from(inputs.data.subarray(0, inputs.cols)));

describe('Adam', () => {
  it('learns a circle', async () => {
    const model = circle(300);
    const before = meanLoss(model, { blas });
    const { parameters, losses } = await trainAdam(model, options, control);
    const after = meanLoss({ ...model, parameters }, { blas });
    expect(losses).toHaveLength(30);
    expect(losses[29]).toBeLessThan(losses[0]);
    expect(after).toBeLessThan(before / 3);
    expect(model.parameters).toEqual(initialParameters(model.network, 1));
  });

  it.each(['f64', 'f32'] as const)('equal seeds give equal bits, others not (%s)', async (precision) => {
    const model = smallModel({ samples: 50, precision });
    const first = await trainAdam(model, { ...options, epochs: 3 }, control);
    expect(await trainAdam(model, { ...options, epochs: 3 }, control)).toEqual(first);
    expect((await trainAdam(model, { ...options, epochs: 3, seed: 4 }, control)).parameters).not.toEqual(
      first.parameters,
    );
    expect(first.parameters).toBeInstanceOf(precision === 'f32' ? Float32Array : Float64Array);
  });

  it('takes the steps of algorithm 1', async () => {
    // One batch holds all samples, so that the gradients are those of the whole loss.
    const model = smallModel({ samples: 9 });
    const [α, β1, β2, ε, decay] = [0.02, 0.8, 0.95, 1e-6, 0.5];
    const { parameters, losses } = await trainAdam(
      model,
      { epochs: 3, batchSize: 9, learningRate: α, seed: 1, beta1: β1, beta2: β2, epsilon: ε, decay },
      control,
    );
    const θ = model.parameters.slice();
    const m = new Float64Array(θ.length);
    const v = new Float64Array(θ.length);
    for (let t = 1; t <= 3; t++) {
      const { gradient: g, loss } = lossAndGradient({ ...model, parameters: θ }, { blas });
      expect(Math.abs(losses[t - 1] - loss)).toBeLessThan(1e-13 * loss);
      for (let k = 0; k < θ.length; k++) {
        m[k] = β1 * m[k] + (1 - β1) * g[k];
        v[k] = β2 * v[k] + (1 - β2) * g[k] ** 2;
        θ[k] -= (α * decay ** (t - 1) * (m[k] / (1 - β1 ** t))) / (Math.sqrt(v[k] / (1 - β2 ** t)) + ε);
      }
    }
    // Another order of the samples in each sum; g/(|g| + ε) amplifies its rounding by at most |g|/ε of it.
    for (let k = 0; k < θ.length; k++) expect(Math.abs(parameters[k] - θ[k])).toBeLessThan(1e-9);
  });

  it('zero epochs return the initial parameters', async () => {
    const model = smallModel();
    const { parameters, losses } = await trainAdam(model, { ...options, epochs: 0 }, control);
    expect(parameters).toEqual(model.parameters);
    expect(parameters).not.toBe(model.parameters);
    expect(losses).toEqual([]);
  });

  it('reports progress, and an abort between steps ends it', async () => {
    const model = circle(200);
    const seen: number[] = [];
    await trainAdam(
      model,
      { ...options, epochs: 2 },
      {
        blas,
        onProgress: ({ phase, done, total }) => {
          expect(phase).toBe('train');
          expect(total).toBe(2 * Math.ceil(200 / 16));
          seen.push(done);
        },
      },
    );
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(26);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));

    await expect(trainAdam(model, options, { blas, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const controller = new AbortController();
    const running = trainAdam(model, { ...options, epochs: 1_000_000 }, { blas, signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error('enough'));
    }, 60);
    await expect(running).rejects.toThrow(/enough/);
  });

  it('names epoch and step where the loss diverges', async () => {
    const model = smallModel({ activation: 'relu', samples: 40 });
    const run = trainAdam(model, { ...options, learningRate: 1e160 }, control);
    await expect(run).rejects.toThrow(NonFiniteError);
    await expect(run).rejects.toThrow(/diverged in epoch 1, step 2 .*learning rate/);
    await expect(run).rejects.toMatchObject({ data: { epoch: 0, step: 1 } });
    // One step only: no later loss shows what it did, the parameters do.
    await expect(
      trainAdam(smallModel({ samples: 8, precision: 'f32' }), { ...options, epochs: 1, learningRate: 1e60 }, control),
    ).rejects.toThrow(/diverged in epoch 1, step 1/);
  });

  it('refuses bad data with the number of its sample, and bad options by name', async () => {
    const model = smallModel({ samples: 40 });
    const { inputs, targets } = model.data.batch(0, 40);
    const x = { ...inputs, data: inputs.data.slice() };
    x.data[4 * 23 + 1] = Number.NaN;
    await expect(trainAdam({ ...model, data: memoryDataSet(x, targets) }, options, control)).rejects.toThrow(
      /Input 1 of sample 23 is NaN/,
    );
    const y = { ...targets, data: targets.data.slice() };
    y.data[3 * 31] = Infinity;
    await expect(trainAdam({ ...model, data: memoryDataSet(inputs, y) }, options, control)).rejects.toThrow(
      /Target 0 of sample 31 is Infinity/,
    );
    await expect(trainAdam({ ...model, loss: 'cross-entropy' }, options, control)).rejects.toThrow(OptionError);
    await expect(
      trainAdam({ ...model, data: memoryDataSet(inputs, block(targets, 0, 0, 2, 40)) }, options, control),
    ).rejects.toThrow(ShapeError);
    for (const bad of [
      { epochs: 1.5 },
      { batchSize: 0 },
      { learningRate: -1 },
      { seed: Number.NaN },
      { decay: 0 },
      { beta1: 1 },
      { beta2: -0.1 },
      { epsilon: 0 },
      { shuffleBytes: 0 },
    ]) {
      await expect(trainAdam(model, { ...options, ...bad }, control)).rejects.toThrow(
        new RegExp(`^${Object.keys(bad)[0]} is`),
      );
    }
  });
});

describe('order of the samples', () => {
  it('every sample once an epoch, in an order that epoch and seed decide', () => {
    const make = (seed: number): SampleOrder =>
      new SampleOrder(numbered(103), 'mse', { batchSize: 10, seed, shuffleBytes: 1e9 });
    const order = make(1);
    expect(order.batches).toBe(11);
    const first = epochOf(order, 0);
    expect(first.map((batch) => batch.length)).toEqual([...Array<number>(10).fill(10), 3]);
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
    expect(epochOf(order, 1).flat()).not.toEqual(first.flat());
    expect(epochOf(make(1), 0)).toEqual(first);
    expect(epochOf(make(2), 0)).not.toEqual(first);
  });

  it('data within the bound is read once', () => {
    let reads = 0;
    const order = new SampleOrder(
      numbered(50, () => {
        reads++;
      }),
      'mse',
      { batchSize: 8, seed: 1, shuffleBytes: 16 * 50 },
    );
    for (let epoch = 0; epoch < 3; epoch++) epochOf(order, epoch);
    expect(reads).toBe(1);
  });

  it(
    'larger data comes by chunks within the bound, each sample still once, ' +
      'only the last chunk with a smaller batch',
    () => {
      const bound = 16 * 35;
      const reads: number[] = [];
      const order = new SampleOrder(
        numbered(103, (first, count) => {
          expect(16 * count).toBeLessThanOrEqual(bound);
          reads.push(first);
        }),
        'mse',
        { batchSize: 10, seed: 5, shuffleBytes: bound },
      );
      const batches = epochOf(order, 0);
      expect(batches).toHaveLength(order.batches);
      expect(batches.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 103 }, (_, i) => i));
      expect(batches.filter((batch) => batch.length < 10).map((batch) => batch.length)).toEqual([3]);
      expect([...reads].sort((a, b) => a - b)).toEqual([0, 30, 60, 90]);
      // Over a few epochs the chunks do not always come in their own order.
      for (let epoch = 1; epoch < 6; epoch++) epochOf(order, epoch);
      expect(reads).not.toEqual([...reads].sort((a, b) => a - b));
    },
  );

  it('inputs and targets of a sample stay together', () => {
    const x = view(
      Float64Array.from({ length: 40 * 33 }, (_, k) => Math.floor(k / 33)),
      0,
      33,
      40,
    );
    const y = zeros(2, 40);
    for (let i = 0; i < 40; i++) y.data.fill(i, 2 * i, 2 * i + 2);
    for (const { inputs, targets } of new SampleOrder(memoryDataSet(x, y), 'mse', {
      batchSize: 7,
      seed: 1,
      shuffleBytes: 1e9,
    }).epoch(0)) {
      for (let j = 0; j < inputs.cols; j++)
        for (const v of [inputs.data[33 * j], inputs.data[33 * j + 32], targets.data[2 * j], targets.data[2 * j + 1]])
          expect(v).toBe(inputs.data[33 * j + 5]);
    }
  });
});
