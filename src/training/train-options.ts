/**
 * What a training run is told, and what it tells.
 */
import type { FloatArray } from '../core/floats.js';
import type { Device } from '../device/device.js';
import type { DataSet } from '../network/data-set.js';
import type { ImageAugmentation } from './data/image-augmentation.js';
import type { TrainingMemory } from './objective/objective.js';
import type { TeamChoice } from './objective/team-trial.js';
import type { Optimizer, Setting, StepReport } from './optimizer.js';
import type { OptimizerChoice, OptimizerName } from './optimizers/table.js';

/** Where a run stands, for its schedule. */
export interface ScheduleTime {
  /** Steps made before this one. */
  readonly step: number;
  /** Whole epochs made. */
  readonly epoch: number;
  /** The share of the run that is done, from 0 to 1. */
  readonly progress: number;
}

/** The factor of the learning rate. Make one by its function: `cosineSchedule()`. */
export interface Schedule {
  readonly name: string;
  readonly settings: Readonly<Record<string, Setting>>;
  readonly factor: (at: ScheduleTime) => number;
}

/** Layers that are trained otherwise than the rest. */
export interface LayerGroup {
  /** Numbers of layers, from 0. A layer is in one group at most; those in none go by the run's options. */
  readonly layers: readonly number[];
  /** Factor of the learning rate. Default 1. */
  readonly rate?: number | undefined;
  /** Decoupled decay of these layers' weights. Default that of the run. */
  readonly decay?: number | undefined;
  /** Whether their biases decay, too. Default false. */
  readonly decayBias?: boolean | undefined;
  /** Whether they stay as they are. Default false. */
  readonly frozen?: boolean | undefined;
}

/** Options of `train`. */
export interface TrainOptions {
  /**
   * As its function makes it, by name ('adam'), or by name and settings ({ name: 'adam', … }). Default ekfacAdam(), on
   * a card adam().
   */
  readonly optimizer?: Optimizer | OptimizerName | OptimizerChoice | undefined;
  /** Passes over the data. Default 10, or no limit where `seconds` or `steps` is given. */
  readonly epochs?: number | undefined;
  /** Stops after this many seconds of steps (evaluations are not counted). */
  readonly seconds?: number | undefined;
  /** Stops after this many steps. */
  readonly steps?: number | undefined;
  /** Samples of a step, or 'all'. Default the optimizer's; the smaller of that and all samples. */
  readonly batchSize?: number | 'all' | undefined;
  /**
   * Parts in which a step's batch is taken, its gradients summed, where memory for all of it is short. For optimizers
   * without curvature. Default 1.
   */
  readonly accumulate?: number | undefined;
  /** Seeds the samples' order, dropout, signs and the validation split. Default 0. */
  readonly seed?: number | undefined;
  /** Data kept apart, or a share of the samples, from 0 to below 1, taken by a seeded shuffle. Default 0. */
  readonly validation?: number | DataSet | undefined;
  /** Default constant. */
  readonly schedule?: Schedule | undefined;
  /** Layers with rates and decays of their own, or frozen. */
  readonly groups?: readonly LayerGroup[] | undefined;
  /** Trains the last layer alone; the others become part of the data. Default false. */
  readonly lastLayer?: boolean | undefined;
  /** Decoupled decay: weights shrink by α·decay a step; biases do not. Default 0. */
  readonly decay?: number | undefined;
  /** λ of (λ/2)‖W‖² in the loss, biases and frozen first layers left out. Default 0. */
  readonly regularization?: number | undefined;
  /** Share of hidden units zeroed in each step. Default 0. */
  readonly dropout?: number | undefined;
  /** Longest gradient taken. Default none. */
  readonly clip?: number | undefined;
  /**
   * κ of an average of the parameters over steps, θ̄ ← κₜθ̄ + (1 − κₜ)θ with κₜ = min(κ, t/(9 + t)), so that the first
   * steps are soon forgotten; kept beside them. Default none.
   */
  readonly average?: number | undefined;
  /** Stops where as many evaluations in a row were no better than the best one. */
  readonly patience?: number | undefined;
  /** Stops once an evaluation reached it, by the validation data where there is some, else by all training data. */
  readonly targetLoss?: number | undefined;
  /** As `targetLoss`, a share of samples, for losses whose targets are classes. */
  readonly targetAccuracy?: number | undefined;
  /** Evaluates, and looks at targets and patience, every so many steps. Default: at the end of each epoch. */
  readonly evaluateEvery?: number | undefined;
  /**
   * Folder of a checkpoint: `last.hmt` with the whole state of the run (`readCheckpoint` reads it), `best.safetensors`
   * with the parameters of the best evaluation (`readWeights` reads it). Written at every evaluation, after two minutes
   * without one, at the end and on abort.
   */
  readonly checkpoint?: string | undefined;
  /** Goes on from `checkpoint`'s last state, where there is one, bit for bit as if never interrupted. Default false. */
  readonly resume?: boolean | undefined;
  /** File of metrics, one line of JSON a step or evaluation. */
  readonly metrics?: string | undefined;
  /**
   * Turns the inputs into the eigenbasis of their second moment, exactly, and back in what is returned. The bias of the
   * first layer is then one of its weights: it decays as they do. Default: what the optimizer asks for, up to 2,048
   * inputs.
   */
  readonly rotateInputs?: boolean | undefined;
  /**
   * Moves the images of every batch, anew in every epoch, as `imageAugmentation` makes it; evaluations see them as they
   * are. For networks whose inputs are images, not rotated and behind no frozen first layers. Default none.
   */
  readonly augment?: ImageAugmentation | undefined;
  /**
   * Most bytes of the memory that parameters, batches, passes and the optimizer's state lie in. A network of layers
   * whose forward passes do not fit makes them again, in parts on the way back, or of each slice before its passes of
   * curvature, to the same bits. Default: what is free decides that, up to 4 GiB.
   */
  readonly memoryLimit?: number | undefined;
  /**
   * Where steps are made: a device as `openDevice` opens it, for first-order optimizers (adam, adamw, sgd, …), lbfgs,
   * newton-cg and gauss-newton-cg. They are those of the processor but for rounding, in the device's precision.
   * Default: the processor.
   */
  readonly device?: Device | undefined;
  /** Data up to this many bytes is shuffled whole; beyond it, by chunks of at most this size. Default 2 GiB. */
  readonly shuffleBytes?: number | undefined;
}

/**
 * Losses and accuracies at one moment of a run. Losses hold the part of `regularization`; accuracies are null but for
 * losses whose targets are classes.
 */
export interface Evaluated {
  /** Whole epochs made. */
  readonly epoch: number;
  readonly step: number;
  /** Seen in steps so far. */
  readonly samples: number;
  /** Of steps alone. */
  readonly seconds: number;
  /** Mean loss of the batches since the evaluation before, as their steps saw it; null where there was none. */
  readonly loss: number | null;
  /** Of θ on the validation data. */
  readonly validationLoss: number | null;
  readonly validationAccuracy: number | null;
  /** Of θ on all training data: where a target asks for it and there is no validation data. */
  readonly trainingLoss: number | null;
  readonly trainingAccuracy: number | null;
  /** Of θ̄ on the validation data. */
  readonly averagedLoss: number | null;
  readonly averagedAccuracy: number | null;
}

/** How a run ended: `epochs` or `steps` were made, or what else came first. */
export type TrainingOutcome = 'finished' | 'target' | 'patience' | 'seconds' | 'diverged';

/** A training run. */
export interface TrainingRun {
  readonly outcome: TrainingOutcome;
  /** Of a diverged run: what happened, at which step. */
  readonly failure: string | null;
  /** θ after the last step; of a diverged run that of the last good evaluation. New, of the precision given. */
  readonly parameters: FloatArray;
  /** θ̄ where `average` was asked for. */
  readonly averaged: FloatArray | null;
  /**
   * θ of the evaluation with the least loss, and that evaluation. The loss is the first there is of validation data,
   * all training data, and batches.
   */
  readonly best: { readonly parameters: FloatArray; readonly at: Evaluated };
  readonly evaluations: readonly Evaluated[];
  readonly steps: number;
  readonly epochs: number;
  readonly samples: number;
  readonly seconds: number;
  /** The optimizer's name, all settings, and which rule each layer went by ('frozen' where by none). */
  readonly optimizer: {
    readonly name: string;
    readonly settings: Readonly<Record<string, Setting>>;
    readonly rules: readonly string[];
  };
  readonly team: TeamChoice;
  readonly memory: TrainingMemory;
  /** What the last step of this call told. */
  readonly lastStep: StepReport | null;
}
