/**
 * Where everything that training on a device works on lies: numbers of one buffer.
 */
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import { refuseMemory } from '../../core/memory.js';
import type { Device } from '../../device/device.js';
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import { constantNumbers, planNetwork, type NetworkPlan, type Pass } from '../../layers/network-plan.js';
import { graphSlices } from '../../layers/slices.js';
import { hasFactors } from '../../network/parameter-layout.js';
import { deviceRoom, LAUNCH_BYTES, placeRegions, stepMemory, type DeviceRegions } from '../../tape/device/tape.js';
import { aligned } from '../../tape/plan/plan.js';
import { numbersEach, numbersOf } from '../../tape/shape.js';
import { statisticNumbers } from '../graph/workspace.js';
import { DOT_NUMBERS, PARTS } from './device-vectors.js';
import { momentMemory, SHARE_NUMBERS } from './moment-plan.js';
import type { MomentShape } from './moment-steps.js';
import { SETTING_NUMBERS, SQUARE_PARTS } from './update-kernels.js';

/** What training on a device is laid out for. */
export interface DeviceLayoutOptions {
  readonly network: GraphNetwork;
  readonly device: Device;
  readonly precision: Precision;
  /** Most samples of a batch. */
  readonly batchSize: number;
  /** Numbers of the optimizer's state. */
  readonly spare: number;
  /** Numbers of buffers that it makes. Default 0. */
  readonly beside?: number | undefined;
  /** Passes at θ that are asked for behind the first one, and then trials of f at other vectors. */
  readonly passes: readonly DevicePass[];
  /** How many parts of a batch there are passes of besides. */
  readonly parts: number;
  /** Moments that are made behind the pass 'draw'. */
  readonly moments: readonly MomentShape[];
}

/** Passes that training asks for. */
export type DevicePass = Extract<Pass, 'gauss-newton' | 'hessian' | 'tangent' | 'draw'>;

/** The layout. */
export interface DeviceLayout {
  readonly training: NetworkPlan;
  readonly evaluation: NetworkPlan;
  /** f of training alone; null without products. */
  readonly trial: NetworkPlan | null;
  /** Slices whose passes are kept for products: all, or one at a time. */
  readonly held: number;
  /** Most samples of a slice: a batch is worked on slice by slice. */
  readonly slice: number;
  /** Outputs of a sample. */
  readonly outputs: number;
  /** Where things begin; `settings` of each layer, one more set for all. */
  readonly at: Readonly<Record<Region, number>>;
  readonly numbers: number;
  /** Bytes that launches, and buffers of the optimizer's, take besides. */
  readonly lists: number;
}

type Region =
  | 'parameters'
  | 'each'
  | 'sum'
  | 'vectors'
  | 'losses'
  | 'statistics'
  | 'outputs'
  | 'weightDots'
  | 'settings'
  | 'trainingConstants'
  | 'evaluationConstants'
  | 'trialConstants'
  | 'direction'
  | 'dots'
  | 'forms'
  | 'tangents'
  | 'moment'
  | 'squares'
  | 'reached'
  | 'shares'
  | 'momentScratch'
  | 'work'
  | 'scratch'
  | 'trialKept'
  | 'kept';

/**
 * Counts of samples of which batches are: the most, and those of the last one; and vectors at which they are evaluated:
 * θ, and its average.
 */
const COUNTS = 2;
const EVALUATED = 2;

/** Dot products of a quadratic form of two vectors. */
const FORM_DOTS = 3;

/** Bytes of the launches that bring a slice's results to their places. */
const sliceLists = ({ updates }: NetworkPlan): number => LAUNCH_BYTES * (5 + 2 * updates.length);

function layOut(options: DeviceLayoutOptions, slice: number, holdsAll: boolean): DeviceLayout {
  const { network, precision, batchSize, spare, beside = 0, passes, parts } = options;
  // Errors that are drawn go along no direction, and ask for f nowhere else.
  const products = passes.some((pass) => pass !== 'draw');
  const plan = (graph: GraphNetwork['training'], gradient: boolean, behind: readonly Pass[] = []): NetworkPlan =>
    planNetwork(graph, network.layers, { gradient, passes: behind, capacity: slice });
  const training = plan(network.training, true, passes);
  const evaluation = plan(network.evaluation, false);
  const trial = products ? plan(network.training, false) : null;
  const plans = [training, evaluation, ...(trial === null ? [] : [trial])];
  const most = (of: (plan: NetworkPlan) => number): number => Math.max(...plans.map(of));
  const vector = aligned(network.parameters);
  const slices = graphSlices(batchSize, slice);
  const outputs = numbersEach(training.output.shape);
  const layers = network.layers.length;
  const held = holdsAll ? slices : 1;
  const steps = plans.map((one) => stepMemory(one.plan, slice));
  const [own, other] = steps;
  const tangentNumbers = training.tangents.reduce((sum, { tangent }) => sum + numbersOf(tangent.shape, slice), 0);
  const moments = momentMemory(network, training.draw, options.moments, slice);
  // Slices that are held have launches of their own, others those of at most two sizes.
  const sets = Math.min(slices, 2);
  const ofTraining = (1 + parts) * (held > 1 ? slices : sets) * (own.lists + moments.lists);
  const ofOthers = sets * (EVALUATED * other.lists + (steps[2]?.lists ?? 0));
  const { at, numbers } = placeRegions<Region>({
    parameters: vector,
    each: vector,
    sum: vector,
    vectors: aligned(spare),
    losses: aligned(slices),
    statistics: aligned(slices * statisticNumbers(training)),
    outputs: aligned(batchSize * outputs),
    weightDots: aligned(SQUARE_PARTS * layers),
    settings: aligned(SETTING_NUMBERS * (layers + 1)),
    trainingConstants: aligned(constantNumbers(training)),
    evaluationConstants: aligned(constantNumbers(evaluation)),
    trialConstants: trial === null ? 0 : aligned(constantNumbers(trial)),
    direction: products ? vector : 0,
    dots: aligned(DOT_NUMBERS),
    forms: aligned(FORM_DOTS * PARTS * training.tangents.length),
    tangents: aligned(tangentNumbers),
    moment: aligned(moments.momentNumbers),
    squares: aligned(moments.squareNumbers),
    reached: aligned(moments.reachedNumbers),
    shares: aligned(SHARE_NUMBERS),
    momentScratch: moments.scratch,
    work: aligned(most(({ plan: { work } }) => work)),
    scratch: Math.max(...steps.map(({ scratch }) => scratch)),
    trialKept: trial === null ? 0 : aligned(trial.plan.kept),
    kept: Math.max(held * aligned(training.plan.kept), aligned(evaluation.plan.kept)),
  });
  return {
    training,
    evaluation,
    trial,
    held,
    slice,
    outputs,
    at,
    numbers,
    lists: NUMBER_BYTES[precision] * beside + COUNTS * (ofTraining + ofOthers + slices * sliceLists(training)),
  };
}

/**
 * The layout with slices as large as fit; where batch norms take statistics of slices, or squares of slices' gradients
 * are asked for, those of the host, so that it computes the same. Throws MemoryError.
 */
export function deviceLayout(options: DeviceLayoutOptions): DeviceLayout {
  const { network, device, precision, batchSize, moments } = options;
  const { fits, available } = deviceRoom(device, precision);
  const fixed =
    network.training.updates.length > 0 ||
    moments.some(({ layer }) => network.layers[layer].offset < network.trained && !hasFactors(network.layers[layer]));
  for (let slice = fixed ? Math.min(batchSize, sliceSamples(network)) : batchSize; ; slice = Math.ceil(slice / 2)) {
    const holding = layOut(options, slice, true);
    if (options.passes.length > 0 && fits(holding)) return holding;
    const layout = layOut(options, slice, false);
    if (fits(layout)) return layout;
    if (slice > 1 && !fixed) continue;
    refuseMemory(NUMBER_BYTES[precision] * layout.numbers + layout.lists, available, {
      what: `Training takes, on the device ${device.name},`,
      advice: 'take a smaller batchSize, an optimizer with fewer vectors, or release what lies there.',
      data: { device: device.name },
    });
  }
}

/** What is computed of a network: steps, evaluations, trials of a step. */
export type DeviceMode = 'training' | 'evaluation' | 'trial';

/** The regions of a tape of that mode, with θ at `parameters`, of slice `s`. */
export function regionsOf(layout: DeviceLayout, mode: DeviceMode, parameters: number, s = 0): DeviceRegions {
  const { at, held, training } = layout;
  const { work, scratch, each, direction } = at;
  const constants = at[`${mode}Constants`];
  const first = mode === 'training' && held > 1 ? s : 0;
  const kept = mode === 'trial' ? at.trialKept : at.kept + first * aligned(training.plan.kept);
  return { parameters, gradient: each, result: each, direction, constants, work, scratch, kept };
}
