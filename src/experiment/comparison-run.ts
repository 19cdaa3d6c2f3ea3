/**
 * hmatrix compare: optimizers with several settings and seeds, each run to a target or to its budget.
 * Runs go round over the optimizers, so that a machine that is busy for a while hits all of them alike; equal seeds
 * give equal first parameters and the same order of samples.
 */
import { AbortedError, HmatrixError, MemoryError, OptionError, ShapeError } from '../core/errors.js';
import { throwIfAborted, type Progress } from '../core/context.js';
import type { Model } from '../network/model.js';
import type { TeamControl } from '../parallel/team-control.js';
import type { Optimizer, Setting } from '../training/optimizer.js';
import { optimizerOf, type GridPoint, type OptimizerName } from '../training/optimizers/table.js';
import { train } from '../training/train.js';
import type { Evaluated, TrainOptions } from '../training/train-options.js';
import { timedBlas } from './blas-share.js';
import {
  bestOf,
  winnersOf,
  type ComparisonRecord,
  type ComparisonTargets,
  type Reached,
  type RecordedRow,
} from './comparison-record.js';
import { circumstances } from './record.js';
import { batchSizeOf } from './training-run.js';
import { openTask, taskRecord, type TaskSetup, type TrainingTask } from './training-task.js';

/** Settings of a point, as a file may have them. */
export type Point = GridPoint<Readonly<Record<string, Setting>>>;

/** What is compared. */
export interface ComparisonSetup extends TaskSetup {
  /** Each optimizer with its grid. */
  readonly grids: readonly { readonly optimizer: OptimizerName; readonly points: readonly Point[] }[];
  /** What the grids are called in records. */
  readonly grid: string;
  readonly seeds: number;
  /** Left out: what Adam reaches in ten epochs. */
  readonly targetLoss?: readonly number[] | undefined;
  readonly targetAccuracy?: readonly number[] | undefined;
  /** Of one run. */
  readonly seconds: number;
  readonly epochs?: number | undefined;
  /** Of all optimizers that have no batch size in their grid. */
  readonly batchSize?: number | 'all' | undefined;
  readonly lastLayer?: boolean | undefined;
}

/** Evaluations in an epoch. */
const EVALUATIONS = 4;
/** Epochs of Adam that make a target where none is given. */
const PILOT_EPOCHS = 10;
/** A profile ends after so many steps, or seconds. */
const PROFILE = { steps: 12, seconds: 0.5 };

interface Planned {
  readonly optimizer: OptimizerName;
  readonly made: Optimizer;
  readonly batchSize: number | 'all';
  readonly rotateInputs?: boolean | undefined;
  /** As rows tell it. */
  readonly settings: Readonly<Record<string, Setting>>;
}

/** A point with its optimizer made. Throws OptionError. */
function planned(optimizer: OptimizerName, point: Point, batchSize: number | 'all' | undefined): Planned {
  const { batchSize: own, rotateInputs, ...settings } = point as Readonly<Record<string, Setting>> & Point;
  const made = optimizerOf(optimizer, settings as never);
  const size = own ?? batchSize ?? made.batchSize;
  if (size !== 'all' && !(Number.isInteger(size) && size >= 1))
    throw new OptionError(
      `batchSize of ${optimizer} in the grid is ${JSON.stringify(size)}: a whole number of at least 1, or "all".`,
      { batchSize: size },
    );
  if (rotateInputs !== undefined && typeof rotateInputs !== 'boolean')
    throw new OptionError(`rotateInputs of ${optimizer} in the grid is true or false.`, { rotateInputs });
  return {
    optimizer,
    made,
    batchSize: size,
    rotateInputs,
    settings: { ...settings, batchSize: size, ...(rotateInputs === undefined ? {} : { rotateInputs }) },
  };
}

/** All points of all optimizers, made: wrong ones are refused before anything runs. Throws OptionError. */
export const planComparison = ({ grids, batchSize }: Pick<ComparisonSetup, 'grids' | 'batchSize'>): Planned[][] =>
  grids.map(({ optimizer, points }) => points.map((point) => planned(optimizer, point, batchSize)));

/** The points in turns: the first of every optimizer, then the second ones. */
export function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const most = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: most }, (_, k) => lists.flatMap((list) => (k < list.length ? [list[k]] : []))).flat();
}

const modelOf = ({ network, loss, training, initial }: TrainingTask, seed: number): Model => ({
  network,
  loss,
  data: training,
  parameters: initial(seed),
});

/** Share of steps' time in BLAS on one thread; null where a step is below the clock. */
async function profile(
  task: TrainingTask,
  one: Planned,
  setup: ComparisonSetup,
  control: TeamControl,
): Promise<number | null> {
  const { blas, milliseconds } = timedBlas(control.team.blas);
  let began = 0;
  const { optimizer, options } = optionsOf(one, setup, task);
  const run = await train(
    modelOf(task, setup.seed),
    { ...options, optimizer, ...PROFILE, epochs: undefined, validation: 0, evaluateEvery: undefined },
    {
      blas,
      signal: control.signal,
      onProgress: ({ done }) => {
        if (done === 0) began = milliseconds();
      },
    },
  );
  return run.seconds > 0 ? Math.min(1, (milliseconds() - began) / 1000 / run.seconds) : null;
}

function optionsOf(
  { made, batchSize, rotateInputs }: Planned,
  { epochs, seconds, lastLayer = false }: ComparisonSetup,
  { training, validation }: TrainingTask,
): { optimizer: Optimizer; options: TrainOptions } {
  const batches = Math.ceil(training.samples / batchSizeOf(batchSize, training.samples));
  return {
    optimizer: made,
    options: {
      batchSize,
      rotateInputs,
      lastLayer,
      epochs,
      seconds,
      validation: validation ?? 0,
      evaluateEvery: Math.ceil(batches / EVALUATIONS),
    },
  };
}

const measureOf = (at: Evaluated, { measure, of }: ComparisonTargets): number | null => {
  if (measure === 'loss') return of === 'validation' ? at.validationLoss : at.trainingLoss;
  return of === 'validation' ? at.validationAccuracy : at.trainingAccuracy;
};

/** When each target was first met. */
function timesOf(evaluations: readonly Evaluated[], preparation: number, targets: ComparisonTargets): Reached[] {
  const { measure, values } = targets;
  return values.flatMap((target) => {
    const at = evaluations.find((one) => {
      const value = measureOf(one, targets);
      return value !== null && (measure === 'loss' ? value <= target : value >= target);
    });
    return at === undefined ? [] : [{ target, seconds: preparation + at.seconds, samples: at.samples }];
  });
}

/** One run. */
async function runOne(
  task: TrainingTask,
  one: Planned,
  {
    setup,
    seed,
    targets,
    blasShare,
  }: {
    readonly setup: ComparisonSetup;
    readonly seed: number;
    readonly targets: ComparisonTargets;
    readonly blasShare: number | null;
  },
  control: TeamControl,
): Promise<RecordedRow> {
  const { optimizer, options } = optionsOf(one, setup, task);
  const last = targets.values.at(-1)!;
  const began = performance.now();
  let preparation: number | undefined;
  const run = await train(
    modelOf(task, seed),
    {
      ...options,
      optimizer,
      seed,
      ...(targets.measure === 'loss' ? { targetLoss: last } : { targetAccuracy: last }),
    },
    {
      ...control,
      onProgress: (progress) => {
        preparation ??= (performance.now() - began) / 1000;
        control.onProgress?.(progress);
      },
    },
  );
  preparation ??= 0;
  const times = run.outcome === 'diverged' ? [] : timesOf(run.evaluations, preparation, targets);
  const reached = times.some(({ target }) => target === last);
  const at = run.evaluations.at(-1)!;
  const { validation, training } = task;
  return {
    optimizer: one.optimizer,
    settings: one.settings,
    seed,
    reached,
    seconds: preparation + (reached ? at.seconds : run.seconds),
    samples: reached ? at.samples : run.samples,
    epochs: (reached ? at.samples : run.samples) / training.samples,
    loss: validation === null ? at.trainingLoss : at.validationLoss,
    accuracy: validation === null ? at.trainingAccuracy : at.validationAccuracy,
    blasShare,
    preparation,
    outcome: run.outcome,
    failure: run.failure,
    times,
    evaluations: run.evaluations,
  };
}

/** The targets that were given, hardest last; else the loss that Adam as it comes reaches in ten epochs. */
async function targetsOf(setup: ComparisonSetup, task: TrainingTask, control: TeamControl): Promise<ComparisonTargets> {
  const { targetLoss, targetAccuracy, seed, seconds } = setup;
  const of = task.validation === null ? 'training' : 'validation';
  if (targetLoss !== undefined)
    return { measure: 'loss', values: [...targetLoss].sort((a, b) => b - a), of, chosen: null };
  if (targetAccuracy !== undefined)
    return { measure: 'accuracy', values: [...targetAccuracy].sort((a, b) => a - b), of, chosen: null };
  const run = await train(
    modelOf(task, seed),
    {
      optimizer: 'adam',
      epochs: PILOT_EPOCHS,
      seconds,
      seed,
      validation: task.validation ?? task.training,
      lastLayer: setup.lastLayer ?? false,
    },
    control,
  );
  const least = run.best.at.validationLoss!;
  const rounded = Number(least.toPrecision(3));
  return {
    measure: 'loss',
    values: [rounded >= least ? rounded : Number((least * 1.005).toPrecision(3))],
    of,
    chosen: `what adam with its default settings reaches in ${run.epochs} epochs`,
  };
}

/** Whether an error says that these settings do not suit this task, and not that something is broken. */
const unsuited = (error: unknown): error is HmatrixError =>
  error instanceof HmatrixError &&
  !(error instanceof AbortedError) &&
  [OptionError, MemoryError, ShapeError].some((kind) => error instanceof kind);

/**
 * Compares. Settings that the task does not allow are left out, and why is told. Throws what reading and `train`
 * throw; OptionError for a grid with wrong settings, and where every setting was left out.
 */
export async function runComparison(setup: ComparisonSetup, control: TeamControl): Promise<ComparisonRecord> {
  const began = performance.now();
  const plan = inTurns(planComparison(setup));
  const task = await openTask(setup, control);
  const outer = (phase: string, done: number, total: number, more: Partial<Progress> = {}): void => {
    control.onProgress?.({ phase, done, total, ...more });
  };
  const quiet: TeamControl = { ...control, onProgress: undefined };
  outer('target', 0, 1);
  const targets = await targetsOf(setup, task, quiet);
  const shares: { readonly one: Planned; readonly share: number | null }[] = [];
  const skipped: { optimizer: OptimizerName; settings: Planned['settings']; reason: string }[] = [];
  for (const [k, one] of plan.entries()) {
    outer('profiles', k, plan.length);
    try {
      shares.push({ one, share: await profile(task, one, setup, quiet) });
    } catch (error) {
      if (!unsuited(error)) throw error;
      skipped.push({ optimizer: one.optimizer, settings: one.settings, reason: error.message });
    }
  }
  if (shares.length === 0)
    throw new OptionError(`No optimizer can work here: ${skipped[0]?.reason ?? 'none is named'}`);
  const rows: RecordedRow[] = [];
  const total = setup.seeds * shares.length;
  for (let k = 0; k < setup.seeds; k++) {
    for (const { one, share } of shares) {
      throwIfAborted(control.signal);
      const done = rows.length;
      const inner: TeamControl = {
        ...control,
        onProgress: ({ done: steps, total: all, values }) => {
          outer(one.optimizer, 1000 * (done + Math.min(1, steps / all)), 1000 * total, { values });
        },
      };
      rows.push(await runOne(task, one, { setup, seed: setup.seed + k, targets, blasShare: share }, inner));
    }
  }
  return {
    record: 'comparison',
    ...circumstances(),
    task: taskRecord(setup, task),
    tables: setup.data.tables,
    targets,
    budget: { seconds: setup.seconds, epochs: setup.epochs ?? null },
    grid: setup.grid,
    seeds: setup.seeds,
    rows,
    best: bestOf(rows, targets),
    winners: winnersOf(rows, targets),
    skipped,
    unevenScales: task.unevenScales,
    seconds: (performance.now() - began) / 1000,
    blas: control.team.blas.description,
    workers: control.team.workers,
  };
}
