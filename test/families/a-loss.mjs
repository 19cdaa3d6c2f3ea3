/**
 * The loss `poisson`: its gradient and its Gauss–Newton products against finite differences, its draws against its
 * Hessian, a step of training, and the command.
 */
import assert from 'node:assert/strict';
import { hmatrix, load } from './command.mjs';

const { defineNetwork, gaussNewton, initialParameters, lossAndGradient, LOSSES, matrixOver, meanLoss, memoryDataSet } =
  await load('index');
const { adam, openTeam, RandomStream, train, zeros } = await load('index');
const { forward } = await load('network/forward');
const { sampleOutputErrors } = await load('network/losses/sampled-errors');

assert(LOSSES.includes('poisson'));
const samples = 20;
const random = new RandomStream(3);
const network = defineNetwork({ widths: [3, 4, 2], activation: 'tanh' });
const inputs = matrixOver(
  Float64Array.from({ length: 3 * samples }, () => random.normal()),
  3,
  samples,
);
const counts = matrixOver(
  Float64Array.from({ length: 2 * samples }, () => random.integer(4)),
  2,
  samples,
);
const data = memoryDataSet(inputs, counts, { samples: 'columns' });
const parameters = initialParameters(network, 1);
const model = { network, parameters, loss: 'poisson', data };
const moved = (direction, step) => Float64Array.from(parameters, (θ, k) => θ + step * direction[k]);
const near = (x, y, scale, what) => {
  assert(Math.abs(x - y) <= 1e-7 * scale, `${what}: ${x} and ${y}`);
};

const direction = Float64Array.from(parameters, () => random.normal());
const step = 1e-5;
const { gradient } = lossAndGradient(model);
const slope = gradient.reduce((sum, g, k) => sum + g * direction[k], 0);
const at = (t) => meanLoss({ ...model, parameters: moved(direction, t) });
near((at(step) - at(-step)) / (2 * step), slope, 1 + Math.abs(slope), 'gradient');

// G v = (1/n) Σ J_iᵀ diag(e^{f_i}) J_i v, of which vᵀG v is by the differences of the outputs alone.
const team = await openTeam({ workers: 2 });
const outputs = (θ) => Float64Array.from(forward(network, θ, inputs, team.blas).output.data);
try {
  const [f, up, down] = [0, step, -step].map((t) => outputs(moved(direction, t)));
  const expected = f.reduce((sum, value, k) => sum + Math.exp(value) * ((up[k] - down[k]) / (2 * step)) ** 2, 0);
  const operator = gaussNewton(model, { team });
  const product = zeros(network.parameters, 1);
  operator.applyUnchecked(product, matrixOver(direction, network.parameters, 1), 1, 0);
  const form = product.data.reduce((sum, y, k) => sum + y * direction[k], 0);
  near(form, expected / samples, form, 'Gauss–Newton product');
  operator.release();

  const draws = 20_000;
  const errors = zeros(2, samples * draws);
  sampleOutputErrors('poisson', matrixOver(f, 2, samples), { draws, seed: 5, first: 0 }, errors);
  for (let k = 0; k < f.length; k++) {
    const own = Float64Array.from({ length: draws }, (_, d) => errors.data[(k >> 1) * 2 * draws + 2 * d + (k & 1)]);
    const mean = own.reduce((sum, e) => sum + e, 0) / draws;
    const square = own.reduce((sum, e) => sum + e * e, 0) / draws;
    const variance = Math.exp(f[k]);
    assert(Math.abs(mean) < 6 * Math.sqrt(variance / draws));
    // The variance of e² is λ + 2λ².
    assert(Math.abs(square - variance) < 6 * Math.sqrt((variance + 2 * variance * variance) / draws));
  }

  const optimizer = adam({ learningRate: 1e-2 });
  const trained = await train(model, { optimizer, epochs: 20, batchSize: 10, seed: 1 }, { team });
  assert(meanLoss({ ...model, parameters: trained.parameters }) < meanLoss(model));
} finally {
  await team.close();
}
const negative = memoryDataSet(inputs, matrixOver(new Float64Array(2 * samples).fill(-1), 2, samples));
assert.throws(() => meanLoss({ ...model, data: negative }), /poisson takes counts of at least 0/);

assert.match(hmatrix('table', '--help').replace(/\s+/g, ' '), /"bce", "poisson"/);
const options = ['--network', '196-2-196', '--loss', 'poisson', '--samples', '30', '--epochs', '1', '--seed', '1'];
const solved = JSON.parse(hmatrix('solve', ...options, '--shift-relative', '1e-2', '--workers', '2', '--json'));
assert.equal(solved.outcome, 'converged');
const byFactors = hmatrix('solve', ...options, '--shift-relative', '1e-2', '--preconditioner', 'kfac', '--json');
assert.equal(JSON.parse(byFactors).outcome, 'converged');
