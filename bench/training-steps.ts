/**
 * What a step of each method costs, in units of a gradient, and what it is made of: an objective whose methods and
 * whose BLAS are timed, on one thread, methods in turn. And an epoch by one thread and by two.
 */
import { openBlas } from '../src/dense/backend.js';
import type { Blas } from '../src/dense/blas.js';
import { zeros } from '../src/dense/matrix.js';
import { median } from '../src/core/median.js';
import type { Model } from '../src/network/model.js';
import { SampleOrder } from '../src/network/sample-order.js';
import { Team } from '../src/parallel/team.js';
import { Breath } from '../src/training/breath.js';
import { PerceptronObjective } from '../src/training/objective/perceptron-objective.js';
import type { Optimizer, StepPlan, Stepper } from '../src/training/optimizer.js';
import { ekfacAdam } from '../src/training/optimizers/ekfac-adam.js';
import { adam, sgd } from '../src/training/optimizers/first-order.js';
import { hessianFree } from '../src/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '../src/training/optimizers/kfac.js';
import { gaussNewtonCg } from '../src/training/optimizers/newton-cg.js';
import { prepare } from '../src/training/prepare.js';
import { train } from '../src/training/train.js';
import { digitData, mirrored } from './experiments/data.js';
import { startOf } from './experiments/experiment.js';
import { rounded } from './record.js';
import type { EpochCost, StepCost, StepsResult, ThreadsResult } from './training-cases.js';

const WIDTHS = [784, 128, 32, 128, 784];
const NETWORK = `${WIDTHS.join('-')} tanh, ½‖x̂ − x‖², float32`;
const REPEATS = 3;

interface Method {
  readonly method: string;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  /** Of each repeat: a whole period of what is done rarely. */
  readonly steps: number;
}

const METHODS: readonly Method[] = [
  { method: 'SGD', optimizer: sgd({ learningRate: 1e-3 }), batchSize: 200, steps: 100 },
  { method: 'Adam', optimizer: adam(), batchSize: 100, steps: 100 },
  { method: 'Adam', optimizer: adam(), batchSize: 200, steps: 100 },
  { method: 'ekfac-adam', optimizer: ekfacAdam(), batchSize: 200, steps: 100 },
  { method: 'K-FAC', optimizer: kfacOptimizer(), batchSize: 200, steps: 100 },
  { method: 'K-FAC', optimizer: kfacOptimizer(), batchSize: 500, steps: 60 },
  { method: 'Gauss–Newton CG', optimizer: gaussNewtonCg(), batchSize: 512, steps: 6 },
  { method: 'hessian-free', optimizer: hessianFree(), batchSize: 2000, steps: 3 },
];

/** Parts of a step by the objective's methods. */
const PARTS = {
  evaluate: 'gradient',
  update: 'update',
  turn: 'turn',
  draw: 'statistics',
  moments: 'statistics',
  bases: 'bases',
  quadratic: 'model',
  product: 'products',
  measure: 'evaluations',
  gradientSquares: 'statistics',
} as const;

type Clock = Record<string, number>;

/** Adds the milliseconds of every call of an object's methods to a clock. */
function timed<T extends object>(
  object: T,
  names: readonly (keyof T & string)[],
  clock: Clock,
  as: Clock | null,
): void {
  for (const name of names) {
    const call = (object[name] as (...args: unknown[]) => unknown).bind(object);
    const part = as === null ? 'blas' : (PARTS as Record<string, string>)[name];
    Object.defineProperty(object, name, {
      value: (...args: unknown[]) => {
        const begin = performance.now();
        try {
          return call(...args);
        } finally {
          clock[part] = (clock[part] ?? 0) + performance.now() - begin;
        }
      },
    });
  }
}

const ROUTINES = ['gemm', 'gemv', 'symm', 'symv', 'syrk', 'trsm', 'trmm', 'potrf', 'syevd', 'getrf', 'getrs'] as const;

/** A backend whose calls are timed. */
function timedBlas(blas: Blas, clock: Clock): Blas {
  const own = Object.create(blas) as Blas;
  for (const name of ROUTINES) {
    const call = (blas[name] as (...args: unknown[]) => unknown).bind(blas);
    Object.defineProperty(own, name, { value: call, writable: true, configurable: true });
  }
  timed(own, ROUTINES, clock, null);
  return own;
}

interface AtWork extends Method {
  readonly objective: PerceptronObjective;
  readonly stepper: Stepper;
  readonly batches: () => void;
  readonly clock: Clock;
  readonly plan: StepPlan;
  step: number;
}

async function begin(start: Model, one: Method, blas: Blas): Promise<AtWork> {
  const { optimizer, batchSize } = one;
  const { loss } = start;
  const clock: Clock = {};
  const plans = start.network.layers.map(() => ({ factor: 1, decay: 0, decayBias: false }));
  const rotated = optimizer.rotateInputs(loss);
  const outline = { training: start.data, validation: null, plans, prefix: 0, rotated };
  const ways = { blas, breath: new Breath(undefined), known: null };
  const { network, parameters, training: data } = await prepare(start, outline, ways);
  const objective = await PerceptronObjective.open({
    network,
    loss,
    precision: 'f32',
    batchSize,
    curvature: optimizer.curvature,
    rotatedInputs: rotated,
    spare: optimizer.spare(network, batchSize),
    blas: timedBlas(blas, clock),
  });
  objective.parameters.set(parameters);
  const order = new SampleOrder(data, loss, { batchSize, seed: 0, shuffleBytes: 2 ** 31 });
  const all = [...order.inOrder(batchSize)].filter(({ inputs }) => inputs.cols === batchSize);
  let at = 0;
  timed(objective, Object.keys(PARTS) as (keyof typeof PARTS)[], clock, clock);
  return {
    ...one,
    objective,
    stepper: optimizer.begin(objective),
    batches: () => {
      objective.load(all[at++ % all.length]);
    },
    clock,
    plan: { step: 0, factor: 1, layers: plans, clip: null },
    step: 0,
  };
}

/** Milliseconds a step and by part of so many steps. */
function steps(work: AtWork, count: number): Clock {
  for (const part of Object.keys(work.clock)) work.clock[part] = 0;
  let whole = 0;
  for (let k = 0; k < count; k++) {
    work.batches();
    const from = performance.now();
    work.stepper.step({ ...work.plan, step: work.step++ });
    whole += performance.now() - from;
  }
  const each = Object.fromEntries(Object.entries(work.clock).map(([part, time]) => [part, time / count]));
  return { ...each, whole: whole / count };
}

/** Milliseconds of the gradient alone of the batch sizes. */
function gradients(work: AtWork, count: number): number {
  const times = Array.from({ length: count }, (_, k) => {
    work.batches();
    const from = performance.now();
    work.objective.evaluate({ step: k });
    return performance.now() - from;
  });
  return median(times);
}

/** GFLOP/s of sgemm on this thread, n = 512: the median of 15 products. */
function sgemmRate(blas: Blas): number {
  const [a, c] = [zeros(512, 512, 'f32'), zeros(512, 512, 'f32')];
  a.data.fill(0.5);
  const times = Array.from({ length: 18 }, () => {
    const from = performance.now();
    blas.gemm('N', 'N', 1, a, a, 0, c);
    return performance.now() - from;
  });
  return (2 * 512 ** 3) / (median(times.slice(3)) * 1e6);
}

async function dataOf(folder: string, quick: boolean) {
  const data = await digitData({ data: folder, seed: 0 }, quick ? 2000 : 8000, 100);
  return {
    name: data.name,
    start: startOf({ widths: WIDTHS, activation: 'tanh' }, { loss: 'mse', data: mirrored(data.training) }, 0),
  };
}

/** Steps of every method, in turn. */
export async function stepCosts(name: string, folder: string, quick: boolean): Promise<StepsResult> {
  const blas = openBlas();
  const { name: data, start } = await dataOf(folder, quick);
  const works: AtWork[] = [];
  for (const one of METHODS) works.push(await begin(start, one, blas));
  const share = quick ? 0.3 : 1;
  const rounds = works.map((): { clock: Clock; gradient: number }[] => []);
  for (let repeat = 0; repeat < (quick ? 1 : REPEATS) + 1; repeat++)
    works.forEach((work, k) => {
      const count = Math.ceil(share * work.steps);
      const clock = steps(work, repeat === 0 ? Math.min(count, 35) : count);
      // The first round warms up, and begins: bases are young.
      if (repeat > 0) rounds[k].push({ clock, gradient: gradients(work, Math.min(count, 20)) });
    });
  const costs = works.map(({ method, batchSize, objective }, k): StepCost => {
    const of = (part: string): number => median(rounds[k].map(({ clock }) => clock[part] ?? 0));
    const milliseconds = of('whole');
    const names = [...new Set(Object.values(PARTS))];
    const parts: Record<string, number> = {};
    for (const part of names) if (of(part) > 0) parts[part] = rounded(of(part));
    parts['rest'] = rounded(Math.max(0, milliseconds - Object.values(parts).reduce((sum, time) => sum + time, 0)));
    objective.close();
    return {
      method,
      batchSize,
      milliseconds: rounded(milliseconds),
      gradients: rounded(milliseconds / median(rounds[k].map(({ gradient }) => gradient))),
      blasShare: rounded(of('blas') / milliseconds),
      gflops: rounded((6 * batchSize * start.network.parameters) / (milliseconds * 1e6)),
      parts,
    };
  });
  return {
    name,
    kind: 'steps',
    data,
    blas: blas.description,
    network: NETWORK,
    sgemm: rounded(sgemmRate(blas)),
    costs,
  };
}

const EPOCHS: readonly Omit<Method, 'steps'>[] = [
  { method: 'Adam', optimizer: adam(), batchSize: 100 },
  { method: 'Adam', optimizer: adam(), batchSize: 500 },
  { method: 'ekfac-adam', optimizer: ekfacAdam(), batchSize: 200 },
  { method: 'K-FAC', optimizer: kfacOptimizer(), batchSize: 500 },
];

/** An epoch by one thread and by two, in turn: the median of the epochs but the first. */
export async function threadCosts(name: string, folder: string, quick: boolean): Promise<ThreadsResult> {
  const blas = openBlas();
  const team = await Team.open({ workers: 2 });
  const { name: data, start } = await dataOf(folder, quick);
  const epochs: EpochCost[] = [];
  try {
    for (const { method, optimizer, batchSize } of EPOCHS) {
      const times: [number[], number[]] = [[], []];
      let choice: EpochCost['team'] | undefined;
      for (let round = 0; round < (quick ? 1 : REPEATS); round++)
        for (const way of [0, 1] as const) {
          const options = { optimizer, batchSize, epochs: quick ? 3 : 5, seed: round };
          const run = await train(start, options, way === 0 ? { blas } : { team });
          const at = run.evaluations.map(({ seconds }) => seconds);
          times[way].push(...at.slice(1).map((seconds, k) => seconds - at[k]));
          if (way === 1) choice = run.team;
        }
      const seconds = [rounded(median(times[0])), rounded(median(times[1]))] as const;
      const flops = 6 * start.data.samples * start.network.parameters;
      const gflops = [rounded(flops / seconds[0] / 1e9), rounded(flops / seconds[1] / 1e9)] as const;
      epochs.push({ method, batchSize, seconds, gflops, team: choice! });
    }
  } finally {
    await team.close();
  }
  return { name, kind: 'threads', data, blas: blas.description, network: NETWORK, epochs };
}
