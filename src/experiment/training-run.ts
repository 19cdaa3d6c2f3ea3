/**
 * hmatrix train: a run, and its record.
 */
import type { FloatArray } from '../core/floats.js';
import { meanLoss } from '../network/gradient.js';
import { lossOf } from '../network/losses/table.js';
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
  readonly optimizer: Optimizer;
  readonly options: Omit<TrainOptions, 'validation' | 'seed' | 'optimizer'>;
  readonly keep: Kept;
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
  readonly kept: { readonly which: Kept; readonly loss: number; readonly accuracy: number | null };
  readonly lastStep: StepReport | null;
  readonly steps: number;
  readonly epochs: number;
  readonly samples: number;
  readonly samplesPerSecond: number;
  readonly seconds: { readonly steps: number; readonly total: number };
  readonly team: TrainingRun['team'];
  readonly unevenScales: string | null;
  readonly blas: string;
  readonly workers: number;
  readonly machine: ReturnType<typeof circumstances>['machine'];
  readonly versions: ReturnType<typeof circumstances>['versions'];
}

/** A record, and the network that it is of. */
export interface Trained {
  readonly record: TrainingRecord;
  readonly network: Network;
  readonly parameters: FloatArray;
}

function keptOf(run: TrainingRun, keep: Kept): FloatArray {
  if (keep === 'average') return run.averaged ?? run.parameters;
  return keep === 'best' ? run.best.parameters : run.parameters;
}

/** Samples that a run sees where nothing limits it and the data is small. */
const SEEN = 20_000;
const EPOCHS = 10;

/** Epochs where neither epochs nor steps nor seconds are asked for: ten, of little data more. */
const epochsOf = ({ epochs, steps, seconds }: TrainingSetup['options'], samples: number): number | undefined =>
  epochs ?? (steps === undefined && seconds === undefined ? Math.max(EPOCHS, Math.ceil(SEEN / samples)) : undefined);

/** Samples of a step. */
export const batchSizeOf = (asked: number | 'all', samples: number): number =>
  asked === 'all' ? samples : Math.min(asked, samples);

/** Mean loss and accuracy of raw parameters on raw data. */
function measured(
  { network, loss, rawTraining, rawValidation }: TrainingTask,
  parameters: FloatArray,
  control: TeamControl,
): { loss: number; accuracy: number | null } {
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
 * Trains.  Throws what reading and `train` throw.
 */
export async function runTraining(setup: TrainingSetup, control: TeamControl): Promise<Trained> {
  const began = performance.now();
  const { optimizer, options, keep, seed } = setup;
  const task = await openTask(setup, control);
  const { network, loss, training, validation } = task;
  const run = await train(
    { network, parameters: task.initial(seed), loss, data: training },
    { ...options, epochs: epochsOf(options, training.samples), optimizer, seed, validation: validation ?? 0 },
    control,
  );
  const parameters = task.raw(keptOf(run, keep));
  const { targetLoss = null, targetAccuracy = null } = options;
  const asked = targetLoss !== null || targetAccuracy !== null;
  const record: TrainingRecord = {
    record: 'training',
    ...circumstances(),
    task: taskRecord(setup, task),
    tables: setup.data.tables,
    optimizer: run.optimizer,
    batchSize: batchSizeOf(options.batchSize ?? optimizer.batchSize, training.samples),
    targets: { loss: targetLoss, accuracy: targetAccuracy },
    outcome: run.outcome,
    failure: run.failure,
    reached: asked ? run.outcome === 'target' : null,
    evaluations: run.evaluations,
    best: run.best.at,
    kept: { which: keep, ...measured(task, parameters, control) },
    lastStep: run.lastStep,
    steps: run.steps,
    epochs: run.epochs,
    samples: run.samples,
    samplesPerSecond: run.seconds > 0 ? run.samples / run.seconds : 0,
    seconds: { steps: run.seconds, total: (performance.now() - began) / 1000 },
    team: run.team,
    unevenScales: task.unevenScales,
    blas: control.team.blas.description,
    workers: control.team.workers,
  };
  return { record, network, parameters };
}
