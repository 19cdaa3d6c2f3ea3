/**
 * From the options of hmatrix train and hmatrix compare to the task that is trained.
 */
import { basename } from 'node:path';
import type { TaskRecord, TaskSetup } from '../experiment/training-task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { grouped } from '../core/number-text.js';
import type { Setting } from '../training/optimizer.js';
import { MAX_SIZE } from './options/common.js';
import { checkData, openData, samplesOf, tellAssumed } from './samples.js';
import { UsageError } from './usage.js';
import type { TaskOptions } from './command-options.js';

/** Generated digits where no number is asked for. */
const DIGITS = 4000;

/** What can be found wrong before anything is opened. Throws UsageError. */
export function checkTask(options: TaskOptions, activationGiven: boolean): void {
  checkData(options);
  if (options.network !== undefined && options.hidden !== undefined)
    throw new UsageError('--hidden goes without --network: the widths of --network are all of them.');
  tellAssumed(options, activationGiven);
}

/** Reads the data. Throws as openData does. */
export async function openTaskData(options: TaskOptions, control: TeamControl): Promise<TaskSetup> {
  const {
    network,
    hidden,
    activation,
    loss,
    bias,
    precision,
    validation,
    standardize = false,
    seed,
    weights,
  } = options;
  const file = options.images ?? options.data;
  const most = options.samples ?? (file === undefined ? DIGITS : MAX_SIZE);
  const data = await openData({ ...options, samples: most, seed }, control);
  const found = 'inputs' in data ? data.inputs.count : data.images.count;
  return {
    widths: network,
    hidden,
    activation: activation.length === 1 ? activation[0] : activation,
    loss,
    bias,
    data,
    samples: options.samples === undefined ? found : samplesOf(data, most, true),
    precision,
    validation,
    standardize,
    seed,
    weights: weights === undefined ? undefined : { path: weights, name: basename(weights) },
  };
}

/** Settings of a model that are not off: "width 0.5, augment". */
const settingsText = (settings: Readonly<Record<string, Setting>>): string =>
  Object.entries(settings)
    .filter(([, value]) => value !== false && value !== 0)
    .map(([name, value]) => (value === true ? name : `${name} ${String(value)}`))
    .join(', ');

/** A line on the task. */
export function taskLine(task: TaskRecord, workers: number): string {
  const { network, model, size, activation, loss, bias, data, training, validation, precision } = task;
  const state = `${task.standardized ? ', standardized' : ''}, ${precision}, seed ${task.seed}`;
  const split = validation === 0 ? '' : `, ${grouped(validation)} more for validation`;
  const own = model === undefined ? '' : settingsText(model.settings);
  const ways = [activation ?? [], loss, bias === false ? 'no biases' : [], own === '' ? [] : own].flat().join(', ');
  return (
    `${model === undefined ? 'network ' : ''}${network} (${ways}), N = ${grouped(size)} parameters, n = ` +
    `${grouped(training)} of ${data}${split}${state}, ${workers} worker${workers === 1 ? '' : 's'}`
  );
}

/** What to do about columns whose scales lie far apart. */
export const scalesLine = (uneven: string | null): string[] =>
  uneven === null
    ? []
    : [`The columns have very different scales (root mean squares: ${uneven}): --standardize makes training easier.`];
