/**
 * What an optimizer is: a description with all its settings, which begins at an objective's θ and then makes steps. The
 * loop (train.ts) gives batches, rates and groups; the optimizer never sees the data.
 */
import type { AbortSignalLike } from '../core/context.js';
import type { FloatArray } from '../core/floats.js';
import type { LossName } from '../network/losses/table.js';
import type { GraphLoss } from '../layers/losses.js';
import type { ParameterLayout } from '../network/parameter-layout.js';
import type { DeviceObjective } from './device/device-objective.js';
import type { DevicePass } from './device/layout.js';
import type { MomentShape } from './device/moment-steps.js';
import type { Objective } from './objective/objective.js';
import type { LayerUpdate } from './objective/update.js';
import type { CurvatureKind } from './objective/workspace.js';

/** What is trained on a device. */
export type ObjectiveThere = DeviceObjective;

/** Numbers for a network as it was given, a batch size and a loss. */
type NumbersApart = (network: ParameterLayout, batchSize: number, loss: GraphLoss) => number;

/** What decides which factors layers have. */
export type FactorSubject = Pick<Objective, 'network' | 'rotatedInputs' | 'diagonalOutputs'>;

/** A setting as reports and files keep it. */
export type Setting = number | string | boolean | null;

/** An optimizer with its settings, not yet at work. Make one by its function: `adam({ learningRate: 1e-3 })`. */
export interface Optimizer {
  readonly name: string;
  /** Every setting, defaults filled in. */
  readonly settings: Readonly<Record<string, Setting>>;
  /** α, which schedules and groups multiply; null where steps have no rate. */
  readonly learningRate: number | null;
  /** Curvature that its steps ask the objective for. */
  readonly curvature: CurvatureKind;
  /** Samples of a step where the caller doesn't say: a number, or all of them ('all'). */
  readonly batchSize: number | 'all';
  /** Whether runs turn the inputs into their eigenbasis unless they are told not to (rotate-inputs.ts). */
  readonly rotateInputs: (loss: LossName) => boolean;
  /** Numbers of the objective's memory that it takes, for a network and a batch size. */
  readonly spare: (network: ParameterLayout, batchSize: number) => number;
  /** Takes its memory and begins at the objective's parameters. */
  readonly begin: (objective: Objective) => Stepper;
  /** Passes that its steps ask for on a device. Default: products with its curvature. */
  readonly passes?: ((network: ParameterLayout, batchSize: number) => readonly DevicePass[]) | undefined;
  /** How many parts of a batch those are of, besides the whole. Default 0. */
  readonly parts?: number | undefined;
  /** Of which sides of layers it takes moments there, behind the pass 'draw'. Default none. */
  readonly moments?: ((subject: FactorSubject) => readonly MomentShape[]) | undefined;
  /** Those of `spare` that are here alone where it trains on a device. Default none. */
  readonly kept?: ((network: ParameterLayout, batchSize: number) => number) | undefined;
  /** Numbers that it takes on a device alone, besides those of `spare`. Default none. */
  readonly apart?: NumbersApart | undefined;
  /** Numbers of buffers that it makes there. Default none. */
  readonly beside?: NumbersApart | undefined;
  /** Whether it has work for a team here then, too. Default false. */
  readonly worksHere?: boolean | undefined;
  /** The same on a device; absent of optimizers that use more than gradients. */
  readonly onDevice?: ((objective: ObjectiveThere) => DeviceStepper) | undefined;
}

/** What the loop tells of a step. The batch is loaded in the objective. */
export interface StepPlan {
  /** Steps made before this one. */
  readonly step: number;
  /** What of the learning rate is taken: the schedule's factor. */
  readonly factor: number;
  /** Of each layer the factor of its rate and its decay a step (decay·α·factor, decoupled); null where it is frozen. */
  readonly layers: readonly (LayerPlan | null)[];
  /** Largest ‖∇f‖ taken; a longer gradient is scaled down. null: none. */
  readonly clip: number | null;
}

/** A layer's part in a step. */
export interface LayerPlan {
  readonly factor: number;
  readonly decay: number;
  readonly decayBias: boolean;
}

/** What a step tells; all but the loss where it makes sense for the optimizer. */
export interface StepReport {
  /** f of the batch at the parameters before the step. */
  readonly loss: number;
  readonly gradientNorm?: number;
  readonly stepNorm?: number;
  /** cos(d, −∇f). */
  readonly cosine?: number;
  /** ‖d‖²/(−dᵀ∇f): the rate with which gradient descent goes as far along d. */
  readonly equivalentRate?: number;
  /** Damping λ that the step was made with. */
  readonly damping?: number;
  /** Length and momentum that the quadratic model chose. */
  readonly alpha?: number;
  readonly momentum?: number;
  /** Reduction of f on the batch over that of the model. */
  readonly ratio?: number;
  readonly radius?: number;
  /** Products with curvature, and evaluations of f, made in this step besides its gradient. */
  readonly products?: number;
  readonly evaluations?: number;
  readonly cgIterations?: number;
  readonly residual?: number;
  /** The least curvature met, where it was negative. */
  readonly negativeCurvature?: number;
  /** The step was not taken: θ is as before. */
  readonly rejected?: boolean;
  /** What the optimizer fell back to, where it did. */
  readonly note?: string;
}

/** An optimizer at work on one objective. */
export interface Stepper {
  /**
   * What a step needs that cannot be done at once, as curvature that is compressed on a team: where there is such a
   * method, it is awaited on the loaded batch before each `step`; θ and batch stay as they are. What it makes either
   * belongs to the state or follows from it, so that a resumed run makes the same again. Throws as `step`, and
   * AbortedError, after which the state is as before.
   */
  prepare?(signal: AbortSignalLike | undefined): Promise<void>;
  /**
   * One step on the loaded batch, θ changed in place. Throws NonFiniteError where loss or gradient are not finite: θ
   * and the state are then as before.
   */
  step(plan: StepPlan): StepReport;
  /** All state beside θ, live: what a checkpoint keeps, and where a resumed run puts it back. */
  readonly arrays: Readonly<Record<string, FloatArray>>;
  /** Scalar state by name, live likewise. */
  readonly numbers: Record<string, number>;
  /** Which rule each layer goes by, for reports. */
  readonly rules: readonly string[];
  /** Called after arrays and numbers were put back. */
  restored?(): void;
}

/** An optimizer at work on a device, where a step ends later; else as {@link Stepper}. */
export interface DeviceStepper extends Omit<Stepper, 'step'> {
  /** As `Stepper.step`. Rejects, too, with DeviceError and DeviceLostError. */
  step(plan: StepPlan): Promise<StepReport>;
}

/** Rates and decays of a step's layers, for the objective's update. */
export const layerUpdates = (learningRate: number, { factor, layers }: StepPlan): (LayerUpdate | null)[] =>
  layers.map((layer) => {
    if (layer === null) return null;
    const rate = learningRate * factor * layer.factor;
    return { rate, decay: rate * layer.decay, decayBias: layer.decayBias };
  });
