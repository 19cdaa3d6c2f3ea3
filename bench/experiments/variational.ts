/**
 * A variational autoencoder, 784-128-(2 + 2) and 2-128-784 with Bernoulli outputs: the bound by epoch, and what the
 * decoder makes of a grid of codes, at quantiles of the normal distribution.
 */
import { matrixOver } from '../../src/dense/matrix.js';
import { initialParameters } from '../../src/network/initialize.js';
import { defineNetwork } from '../../src/network/network.js';
import { predict } from '../../src/network/predict.js';
import type { Optimizer } from '../../src/training/optimizer.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { adam } from '../../src/training/optimizers/first-order.js';
import { kfacOptimizer } from '../../src/training/optimizers/kfac.js';
import { trainVariational, type VariationalModel, type VariationalRun } from '../../src/training/variational.js';
import { digitData, mirrored } from './data.js';
import { digits, lastOf, rowOf, type Experiment, type Outcome, type RunRow, type Setup } from './experiment.js';
import { tiles } from './pictures.js';

const CODE = 2;
const GRID = 12;
const TRIALS: readonly { readonly label: string; readonly optimizer: Optimizer; readonly batchSize: number }[] = [
  { label: 'Adam 2e-3, batch 100', optimizer: adam({ learningRate: 2e-3 }), batchSize: 100 },
  { label: 'ekfac-adam 3e-3, batch 200', optimizer: ekfacAdam({ learningRate: 3e-3 }), batchSize: 200 },
  { label: 'K-FAC, batch 500', optimizer: kfacOptimizer({ dampingFloor: 0.1 }), batchSize: 500 },
];

/** z with P(N(0, 1) < z) = p, by bisection of an approximation of the error function (1.2e-7). */
export function normalQuantile(p: number): number {
  const below = (z: number): number => {
    const t = 1 / (1 + 0.2316419 * Math.abs(z));
    const tail =
      (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
      t *
      (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
    return z < 0 ? tail : 1 - tail;
  };
  let [low, high] = [-6, 6];
  for (let k = 0; k < 60; k++) {
    const middle = (low + high) / 2;
    if (below(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function startAt(widths: readonly number[], seed: number) {
  const network = defineNetwork({ widths, activation: 'tanh' });
  return { network, parameters: Float32Array.from(initialParameters(network, seed)) };
}

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const data = await digitData(setup, quick ? 500 : 8000, quick ? 200 : 2000);
  const model: VariationalModel = {
    encoder: startAt([784, 128, 2 * CODE], seed),
    decoder: startAt([CODE, 128, 784], seed + 1),
    loss: 'bce',
    data: mirrored(data.training),
  };
  const common = { epochs: quick ? 3 : 30, seed, validation: mirrored(data.validation) };
  const done: { run: VariationalRun; row: RunRow }[] = [];
  for (const { label, optimizer, batchSize } of TRIALS) {
    const one = await trainVariational(model, { ...common, optimizer, batchSize });
    const row = rowOf(label, one, { batchSize });
    setup.say(`${label}: ${one.outcome}, ${one.steps} steps, ${row.seconds} s`);
    done.push({ run: one, row });
  }
  const losses = done.map(({ row }) => lastOf(row)?.validationLoss ?? Infinity);
  const best = done[losses.indexOf(Math.min(...losses))];
  const places = Array.from({ length: GRID }, (_, k) => normalQuantile((k + 0.5) / GRID));
  const grid = places.map((y) =>
    predict(
      { ...model.decoder, parameters: best.run.best.parameters.decoder, loss: 'bce' },
      matrixOver(Float32Array.from(places.flatMap((x) => [x, y])), CODE, GRID),
      { probabilities: true },
    ),
  );
  const falls = done.every(({ row }) => lastOf(row)!.validationLoss! < row.epochs[0].validationLoss!);
  return {
    data: data.name,
    tables: [
      {
        title: '784-128-2 and back: negative evidence lower bound of the validation images, nats',
        columns: ['', 'epoch 1', 'at the end', 'best', 'seconds', 'steps', 'outcome'],
        rows: done.map(({ run: { best: found }, row }) => [
          row.label,
          digits(row.epochs[0]?.validationLoss),
          digits(lastOf(row)?.validationLoss),
          digits(found.at.validationLoss),
          digits(row.seconds),
          row.steps,
          row.outcome,
        ]),
      },
    ],
    checks: [
      {
        expected: 'every optimizer lowers the bound on the validation images',
        met: falls,
        seen: `at the end ${losses.map(digits).join(', ')} nats an image`,
      },
      {
        expected: 'images differ over the grid: the code is used',
        met: spread(grid[0].data, grid[GRID - 1].data) > 0.02,
        seen: `mean difference of the first and the last row ${digits(spread(grid[0].data, grid[GRID - 1].data))}`,
      },
    ],
    details: { network: '784-128-4, 2-128-784, tanh, bce', runs: done.map(({ row }) => row), grid: { places } },
    pictures: { codes: tiles(grid) },
  };
}

const spread = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, value, k) => sum + Math.abs(value - y[k]), 0) / x.length;

/** The variational autoencoder. */
export const variational: Experiment = { what: 'variational autoencoder 784-128-2 with a picture of its codes', run };
