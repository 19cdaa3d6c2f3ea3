/**
 * hmatrix train: a run, and its record.
 */
import type { FloatArray } from '../core/floats.js';
import type { GivenGraphModel } from '../layers/graph-model.js';
import type { DataSet } from '../network/data-set.js';
import { meanLoss } from '../network/gradient.js';
import { lossOf } from '../network/losses/table.js';
import type { GivenModel } from '../network/model.js';
import type { Network } from '../network/network.js';
import { accuracy } from '../network/predict.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Optimizer, Setting, StepReport } from '../training/optimizer.js';
import { train } from '../training/train.js';
import type { Evaluated, TrainingOutcome, TrainingRun, TrainOptions } from '../training/train-options.js';
import { circumstances, type TableReading } from './record.js';
import { copiedData } from './standardize.js';
import { openTask, taskRecord, type TaskRecord, type TaskSetup, type TrainingTask } from './training-task.js';

/** Which parameters a run gives. */
export const KEPT = ['best', 'last', 'average'] as const;
/** One of {@link KEPT}. */
export type Kept = (typeof KEPT)[number];

/** A run with its task. */
export interface TrainingSetup extends TaskSetup {
  readonly how: RunMethod;
}

/** How a task is trained, whatever it is. */
export interface RunMethod {
  readonly optimizer: Optimizer;
  readonly options: Omit<TrainOptions, 'validation' | 'seed' | 'optimizer'>;
  readonly keep: Kept;
}

/** Of parameters, on data as it was read: of validation, else of training. */
export interface Measured {
  readonly loss: number;
  readonly accuracy: number | null;
}

/** Translations of the pairs that were kept apart. */
export interface TranslationRecord {
  /** From 0 to 1. */
  readonly bleu: number;
  /** Hypotheses that decoding keeps; one: the likeliest next word is taken. */
  readonly beams: number;
  readonly pairs: number;
  /** The first of them. */
  readonly examples: readonly { readonly source: string; readonly target: string; readonly translation: string }[];
}

/** A training run. Seconds of steps alone, but for `total`. */
export interface TrainingRecord {
  readonly record: 'training';
  readonly date: string;
  readonly task: TaskRecord;
  readonly tables?: readonly TableReading[] | undefined;
  readonly optimizer: {
    readonly name: string;
    readonly settings: Readonly<Record<string, Setting>>;
    readonly rules: readonly string[];
  };
  readonly batchSize: number;
  readonly targets: { readonly loss: number | null; readonly accuracy: number | null };
  readonly outcome: TrainingOutcome;
  readonly failure: string | null;
  /** Whether a target that was asked for was reached; null where none was. */
  readonly reached: boolean | null;
  readonly evaluations: readonly Evaluated[];
  readonly best: Evaluated;
  /** Of the parameters that are kept, on raw data: of validation, else of training. */
  readonly kept: { readonly which: Kept } & Measured;
  /** Of a network that translates: how well it does what was kept apart. */
  readonly translation?: TranslationRecord | undefined;
  readonly lastStep: StepReport | null;
  readonly steps: number;
  readonly epochs: number;
  readonly samples: number;
  readonly samplesPerSecond: number;
  readonly seconds: { readonly steps: number; readonly total: number };
  /** Where steps were made, if it was asked for. */
  readonly device?: string | undefined;
  readonly team: TrainingRun['team'];
  readonly memory: TrainingRun['memory'];
  readonly unevenScales: string | null;
  readonly blas: string;
  readonly workers: number;
  readonly machine: ReturnType<typeof circumstances>['machine'];
  readonly versions: ReturnType<typeof circumstances>['versions'];
}

/** A record, and the parameters that are kept. */
export interface Trained {
  readonly record: TrainingRecord;
  readonly parameters: FloatArray;
}

/** What a run trains. */
export interface RunTask {
  readonly record: TaskRecord;
  readonly tables?: readonly TableReading[] | undefined;
  readonly start: GivenModel | GivenGraphModel;
  readonly validation: DataSet | null;
  /** θ as the raw data asks for it. */
  readonly raw: (θ: FloatArray) => FloatArray;
  readonly measured: (raw: FloatArray) => Measured;
  readonly unevenScales: string | null;
}

function keptOf(run: TrainingRun, keep: Kept): FloatArray {
  if (keep === 'average') return run.averaged ?? run.parameters;
  return keep === 'best' ? run.best.parameters : run.parameters;
}

/** Samples that a run sees where nothing limits it and the data is small. */
const SEEN = 20_000;
const EPOCHS = 10;

/** Epochs where neither epochs nor steps nor seconds are asked for: ten, of little data more. */
const epochsOf = ({ epochs, steps, seconds }: RunMethod['options'], samples: number): number | undefined =>
  epochs ?? (steps === undefined && seconds === undefined ? Math.max(EPOCHS, Math.ceil(SEEN / samples)) : undefined);

/** Samples of a step. */
export const batchSizeOf = (asked: number | 'all', samples: number): number =>
  asked === 'all' ? samples : Math.min(asked, samples);

/** Mean loss and accuracy of raw parameters on raw data. */
function measured(
  { network, loss, rawTraining, rawValidation }: TrainingTask,
  parameters: FloatArray,
  control: TeamControl,
): Measured {
  const { blas } = control.team;
  // In double precision: raw columns may be large beside their deviations.
  const data = copiedData(rawValidation ?? rawTraining, 'f64');
  const model = { network, parameters: Float64Array.from(parameters), loss, data };
  return {
    loss: meanLoss(model, { blas, signal: control.signal }),
    accuracy: lossOf(loss).decision === null ? null : accuracy(model, { blas, signal: control.signal }),
  };
}

/**
 * Trains a perceptron.  Throws what reading and `train` throw.
 */
export async function runTraining(
  { how, ...setup }: TrainingSetup,
  control: TeamControl,
): Promise<Trained & { readonly network: Network }> {
  const began = performance.now();
  const task = await openTask(setup, control);
  const { network, loss, training, validation, unevenScales, raw } = task;
  const run: RunTask = {
    record: taskRecord(setup, task),
    tables: setup.data.tables,
    start: { network, parameters: task.initial(setup.seed), loss, data: training },
    validation,
    raw,
    measured: (θ) => measured(task, θ, control),
    unevenScales,
  };
  return { ...(await runTask(run, how, began, control)), network };
}

/** Trains what is ready, and records it; `began`: when opening it did. Throws what `train` throws. */
export async function runTask(
  task: RunTask,
  { optimizer, options, keep }: RunMethod,
  began: number,
  control: TeamControl,
): Promise<Trained> {
  const { samples } = task.start.data;
  const { seed } = task.record;
  const run = await train(
    task.start,
    { ...options, epochs: epochsOf(options, samples), optimizer, seed, validation: task.validation ?? 0 },
    control,
  );
  const parameters = task.raw(keptOf(run, keep));
  const { targetLoss = null, targetAccuracy = null } = options;
  const asked = targetLoss !== null || targetAccuracy !== null;
  const record: TrainingRecord = {
    record: 'training',
    ...circumstances(),
    task: task.record,
    tables: task.tables,
    optimizer: run.optimizer,
    batchSize: batchSizeOf(options.batchSize ?? optimizer.batchSize, samples),
    targets: { loss: targetLoss, accuracy: targetAccuracy },
    outcome: run.outcome,
    failure: run.failure,
    reached: asked ? run.outcome === 'target' : null,
    evaluations: run.evaluations,
    best: run.best.at,
    kept: { which: keep, ...task.measured(parameters) },
    lastStep: run.lastStep,
    steps: run.steps,
    epochs: run.epochs,
    samples: run.samples,
    samplesPerSecond: run.seconds > 0 ? run.samples / run.seconds : 0,
    seconds: { steps: run.seconds, total: (performance.now() - began) / 1000 },
    device: options.device?.description,
    team: run.team,
    memory: run.memory,
    unevenScales: task.unevenScales,
    blas: control.team.blas.description,
    workers: control.team.workers,
  };
  return { record, parameters };
}
