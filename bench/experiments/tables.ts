/**
 * Regressions on two small tables by every optimizer: life expectancy from birth rate, values of houses. Inputs and
 * targets are standardised, the loss is half the squared error in those units: a constant has 0.5. A quarter of the
 * rows is kept apart, and the gap to their loss says how far each method overfits.
 */
import { dampedNewton, newton } from '../../src/training/optimizers/dense-newton.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { adagrad, adam, adamw, momentum, nesterov, rmsprop, sgd } from '../../src/training/optimizers/first-order.js';
import { hessianFree } from '../../src/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '../../src/training/optimizers/kfac.js';
import { lbfgs } from '../../src/training/optimizers/lbfgs.js';
import { levenbergMarquardt } from '../../src/training/optimizers/levenberg-marquardt.js';
import { gaussNewtonCg, newtonCg, newtonLanczos } from '../../src/training/optimizers/newton-cg.js';
import type { Optimizer } from '../../src/training/optimizer.js';
import { housing, lifeExpectancy, type TableData } from './data.js';
import {
  digits,
  scoreOf,
  startOf,
  trials,
  type Check,
  type Experiment,
  type Outcome,
  type Setup,
  type Table,
} from './experiment.js';

const BATCHES: readonly Optimizer[] = [
  sgd({ learningRate: 0.05 }),
  momentum({ learningRate: 0.01 }),
  nesterov({ learningRate: 0.01 }),
  adagrad({ learningRate: 0.05 }),
  rmsprop({ learningRate: 3e-3 }),
  adam({ learningRate: 5e-3 }),
  adamw({ learningRate: 5e-3 }),
  ekfacAdam({ learningRate: 5e-3 }),
];
const WHOLE: readonly Optimizer[] = [
  kfacOptimizer({ damping: 0.1 }),
  newton(),
  dampedNewton(),
  newtonCg(),
  gaussNewtonCg(),
  hessianFree({ curvatureShare: 1 }),
  levenbergMarquardt(),
  newtonLanczos(),
  lbfgs(),
];

interface Scored {
  readonly label: string;
  readonly training: number;
  readonly validation: number;
  readonly best: number;
  readonly bestEpoch: number;
  readonly seconds: number;
  readonly outcome: string;
}

async function one(title: string, data: TableData, hidden: number, setup: Setup) {
  const widths = [data.training.inputs, hidden, 1];
  const start = startOf({ widths, activation: 'tanh' }, { loss: 'mse', data: data.training }, setup.seed, 'f64');
  const common = { seed: setup.seed, validation: data.validation };
  const [epochs, steps] = setup.quick ? [10, 10] : [300, 100];
  const done = [
    ...(await trials(
      setup,
      start,
      BATCHES.map((optimizer) => ({ label: optimizer.name, options: { optimizer } })),
      {
        ...common,
        batchSize: 32,
        epochs,
      },
    )),
    ...(await trials(
      setup,
      start,
      WHOLE.map((optimizer) => ({ label: optimizer.name, options: { optimizer } })),
      {
        ...common,
        batchSize: 'all',
        epochs: steps,
      },
    )),
  ];
  const scored = done.map(({ row, run }): Scored => ({
    label: row.label,
    training: scoreOf(start, run.parameters, data.training).loss,
    validation: scoreOf(start, run.parameters, data.validation).loss,
    best: run.best.at.validationLoss ?? Number.NaN,
    bestEpoch: run.best.at.epoch,
    seconds: run.seconds,
    outcome: run.outcome,
  }));
  const table: Table = {
    title: `${title} (${data.name}), ${widths.join('-')} tanh`,
    columns: ['', 'training', 'validation', 'gap', 'best validation', 'epoch', 'seconds', 'outcome'],
    rows: scored.map((row) => [
      row.label,
      digits(row.training),
      digits(row.validation),
      digits(row.validation - row.training),
      digits(row.best),
      row.bestEpoch,
      digits(row.seconds),
      row.outcome,
    ]),
  };
  return { scored, table, runs: done.map(({ row }) => ({ ...row, epochs: row.epochs.at(-1) })) };
}

async function run(setup: Setup): Promise<Outcome> {
  const [births, houses] = [await lifeExpectancy(setup), await housing(setup)];
  const life = await one('life expectancy from birth rate', births, 8, setup);
  const homes = await one('value of houses', houses, 24, setup);
  const of = (scored: readonly Scored[], label: string): Scored => scored.find((row) => row.label === label)!;
  const second = ['levenberg-marquardt', 'damped-newton', 'hessian-free'];
  const fits: Check[] = [life, homes].map(({ scored, table }) => {
    const least = Math.min(...second.map((label) => of(scored, label).training));
    const sgdLoss = of(scored, 'sgd').training;
    return {
      expected: `${table.title.split(' (')[0]}: a method of the second order fits the training data better than SGD`,
      met: least < sgdLoss,
      seen: `training loss ${digits(least)} against ${digits(sgdLoss)}`,
    };
  });
  const gaps = homes.scored.map((row) => row.validation - row.training).filter(Number.isFinite);
  return {
    data: `${births.name}; ${houses.name}`,
    tables: [life.table, homes.table],
    checks: [
      ...fits,
      {
        expected: 'houses: the longest fit overfits: its validation loss ends above the best on the way',
        met: homes.scored.some((row) => row.validation > 1.1 * row.best),
        seen: `gaps from ${digits(Math.min(...gaps))} to ${digits(Math.max(...gaps))}`,
      },
    ],
    details: {
      units: { 'life expectancy, years': births.unit, 'value of houses, $1000': houses.unit },
      life: { scores: life.scored, runs: life.runs },
      houses: { scores: homes.scored, runs: homes.runs },
    },
  };
}

/** Two tables by every optimizer. */
export const tables: Experiment = { what: 'life expectancy and houses: every optimizer, overfitting', run };
