/**
 * What a run depends on, as names and values that a checkpoint keeps and compares.
 */
import { precisionOf } from '../core/floats.js';
import type { GraphModel } from '../layers/graph-model.js';
import type { Model } from '../network/model.js';
import type { TrainSettings } from './check-options.js';
import type { RunSettings } from './checkpoint.js';
import { networkText } from './network-text.js';
import type { Setting } from './optimizer.js';
import type { Outline } from './prepare.js';

const under = (prefix: string, settings: Readonly<Record<string, Setting>>): Record<string, Setting> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${prefix}.${name}`, value]));

/** All that the steps of a run depend on, its limits left out. `batchSize`: samples of a step. */
export function runSettings(
  { network, loss, parameters }: Model | GraphModel,
  settings: TrainSettings,
  { training, validation, prefix, plans, rotated }: Outline,
  batchSize: number,
): RunSettings {
  const { optimizer, schedule, accumulate, seed, regularization, dropout, clip, average, augment, shuffleBytes } =
    settings;
  return {
    network: networkText(network),
    loss: typeof loss === 'string' ? loss : `tokens ${loss.padding} ${loss.smoothing}`,
    precision: precisionOf(parameters),
    samples: training.samples,
    'validation samples': validation?.samples ?? 0,
    optimizer: optimizer.name,
    ...under('optimizer', optimizer.settings),
    batchSize,
    accumulate,
    seed,
    schedule: schedule.name,
    ...under('schedule', schedule.settings),
    layers: plans
      .map((plan) => (plan === null ? 'frozen' : `${plan.factor} ${plan.decay}${plan.decayBias ? ' with bias' : ''}`))
      .join(', '),
    'frozen first layers': prefix,
    rotateInputs: rotated,
    regularization,
    dropout,
    clip,
    average,
    ...under('augment', augment?.settings ?? {}),
    shuffleBytes,
  };
}
