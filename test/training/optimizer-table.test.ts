/** The optimizers and schedules by name: what the tables make is what their functions make. */
import { describe, expect, it } from 'vitest';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { adam } from '#hmatrix/training/optimizers/first-order.js';
import { gridOf, OPTIMIZERS, optimizerOf, settingsOf } from '#hmatrix/training/optimizers/table.js';
import { SCHEDULES, scheduleOf } from '#hmatrix/training/schedule-table.js';
import type { TrainOptions } from '#hmatrix/training/train-options.js';
import { train } from '#hmatrix/training/train.js';
import { randomMatrix } from '../support.js';

const network = defineNetwork({ widths: [3, 4, 2] });
const model = {
  network,
  parameters: initialParameters(network, 1),
  loss: 'mse',
  data: memoryDataSet(randomMatrix(3, 20, 1), randomMatrix(2, 20, 2)),
} as const;

describe('the table of optimizers', () => {
  it.each(OPTIMIZERS)('makes_%s_whose_name_it_is_and_trains_by_it_with_all_of_its_grid', async (name) => {
    expect(optimizerOf(name).name).toBe(name);
    for (const size of ['small', 'default'] as const) {
      const grid = gridOf(name, size);
      expect(grid.length).toBeGreaterThanOrEqual(2);
      expect(new Set(grid.map((point) => JSON.stringify(point))).size).toBe(grid.length);
      for (const { batchSize, rotateInputs, ...settings } of grid) {
        const optimizer = optimizerOf(name, settings as never);
        const run = await train(model, { optimizer, steps: 1, batchSize, rotateInputs });
        expect(run.steps).toBe(1);
        for (const [key, value] of Object.entries(settings)) expect(run.optimizer.settings).toHaveProperty(key, value);
      }
    }
  });

  it('refuses_unknown_names_and_settings_by_name', () => {
    expect(() => optimizerOf('adamm' as never)).toThrow(/Unknown optimizer "adamm": did you mean "adam"\?/);
    expect(() => optimizerOf('quick' as never)).toThrow(/"quick": choose sgd, momentum, .*ekfac-adam\./);
    expect(() => optimizerOf('toString' as never)).toThrow(/Unknown optimizer "toString"/);
    expect(() => optimizerOf('kfac', { dampin: 1 } as never)).toThrow(/kfac has no option "dampin": .*"damping"/);
    expect(settingsOf('lbfgs')).toEqual(['history', 'curvature']);
  });

  it('is_what_train_takes_names_by', async () => {
    const run = async (optimizer: NonNullable<TrainOptions['optimizer']>): Promise<ArrayLike<number>> =>
      (await train(model, { optimizer, steps: 3, batchSize: 5 })).parameters;
    const expected = await run(adam({ learningRate: 0.1 }));
    expect(await run({ name: 'adam', learningRate: 0.1 })).toEqual(expected);
    expect(await run('adam')).toEqual(await run(adam()));
    await expect(train(model, { optimizer: 'adan' as never })).rejects.toThrow(/Unknown optimizer "adan"/);
    for (const wrong of [null, 3, {}, { name: 3 }, () => adam()])
      await expect(train(model, { optimizer: wrong as never })).rejects.toThrow(/optimizer of train is one as adam/);
    await expect(train(model, { optimizer: { name: 'adam', rate: 1 } as never })).rejects.toThrow(/adam has no option/);
  });
});

describe('the table of schedules', () => {
  const needed = {
    step: { every: 2 },
    exponential: { factor: 0.5 },
    time: { decay: 1 },
    'warm-up': { steps: 3 },
    cyclic: { steps: 2 },
  };
  it.each(SCHEDULES)('makes_%s', (name) => {
    const settings = (needed as Readonly<Record<string, object>>)[name] ?? {};
    expect(scheduleOf(name, { ...settings }).name).toBe(name);
    expect(() => scheduleOf(name, { ...settings, evry: 1 })).toThrow(/has no option "evry"/);
    if (name in needed)
      expect(() => scheduleOf(name)).toThrow(`The schedule ${name} needs ${Object.keys(settings)[0]}`);
  });

  it('takes_names_within_warm_up_and_refuses_unknown_ones', () => {
    expect(scheduleOf('warm-up', { steps: 2, then: 'cosine' }).settings).toEqual({
      steps: 2,
      then: 'cosine',
      'then.least': 0,
    });
    expect(() => scheduleOf('cosin')).toThrow(/Unknown schedule "cosin": did you mean "cosine"\?/);
    expect(() => scheduleOf('often')).toThrow(/choose constant, step/);
  });
});
