/** Training runs: what they keep, how they end, and what they refuse. */
import { describe, expect, it } from 'vitest';
import { AbortedError, NonFiniteError, OptionError, ShapeError } from '#hmatrix/core/errors.js';
import { openBlas } from '#hmatrix/dense/backend.js';
import { block } from '#hmatrix/dense/matrix.js';
import { labelTargets, memoryDataSet, type DataSet } from '#hmatrix/network/data-set.js';
import { meanLoss } from '#hmatrix/network/gradient.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { accuracy } from '#hmatrix/network/predict.js';
import type { Model } from '#hmatrix/network/model.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { adam, momentum, sgd } from '#hmatrix/training/optimizers/first-order.js';
import { lbfgs } from '#hmatrix/training/optimizers/lbfgs.js';
import { train } from '#hmatrix/training/train.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { normalMatrix, smallModel } from '../network/models.js';
import { sharedTeam } from '../teams.js';

const blas = openBlas();
const control = { blas };

/** Two classes: inside and outside a circle. */
function circle(samples: number, seed = 1): Model {
  const x = normalMatrix(2, samples, seed);
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
const fast: TrainOptions = { optimizer: adam({ learningRate: 0.01 }), batchSize: 16, seed: 3 };

/** A data set that hands out the same memory each time. */
function streamed({ samples, inputs, outputs, batch }: DataSet): DataSet {
  const room = new Float64Array((inputs + outputs) * samples).fill(Number.NaN);
  return {
    samples,
    inputs,
    outputs,
    batch: (first, count) => {
      const given = batch(first, count);
      const x = { data: room, offset: 0, rows: inputs, cols: count, ld: inputs };
      const y = { ...x, offset: inputs * count, rows: outputs, ld: outputs };
      for (let i = 0; i < count; i++) {
        for (let k = 0; k < inputs; k++)
          room[i * inputs + k] = given.inputs.data[given.inputs.offset + i * given.inputs.ld + k];
        for (let k = 0; k < outputs; k++)
          room[y.offset + i * outputs + k] = given.targets.data[given.targets.offset + i * given.targets.ld + k];
      }
      return { inputs: x, targets: y };
    },
  };
}

describe('a run', () => {
  it('learns a circle', async () => {
    const model = circle(300);
    const { parameters, evaluations, best, outcome, steps, epochs, samples, failure } = await train(
      model,
      { ...fast, epochs: 30, validation: circle(200, 2).data },
      control,
    );
    expect(outcome).toBe('finished');
    expect(failure).toBeNull();
    expect([steps, epochs, samples]).toEqual([30 * 19, 30, 9000]);
    expect(evaluations).toHaveLength(30);
    const { loss, validationLoss, validationAccuracy } = evaluations[29];
    expect(loss!).toBeLessThan(evaluations[0].loss! / 3);
    const held = { ...model, parameters, data: circle(200, 2).data };
    expect(Math.abs(validationLoss! - meanLoss(held, { blas }))).toBeLessThan(1e-13);
    expect(Math.abs(validationAccuracy! - accuracy(held, { blas }))).toBeLessThan(1e-13);
    expect(best.at.validationLoss).toBe(Math.min(...evaluations.map((at) => at.validationLoss!)));
    expect(
      Math.abs(meanLoss({ ...held, parameters: best.parameters }, { blas }) - best.at.validationLoss!),
    ).toBeLessThan(1e-13);
    expect(model.parameters).toEqual(initialParameters(model.network, 1));
  });

  it.each(['f64', 'f32'] as const)(
    'has equal bits for equal seeds and any team, others not (%s)',
    async (precision) => {
      // Large enough for several slices and blocks.
      const model = smallModel({ widths: [40, 300, 120, 5], samples: 230, precision, loss: 'bce' });
      const options: TrainOptions = { epochs: 3, batchSize: 110, dropout: 0.2, average: 0.9, validation: 0.1, clip: 1 };
      const first = await train(model, options, control);
      expect(first.parameters).toBeInstanceOf(precision === 'f32' ? Float32Array : Float64Array);
      for (const workers of [1, 2]) {
        const { team, seconds, evaluations, ...other } = await train(model, options, {
          blas,
          team: await sharedTeam(workers),
        });
        expect(team.threads).toBeLessThanOrEqual(workers);
        expect(seconds).toBeGreaterThan(0);
        expect(other).toEqual({ ...other, parameters: first.parameters, averaged: first.averaged });
        expect(evaluations.map((at) => at.validationLoss)).toEqual(first.evaluations.map((at) => at.validationLoss));
      }
      expect((await train(model, { ...options, seed: 4 }, control)).parameters).not.toEqual(first.parameters);
    },
  );

  it('keeps an average that forgets the beginning', async () => {
    const model = smallModel({ samples: 9 });
    const { averaged } = await train(model, { epochs: 4, optimizer: sgd(), average: 0.3 }, control);
    const expected = Float64Array.from(model.parameters);
    for (let t = 1; t <= 4; t++) {
      const { parameters } = await train(model, { epochs: t, optimizer: sgd() }, control);
      const keep = Math.min(0.3, t / (9 + t));
      expected.forEach((value, k) => (expected[k] = keep * value + (1 - keep) * parameters[k]));
    }
    averaged!.forEach((value, k) => {
      expect(Math.abs(value - expected[k])).toBeLessThan(1e-14);
    });
  });

  it.each([
    ['one sample', { samples: 1 }, {}],
    ['one unit', { widths: [1, 1, 1], samples: 5 }, {}],
    ['a batch larger than the data', { samples: 7 }, { batchSize: 1000 }],
    ['a smaller last batch', { samples: 7 }, { batchSize: 3 }],
    ['one sample a step', { samples: 7 }, { batchSize: 1 }],
    ['no bias, one layer', { widths: [3, 2], bias: false, samples: 7 }, { batchSize: 2 }],
  ] as const)('takes %s', async (_name, given, options) => {
    const model = smallModel(given);
    const run = await train(model, { epochs: 60, optimizer: momentum({ learningRate: 0.02 }), ...options }, control);
    expect(run.outcome).toBe('finished');
    expect(run.samples).toBe(60 * model.data.samples);
    expect(run.evaluations.at(-1)!.loss!).toBeLessThan(run.evaluations[0].loss!);
  });

  it('of no epochs gives the parameters back', async () => {
    const model = smallModel();
    const { parameters, best, evaluations, lastStep } = await train(
      model,
      { optimizer: adam(), epochs: 0, validation: model.data },
      control,
    );
    expect(parameters).toEqual(model.parameters);
    expect(parameters).not.toBe(model.parameters);
    expect(best.parameters).toEqual(model.parameters);
    expect(evaluations).toHaveLength(1);
    expect(evaluations[0]).toMatchObject({ step: 0, loss: null });
    expect(lastStep).toBeNull();
  });

  it('evaluates when it is told to, whatever the data set does with its memory', async () => {
    const model = circle(90);
    const options: TrainOptions = { ...fast, epochs: 4, targetLoss: 0 };
    const often = await train(model, { ...options, evaluateEvery: 4 }, control);
    expect(often.evaluations.map((at) => at.step)).toEqual([4, 8, 12, 16, 20, 24]);
    const whole = often.evaluations.at(-1)!;
    expect(Math.abs(whole.trainingLoss! - meanLoss({ ...model, parameters: often.parameters }, { blas }))).toBeLessThan(
      1e-13,
    );
    const seldom = await train(model, { ...options, evaluateEvery: 100 }, control);
    expect(seldom.evaluations.map((at) => at.step)).toEqual([24]);
    expect(seldom.parameters).toEqual(often.parameters);
    for (const shuffleBytes of [2 ** 31, 8 * 4 * 33]) {
      const base = await train(model, { ...options, shuffleBytes, validation: 0.2 }, control);
      for (const other of [{ evaluateEvery: 1 }, {}]) {
        const data = streamed(model.data);
        const run = await train({ ...model, data }, { ...options, ...other, shuffleBytes, validation: 0.2 }, control);
        expect(run.parameters).toEqual(base.parameters);
        expect(run.evaluations.at(-1)!.validationLoss).toBe(base.evaluations.at(-1)!.validationLoss);
        const same = await train({ ...model, data }, { ...options, ...other, shuffleBytes, validation: data }, control);
        const plain = await train(model, { ...options, ...other, shuffleBytes, validation: model.data }, control);
        expect(same.parameters).toEqual(plain.parameters);
        expect(same.evaluations.map((at) => at.validationLoss)).toEqual(
          plain.evaluations.map((at) => at.validationLoss),
        );
      }
    }
  });
});

describe('a run ends', () => {
  it('at targets, out of patience, in time', async () => {
    const model = circle(300);
    const accurate = await train(model, { ...fast, epochs: 200, targetAccuracy: 0.9 }, control);
    expect(accurate.outcome).toBe('target');
    expect(accurate.evaluations.at(-1)!.trainingAccuracy).toBeGreaterThanOrEqual(0.9);
    expect(accurate.evaluations.at(-2)!.trainingAccuracy).toBeLessThan(0.9);
    const low = await train(model, { ...fast, epochs: 200, targetLoss: 0.4, validation: 0.2 }, control);
    expect(low.outcome).toBe('target');
    expect(low.evaluations.at(-1)!.validationLoss).toBeLessThanOrEqual(0.4);
    expect(low.evaluations.at(-1)!.trainingLoss).toBeNull();

    const stuck = await train(
      model,
      { optimizer: sgd({ learningRate: 1e-30 }), epochs: 50, patience: 3, validation: 0.2 },
      control,
    );
    expect([stuck.outcome, stuck.epochs]).toEqual(['patience', 4]);

    const timed = await train(model, { ...fast, seconds: 0.05 }, control);
    expect(timed.outcome).toBe('seconds');
    expect(timed.seconds).toBeGreaterThanOrEqual(0.05);
    expect((await train(model, { ...fast, steps: 7 }, control)).steps).toBe(7);
  });

  it('with the last good parameters where it diverges', async () => {
    const model = smallModel({ activation: 'relu', samples: 40 });
    const run = await train(model, { epochs: 3, optimizer: adam({ learningRate: 1e160 }), batchSize: 10 }, control);
    expect(run.outcome).toBe('diverged');
    expect(run.failure).toMatch(/diverged in epoch 1, step 2 in all: .*Lower the learning rate \(1e\+160\)/);
    expect(run.parameters).toEqual(model.parameters);
    expect(run.best.parameters).toEqual(model.parameters);

    // The first epoch is good, and the rate of the second is not.
    const schedule = {
      name: 'sudden',
      settings: {},
      factor: ({ epoch }: { epoch: number }) => (epoch === 0 ? 1 : 1e200),
    };
    const options: TrainOptions = { optimizer: sgd(), batchSize: 10, average: 0.5 };
    const good = await train(model, { ...options, epochs: 1 }, control);
    const bad = await train(model, { ...options, epochs: 5, schedule }, control);
    expect([bad.outcome, bad.evaluations.length]).toEqual(['diverged', 1]);
    expect(bad.parameters).toEqual(good.parameters);
    expect(bad.averaged).toEqual(good.averaged);

    // One step only: no later loss shows what it did, the parameters do.
    const once = smallModel({ samples: 8, precision: 'f32' });
    const jump = await train(once, { epochs: 1, optimizer: adam({ learningRate: 1e60 }) }, control);
    expect([jump.outcome, jump.steps]).toEqual(['diverged', 1]);
    expect(jump.parameters).toEqual(once.parameters);
  });

  it('on abort, between steps, and reports progress until then', async () => {
    const model = circle(200);
    const seen: number[] = [];
    await train(
      model,
      { ...fast, epochs: 2 },
      {
        blas,
        onProgress: ({ phase, done, total }) => {
          expect([phase, total]).toEqual(['train', 26]);
          seen.push(done);
        },
      },
    );
    expect([seen[0], seen.at(-1)]).toEqual([0, 26]);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await expect(train(model, fast, { blas, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
    const controller = new AbortController();
    const running = train(model, { ...fast, epochs: 1_000_000 }, { blas, signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error('enough'));
    }, 60);
    await expect(running).rejects.toThrow(/enough/);
  });

  it('without having taken memory for each step', async () => {
    const model = smallModel({ widths: [200, 300, 200], samples: 400 });
    const before: number[] = [];
    // By steps of 25: buffers that are held, and then no more.
    const measure = (): void => {
      before.push(process.memoryUsage().arrayBuffers);
    };
    await train(
      model,
      {
        epochs: 40,
        batchSize: 16,
        schedule: {
          name: 'watching',
          settings: {},
          factor: ({ step }) => {
            if (step % 25 === 24) measure();
            return 1;
          },
        },
        average: 0.9,
        clip: 5,
      },
      control,
    );
    expect(before).toHaveLength(40);
    // θ has 120,500 numbers, a batch 16·400: neither is taken again after the first steps.
    expect(before.at(-1)! - before[1]).toBeLessThan(16 * 400 * 8);
  });
});

describe('what a run refuses', () => {
  const model = smallModel({ samples: 40, loss: 'bce' });

  it('is bad data, with the number of its sample', async () => {
    const { inputs, targets } = model.data.batch(0, 40);
    const x = { ...inputs, data: inputs.data.slice() };
    x.data[4 * 23 + 1] = Number.NaN;
    await expect(train({ ...model, data: memoryDataSet(x, targets) }, {}, control)).rejects.toThrow(
      /Input 1 of sample 23 is NaN/,
    );
    await expect(train(model, { validation: memoryDataSet(x, targets) }, control)).rejects.toThrow(NonFiniteError);
    const y = { ...targets, data: targets.data.slice() };
    y.data[3 * 31] = Infinity;
    await expect(train({ ...model, data: memoryDataSet(inputs, y) }, {}, control)).rejects.toThrow(
      /Target 0 of sample 31 is Infinity/,
    );
    await expect(train({ ...model, loss: 'cross-entropy' }, {}, control)).rejects.toThrow(OptionError);
    const narrow = memoryDataSet(inputs, block(targets, 0, 0, 2, 40));
    await expect(train({ ...model, data: narrow }, {}, control)).rejects.toThrow(ShapeError);
    await expect(train(model, { validation: narrow }, control)).rejects.toThrow(/validation data has 2 outputs/);
    const parameters = model.parameters.slice();
    parameters[5] = Number.NaN;
    await expect(train({ ...model, parameters }, {}, control)).rejects.toThrow(/Parameter 5 is NaN/);
  });

  it.each<[TrainOptions, RegExp]>([
    [{ epochs: 1.5 }, /^epochs must/],
    [{ steps: -1 }, /^steps must/],
    [{ seconds: 0 }, /^seconds must/],
    [{ batchSize: 0 }, /^batchSize must/],
    [{ accumulate: 0 }, /^accumulate must/],
    [{ seed: Number.NaN }, /^seed must/],
    [{ validation: 1 }, /^validation must/],
    [{ validation: 0.999 }, /leaves none to train on/],
    [{ validation: 'some' as never }, /validation of train takes a data set/],
    [{ decay: -1 }, /^decay must/],
    [{ regularization: Number.NaN }, /^regularization must/],
    [{ dropout: 1 }, /^dropout must/],
    [{ clip: 0 }, /^clip must/],
    [{ average: 1 }, /^average must/],
    [{ patience: 0 }, /^patience must/],
    [{ targetAccuracy: 2 }, /^targetAccuracy must/],
    [{ targetLoss: 'low' as never }, /^targetLoss/],
    [{ evaluateEvery: 0 }, /^evaluateEvery must/],
    [{ shuffleBytes: 0 }, /^shuffleBytes must/],
    [{ lastLayer: 1 as never }, /^lastLayer/],
    [{ resume: true }, /resume needs the folder/],
    [{ checkpoint: 3 as never }, /^checkpoint/],
    [{ metrics: '' }, /^metrics/],
    [{ rotateInputs: 'yes' as never }, /^rotateInputs/],
    [{ optimizer: 'adamm' as never }, /Unknown optimizer "adamm": did you mean "adam"/],
    [{ schedule: 0.5 as never }, /^schedule/],
    [{ groups: {} as never }, /^groups/],
    [{ groups: [{ layers: [2] }] }, /group 0 of train names layer 2: .* 0 to 1/],
    [{ groups: [{ layers: [0] }, { layers: [1, 0] }] }, /Layer 0 is in groups 0 and 1/],
    [{ groups: [{ layers: [0, 1], frozen: true }] }, /All layers are frozen/],
    [{ groups: [{ layers: [0], rate: -1 }] }, /rate of group 0/],
    [{ groups: [{ layers: 0 as never }] }, /layers of group 0/],
    [{ schedule: { name: 'bad', settings: {}, factor: () => Number.NaN } }, /schedule bad gives the factor NaN/],
  ])('is %j', async (options, message) => {
    const failure: unknown = await train(model, options, control).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OptionError);
    expect((failure as Error).message).toMatch(message);
  });

  it('is accuracies without classes, and curvature of frozen layers or of a batch in parts', async () => {
    await expect(train({ ...model, loss: 'mse' }, { targetAccuracy: 0.5 }, control)).rejects.toThrow(/no meaning/);
    const { inputs, targets } = model.data.batch(0, model.data.samples);
    const data = memoryDataSet(inputs, { ...targets, data: targets.data.map(() => 0.5) });
    const soft = { ...model, data, loss: 'bce' } as const;
    expect((await train(soft, { epochs: 1 }, control)).evaluations[0].trainingAccuracy).toBeNull();
    await expect(train(soft, { epochs: 1, targetAccuracy: 0.5 }, control)).rejects.toThrow(/lie between 0 and 1/);
    const optimizer = { ...sgd(), curvature: 'gauss-newton' } as const;
    const groups = [{ layers: [1], frozen: true }];
    await expect(train(model, { optimizer, groups }, control)).rejects.toThrow(/Layer 1 is frozen behind layer 0/);
    await expect(train(model, { optimizer, accumulate: 2 }, control)).rejects.toThrow(/without curvature/);
    await expect(train(model, { optimizer: lbfgs(), accumulate: 2 }, control)).rejects.toThrow(/lbfgs is none/);
    for (const make of [() => sgd({ learningRate: 0 }), () => adam({ beta1: 1 }), () => adam({ epsilon: Number.NaN })])
      expect(make).toThrow(OptionError);
  });
});
