/**
 * The objective of training: f(θ) = (1/n) Σ_i loss_i + (λ/2)‖W‖² of a batch, its gradient, and curvature at the same
 * point from the same passes. Optimizers see networks through it alone: perceptrons (perceptron-objective.ts), whose
 * passes are closed forms, and networks of any shape (../graph/), whose passes are tapes. Everything it works on is
 * taken when it is opened; a step allocates nothing of the size of θ or of the batch.
 */
import type { FloatArray, Precision } from '../../core/floats.js';
import type { Blas } from '../../dense/blas.js';
import type { VectorKernels } from '../../dense/vector-memory.js';
import type { Batch } from '../../network/data-set.js';
import type { ParameterLayout } from '../../network/parameter-layout.js';
import type { Picks } from '../../network/sample-order.js';
import type { Team } from '../../parallel/team.js';
import type { MomentTask } from './tasks.js';
import type { TeamChoice } from './team-trial.js';
import type { BasisTask, SampleTurns, TurnWork } from './turn.js';
import type { Update } from './update.js';

/** The mean loss of a batch and, where targets are classes, the share of samples that are right. */
export interface Measure {
  readonly loss: number;
  readonly accuracy: number | null;
}

/** What training takes. */
export interface TrainingMemory {
  /** Of the memory that parameters, batches, passes and the optimizer's state lie in. */
  readonly bytes: number;
  /** Whether forward passes are made again, for there was not memory enough to keep them. */
  readonly recomputes: boolean;
}

/** What is done with the gradient of an evaluation, in the same pass over the parameters. */
export interface EvaluateOptions {
  readonly update?: Update | null;
  /** Tells dropout's masks; without it nothing is dropped. */
  readonly step?: number | null;
  /** Sides by which ∇f is turned: without parts and regularization. */
  readonly turned?: SampleTurns | null;
}

/** What the loop of a run (../training-loop.ts) asks of what is trained; on a device some of it comes later. */
export interface LoopObjective extends Pick<
  Objective,
  | 'network'
  | 'kernels'
  | 'parameters'
  | 'capacity'
  | 'loads'
  | 'memory'
  | 'teamChoice'
  | 'weight'
  | 'vector'
  | 'load'
  | 'forget'
  | 'close'
> {
  accumulate(options?: { readonly step?: number | null }): void | Promise<void>;
  measure(parameters?: FloatArray): Measure | Promise<Measure>;
  /** averaged ← keep·averaged + (1 − keep)·θ, on a device; else the arrays are what there is. */
  follow?(averaged: FloatArray, keep: number): Promise<void>;
  /** θ and all vectors here ← those on the device. */
  fetch?(): Promise<void>;
  /** θ and all vectors on the device ← those here. */
  put?(): void;
}

/** A batch's loss, gradient and curvature at θ. */
export interface Objective {
  readonly network: ParameterLayout;
  readonly precision: Precision;
  readonly kernels: VectorKernels;
  readonly blas: Blas;
  /** The team that it was opened on. */
  readonly team: Team | undefined;
  /** θ; to be changed in place. */
  readonly parameters: FloatArray;
  /** ∇f of the last `evaluate`, turned as it was asked for. */
  readonly gradient: FloatArray;
  readonly capacity: number;
  /** Whether the second moment of the first layer's inputs is diagonal. */
  readonly rotatedInputs: boolean;
  /** Whether Γ of the last layer is diagonal: its loss is a sum over the outputs, its activation elementwise. */
  readonly diagonalOutputs: boolean;
  /** Whether `evaluate` can turn samples. */
  readonly turnsSamples: boolean;
  /** λ of (λ/2)‖W‖². */
  readonly regularization: number;
  /** Whether f differs from step to step: by dropout's masks, or by a code's draws. */
  readonly isRandom: boolean;
  /** Whether f is one of statistics of the batch, which a `measure` without a step does not take. */
  readonly usesBatchStatistics: boolean;
  /** How often `load` was called. */
  readonly loads: number;
  /** What was taken when it was opened. */
  readonly memory: TrainingMemory;
  /** How the work is done: on how many threads, and what the trial of both ways measured. */
  readonly teamChoice: TeamChoice;
  /** Samples of the loaded batch. */
  readonly count: number;
  /** What the loaded batch counts in a mean over batches: its samples, or its tokens that are no padding. */
  readonly weight: number;
  /** A vector laid out like θ, zero, of the spare numbers. Throws MemoryError where they are used up. */
  vector(): FloatArray;
  /** `length` zeros of the spare numbers. */
  take(length: number): FloatArray;
  /**
   * Takes a batch, or of `batch` the samples that `picks` lists: inputs and targets are copied and converted. Throws
   * ShapeError.
   */
  load(batch: Batch, picks?: Pick<Picks, 'order' | 'first' | 'count'>): void;
  /**
   * f(θ) of the loaded batch; ∇f in `gradient`; then, in the same pass over the parameters, the update, if any. Throws
   * NonFiniteError where loss or errors are not finite: θ is then as it was.
   */
  evaluate(options?: EvaluateOptions): number;
  /**
   * Takes the loaded batch as a part of a larger one: the next `evaluate` gives loss, gradient and update of the mean
   * over all parts, its own loaded one the last. N spare numbers are taken once. Curvature is of the last part alone.
   * Throws as `evaluate`, and has then forgotten the parts.
   */
  accumulate(options?: { readonly step?: number | null }): void;
  /** Drops the parts of a batch that were accumulated. */
  forget(): void;
  /** θ by a rule from what `gradient` holds (which may have been changed). */
  update(update: Update): void;
  /**
   * f and accuracy of the loaded batch at θ or at another vector; keeps the passes. With `step` the masks of dropout
   * are those of `evaluate` at that step, without it nothing is dropped.
   */
  measure(parameters?: FloatArray, step?: number | null): Measure;
  /**
   * out ← ∇²f·v or G·v at the point of the last `evaluate`, on the batch's first `samples` (default: all). v and out
   * are vectors of this objective.
   */
  product(of: 'gauss-newton' | 'hessian', v: FloatArray, out: FloatArray, samples?: number): void;
  /**
   * The k × k matrix Vᵀ(G + λI_W)V of k vectors on the batch's first `samples`, by J·v alone. λ is that of the
   * regularization.
   */
  quadratic(vectors: readonly FloatArray[], samples?: number): Float64Array;
  /**
   * Draws signs at the outputs and takes their errors back to every layer, on the first `samples`: what Γ is made of by
   * `moments`.
   */
  draw(step: number, samples?: number): void;
  /**
   * out ← keep·out + (1 − keep)·(1/samples) Σ x xᵀ for each asked moment, of inputs or of drawn errors; of gradients
   * without the mean.
   */
  moments(
    tasks: readonly (Omit<MomentTask, 'out'> & { readonly out: FloatArray })[],
    keep: number,
    samples?: number,
  ): void;
  /** A vector into Kronecker eigenbases, what is done there, back, and θ by the result: turn.ts. */
  turn(work: Omit<TurnWork, 'kind'>): void;
  /** Eigenbases of symmetric factors, in double precision, one task each. About 9·size³ flops each. */
  bases(sides: readonly BasisTask[]): void;
  /** out ← (1/n) Σ_i g_i∘g_i of the samples' own gradients g_i (without regularization). */
  gradientSquares(out: FloatArray): void;
  /** xᵀy over weights, biases left out. */
  weightDot(x: FloatArray, y: FloatArray): number;
  /** Lets the team forget the workspace. */
  close(): void;
}
