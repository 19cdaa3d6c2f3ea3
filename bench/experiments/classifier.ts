/**
 * 784-10-10, ReLU, cross-entropy, batches of 64: gradient descent, Newton's method as it is, damped, hessian-free, with
 * Gauss–Newton, and with this library's dampings, radii and Kronecker factors. Accuracy by epoch and by second.
 *
 * The dense Hessian of 7,960 parameters takes 0.5 GB and minutes a step: Newton's method with the whole matrix is shown
 * on the same images in 7 × 7 pixels (49-10-10, 610 parameters), beside what the others make of those.
 */
import { dampedNewton, newton } from '../../src/training/optimizers/dense-newton.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { adam, sgd } from '../../src/training/optimizers/first-order.js';
import { hessianFree } from '../../src/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '../../src/training/optimizers/kfac.js';
import { gaussNewtonCg, newtonCg, newtonLanczos } from '../../src/training/optimizers/newton-cg.js';
import { classified, digitData, pooled } from './data.js';
import {
  digits,
  lastOf,
  percent,
  startOf,
  trials,
  type Experiment,
  type Outcome,
  type RunRow,
  type Setup,
  type Table,
  type Trial,
} from './experiment.js';

const SGD = 'SGD 0.1';
const GAUSS_NEWTON = 'Gauss–Newton CG, λ = 4';
const DENSE_NEWTON = 'dense Newton, λ = 0';
const DENSE_DAMPED = 'dense Newton, λ = 32';
const FREE_DAMPED = 'hessian-free Newton, λ = 32';

const fixed = { search: 'fixed', learningRate: 1 } as const;
const first: Trial = { label: SGD, options: { optimizer: sgd({ learningRate: 0.1 }) } };
const damped: Trial = { label: FREE_DAMPED, options: { optimizer: newtonCg({ ...fixed, damping: 32 }) } };
const TRIALS: readonly Trial[] = [
  first,
  damped,
  { label: GAUSS_NEWTON, options: { optimizer: gaussNewtonCg({ ...fixed, damping: 4 }) } },
  { label: 'Gauss–Newton CG, λ by ratio', options: { optimizer: gaussNewtonCg({ damping: 4, leastDamping: 1 }) } },
  {
    label: 'Gauss–Newton CG, trust radius',
    options: { optimizer: gaussNewtonCg({ search: 'radius', radius: 0.1, mostRadius: 0.3 }) },
  },
  {
    label: 'Lanczos, trust radius, batch 500',
    options: { optimizer: newtonLanczos({ curvature: 'gauss-newton', radius: 0.3, mostRadius: 1 }), batchSize: 500 },
  },
  {
    label: 'hessian-free, K-FAC, batch 1000',
    options: { optimizer: hessianFree({ iterations: 30 }), batchSize: 1000 },
  },
  { label: 'Adam 1e-3', options: { optimizer: adam() } },
  { label: 'ekfac-adam', options: { optimizer: ekfacAdam({ learningRate: 3e-3 }) } },
  { label: 'K-FAC, batch 500', options: { optimizer: kfacOptimizer({ dampingFloor: 0.1 }), batchSize: 500 } },
];
const DENSE: readonly Trial[] = [
  first,
  { label: DENSE_NEWTON, options: { optimizer: newton() } },
  { label: DENSE_DAMPED, options: { optimizer: dampedNewton({ ...fixed, damping: 32 }) } },
  damped,
];

function tablesOf(title: string, rows: readonly RunRow[]): Table {
  const most = Math.max(...rows.map(({ epochs }) => epochs.at(-1)?.epoch ?? 0));
  const shown = [...new Set([1, 2, Math.ceil(most / 2), most])].filter((epoch) => epoch >= 1);
  return {
    title,
    columns: ['', ...shown.map((epoch) => `epoch ${epoch}`), 'loss at the end', 'seconds', 's to 90 %', 'outcome'],
    rows: rows.map((row) => [
      row.label,
      ...shown.map((epoch) => percent(row.epochs.find((one) => one.epoch === epoch)?.accuracy)),
      digits(lastOf(row)?.validationLoss),
      digits(row.seconds),
      digits(row.epochs.find(({ accuracy }) => (accuracy ?? 0) >= 0.9)?.seconds),
      row.outcome,
    ]),
  };
}

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const data = await digitData(setup, quick ? 640 : 8000, quick ? 200 : 2000);
  const common = { batchSize: 64, epochs: quick ? 2 : 10, seed };
  const model = (side: 7 | 28) => {
    const of = side === 7 ? { training: pooled(data.training, 4), validation: pooled(data.validation, 4) } : data;
    const start = startOf(
      { widths: [side * side, 10, 10], activation: 'relu' },
      { loss: 'cross-entropy', data: classified(of.training) },
      seed,
    );
    return { start, options: { ...common, validation: classified(of.validation) } };
  };
  const [large, small] = [model(28), model(7)];
  const rows = (await trials(setup, large.start, TRIALS, large.options)).map(({ row }) => row);
  const dense = (await trials(setup, small.start, DENSE, { ...small.options, epochs: quick ? 1 : 2 })).map(
    ({ row }) => row,
  );
  const last = (all: readonly RunRow[], label: string) => {
    const row = all.find((one) => one.label === label)!;
    return { ...lastOf(row), failure: row.failure, all: row.epochs.map(({ accuracy }) => accuracy ?? 0) };
  };
  const [one, two] = [last(rows, SGD), last(rows, GAUSS_NEWTON)];
  const [plain, tamed, free] = [DENSE_NEWTON, DENSE_DAMPED, FREE_DAMPED].map((label) => last(dense, label));
  return {
    data: data.name,
    tables: [
      tablesOf('784-10-10, batch 64 where nothing else is said: accuracy on the validation images', rows),
      tablesOf('49-10-10, batch 64, the whole Hessian', dense),
    ],
    checks: [
      {
        expected: 'Gauss–Newton with λ = 4 is more accurate than SGD 0.1 after the same epochs',
        met: two.accuracy! > one.accuracy! && mean(two.all) > mean(one.all),
        seen:
          `${percent(two.accuracy)} against ${percent(one.accuracy)} at the end, ${percent(mean(two.all))} against ` +
          `${percent(mean(one.all))} in the mean of the epochs`,
      },
      {
        expected: "Newton's method without damping diverges, or learns nothing",
        met: plain.failure !== null || (plain.accuracy ?? 0) < 0.5,
        seen: plain.failure ?? `accuracy ${percent(plain.accuracy)}, loss ${digits(plain.validationLoss)}`,
      },
      {
        expected: 'with λ = 32 the dense and the hessian-free step are the same',
        met: Math.abs(tamed.validationLoss! / free.validationLoss! - 1) < 0.01,
        seen: `losses ${digits(tamed.validationLoss)} and ${digits(free.validationLoss)}`,
      },
    ],
    details: { network: '784-10-10 relu, cross-entropy', runs: rows, dense },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The classifier 784-10-10. */
export const classifier: Experiment = { what: '784-10-10 classifier: SGD against Newton methods', run };
