/**
 * A deeper classifier, 784-256-128-64-10, on few images: what dropout does to the gap between training and validation.
 */
import { adam } from '../../src/training/optimizers/first-order.js';
import { ekfacAdam } from '../../src/training/optimizers/ekfac-adam.js';
import { classified, digitData } from './data.js';
import { digits, percent, scoreOf, startOf, trials, type Experiment, type Outcome, type Setup } from './experiment.js';

async function run(setup: Setup): Promise<Outcome> {
  const { quick, seed } = setup;
  const data = await digitData(setup, quick ? 300 : 1000, quick ? 200 : 2000);
  const training = classified(data.training);
  const validation = classified(data.validation);
  const start = startOf(
    { widths: [784, 256, 128, 64, 10], activation: 'relu' },
    { loss: 'cross-entropy', data: training },
    seed,
  );
  const shares = [0, 0.2, 0.4];
  const those = [
    { name: 'Adam 1e-3', optimizer: adam(), batchSize: 50 },
    { name: 'ekfac-adam 2e-3', optimizer: ekfacAdam({ learningRate: 2e-3 }), batchSize: 50 },
  ].flatMap(({ name, optimizer, batchSize }) =>
    shares.map((dropout) => ({ label: `${name}, dropout ${dropout}`, options: { optimizer, batchSize, dropout } })),
  );
  const done = await trials(setup, start, those, { epochs: quick ? 3 : 30, seed, validation });
  const scores = done.map(({ row, run: { parameters } }) => ({
    label: row.label,
    training: scoreOf(start, parameters, training),
    validation: scoreOf(start, parameters, validation),
  }));
  const gaps = scores.map((one) => one.validation.loss - one.training.loss);
  return {
    data: data.name,
    tables: [
      {
        title: '784-256-128-64-10 relu at the end, nothing dropped',
        columns: ['', 'training loss', 'validation loss', 'gap', 'training', 'validation', 'seconds'],
        rows: scores.map((one, k) => [
          one.label,
          digits(one.training.loss),
          digits(one.validation.loss),
          digits(gaps[k]),
          percent(one.training.accuracy),
          percent(one.validation.accuracy),
          digits(done[k].row.seconds),
        ]),
      },
    ],
    checks: [0, shares.length].map((at) => ({
      expected: `${those[at].label.split(',')[0]}: dropout ${shares[2]} makes the gap of the losses smaller`,
      met: gaps[at + 2] < gaps[at],
      seen: `${digits(gaps[at + 2])} against ${digits(gaps[at])} without`,
    })),
    details: { network: '784-256-128-64-10 relu, cross-entropy', scores, runs: done.map(({ row }) => row) },
  };
}

/** Dropout on and off. */
export const dropout: Experiment = { what: 'a deeper classifier with dropout off and on', run };
