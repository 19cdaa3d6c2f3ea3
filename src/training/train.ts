/**
 * Training: an optimizer minimises a model's loss over its data.
 */
import { checkedControl, throwIfAborted } from '../core/context.js';
import { NonFiniteError, OptionError } from '../core/errors.js';
import { precisionOf, type FloatArray } from '../core/floats.js';
import { requireRole } from '../core/kind.js';
import type { Blas } from '../dense/blas.js';
import { defaultBlas, withBlas, type BlasOption } from '../dense/default-blas.js';
import { LineFile } from '../io/line-file.js';
import {
  asGraphModel,
  isGivenGraph,
  isGraphNetwork,
  type GivenGraphModel,
  type GraphModel,
} from '../layers/graph-model.js';
import { forwardFlops, type GraphNetwork } from '../layers/graph-network.js';
import type { GraphLoss } from '../layers/losses.js';
import { perceptronGraph } from '../layers/perceptron-graph.js';
import type { LossName } from '../network/losses/table.js';
import { asModel, checkModel, type GivenModel, type Model } from '../network/model.js';
import type { ParameterLayout } from '../network/parameter-layout.js';
import { onTeam, type Control } from '../parallel/default-team.js';
import type { Team } from '../parallel/team.js';
import { Agreement } from './agreement.js';
import { Breath } from './breath.js';
import { checkTrainOptions, type TrainSettings } from './check-options.js';
import { basisOf, readSnapshot, requireSameRun, type RunSettings, type Snapshot } from './checkpoint.js';
import type { Code } from './objective/code.js';
import { hasDiagonalOutputs } from './objective/loss-form.js';
import { PerceptronObjective } from './objective/perceptron-objective.js';
import type { LoopObjective, Objective } from './objective/objective.js';
import { sampleSigns } from './objective/r-pass.js';
import { DeviceObjective } from './device/device-objective.js';
import type { DeviceStepper, Stepper } from './optimizer.js';
import { GraphObjective } from './graph/graph-objective.js';
import { vectorNumbers } from './objective/workspace.js';
import { OPTIMIZERS } from './optimizers/table.js';
import { outline, prepare, type AnyNetwork, type Outline, type Subject } from './prepare.js';
import { runSettings } from './run-settings.js';
import type { TrainOptions, TrainingRun } from './train-options.js';
import { TrainingLoop } from './training-loop.js';

/** Evaluations take at least so many samples at a time. */
const EVALUATED = 256;
/** Gradients of fewer flops are not worth opening the shared team for. */
const TEAM_FLOPS = 3e7;

/**
 * Minimises the mean loss f(θ) = (1/n) Σ_i loss_i(θ) + (λ/2)‖W‖² from `model.parameters`, which stay as they are, by
 * steps of an optimizer on batches in a seeded order. Everything that changes lies in one memory that is taken before
 * the first step. Works on the control's team, else on the shared one where a step is large enough; the bits do not
 * depend on it. Ranks of the team's communicator that all call it share the samples of every step out and end with the
 * same θ, whose bits are those of one rank; the first of them writes the files. A run that diverges ends as such, with
 * the parameters of its last good evaluation.
 *
 * Progress: phase 'train', one unit a step (a millisecond where only `seconds` limits the run), with `values` of the
 * last step (loss, damping, cgIterations) and evaluation (accuracy). An abort ends it between steps, after the
 * checkpoint, if any, was written. 6nN flops an epoch and what the optimizer takes besides.
 * Throws OptionError, ShapeError, MemoryError, AbortedError, FileAccessError and FileFormatError (checkpoint, metrics);
 * NonFiniteError for data or initial parameters that are not finite.
 */
export async function train(
  given: GivenModel | GivenGraphModel,
  options: TrainOptions = {},
  control: Control & BlasOption = {},
): Promise<TrainingRun> {
  return runTraining(given, options, control, { of: 'train', code: null });
}

/** `train`, of a network that may have a code between two layers; `of` names the caller. */
export async function runTraining(
  given: GivenModel | GivenGraphModel,
  options: TrainOptions,
  control: Control & BlasOption,
  { of, code }: { readonly of: string; readonly code: Code | null },
): Promise<TrainingRun> {
  const model = trainedModel(given, of);
  const run = checkedControl(control, of, { blas: true });
  const settings = checkTrainOptions(options, model);
  const { team, blas } = await workers(model, settings, control);
  throwIfAborted(run.signal);
  requireFinite(model.parameters);
  const plan = outline(model, settings);
  const batchSize = Math.min(settings.batchSize === 'all' ? Infinity : settings.batchSize, plan.training.samples);
  const record = runSettings(model, settings, plan, batchSize);
  const snapshot = await resumed(model, settings, { record, plan });
  const agreement = new Agreement(team?.communicator, run.signal);
  const breath = new Breath(agreement.ownSignal);
  const subject = await prepare(model, plan, { blas, breath, known: basisOf(snapshot) });
  const partSize = Math.ceil(batchSize / settings.accumulate);
  const ways = { partSize, rotated: plan.rotated, code, team, blas };
  const { objective, begin } = await openObjective(model, subject, settings, ways);
  let metrics: LineFile | null = null;
  try {
    if (agreement.writes) metrics = await openMetrics(settings, snapshot, record);
    const { loss } = model;
    return await new TrainingLoop(
      {
        subject,
        loss,
        settings,
        record,
        batchSize,
        partSize,
        objective,
        begin,
        metrics,
        blas,
        control: run,
        agreement,
      },
      snapshot,
    ).run();
  } finally {
    objective.close();
    await metrics?.close();
  }
}

/** The model of a perceptron or of a network of layers, its sizes checked. Throws OptionError, ShapeError. */
function trainedModel(given: GivenModel | GivenGraphModel, of: string): Model | GraphModel {
  if (isGivenGraph(given)) return asGraphModel(given, of);
  const model = asModel(given, of);
  checkModel(model);
  return model;
}

/** Who works here: the caller's team, else the shared one for large steps, else this thread. */
async function workers(
  { network, data }: Model | GraphModel,
  { batchSize, device, optimizer }: TrainSettings,
  control: Control & BlasOption,
): Promise<{ team: Team | undefined; blas: Blas }> {
  if (control.team !== undefined) requireRole(control.team, 'team', 'The control of train');
  if (control.blas !== undefined) withBlas({ blas: control.blas }, { blas: true }, 'train');
  const count = batchSize === 'all' ? data.samples : Math.min(batchSize, data.samples);
  const each = isGraphNetwork(network) ? 3 * forwardFlops(network) : 6 * network.parameters;
  const large = each * count >= TEAM_FLOPS;
  const isHere = device === null || optimizer.worksHere === true;
  const team =
    control.team ??
    device?.team ??
    (control.blas === undefined && large && isHere ? (await onTeam({}, 'train')).team : undefined);
  return { team, blas: control.blas ?? team?.blas ?? defaultBlas() };
}

function requireFinite(parameters: FloatArray): void {
  const k = parameters.findIndex((value) => !Number.isFinite(value));
  if (k >= 0)
    throw new NonFiniteError(`Parameter ${k} is ${parameters[k]}: training begins at finite numbers.`, {
      parameter: k,
      value: parameters[k],
    });
}

/** The checkpoint to go on from, if there is one. */
async function resumed(
  { network, parameters }: Model | GraphModel,
  { checkpoint, resume }: TrainSettings,
  { record, plan }: { readonly record: RunSettings; readonly plan: Outline },
): Promise<Snapshot | null> {
  const snapshot = resume && checkpoint !== null ? await readSnapshot(checkpoint) : null;
  if (snapshot === null) return null;
  requireSameRun(checkpoint!, snapshot.settings, record);
  const { frozen } = snapshot.place;
  const own = plan.prefix === 0 ? 0 : network.layers[plan.prefix].offset;
  if ((frozen?.length ?? 0) !== own || frozen?.some((value, k) => value !== parameters[k]))
    throw new OptionError(
      `The checkpoint in ${checkpoint} is of a run with other parameters in its frozen first layers. Resume with the ` +
        'parameters that it began with, or take another folder.',
      { checkpoint, prefix: plan.prefix },
    );
  return snapshot;
}

async function openObjective(
  { loss }: Model | GraphModel,
  { network, parameters, training }: Subject,
  settings: TrainSettings,
  {
    partSize,
    rotated,
    code,
    team,
    blas,
  }: {
    readonly partSize: number;
    readonly rotated: boolean;
    readonly code: Code | null;
    readonly team: Team | undefined;
    readonly blas: Blas;
  },
): Promise<Opened> {
  const { optimizer, average, accumulate, dropout, regularization, seed, memoryLimit, device } = settings;
  const capacity = Math.max(partSize, Math.min(EVALUATED, training.samples));
  if (device !== null && device.team === null) {
    const own = onDevice(network, loss, settings, { code, team });
    const { curvature, parts = 0 } = optimizer;
    const factors = isGraphNetwork(network)
      ? { rotatedInputs: false, diagonalOutputs: false }
      : {
          rotatedInputs: rotated,
          diagonalOutputs: hasDiagonalOutputs(loss as LossName, network.outputs),
          signs: sampleSigns,
        };
    const kept = optimizer.kept?.(network, capacity) ?? 0;
    const objective = await DeviceObjective.open({
      network: own,
      device,
      precision: precisionOf(parameters),
      batchSize: capacity,
      spare: optimizer.spare(network, capacity) - kept + spareVectors(own, average !== null, false),
      kept,
      apart: optimizer.apart?.(network, capacity, loss) ?? 0,
      beside: optimizer.beside?.(network, capacity, loss) ?? 0,
      passes: optimizer.passes?.(network, capacity) ?? (curvature === 'none' ? [] : [curvature]),
      parts,
      moments: optimizer.moments?.({ ...factors, network: own }) ?? [],
      factors,
      perceptron: isGraphNetwork(network) ? undefined : network,
      blas,
      team: optimizer.worksHere === true ? team : undefined,
      regularization,
      seed,
    });
    return { objective, begin: () => optimizer.onDevice!(objective) };
  }
  const shared = {
    precision: precisionOf(parameters),
    batchSize: capacity,
    curvature: optimizer.curvature,
    spare: optimizer.spare(network, capacity) + spareVectors(network, average !== null, accumulate > 1),
    regularization,
    seed,
    memoryLimit: memoryLimit ?? undefined,
    blas,
    team,
  };
  const objective: Objective = isGraphNetwork(network)
    ? await GraphObjective.open({ ...shared, network })
    : await PerceptronObjective.open({
        ...shared,
        network,
        loss: loss as LossName,
        code,
        dropout,
        rotatedInputs: rotated,
      });
  return { objective, begin: () => optimizer.begin(objective) };
}

/** What is trained, and what begins the optimizer on it. */
interface Opened {
  readonly objective: LoopObjective;
  readonly begin: () => Stepper | DeviceStepper;
}

/** The network of layers that is trained on a device. Throws OptionError for what does not go there. */
function onDevice(
  network: AnyNetwork,
  loss: GraphLoss,
  { optimizer, dropout }: TrainSettings,
  { code, team }: { readonly code: Code | null; readonly team: Team | undefined },
): GraphNetwork {
  const refuse = (what: string, advice: string): never => {
    throw new OptionError(`${what} does not train on a device: ${advice}, or leave out the device.`, {});
  };
  if (optimizer.onDevice === undefined) refuse(optimizer.name, `take one of ${OPTIMIZERS.join(', ')}`);
  if ((team?.communicator.size ?? 1) > 1) refuse('A run of several ranks', 'take one rank');
  if (code !== null) refuse("A perceptron's code", 'take a network of layers (variationalAutoencoder)');
  if (isGraphNetwork(network)) return network;
  if (dropout > 0) refuse('dropout of a perceptron', 'put dropout(share) between layers of a graphNetwork');
  return perceptronGraph(network, loss as LossName);
}

const spareVectors = (network: ParameterLayout, average: boolean, accumulates: boolean): number =>
  (Number(average) + Number(accumulates)) * vectorNumbers(network.parameters);

/** The metrics file: a new one, or that of the run that is gone on with, cut where its checkpoint was written. */
async function openMetrics(
  { metrics }: TrainSettings,
  snapshot: Snapshot | null,
  record: RunSettings,
): Promise<LineFile | null> {
  if (metrics === null) return null;
  const file = await LineFile.open(metrics, snapshot === null ? 0 : (snapshot.metrics ?? Infinity));
  if (snapshot === null) file.add(JSON.stringify({ kind: 'run', settings: record }));
  return file;
}
