/**
 * Training and curvature on this rank, and on those that it was started with, if any: the first one prints checksums of
 * what came out, by name.
 */
import { createHash } from 'node:crypto';
import { RandomStream } from '#hmatrix/core/random.js';
import { openMpi } from '#hmatrix/distributed/open-mpi.js';
import { dense } from '#hmatrix/layers/affine.js';
import { activation, dropout, sequential } from '#hmatrix/layers/compose.js';
import {
  graphNetwork,
  initialParameters as graphParameters,
  tokenInput,
  vectorInput,
} from '#hmatrix/layers/graph-network.js';
import { tokenLoss } from '#hmatrix/layers/losses.js';
import { batchNorm } from '#hmatrix/layers/normalization.js';
import { embedding } from '#hmatrix/layers/tokens.js';
import { memoryDataSet } from '#hmatrix/network/data-set.js';
import { initialParameters } from '#hmatrix/network/initialize.js';
import { defineNetwork } from '#hmatrix/network/network.js';
import { openTeam } from '#hmatrix/parallel/default-team.js';
import { PerceptronObjective } from '#hmatrix/training/objective/perceptron-objective.js';
import { train } from '#hmatrix/training/train.js';
import { trainVariational } from '#hmatrix/training/variational.js';

const [, , folder] = process.argv;
const communicator = await openMpi();
const team = await openTeam({ workers: 1, communicator });
const found = {};

/** Keeps the bits of arrays and numbers under a name. */
function keep(name, ...values) {
  const hash = createHash('sha1');
  for (const value of values) {
    const array = typeof value === 'number' ? Float64Array.of(value) : value;
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  }
  found[name] = hash.digest('hex');
}

function normal(rows, cols, seed) {
  const data = new Float32Array(rows * cols);
  new RandomStream(seed).fillNormal(data);
  return { data, offset: 0, rows, cols, ld: rows };
}

/** Samples of four classes in turn. */
function classes(cols) {
  const data = new Float32Array(4 * cols);
  for (let i = 0; i < cols; i++) data[4 * i + (i % 4)] = 1;
  return { data, offset: 0, rows: 4, cols, ld: 4 };
}

const perceptron = defineNetwork({ widths: [12, 20, 7, 4], activation: 'tanh' });
const start = Float32Array.from(initialParameters(perceptron, 3));

/** Every method of an objective, on batches and their first samples. */
async function objective(samples) {
  const { parameters: n, layers } = perceptron;
  const at = await PerceptronObjective.open({
    network: perceptron,
    loss: 'cross-entropy',
    precision: 'f32',
    batchSize: samples,
    curvature: 'hessian',
    spare: 4 * (n + 16) + 2 * layers.reduce((sum, { width, outputs }) => sum + width ** 2 + outputs ** 2 + 32, 0),
    dropout: 0.2,
    regularization: 0.01,
    blas: team.blas,
    team,
  });
  at.parameters.set(start);
  at.load({ inputs: normal(12, samples, 5), targets: classes(samples) });
  const [v, w, out] = [at.vector(), at.vector(), at.vector()];
  new RandomStream(7).fillNormal(v);
  new RandomStream(8).fillNormal(w);
  const tasks = layers.flatMap(({ width, outputs }, layer) => [
    { layer, of: 'inputs', diagonal: layer === 2, out: at.take(layer === 2 ? width : width ** 2) },
    { layer, of: 'errors', diagonal: false, out: at.take(outputs ** 2) },
  ]);
  const name = (what) => `${what} of ${samples} samples`;
  keep(name('gradient'), at.evaluate({ step: 3 }), at.gradient);
  for (const first of [samples, Math.floor(0.7 * samples), Math.floor(samples / 4), 30]) {
    for (const of of ['gauss-newton', 'hessian']) {
      at.product(of, v, out, first);
      keep(name(`${of} product on ${first}`), out);
    }
    keep(name(`quadratic form on ${first}`), at.quadratic([v, w], first));
    at.draw(4, first);
    at.moments(tasks, 0.3, first);
    keep(name(`moments on ${first}`), ...tasks.map((task) => task.out));
  }
  at.gradientSquares(out);
  keep(name('squares'), out);
  const { loss, accuracy } = at.measure(v);
  keep(name('measure'), loss, accuracy);
  at.column(2);
  const errors = layers.map(({ outputs }, layer) => at.errorsOf(layer).subarray(0, outputs * samples));
  keep(name('columns'), ...errors, at.inputsOf(1).subarray(0, layers[1].width * samples));
  at.close();
}

const data = memoryDataSet(normal(12, 1100, 5), classes(1100));
const model = { network: perceptron, loss: 'cross-entropy', data, parameters: start };

async function training(optimizer, options) {
  const { parameters, evaluations } = await train(
    model,
    { optimizer, steps: 3, validation: 0.02, seed: 4, regularization: 1e-3, ...options },
    { team },
  );
  keep(JSON.stringify([optimizer, options]), parameters, evaluations.at(-1).validationLoss);
}

for (const samples of [1100, 2500]) await objective(samples);
for (const name of ['sgd', 'adam', 'kfac', 'ekfac-adam', 'newton-cg', 'gauss-newton-cg', 'hessian-free', 'lbfgs'])
  await training(name, { batchSize: 1050 });
await training('adam', { batchSize: 3, dropout: 0.1 });
await training('adam', { batchSize: 1050, accumulate: 3 });
await training({ name: 'kfac', statisticsSamples: 1050 }, { batchSize: 1050 });
await training('levenberg-marquardt', { batchSize: 33 });
await training({ name: 'hessian-free', preconditioner: 'diagonal' }, { batchSize: 1001 });

const [encoder, decoder] = [
  [12, 9, 4],
  [2, 9, 12],
].map((widths, k) => {
  const network = defineNetwork({ widths, activation: ['tanh', 'linear'] });
  return { network, parameters: Float32Array.from(initialParameters(network, k)) };
});
const variational = await trainVariational(
  { encoder, decoder, loss: 'mse', data: memoryDataSet(normal(12, 1100, 6), normal(12, 1100, 6)) },
  { optimizer: 'ekfac-adam', steps: 3, batchSize: 1050, seed: 2 },
  { team },
);
keep('a Gaussian code', variational.parameters.encoder, variational.parameters.decoder);

// The first rank's checkpoint, gone on with by all: as without a break.
const run = { optimizer: 'adam', batchSize: 1050, seed: 9, evaluateEvery: 2 };
const whole = await train(model, { ...run, steps: 6 }, { team });
await train(model, { ...run, steps: 4, checkpoint: folder, metrics: `${folder}.jsonl` }, { team });
communicator.barrier();
const resumed = await train(model, { ...run, steps: 6, checkpoint: folder, resume: true }, { team });
keep('a run that was gone on with', resumed.parameters);
keep('the same without a break', whole.parameters);

// Networks of layers: batch norm, dropout, several slices; tokens some of which are padding.
const layered = graphNetwork({
  inputs: vectorInput(12),
  layers: sequential(dense(9), batchNorm(), activation('tanh'), dropout(0.2), dense(4)),
  loss: 'cross-entropy',
});
const layeredModel = { network: layered, data, parameters: graphParameters(layered, { seed: 3 }) };
const words = graphNetwork({
  inputs: tokenInput(5, 6),
  layers: sequential(embedding(6, 4), activation('tanh'), dense(6)),
  loss: tokenLoss({ padding: 0 }),
});
const tokens = (seed) => {
  const random = new RandomStream(seed);
  const ids = Float32Array.from({ length: 5 * 1100 }, () => random.integer(6));
  return { data: ids, offset: 0, rows: 5, cols: 1100, ld: 5 };
};
const wordsModel = {
  network: words,
  data: memoryDataSet(tokens(1), tokens(2)),
  parameters: graphParameters(words, { seed: 3 }),
};
const graphRuns = [
  ['adam', { batchSize: 1050 }],
  ['adam', { batchSize: 3, accumulate: 2 }],
  ['sgd', { batchSize: 1001, accumulate: 3 }],
  ['kfac', { batchSize: 1050 }],
  [{ name: 'kfac', statisticsSamples: 900 }, { batchSize: 1050 }],
  [
    { name: 'kfac', statisticsSamples: 900 },
    { batchSize: 1050, memoryLimit: 1_000_000 },
  ],
  ['ekfac-adam', { batchSize: 600 }],
  ['newton-cg', { batchSize: 1050 }],
  ['hessian-free', { batchSize: 1050 }],
  ['lbfgs', { batchSize: 'all' }],
];
for (const [optimizer, options] of graphRuns)
  for (const [kind, of] of Object.entries({ layers: layeredModel, tokens: wordsModel })) {
    const settings = { optimizer, steps: 3, validation: 0.02, seed: 4, ...options };
    const { parameters, evaluations } = await train(of, settings, { team });
    const { validationLoss, validationAccuracy } = evaluations.at(-1);
    const name = `${kind} ${JSON.stringify([optimizer, options])}`;
    keep(name, parameters, validationLoss, validationAccuracy);
  }

/** How training ends on this rank where the last one is aborted before step 2, or has other parameters. */
async function endOf(options, control = {}, parameters = start) {
  const settings = { optimizer: 'sgd', batchSize: 100, steps: 50, ...options };
  const error = await train({ ...model, parameters }, settings, { team, ...control }).catch((thrown) => thrown);
  return error.name ?? 'no error';
}
const isLast = communicator.rank === communicator.size - 1;
const controller = new AbortController();
const factor = ({ step }) => {
  if (step === 2 && isLast) controller.abort();
  // A single rank sees it in a turn of the event loop, which comes by the clock.
  if (step === 2) for (const begin = performance.now(); performance.now() - begin < 30;);
  return 1;
};
const schedule = { name: 'aborting', settings: {}, factor };
const aborted = await endOf({ schedule }, { signal: controller.signal });
const others = start.map((value, k) => (isLast && k === 5 ? value + 1 : value));
const parted = communicator.size === 1 ? 'CommunicationError' : await endOf({}, {}, others);
const timed = await train(model, { optimizer: 'sgd', batchSize: 100, seconds: 0.05 }, { team });
const ends = { aborted, parted, timed: timed.outcome };

if (communicator.rank === 0) process.stdout.write(`${JSON.stringify({ ranks: communicator.size, found, ends })}\n`);
await team.close();
communicator.close();
