/**
 * The options of a training run, checked and with their defaults.
 */
import { requireNonNegative, requirePositive, requireSeed, requireWhole } from '../core/checks.js';
import { OptionError, ShapeError } from '../core/errors.js';
import { describe, kindOf, requireRole } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import type { Device } from '../device/device.js';
import type { DataSet } from '../network/data-set.js';
import { LOSSES, lossOf } from '../network/losses/table.js';
import type { GraphModel } from '../layers/graph-model.js';
import type { GraphLoss } from '../layers/losses.js';
import type { Model } from '../network/model.js';
import type { ImageAugmentation } from './data/image-augmentation.js';
import type { Optimizer } from './optimizer.js';
import { ekfacAdam } from './optimizers/ekfac-adam.js';
import { adam } from './optimizers/first-order.js';
import { optimizerOf, type OptimizerName } from './optimizers/table.js';
import { constantSchedule } from './schedules.js';
import type { LayerGroup, Schedule, TrainOptions } from './train-options.js';

/** The optimizer of runs that name none: on cards there are those that use gradients alone. */
const defaultOptimizer = (device: Device | undefined): Optimizer =>
  device === undefined || device.team !== null ? ekfacAdam() : adam();

const DEFAULT_EPOCHS = 10;

/** The keys of {@link TrainOptions}. */
export const TRAIN_KEYS: KeysOf<TrainOptions> = {
  optimizer: true,
  epochs: 'number',
  seconds: 'number',
  steps: 'number',
  batchSize: true,
  accumulate: 'number',
  seed: 'number',
  validation: true,
  schedule: true,
  groups: true,
  lastLayer: 'boolean',
  decay: 'number',
  regularization: 'number',
  dropout: 'number',
  clip: 'number',
  average: 'number',
  patience: 'number',
  targetLoss: 'number',
  targetAccuracy: 'number',
  evaluateEvery: 'number',
  checkpoint: 'text',
  resume: 'boolean',
  metrics: 'text',
  rotateInputs: 'boolean',
  augment: true,
  memoryLimit: 'number',
  device: true,
  shuffleBytes: 'number',
};

/** Options with defaults; Infinity and null where there is no limit and no wish. */
export interface TrainSettings {
  readonly optimizer: Optimizer;
  readonly epochs: number;
  readonly seconds: number;
  readonly steps: number;
  readonly batchSize: number | 'all';
  readonly accumulate: number;
  readonly seed: number;
  readonly validation: number | DataSet;
  readonly schedule: Schedule;
  readonly groups: readonly LayerGroup[];
  readonly lastLayer: boolean;
  readonly decay: number;
  readonly regularization: number;
  readonly dropout: number;
  readonly clip: number | null;
  readonly average: number | null;
  readonly patience: number;
  readonly targetLoss: number | null;
  readonly targetAccuracy: number | null;
  /** Steps; null: each epoch. */
  readonly evaluateEvery: number | null;
  readonly checkpoint: string | null;
  readonly resume: boolean;
  readonly metrics: string | null;
  /** null: as the optimizer asks. */
  readonly rotateInputs: boolean | null;
  readonly augment: ImageAugmentation | null;
  /** null: what is free. */
  readonly memoryLimit: number | null;
  /** null: this machine's processor. */
  readonly device: Device | null;
  readonly shuffleBytes: number;
}

function requireFlag(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean')
    throw new OptionError(`${name} of train is true or false, not ${describe(value)}.`, { [name]: value });
  return value;
}

function requirePathOrNone(value: unknown, name: string): string | null {
  if (value === undefined) return null;
  if (typeof value !== 'string' || value === '')
    throw new OptionError(`${name} of train is a path, not ${describe(value)}.`, { [name]: value });
  return value;
}

function requireBelowOne(value: number, name: string): number {
  if (!(value >= 0 && value < 1))
    throw new OptionError(`${name} must lie in [0, 1), not ${describe(value)}.`, { [name]: value });
  return value;
}

const limit = (value: number | undefined, name: string, least: number): number =>
  value === undefined ? Infinity : requireWhole(value, name, least);

/** The optimizer, made where its name, or { name, … }, is given. */
function requireOptimizer(given: TrainOptions['optimizer'] | null): Optimizer {
  if (typeof given === 'string') return optimizerOf(given);
  if (typeof given === 'object' && given !== null) {
    if ('begin' in given && typeof given.begin === 'function') return given;
    const { name, ...settings } = given as { readonly name?: unknown };
    if (typeof name === 'string') return optimizerOf(name as OptimizerName, settings);
  }
  throw new OptionError(
    `optimizer of train is one as adam() makes it, its name, or { name, … } with settings, not ${describe(given)}.`,
    {},
  );
}

function requireSchedule(given: unknown): Schedule {
  if (typeof (given as Schedule | null | undefined)?.factor !== 'function')
    throw new OptionError(`schedule of train is one as cosineSchedule() makes it, not ${describe(given)}.`, {});
  return given as Schedule;
}

function requireValidation(given: number | DataSet, { data }: Model | GraphModel): number | DataSet {
  if (typeof given === 'number') return requireBelowOne(given, 'validation');
  if (kindOf(given) !== 'data set') requireRole(given, 'data set', 'validation of train');
  for (const part of ['inputs', 'outputs'] as const) {
    if (given[part] !== data[part])
      throw new ShapeError(`The validation data has ${given[part]} ${part}, the training data ${data[part]}.`, {
        validation: given[part],
        training: data[part],
      });
  }
  return given;
}

/** Throws OptionError for what moves no images, ShapeError for images of another size than the inputs. */
function requireAugmentation(given: ImageAugmentation, { data }: Model | GraphModel): ImageAugmentation {
  const { apply, settings, channels, height, width } = (given as Partial<ImageAugmentation> | null) ?? {};
  if (typeof apply !== 'function' || typeof settings !== 'object')
    throw new OptionError(`augment of train is what imageAugmentation makes, not ${describe(given)}.`, {});
  const made = channels! * height! * width!;
  if (made !== data.inputs)
    throw new ShapeError(
      `augment makes images of ${channels} × ${height} × ${width}; a sample has ${data.inputs} inputs, not ${made}.`,
      { made, inputs: data.inputs },
    );
  return given;
}

function requireDevice(given: Device | undefined): Device | undefined {
  if (given !== undefined) requireRole(given, 'device', 'device of train');
  return given;
}

function requireAccuracy(value: number, loss: GraphLoss): number {
  if (!(value >= 0 && value <= 1))
    throw new OptionError(`targetAccuracy must lie in [0, 1], not ${describe(value)}.`, { targetAccuracy: value });
  if (typeof loss === 'string' && lossOf(loss).decision === null) {
    const those = LOSSES.filter((name) => lossOf(name).decision !== null).join(' and ');
    throw new OptionError(`targetAccuracy has no meaning for the loss "${loss}": targets are classes of ${those}.`, {
      loss,
    });
  }
  return value;
}

/** The options with their defaults. Throws OptionError, ShapeError (validation data of other sizes). */
export function checkTrainOptions(options: TrainOptions, model: Model | GraphModel): TrainSettings {
  requireKnownOptions(options, TRAIN_KEYS, 'train');
  const { schedule = constantSchedule(), groups = [], checkpoint } = options;
  const { clip, average, memoryLimit, targetLoss, targetAccuracy, evaluateEvery, seconds, batchSize } = options;
  const optimizer = requireOptimizer(
    options.optimizer === undefined ? defaultOptimizer(requireDevice(options.device)) : options.optimizer,
  );
  if (!Array.isArray(groups))
    throw new OptionError(`groups of train is an array of { layers, … }, not ${describe(groups)}.`, {});
  if (targetLoss !== undefined && typeof targetLoss !== 'number')
    throw new OptionError(`targetLoss of train is a number, not ${describe(targetLoss)}.`, { targetLoss });
  const settings: TrainSettings = {
    optimizer,
    epochs:
      options.epochs === undefined && seconds === undefined && options.steps === undefined
        ? DEFAULT_EPOCHS
        : limit(options.epochs, 'epochs', 0),
    seconds: seconds === undefined ? Infinity : requirePositive(seconds, 'seconds'),
    steps: limit(options.steps, 'steps', 0),
    batchSize:
      batchSize === undefined || batchSize === 'all'
        ? (batchSize ?? optimizer.batchSize)
        : requireWhole(batchSize, 'batchSize', 1),
    accumulate: requireWhole(options.accumulate ?? 1, 'accumulate', 1),
    seed: requireSeed(options.seed ?? 0),
    validation: requireValidation(options.validation ?? 0, model),
    schedule: requireSchedule(schedule),
    groups,
    lastLayer: requireFlag(options.lastLayer ?? false, 'lastLayer'),
    decay: requireNonNegative(options.decay ?? 0, 'decay'),
    regularization: requireNonNegative(options.regularization ?? 0, 'regularization'),
    dropout: requireBelowOne(options.dropout ?? 0, 'dropout'),
    clip: clip === undefined ? null : requirePositive(clip, 'clip'),
    average: average === undefined ? null : requireBelowOne(average, 'average'),
    patience: limit(options.patience, 'patience', 1),
    targetLoss: targetLoss ?? null,
    targetAccuracy: targetAccuracy === undefined ? null : requireAccuracy(targetAccuracy, model.loss),
    evaluateEvery: evaluateEvery === undefined ? null : requireWhole(evaluateEvery, 'evaluateEvery', 1),
    checkpoint: requirePathOrNone(checkpoint, 'checkpoint'),
    resume: requireFlag(options.resume ?? false, 'resume'),
    metrics: requirePathOrNone(options.metrics, 'metrics'),
    rotateInputs: options.rotateInputs === undefined ? null : requireFlag(options.rotateInputs, 'rotateInputs'),
    augment: options.augment === undefined ? null : requireAugmentation(options.augment, model),
    memoryLimit: memoryLimit === undefined ? null : requirePositive(memoryLimit, 'memoryLimit'),
    device: options.device ?? null,
    shuffleBytes: requirePositive(options.shuffleBytes ?? 2 ** 31, 'shuffleBytes'),
  };
  if (settings.resume && settings.checkpoint === null)
    throw new OptionError('resume needs the folder of the checkpoint to go on from: name it as checkpoint.', {});
  // A step that evaluates more than once would compare sums over all parts with those of the last one.
  if (settings.accumulate > 1 && (optimizer.curvature !== 'none' || optimizer.batchSize === 'all'))
    throw new OptionError(
      `accumulate is for optimizers without curvature that evaluate once a step; ${optimizer.name} is none: take a ` +
        'smaller batchSize.',
      { accumulate: settings.accumulate, optimizer: optimizer.name },
    );
  return settings;
}
