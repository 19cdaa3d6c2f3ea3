/**
 * The cases of training that are measured, and what of them is told.
 */
import type { LossName } from '../src/network/losses/table.js';
import type { TeamChoice } from '../src/training/objective/team-trial.js';

/** A network and the targets that methods race to. */
export interface RaceCase {
  readonly name: string;
  readonly label: string;
  readonly widths: readonly number[];
  readonly loss: LossName;
  /** Training losses, or validation accuracies, from the easiest on. */
  readonly targets: readonly number[];
  readonly of: 'training loss' | 'validation accuracy';
  /** Seconds of steps of one run at most, of one of the tuning, and of the whole case, evaluations included. */
  readonly seconds: { readonly run: number; readonly tuning: number; readonly all: number };
}

const DEEP = [784, 128, 32, 128, 784];
/** Who is there first: Adam, tuned, against the methods with Kronecker factors as they come. */
export const RACES: readonly RaceCase[] = [
  {
    name: 'training-autoencoder',
    label: '784-128-32-128-784 tanh, ½‖x̂ − x‖²',
    widths: DEEP,
    loss: 'mse',
    targets: [5.5, 5],
    of: 'training loss',
    seconds: { run: 25, tuning: 3, all: 240 },
  },
  {
    name: 'training-bce',
    label: '784-128-32-128-784 tanh, sigmoid outputs, binary cross-entropy',
    widths: DEEP,
    loss: 'bce',
    targets: [90, 80],
    of: 'training loss',
    seconds: { run: 25, tuning: 3, all: 240 },
  },
  {
    name: 'training-classifier',
    label: '784-100-10 tanh, cross-entropy',
    widths: [784, 100, 10],
    loss: 'cross-entropy',
    targets: [0.95, 0.96],
    of: 'validation accuracy',
    seconds: { run: 5, tuning: 1, all: 100 },
  },
];

/** Cases of training, by name. */
export const TRAINING_CASES: readonly { readonly name: string; readonly label: string }[] = [
  ...RACES.map(({ name, label }) => ({ name, label })),
  { name: 'training-steps', label: 'A step of each method, and its parts' },
  { name: 'training-threads', label: 'An epoch by one thread and by two' },
];

/** One method of a race: medians over the seeds. */
export interface Racer {
  readonly method: string;
  readonly batchSize: number;
  readonly learningRate: number | null;
  /** Whether it is the best of the tuning, or has its defaults. */
  readonly tuned: boolean;
  readonly seeds: number;
  /** Seconds of steps to each target; null where more than half of the seeds did not reach it in time. */
  readonly seconds: readonly (number | null)[];
  readonly epochs: readonly (number | null)[];
  /** Loss of the validation images at the end. */
  readonly validationLoss: number;
}

/** A combination of Adam that was tried, and its training loss after the seconds of the tuning. */
export interface Tried {
  readonly batchSize: number;
  readonly learningRate: number;
  readonly loss: number;
}

/** A race. */
export interface RaceResult {
  readonly name: string;
  readonly kind: 'race';
  readonly data: string;
  readonly blas: string;
  readonly tried: readonly Tried[];
  readonly racers: readonly Racer[];
}

/** A step of one method, milliseconds a step over some hundred steps on one thread. */
export interface StepCost {
  readonly method: string;
  readonly batchSize: number;
  readonly milliseconds: number;
  /** In units of the gradient of the same batch. */
  readonly gradients: number;
  /** Share of the step that is spent in BLAS and LAPACK. */
  readonly blasShare: number;
  /** Of the whole step, credited with the gradient's 6nN flops alone. */
  readonly gflops: number;
  /** Milliseconds by part: gradient, update, turn, statistics, bases, model, products, evaluations, and the rest. */
  readonly parts: Readonly<Record<string, number>>;
}

/** Steps. */
export interface StepsResult {
  readonly name: string;
  readonly kind: 'steps';
  readonly data: string;
  readonly blas: string;
  readonly network: string;
  /** GFLOP/s of sgemm of order 512 on one thread. */
  readonly sgemm: number;
  readonly costs: readonly StepCost[];
}

/** An epoch of one method. */
export interface EpochCost {
  readonly method: string;
  readonly batchSize: number;
  /** Seconds of steps by threads: 1, 2. */
  readonly seconds: readonly [number, number];
  readonly gflops: readonly [number, number];
  readonly team: TeamChoice;
}

/** Threads. */
export interface ThreadsResult {
  readonly name: string;
  readonly kind: 'threads';
  readonly data: string;
  readonly blas: string;
  readonly network: string;
  readonly epochs: readonly EpochCost[];
}

/** What a case gives. */
export type TrainingResult = RaceResult | StepsResult | ThreadsResult;
