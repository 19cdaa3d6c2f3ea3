/**
 * What a training run is told, and what it tells.
 */
import type { FloatArray } from '../core/floats.js';
import type { DataSet } from '../network/data-set.js';
import type { TeamChoice } from './objective/team-trial.js';
import type { Optimizer, Setting, StepReport } from './optimizer.js';

/** The factor of the learning rate, from 0 on: `progress` is the share of the run that is done, from 0 to 1. */
export interface Schedule {
  readonly name: string;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly factor: (at: { readonly step: number; readonly epoch: number; readonly progress: number }) => number;
}

/** Layers that are trained otherwise than the rest. */
export interface LayerGroup {
  /** Numbers of layers, from 0. */
  readonly layers: readonly number[];
  /** Factor of the learning rate. Default 1. */
  readonly rate?: number | undefined;
  /** Decoupled decay of these layers. Default that of the run. */
  readonly decay?: number | undefined;
  /** Whether they stay as they are. Default false. */
  readonly frozen?: boolean | undefined;
}

/** Options of `train`. */
export interface TrainOptions {
  /** Default ekfacAdam(). */
  readonly optimizer?: Optimizer | undefined;
  /** Passes over the data. Default 10, or none where `seconds` or `steps` is given. */
  readonly epochs?: number | undefined;
  /** Stops after this many seconds of steps (evaluations are not counted). */
  readonly seconds?: number | undefined;
  /** Stops after this many steps. */
  readonly steps?: number | undefined;
  /** Samples of a step. Default the optimizer's; the smaller of that and all samples. */
  readonly batchSize?: number | undefined;
  /** Seeds the samples' order, dropout, signs and the validation split. Default 0. */
  readonly seed?: number | undefined;
  /** Data kept apart, or a share of the samples, from 0 to below 1, taken by a seeded shuffle. Default 0. */
  readonly validation?: number | DataSet | undefined;
  /** Default constant. */
  readonly schedule?: Schedule | undefined;
  readonly groups?: readonly LayerGroup[] | undefined;
  /** Trains the last layer alone; the others become part of the data. Default false. */
  readonly lastLayer?: boolean | undefined;
  /** Decoupled decay: weights shrink by α·decay a step; biases do not. Default 0. */
  readonly decay?: number | undefined;
  /** λ of (λ/2)‖W‖² in the loss, biases left out. Default 0. */
  readonly regularization?: number | undefined;
  /** Share of hidden units zeroed in each step. Default 0. */
  readonly dropout?: number | undefined;
  /** Longest gradient taken. Default none. */
  readonly clip?: number | undefined;
  /** Average of the parameters over steps, θ̄ ← κθ̄ + (1 − κ)θ, kept beside them. Default none. */
  readonly average?: number | undefined;
  /** Stops where the validation loss (without validation data: the epoch's loss) has not fallen for as many epochs. */
  readonly patience?: number | undefined;
  /** Stops once reached, by the validation data where there is some, else by all training data, at the end of an epoch. */
  readonly targetLoss?: number | undefined;
  readonly targetAccuracy?: number | undefined;
  /** Evaluates, and looks at targets and patience, every so many steps. Default: once an epoch. */
  readonly evaluateEvery?: number | undefined;
  /** Folder of the checkpoints `last` and `best`. */
  readonly checkpoint?: string | undefined;
  /** Goes on from `checkpoint`'s last state, bit for bit. Default false. */
  readonly resume?: boolean | undefined;
  /** File of metrics, one line of JSON a step or evaluation. */
  readonly metrics?: string | undefined;
  /** Turns the inputs into the eigenbasis of their second moment, exactly, and back in what is returned. Default: what the optimizer asks for. */
  readonly rotateInputs?: boolean | undefined;
}

/** Losses and accuracies at one moment of a run. */
export interface Evaluated {
  readonly epoch: number;
  readonly step: number;
  readonly samples: number;
  /** Of steps alone. */
  readonly seconds: number;
  /** Mean loss of the batches since the evaluation before, as their steps saw it. */
  readonly loss: number;
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
}

/** How a run ended. */
export type TrainingOutcome = 'finished' | 'target' | 'patience' | 'seconds' | 'diverged';

/** A training run. */
export interface TrainingRun {
  readonly outcome: TrainingOutcome;
  /** Of a diverged run: what happened, at which step. */
  readonly failure: string | null;
  /** θ after the last step; of a diverged run the last good ones. A new vector, of the precision given. */
  readonly parameters: FloatArray;
  /** θ̄ where `average` was asked for. */
  readonly averaged: FloatArray | null;
  /** θ of the evaluation with the least (validation) loss, and that evaluation. */
  readonly best: { readonly parameters: FloatArray; readonly at: Evaluated };
  readonly evaluations: readonly Evaluated[];
  readonly steps: number;
  readonly epochs: number;
  readonly samples: number;
  readonly seconds: number;
  /** The optimizer's name, all settings, and which rule each layer went by. */
  readonly optimizer: {
    readonly name: string;
    readonly settings: Readonly<Record<string, Setting>>;
    readonly rules: readonly string[];
  };
  readonly team: TeamChoice;
  readonly lastStep: StepReport | null;
}
