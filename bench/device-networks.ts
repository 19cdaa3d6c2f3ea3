/**
 * Networks on a card: a deep autoencoder's loss, gradient, curvature and Newton steps, training of ResNet-18 and of a
 * transformer, on data made here. Each result is held against the team's, each rate against cuBLAS's.
 */
import type { FloatArray, Precision } from '../src/core/floats.js';
import { floats, PRECISIONS } from '../src/core/floats.js';
import { RandomStream } from '../src/core/random.js';
import { gaussNewton } from '../src/curvature/products/gauss-newton.js';
import { putModel } from '../src/curvature/device/model.js';
import { zeros } from '../src/dense/matrix.js';
import { findCard } from '../src/device/cuda/open.js';
import { defaultBlas } from '../src/dense/default-blas.js';
import type { Device } from '../src/device/device.js';
import { openDevice } from '../src/device/open.js';
import { lossAndGradient } from '../src/layers/gradient.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  tokenInput,
  type GraphNetwork,
} from '../src/layers/graph-network.js';
import { tokenLoss } from '../src/layers/losses.js';
import { resnet18, resnet20 } from '../src/models/resnet.js';
import { languageModel } from '../src/models/transformer.js';
import { batchOf, memoryDataSet } from '../src/network/data-set.js';
import { initialParameters as ofPerceptron } from '../src/network/initialize.js';
import type { Model } from '../src/network/model.js';
import { defineNetwork } from '../src/network/network.js';
import { apply } from '../src/operator/apply.js';
import { Team } from '../src/parallel/team.js';
import { DeviceObjective } from '../src/training/device/device-objective.js';
import { train } from '../src/training/train.js';
import { randomNumbers } from './device-checks.js';
import { gemm } from './device-rates.js';
import { difference, judge, milliseconds, recording, tell, waited, type Recorded } from './device-results.js';

/** How a step is taken. */
export interface NetworkStep {
  readonly step: string;
  /** Tiny sizes. */
  readonly smoke: boolean;
  /** Times that what is measured is repeated, and the order of the product that gives the card's rate. */
  readonly times: number;
  readonly order: number;
}

/** What launches do a second, kernels of single numbers counted in the time alone, beside cuBLAS. */
async function rateOf(
  card: Device,
  calls: readonly Recorded[],
  { times, gemmRate }: { readonly times: number; readonly gemmRate: number },
): Promise<Record<string, number | null>> {
  const launchMs = await milliseconds(
    card,
    () => {
      for (const { again } of calls) again();
    },
    times,
  );
  const sum = (of: (call: Recorded) => number): number => calls.reduce((total, call) => total + of(call), 0);
  const flops = sum((call) => call.flops);
  const flopsPerSecond = (1000 * flops) / launchMs;
  const share = Number.isFinite(gemmRate) ? flopsPerSecond / gemmRate : null;
  return { launches: calls.length, launchMs, flops, padded: sum((call) => call.padded), flopsPerSecond, share };
}

const WIDTHS = [784, 1000, 500, 250, 30, 250, 500, 1000, 784];
const SMOKE_WIDTHS = [9, 7, 5, 7, 9];

/** The autoencoder, n = 1,000. */
function autoencoder(smoke: boolean): Model {
  const widths = smoke ? SMOKE_WIDTHS : WIDTHS;
  const samples = smoke ? 40 : 1000;
  const network = defineNetwork({ widths, activation: 'tanh' });
  const inputs = zeros(widths[0], samples);
  inputs.data.set(randomNumbers(inputs.data.length, 'f64', 1));
  return { network, parameters: ofPerceptron(network, 0), loss: 'mse', data: memoryDataSet(inputs, inputs) };
}

/** Loss, gradient and Gauss–Newton products of the autoencoder. */
export async function curvature({ step, smoke, times, order }: NetworkStep): Promise<void> {
  const found = findCard();
  const model = autoencoder(smoke);
  const team = await Team.open(smoke ? { workers: 2 } : {});
  const host = lossAndGradient(model, { blas: team.blas });
  const operator = gaussNewton(model, { blas: team.blas, team });
  const v = randomNumbers(model.network.parameters, 'f64', 2) as Float64Array;
  const product = apply(operator, v);
  const teamMs = await waited(async () => apply(operator, v), times);
  operator.release();
  const newton = { optimizer: { name: 'gauss-newton-cg', iterations: 5 }, batchSize: 'all' } as const;
  const began = performance.now();
  const stepped = await train(model, { ...newton, steps: 1 }, { team });
  const teamStepMs = performance.now() - began;
  await team.close();
  const wanted = change(stepped.parameters, model.parameters);
  for (const precision of PRECISIONS) {
    const { value: gemmRate, reason } = await gemm(found, precision, order);
    const common = { step, network: (smoke ? SMOKE_WIDTHS : WIDTHS).join('-'), samples: model.data.samples, precision };
    const card = await openDevice('cuda');
    const { device, calls } = recording(card);
    const onDevice = await putModel(model, device, { precision });
    const there = await onDevice.lossAndGradient();
    const errors = [difference(there.gradient, host.gradient), Math.abs(there.loss / host.loss - 1)];
    judge({ ...common, check: 'loss and gradient', error: Math.max(...errors) });
    const moved = { gemmRate, gemmReason: reason };
    const ofGradient = await rateOf(card, calls.splice(0), { times, gemmRate });
    const gradientMs = await waited(() => onDevice.lossAndGradient(), times);
    tell({ ...common, what: 'loss and gradient', ms: gradientMs, ...ofGradient, ...moved });
    calls.length = 0;
    const got = await onDevice.apply(v);
    judge({ ...common, check: 'Gauss–Newton product', error: difference(got.data, product.data) });
    const ofProduct = await rateOf(card, calls.splice(0), { times, gemmRate });
    const ms = await waited(() => onDevice.apply(v), times);
    tell({ ...common, what: 'Gauss–Newton product', ms, teamMs, ...ofProduct, ...moved });
    onDevice.release();
    const own = { ...model, parameters: rounded(model.parameters, precision) };
    const first = await train(own, { ...newton, steps: 1, device: card });
    const error = difference(change(first.parameters, own.parameters), wanted);
    judge({ ...common, check: 'a step of Gauss–Newton', error }, WRONG_STEPS[precision]);
    const run = await train(own, { ...newton, steps: 1 + times, evaluateEvery: 1, device: card });
    const stepMs = (1000 * (run.seconds - run.evaluations[0].seconds)) / times;
    const iterations = run.lastStep!.cgIterations;
    tell({ ...common, what: 'steps of Gauss–Newton', ms: stepMs, teamMs: teamStepMs, iterations });
    await card.close();
  }
}

/** How far parameters went. */
const change = (parameters: FloatArray, begin: FloatArray): FloatArray =>
  floats(begin.length, 'f64').map((_, k) => parameters[k] - begin[k]);

const rounded = (parameters: FloatArray, precision: Precision): FloatArray =>
  precision === 'f64' ? parameters : Float32Array.from(parameters);

/** What is trained: samples of a step, and of the epoch that is extrapolated to. */
interface Trained {
  readonly network: GraphNetwork;
  readonly batchSize: number;
  readonly epoch: number;
  /** Samples of the steps that the team takes, too. */
  readonly few: number;
}

/** Networks by name. */
export const TRAINED: Readonly<Record<string, (smoke: boolean) => Trained>> = {
  'resnet-18': (smoke) => ({
    network: graphNetwork({
      inputs: imageInput({ channels: 3, height: smoke ? 8 : 32, width: smoke ? 8 : 32 }),
      layers: smoke ? resnet20({ classes: 10, channels: 2 }) : resnet18({ classes: 10, images: 'small' }),
      loss: 'cross-entropy',
    }),
    batchSize: smoke ? 4 : 128,
    epoch: 50_000,
    few: smoke ? 4 : 16,
  }),
  transformer: (smoke) => {
    const [words, length] = smoke ? [11, 5] : [1000, 64];
    return {
      network: graphNetwork({
        inputs: tokenInput(length, words),
        layers: languageModel({ words, features: smoke ? 8 : 128, layers: smoke ? 1 : 4, heads: smoke ? 2 : 4 }),
        loss: tokenLoss(),
      }),
      batchSize: smoke ? 4 : 64,
      epoch: 10_000,
      few: smoke ? 4 : 16,
    };
  },
};

/** Images and their classes, or sentences. */
function dataOf(network: GraphNetwork, samples: number): ReturnType<typeof memoryDataSet> {
  const random = new RandomStream(1);
  const inputs = zeros(network.inputs, samples, 'f32');
  const targets = zeros(network.outputs, samples, 'f32');
  const [{ vocabulary }] = network.inputKinds;
  if (vocabulary === null) {
    random.fillNormal(inputs.data);
    for (let j = 0; j < samples; j++) targets.data[j * network.outputs + random.integer(network.outputs)] = 1;
  } else
    for (const { data } of [inputs, targets])
      for (let k = 0; k < data.length; k++) data[k] = random.integer(vocabulary);
  return memoryDataSet(inputs, targets);
}

/**
 * What two steps may differ by, over what they change: with batch norms of few samples rounding grows. A gradient that
 * is wrong somewhere differs by tens of percents.
 */
const WRONG_STEPS: Readonly<Record<Precision, number>> = { f64: 1e-8, f32: 5e-3 };

/** Training of a network: two steps of few samples beside the team's, then steps of Adam. */
export async function training(name: string, { step, smoke, times, order }: NetworkStep): Promise<void> {
  const { network, batchSize, epoch, few } = TRAINED[name](smoke);
  const card = await openDevice('cuda');
  const modelOf = (samples: number, precision: Precision) => ({
    network,
    parameters: initialParameters(network, { precision }),
    data: dataOf(network, samples),
  });
  const common = { step: `${step} ${name}`, parameters: network.parameters };
  const team = await Team.open(smoke ? { workers: 2 } : {});
  const optimizer = { name: 'sgd', learningRate: 0.01 } as const;
  const asked = { optimizer, steps: 2, batchSize: few };
  const host = await train(modelOf(few, 'f64'), asked, { team });
  await team.close();
  for (const precision of PRECISIONS) {
    const model = modelOf(few, precision);
    const { parameters } = await train(model, { ...asked, device: card });
    const wanted = change(host.parameters, initialParameters(network, { precision: 'f64' }));
    const error = difference(change(parameters, model.parameters), wanted);
    judge({ ...common, precision, check: 'two steps of SGD', error }, WRONG_STEPS[precision]);
  }
  const precision = 'f32';
  const { value: gemmRate, reason } = await gemm(findCard(), precision, order);
  const model = modelOf(2 * batchSize, precision);
  const [warm, steps] = smoke ? [1, 2] : [4, 16];
  const run = await train(model, { optimizer: 'adam', batchSize, steps, evaluateEvery: warm, device: card });
  // The first steps plan and compile.
  const ms = (1000 * (run.evaluations.at(-1)!.seconds - run.evaluations[0].seconds)) / (steps - warm);
  const epochSeconds = ((ms / 1000) * epoch) / batchSize;
  const what = `steps of Adam, an epoch of ${epoch} samples extrapolated from ${steps - warm}`;
  tell({ ...common, precision, what, batchSize, ms, epochSeconds });
  const { device, calls } = recording(card);
  const options = {
    network,
    device,
    precision,
    batchSize,
    spare: 0,
    apart: 0,
    passes: [],
    moments: [],
    parts: 0,
    factors: { rotatedInputs: false, diagonalOutputs: false },
    blas: defaultBlas(),
    regularization: 0,
    seed: 0,
  } as const;
  const objective = await DeviceObjective.open(options);
  objective.parameters.set(run.parameters);
  objective.put();
  objective.load(batchOf(model.data, 0, batchSize));
  await objective.evaluate(0);
  const rate = await rateOf(card, calls.splice(0), { times, gemmRate });
  tell({ ...common, precision, what: 'the launches of a gradient', batchSize, ...rate, gemmRate, gemmReason: reason });
  objective.close();
  await card.close();
}
