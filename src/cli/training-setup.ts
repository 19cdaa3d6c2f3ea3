/**
 * From the options of hmatrix train and hmatrix compare to the task that is trained.
 */
import { basename } from 'node:path';
import type { TaskRecord, TaskSetup } from '../experiment/training-task.js';
import type { TeamControl } from '../parallel/team-control.js';
import { grouped } from './numbers.js';
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

/** A line on the task. */
export function taskLine(task: TaskRecord, workers: number): string {
  const { network, size, activation, loss, bias, data, training, validation, precision, seed, standardized } = task;
  const split = validation === 0 ? '' : `, ${grouped(validation)} more for validation`;
  return (
    `network ${network} (${activation}, ${loss}${bias ? '' : ', no biases'}), N = ${grouped(size)} parameters, n = ` +
    `${grouped(training)} of ${data}${split}${standardized ? ', standardized' : ''}, ${precision}, seed ${seed}, ` +
    `${workers} worker${workers === 1 ? '' : 's'}`
  );
}

/** What to do about columns whose scales lie far apart. */
export const scalesLine = (uneven: string | null): string[] =>
  uneven === null
    ? []
    : [`The columns have very different scales (root mean squares: ${uneven}): --standardize makes training easier.`];
