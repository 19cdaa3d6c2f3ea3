/**
 * One case of bench/tape-cases.ts in a process of its own: `node dist/bench/tape.js NAME` times gradients and products
 * with curvature of a network of layers on one thread, in turn with multiplications of matrices of 512 rows, whose rate
 * is what they are held against; a perceptron also in turn with its closed forms. Processor seconds, medians over rounds.
 * Prints one JSON line.
 */
import { median } from '../src/core/median.js';
import { RandomStream } from '../src/core/random.js';
import { openBlas } from '../src/dense/backend.js';
import type { Blas } from '../src/dense/blas.js';
import { zeros, type Precision } from '../src/dense/matrix.js';
import { conv2d, dense } from '../src/layers/affine.js';
import { activation, flatten, relu, sequential } from '../src/layers/compose.js';
import {
  graphNetwork,
  imageInput,
  initialParameters,
  tokenInput,
  vectorInput,
  type GraphNetwork,
} from '../src/layers/graph-network.js';
import { tokenLoss } from '../src/layers/losses.js';
import { planNetwork } from '../src/layers/network-plan.js';
import { mobilenet } from '../src/models/mobilenet.js';
import { resnet20 } from '../src/models/resnet.js';
import { simpleCnn } from '../src/models/simple-cnn.js';
import { languageModel } from '../src/models/transformer.js';
import type { Batch } from '../src/network/data-set.js';
import { defineNetwork } from '../src/network/network.js';
import { phaseFlops } from '../src/tape/plan/plan.js';
import { GraphObjective } from '../src/training/graph/graph-objective.js';
import type { Objective } from '../src/training/objective/objective.js';
import { PerceptronObjective } from '../src/training/objective/perceptron-objective.js';
import { rounded } from './record.js';
import { TAPE_CASES, type TapeCase } from './tape-cases.js';

/** Processor seconds of one run, and the floating-point operations of its multiplications of matrices. */
export interface Pass {
  readonly seconds: number;
  readonly gflops: number;
  /** Of the rate of gemm. */
  readonly share: number;
}

export interface TapeResult {
  readonly name: string;
  readonly blas: string;
  readonly parameters: number;
  /** GFLOP/s of gemm with 512 rows. */
  readonly gemm: number;
  readonly gradient: Pass;
  /** J·v. */
  readonly tangent: Pass;
  readonly gaussNewton: Pass;
  /** Seconds over those of the closed forms; null where there are none. */
  readonly closed: { readonly gradient: number; readonly gaussNewton: number } | null;
}

const ROUNDS = 15;
const SIZE = 512;
/** A round times at least so many seconds of each. */
const LEAST = 0.02;

function networkOf(network: TapeCase['network']): GraphNetwork {
  const small = imageInput({ channels: 3, height: 32, width: 32 });
  const loss = 'cross-entropy';
  switch (network) {
    case 'convolution': {
      const convolution = conv2d(32, 3, { padding: 'same' });
      const layers = sequential(convolution, relu, convolution, relu, convolution, relu, flatten, dense(10));
      return graphNetwork({ inputs: imageInput({ channels: 32, height: 32, width: 32 }), layers, loss });
    }
    case 'simple-cnn':
      return graphNetwork({ inputs: imageInput({ channels: 1, height: 28, width: 28 }), layers: simpleCnn(), loss });
    case 'resnet20':
      return graphNetwork({ inputs: small, layers: resnet20(), loss });
    case 'mobilenet':
      return graphNetwork({ inputs: small, layers: mobilenet(0.5), loss });
    case 'transformer':
      return graphNetwork({
        inputs: tokenInput(64, 1000),
        layers: languageModel({ words: 1000, features: 128, layers: 4, heads: 4 }),
        loss: tokenLoss(),
      });
    case 'perceptron':
      return graphNetwork({
        inputs: vectorInput(784),
        layers: sequential(
          dense(128),
          activation('tanh'),
          dense(32),
          activation('tanh'),
          dense(128),
          activation('tanh'),
          dense(784),
        ),
        loss: 'squared-error',
      });
  }
}

function batchOf(network: GraphNetwork, samples: number, precision: Precision): Batch {
  const random = new RandomStream(1);
  const inputs = zeros(network.inputs, samples, precision);
  const targets = zeros(network.outputs, samples, precision);
  const [{ vocabulary }] = network.inputKinds;
  if (vocabulary !== null) {
    for (const { data } of [inputs, targets])
      for (let k = 0; k < data.length; k++) data[k] = random.integer(vocabulary);
    return { inputs, targets };
  }
  random.fillNormal(inputs.data);
  if (network.loss === 'squared-error') return { inputs, targets: inputs };
  for (let j = 0; j < samples; j++) targets.data[j * network.outputs + random.integer(network.outputs)] = 1;
  return { inputs, targets };
}

/** Seconds of the process's threads. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Runs that take at least `LEAST` together, and their seconds each. */
class Timed {
  readonly seconds: number[] = [];
  readonly #run: () => void;
  #repeats = 1;

  constructor(run: () => void) {
    this.#run = run;
    run();
    for (let taken = this.#round(); taken < LEAST; taken = this.#round()) this.#repeats *= 2;
  }

  #round(): number {
    const begin = processorSeconds();
    for (let k = 0; k < this.#repeats; k++) this.#run();
    return processorSeconds() - begin;
  }

  round(): void {
    this.seconds.push(this.#round() / this.#repeats);
  }

  get median(): number {
    return median(this.seconds);
  }
}

function multiplication(blas: Blas, precision: Precision): Timed {
  const [a, b, c] = [1, 2, 3].map(() => zeros(SIZE, SIZE, precision));
  a.data.fill(0.5);
  b.data.fill(0.25);
  return new Timed(() => {
    blas.gemm('N', 'N', 1, a, b, 0, c);
  });
}

/** Gradient, J·v and G·v of an objective. */
function passes(objective: Objective): [Timed, Timed, Timed] {
  const [v, out] = [objective.vector(), objective.vector()];
  new RandomStream(2).fillNormal(v);
  return [
    new Timed(() => objective.evaluate()),
    new Timed(() => objective.quadratic([v])),
    new Timed(() => {
      objective.product('gauss-newton', v, out);
    }),
  ];
}

async function measure({ name, network: kind, precision, samples }: TapeCase): Promise<TapeResult> {
  const blas = openBlas();
  const network = networkOf(kind);
  const common = {
    precision,
    batchSize: samples,
    curvature: 'gauss-newton',
    spare: 4 * (network.parameters + 16),
    blas,
  } as const;
  const batch = batchOf(network, samples, precision);
  const objectives: Objective[] = [await GraphObjective.open({ ...common, network })];
  if (kind === 'perceptron') {
    const perceptron = defineNetwork({ widths: [784, 128, 32, 128, 784] });
    objectives.push(await PerceptronObjective.open({ ...common, network: perceptron, loss: 'squared-error' }));
  }
  for (const objective of objectives) {
    objective.parameters.set(initialParameters(network, { precision }));
    objective.load(batch);
  }
  const gemm = multiplication(blas, precision);
  const [own, closed] = objectives.map(passes);
  for (let round = 0; round < ROUNDS; round++) for (const timed of [gemm, ...own, ...(closed ?? [])]) timed.round();
  const rate = (2 * SIZE ** 3) / gemm.median / 1e9;
  const { plan } = planNetwork(network.training, network.layers, {
    gradient: true,
    passes: ['tangent', 'gauss-newton'],
    capacity: samples,
  });
  const pass = (timed: Timed, phase: number): Pass => {
    const flops = phaseFlops(plan.phases[phase], samples);
    const gflops = flops / timed.median / 1e9;
    return { seconds: rounded(timed.median), gflops: rounded(gflops), share: rounded(gflops / rate) };
  };
  const beside = (k: number): number => rounded(own[k].median / closed[k].median);
  return {
    name,
    blas: blas.description,
    parameters: network.parameters,
    gemm: rounded(rate),
    gradient: pass(own[0], 0),
    tangent: pass(own[1], 1),
    gaussNewton: pass(own[2], 2),
    closed: closed === undefined ? null : { gradient: beside(0), gaussNewton: beside(2) },
  };
}

const [name] = process.argv.slice(2);
const chosen = TAPE_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(`No case of tapes is called ${name}; there are ${TAPE_CASES.map((one) => one.name).join('; ')}.`);
console.log(JSON.stringify(await measure(chosen)));
