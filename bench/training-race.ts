/**
 * A race of optimizers to a training loss or a validation accuracy: Adam tuned over batches and rates against
 * ekfac-adam and K-FAC as they come, seeds in the outer loop and methods in the inner one, seconds of steps alone, one
 * thread.
 */
import { openBlas } from '../src/dense/backend.js';
import { median } from '../src/core/median.js';
import { meanLoss } from '../src/network/gradient.js';
import type { Model } from '../src/network/model.js';
import type { DataSet } from '../src/network/data-set.js';
import type { Optimizer } from '../src/training/optimizer.js';
import { ekfacAdam } from '../src/training/optimizers/ekfac-adam.js';
import { adam } from '../src/training/optimizers/first-order.js';
import { kfacOptimizer } from '../src/training/optimizers/kfac.js';
import { train } from '../src/training/train.js';
import type { TrainingRun } from '../src/training/train-options.js';
import { classified, digitData, mirrored } from './experiments/data.js';
import { startOf } from './experiments/experiment.js';
import { rounded } from './record.js';
import type { RaceCase, Racer, RaceResult, Tried } from './training-cases.js';

const BATCHES = [50, 100, 200, 500];
const RATES = [1e-3, 2e-3, 4e-3, 6e-3];
const SEEDS = 3;
/** Combinations of Adam that run to the end with the first seed, and with the others. */
const FIRST = 4;
const OTHERS = 2;
/** Evaluations an epoch, which are not timed. */
const PER_EPOCH = { 'training loss': 2, 'validation accuracy': 8 };

interface Entrant {
  readonly method: string;
  readonly optimizer: Optimizer;
  readonly batchSize: number;
  readonly runs: { readonly run: TrainingRun; readonly validationLoss: number }[];
}

const entrant = (method: string, optimizer: Optimizer, batchSize: number): Entrant => ({
  method,
  optimizer,
  batchSize,
  runs: [],
});

/** Runs a case, all within its seconds but for the run that is under way. */
export async function race(one: RaceCase, folder: string, quick: boolean): Promise<RaceResult> {
  const begin = performance.now();
  const blas = openBlas();
  const [samples, apart] = [8000, 2000];
  const data = await digitData({ data: folder, seed: 0 }, samples, apart);
  const of = one.loss === 'cross-entropy' ? classified : mirrored;
  const [training, validation] = [of(data.training), of(data.validation)];
  const start = (seed: number): Model =>
    startOf({ widths: one.widths, activation: 'tanh' }, { loss: one.loss, data: training }, seed);
  const seconds = quick
    ? { run: one.seconds.run / 2, tuning: one.seconds.tuning / 3, all: one.seconds.all / 4 }
    : one.seconds;
  const inTime = (): boolean => performance.now() - begin < 1000 * seconds.all;

  const tried = await tune(start(0), quick, seconds.tuning, blas);
  let adams = [...tried]
    .sort((a, b) => a.loss - b.loss)
    .slice(0, quick ? 1 : FIRST)
    .map(({ batchSize, learningRate }) => entrant('Adam', adam({ learningRate }), batchSize));
  const ours = [
    entrant('ekfac-adam', ekfacAdam(), 200),
    entrant('K-FAC', kfacOptimizer(), 500),
    ...(one.loss === 'cross-entropy' ? [entrant('K-FAC, λ ≥ 0.1', kfacOptimizer({ dampingFloor: 0.1 }), 500)] : []),
  ];
  for (let seed = 0; seed < (quick ? 1 : SEEDS) && (seed === 0 || inTime()); seed++) {
    for (const { optimizer, batchSize, runs, method } of [...adams, ...ours]) {
      const run = await train(
        start(seed),
        { optimizer, batchSize, seed, seconds: seconds.run, ...goal(one, validation, batchSize, samples) },
        { blas },
      );
      runs.push({ run, validationLoss: meanLoss({ ...start(seed), parameters: run.parameters, data: validation }) });
      process.stderr.write(
        `  ${method}, batch ${batchSize}, seed ${seed}: ${run.outcome}, ${rounded(run.seconds)} s\n`,
      );
    }
    // The fastest to the last target, of those that miss it those with the least loss.
    adams = adams.sort((a, b) => finish(one, a) - finish(one, b)).slice(0, OTHERS);
  }
  const racers = [...adams.slice(0, 1), ...ours].map((each) => racerOf(one, each, samples));
  return { name: one.name, kind: 'race', data: data.name, blas: blas.description, tried, racers };
}

/** Training losses of Adam after some seconds at each batch and rate. */
async function tune(
  start: Model,
  quick: boolean,
  seconds: number,
  blas: ReturnType<typeof openBlas>,
): Promise<Tried[]> {
  const tried: Tried[] = [];
  for (const batchSize of quick ? [100, 200] : BATCHES)
    for (const learningRate of quick ? [2e-3, 4e-3] : RATES) {
      const run = await train(start, { optimizer: adam({ learningRate }), batchSize, seconds }, { blas });
      tried.push({ batchSize, learningRate, loss: rounded(meanLoss({ ...start, parameters: run.parameters })) });
    }
  return tried;
}

/** When a run evaluates, and ends. */
function goal({ of, targets }: RaceCase, validation: DataSet, batchSize: number, samples: number) {
  const last = targets[targets.length - 1];
  const evaluateEvery = Math.max(1, Math.round(samples / batchSize / PER_EPOCH[of]));
  return of === 'training loss'
    ? { evaluateEvery, targetLoss: last }
    : { evaluateEvery, targetAccuracy: last, validation };
}

/** The evaluation with which a target was reached. */
const reached = ({ of }: RaceCase, { evaluations }: TrainingRun, target: number) =>
  evaluations.find(({ trainingLoss, validationAccuracy }) =>
    of === 'training loss' ? (trainingLoss ?? Infinity) <= target : (validationAccuracy ?? 0) >= target,
  );

/** Median seconds to the last target; where it was missed 1e6 and the measure of how near it came. */
function finish(one: RaceCase, { runs }: Entrant): number {
  const last = one.targets[one.targets.length - 1];
  return median(
    runs.map(({ run }) => {
      const near =
        one.of === 'training loss'
          ? Math.min(...run.evaluations.map(({ trainingLoss }) => trainingLoss ?? Infinity))
          : 1 - Math.max(...run.evaluations.map(({ validationAccuracy }) => validationAccuracy ?? 0));
      return reached(one, run, last)?.seconds ?? 1e6 * (1 + near);
    }),
  );
}

function racerOf(one: RaceCase, { method, optimizer, batchSize, runs }: Entrant, samples: number): Racer {
  const at = (value: 'seconds' | 'samples', target: number): number | null => {
    const found = median(runs.map(({ run }) => reached(one, run, target)?.[value] ?? Infinity));
    return Number.isFinite(found) ? found : null;
  };
  return {
    method,
    batchSize,
    learningRate: optimizer.learningRate,
    tuned: method === 'Adam',
    seeds: runs.length,
    seconds: one.targets.map((target) => at('seconds', target)).map((value) => value && rounded(value)),
    epochs: one.targets.map((target) => at('samples', target)).map((value) => value && rounded(value / samples)),
    validationLoss: rounded(median(runs.map(({ validationLoss }) => validationLoss))),
  };
}
