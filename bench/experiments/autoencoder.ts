/**
 * The autoencoder 784-128-32-128-784, tanh with linear outputs, half the squared error of an image: losses by epoch,
 * and a picture of images with what comes back.
 */
import { block } from '../../src/dense/matrix.js';
import { predict } from '../../src/network/predict.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { adam, sgd } from '../../src/training/optimizers/first-order.js';
import { hessianFree } from '../../src/training/optimizers/hessian-free.js';
import { kfacOptimizer } from '../../src/training/optimizers/kfac.js';
import { digitData, mirrored } from './data.js';
import {
  digits,
  lastOf,
  startOf,
  trials,
  type Experiment,
  type Outcome,
  type Setup,
  type Trial,
} from './experiment.js';
import { tiles } from './pictures.js';

const SHOWN = 10;
const ADAM = 'Adam 2e-3, batch 100';
const TRIALS: readonly Trial[] = [
  { label: 'SGD 0.01, batch 100', options: { optimizer: sgd({ learningRate: 0.01 }), batchSize: 100 } },
  { label: ADAM, options: { optimizer: adam({ learningRate: 2e-3 }), batchSize: 100 } },
  { label: 'ekfac-adam, batch 200', options: { optimizer: ekfacAdam(), batchSize: 200 } },
  { label: 'K-FAC, batch 500', options: { optimizer: kfacOptimizer(), batchSize: 500 } },
  {
    label: 'hessian-free, batch 2000, 16 steps',
    options: { optimizer: hessianFree({ iterations: 30 }), batchSize: 2000, steps: 16 },
  },
];

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const data = await digitData(setup, quick ? 500 : 8000, quick ? 200 : 2000);
  const start = startOf(
    { widths: [784, 128, 32, 128, 784], activation: 'tanh' },
    { loss: 'mse', data: mirrored(data.training) },
    seed,
  );
  const common = { epochs: quick ? 2 : 15, seed, validation: mirrored(data.validation) };
  const done = await trials(setup, start, TRIALS, common);
  const rows = done.map(({ row }) => row);
  const losses = rows.map((row) => lastOf(row)?.validationLoss ?? Infinity);
  const best = done[losses.indexOf(Math.min(...losses))];
  const shown = block(data.validation.pixels, 0, 0, 784, SHOWN);
  const back = predict({ ...start, parameters: best.run.best.parameters }, shown);
  const adamLoss = losses[rows.findIndex(({ label }) => label === ADAM)];
  const [ekfac, kfac] = [losses[2], losses[3]];
  return {
    data: data.name,
    tables: [
      {
        title: '784-128-32-128-784: ½‖x̂ − x‖² of the validation images',
        columns: ['', 'epoch 1', 'at the end', 'seconds', 'steps', 'outcome'],
        rows: rows.map((row) => [
          row.label,
          digits(row.epochs[0]?.validationLoss),
          digits(lastOf(row)?.validationLoss),
          digits(row.seconds),
          row.steps,
          row.outcome,
        ]),
      },
    ],
    checks: [
      {
        expected: 'after the same epochs both methods with Kronecker factors are below Adam',
        met: Math.max(ekfac, kfac) < adamLoss,
        seen: `ekfac-adam ${digits(ekfac)}, K-FAC ${digits(kfac)}, Adam ${digits(adamLoss)}`,
      },
    ],
    details: { network: '784-128-32-128-784 tanh, mse', runs: rows },
    pictures: { reconstructions: tiles([shown, back]) },
  };
}

/** The deep autoencoder. */
export const autoencoder: Experiment = { what: 'autoencoder 784-128-32-128-784', run };
