/**
 * hmatrix train: one run of one optimizer.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortedError } from '../core/errors.js';
import { openDevice } from '../device/open.js';
import type { RunMethod, TrainingRecord } from '../experiment/training-run.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Optimizer, Setting } from '../training/optimizer.js';
import { optimizerOf, settingsOf } from '../training/optimizers/table.js';
import { scheduleOf } from '../training/schedule-table.js';
import { EXIT_STATUS } from './outcome.js';
import { keepRecord, printRanks, requireKind, requireWritable, withTeam } from './run.js';
import { checkData } from './samples.js';
import { printJson, printReport, sayOnce, writesResults } from './terminal.js';
import { checkModel, movedBy, trainingOf, writeModel } from './train-model.js';
import { checkTask, openTaskData } from './training-setup.js';
import { UsageError } from './usage.js';
import type { TrainCommandOptions } from './command-options.js';

/** The optimizer of the options; `usual` goes before its own settings. Throws UsageError, OptionError. */
function optimizerOfOptions(
  {
    device,
    optimizer: name = (device ?? 'cpu') === 'cpu' ? 'ekfac-adam' : 'adam',
    learningRate,
    set,
  }: TrainCommandOptions,
  usual: Readonly<Record<string, Setting>> = {},
): Optimizer {
  const settings: Record<string, Setting> = { ...usual, ...set };
  if (learningRate !== undefined) {
    const known = settingsOf(name);
    if (!known.includes('learningRate'))
      throw new UsageError(
        `${name} has no --learning-rate: it finds the length of its steps. It has ${known.join(', ')}.`,
      );
    settings['learningRate'] = learningRate;
  }
  const made = optimizerOf(name, settings as never);
  if (learningRate !== undefined && made.learningRate === null)
    throw new UsageError(
      `${name} searches the length of its steps, and does not use --learning-rate: --set search=fixed does.`,
    );
  return made;
}

/** What `train` takes of the options. */
function trainOptions(options: TrainCommandOptions): RunMethod['options'] {
  const { epochs, seconds, steps, batchSize, accumulate, lastLayer, decay, regularization, dropout, clip } = options;
  const { average, patience, targetLoss, targetAccuracy, evaluateEvery, checkpoint, resume, metrics } = options;
  const { schedule, rotateInputs, memoryLimit } = options;
  return {
    epochs,
    seconds,
    steps,
    batchSize,
    accumulate,
    lastLayer,
    decay,
    regularization,
    dropout,
    clip,
    average,
    patience,
    targetLoss,
    targetAccuracy,
    evaluateEvery,
    checkpoint,
    resume,
    metrics,
    rotateInputs,
    memoryLimit,
    schedule: schedule === undefined ? undefined : scheduleOf(schedule.name, schedule.settings),
  };
}

async function check(options: TrainCommandOptions): Promise<void> {
  const { checkpoint, resume, out, keep, average, quiet, model } = options;
  checkModel(options);
  if (model === undefined) checkTask(options, options.activationGiven !== false);
  else checkData(options);
  if (resume === true && checkpoint === undefined)
    throw new UsageError('--resume goes with --checkpoint DIR, the folder to go on from.');
  if (keep === 'average' && average === undefined)
    throw new UsageError('--keep average goes with --average, such as --average 0.99.');
  requireKind('out', out, 'weights');
  if (out !== undefined && !/\.(npz|safetensors|h5|hdf5)$/i.test(out))
    throw new UsageError(`--out ${out}: the name of a file of weights ends in .safetensors, .npz or .h5.`);
  if (out !== undefined && model !== undefined && !/\.safetensors$/i.test(out))
    throw new UsageError(`--out ${out}: weights of a --model have up to four axes, which .safetensors files hold.`);
  requireKind('record', options.record, 'record');
  await requireWritable(out);
  await requireWritable(options.record);
  await requireWritable(options.metrics);
  if (checkpoint === undefined || resume === true || quiet === true) return;
  const there = await access(join(checkpoint, 'last.hmt')).then(
    () => true,
    () => false,
  );
  if (there) sayOnce(`the checkpoint in ${checkpoint} is replaced; --resume would go on from it.`);
}

/** How the options train. Throws UsageError, OptionError. */
async function methodOf(options: TrainCommandOptions): Promise<RunMethod> {
  const { model, keep } = options;
  if (model === undefined) return { optimizer: optimizerOfOptions(options), options: trainOptions(options), keep };
  const { asked, settings } = await trainingOf(model, options);
  return { optimizer: optimizerOfOptions(asked, settings), options: trainOptions(asked), keep };
}

/** Trains, and writes the weights where that is asked for. */
async function trained(options: TrainCommandOptions, how: RunMethod, control: TeamControl): Promise<TrainingRecord> {
  const { out, model } = options;
  if (model !== undefined) {
    const { openTrainedModel } = await import('./model-data.js');
    const opened = await openTrainedModel(model, options, control);
    const { runModelTraining } = await import('../experiment/model-training-run.js');
    const setup = { ...opened.setup, how: await movedBy(how, opened) };
    const { record, parameters } = await runModelTraining(setup, control);
    if (out !== undefined && writesResults()) await writeModel(out, opened, parameters, control);
    return record;
  }
  const { runTraining } = await import('../experiment/training-run.js');
  const task = await openTaskData(options, control);
  const { record, parameters, network } = await runTraining({ ...task, how }, control);
  if (out !== undefined && writesResults()) {
    const { writeWeights } = await import('../network/weights-file.js');
    await writeWeights(out, network, parameters);
  }
  return record;
}

/** Trains, writes what is asked for, and reports; resolves to the exit status. */
export async function trainCommand(options: TrainCommandOptions): Promise<number> {
  await check(options);
  const how = await methodOf(options);
  const { out, checkpoint } = options;
  try {
    const record = await withTeam(options, async (control) => {
      const device = options.device === undefined ? undefined : await openDevice(options.device, {}, control);
      const done = await trained(options, { ...how, options: { ...how.options, device } }, control).finally(() =>
        device?.close(),
      );
      await keepRecord(options.record, done, control);
      return done;
    });
    if (options.json === true) printJson(record);
    else if (options.quiet !== true) {
      const { trainReport } = await import('./train-report.js');
      printReport(trainReport(record, out));
      await printRanks(record.workers);
    }
    return record.outcome === 'diverged' || record.reached === false ? EXIT_STATUS.toleranceMissed : EXIT_STATUS.done;
  } catch (error) {
    if (!(error instanceof AbortedError) || checkpoint === undefined) throw error;
    sayOnce(`interrupted; the same command with --resume goes on from ${checkpoint}, if a step was made.`);
    return EXIT_STATUS.failed;
  }
}
