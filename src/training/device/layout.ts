/**
 * Where everything that training on a device works on lies: numbers of one buffer.
 */
import { NUMBER_BYTES, type Precision } from '../../core/floats.js';
import { refuseMemory } from '../../core/memory.js';
import type { Device } from '../../device/device.js';
import { MOST_NUMBERS } from '../../device/portable-kernel.js';
import { sliceSamples, type GraphNetwork } from '../../layers/graph-network.js';
import { constantNumbers, planNetwork, type NetworkPlan } from '../../layers/network-plan.js';
import { graphSlices } from '../../layers/slices.js';
import { stepMemory, type DeviceRegions } from '../../tape/device/tape.js';
import { aligned } from '../../tape/plan/plan.js';
import { numbersEach } from '../../tape/shape.js';
import { statisticNumbers } from '../graph/workspace.js';
import { SETTING_NUMBERS } from './update-kernels.js';

/** What training on a device is laid out for. */
export interface DeviceLayoutOptions {
  readonly network: GraphNetwork;
  readonly device: Device;
  readonly precision: Precision;
  /** Most samples of a batch. */
  readonly batchSize: number;
  /** Vectors laid out like θ beside it and its gradient. */
  readonly vectors: number;
}

/** The layout. */
export interface DeviceLayout {
  readonly training: NetworkPlan;
  readonly evaluation: NetworkPlan;
  /** Most samples of a slice: a batch is worked on slice by slice. */
  readonly slice: number;
  /** Numbers of θ, rounded up: vectors are so far apart. */
  readonly vector: number;
  /** Outputs of a sample. */
  readonly outputs: number;
  /** Where things begin; `settings` of each layer, one more set for all. */
  readonly at: Readonly<Record<(typeof PARTS)[number], number>>;
  readonly numbers: number;
  /** Bytes that launches take besides. */
  readonly lists: number;
}

const PARTS = [
  'parameters',
  'each',
  'sum',
  'vectors',
  'losses',
  'statistics',
  'outputs',
  'squares',
  'settings',
  'trainingConstants',
  'evaluationConstants',
  'work',
  'scratch',
  'kept',
] as const;

function layOut({ network, batchSize, vectors }: DeviceLayoutOptions, slice: number): DeviceLayout {
  const plan = (graph: GraphNetwork['training'], gradient: boolean): NetworkPlan =>
    planNetwork(graph, network.layers, { gradient, passes: [], capacity: slice });
  const training = plan(network.training, true);
  const evaluation = plan(network.evaluation, false);
  const both = (of: (plan: NetworkPlan) => number): number => Math.max(of(training), of(evaluation));
  const vector = aligned(network.parameters);
  const slices = graphSlices(batchSize, slice);
  const outputs = numbersEach(training.output.shape);
  const layers = network.layers.length;
  const [own, other] = [training, evaluation].map((one) => stepMemory(one.plan, slice));
  const sizes: Readonly<Record<(typeof PARTS)[number], number>> = {
    parameters: vector,
    each: vector,
    sum: vector,
    vectors: vectors * vector,
    losses: aligned(slices),
    statistics: aligned(slices * statisticNumbers(training)),
    outputs: aligned(batchSize * outputs),
    squares: aligned(layers),
    settings: aligned(SETTING_NUMBERS * (layers + 1)),
    trainingConstants: aligned(constantNumbers(training)),
    evaluationConstants: aligned(constantNumbers(evaluation)),
    work: aligned(both(({ plan: { work } }) => work)),
    scratch: Math.max(own.scratch, other.scratch),
    kept: aligned(both(({ plan: { kept } }) => kept)),
  };
  let numbers = 0;
  const at: Record<string, number> = {};
  for (const part of PARTS) {
    at[part] = numbers;
    numbers += sizes[part];
  }
  return {
    training,
    evaluation,
    slice,
    vector,
    outputs,
    at: at as DeviceLayout['at'],
    numbers,
    lists: slices * (own.lists + 2 * other.lists),
  };
}

/**
 * The layout with slices as large as fit; where batch norms take statistics of slices, those of the host, so that it
 * computes the same. Throws MemoryError.
 */
export function deviceLayout(options: DeviceLayoutOptions): DeviceLayout {
  const { network, device, precision, batchSize } = options;
  const { limit, bytes, bufferLimit } = device.memory;
  const width = NUMBER_BYTES[precision];
  const fixed = network.training.updates.length > 0;
  for (let slice = fixed ? Math.min(batchSize, sliceSamples(network)) : batchSize; ; slice = Math.ceil(slice / 2)) {
    const layout = layOut(options, slice);
    const own = width * layout.numbers;
    if (own <= bufferLimit && layout.numbers <= MOST_NUMBERS && own + layout.lists <= limit - bytes) return layout;
    if (slice > 1 && !fixed) continue;
    refuseMemory(own + layout.lists, Math.min(limit - bytes, bufferLimit, width * MOST_NUMBERS), {
      what: `Training takes, on the device ${device.name},`,
      advice: 'take a smaller batchSize, an optimizer with fewer vectors, or release what lies there.',
      data: { device: device.name },
    });
  }
}

/** The regions of a tape of training, or of evaluation, with θ at `parameters`. */
export function regionsOf({ at }: DeviceLayout, mode: 'training' | 'evaluation', parameters: number): DeviceRegions {
  const { work, scratch, kept, each } = at;
  const constants = mode === 'training' ? at.trainingConstants : at.evaluationConstants;
  return { parameters, gradient: each, result: each, direction: each, constants, work, scratch, kept };
}
