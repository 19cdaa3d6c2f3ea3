/**
 * The Gauss–Newton Hessian of a small autoencoder: approximated within the same memory by several methods, and used for
 * a damped Newton step. Run: npm run build && node examples/hessian.mjs
 */
import { approximate, gaussNewton, solve } from 'hmatrix';
import { matrixOver, zeros } from 'hmatrix/dense';
import { defineNetwork, initialParameters, lossAndGradient, meanLoss, memoryDataSet } from 'hmatrix/networks';
import { RandomStream } from 'hmatrix/random';
import { adam, train } from 'hmatrix/training';

// 200 smooth signals of 40 samples each, one a column; the network learns to give them back.
const signals = zeros(40, 200);
const random = new RandomStream(1);
for (let i = 0; i < 200; i++) {
  const [a, b] = [random.normal(), random.normal()];
  for (let q = 0; q < 40; q++) signals.data[q + 40 * i] = a * Math.sin(q / 6) + b * Math.cos(q / 4);
}
const network = defineNetwork({ widths: [40, 4, 40], activation: 'tanh', bias: false });
const data = memoryDataSet(signals, signals);
const start = /** @type {const} */ ({ network, parameters: initialParameters(network, 0), loss: 'mse', data });
const trained = await train(start, { optimizer: adam({ learningRate: 1e-2 }), epochs: 5, batchSize: 20 });
const model = { ...start, parameters: trained.parameters };

// G is seen through products alone; each method may store 15 % of the dense matrix.
const hessian = gaussNewton(model);
const errors = new Map();
for (const method of /** @type {const} */ (['hm', 'rsvd', 'kfac'])) {
  const { operator, share, error } = await approximate(hessian, method, { share: 0.15 });
  errors.set(method, (await error()).relative);
  console.log(method, operator.rows, share <= 0.15);
}
// → hm 320 true
// → rsvd 320 true
// → kfac 320 true
console.log(errors.get('hm') < errors.get('rsvd'), errors.get('hm') < errors.get('kfac')); // → true true

// (G + λI) d = −∇f, λ = 0.1·‖G‖, preconditioned by what is predicted to be cheapest; the step lowers the loss.
const { loss, gradient } = lossAndGradient(model);
const b = matrixOver(
  gradient.map((value) => -value),
  gradient.length,
  1,
);
const { x, outcome } = await solve(hessian, b, { shiftRelative: 0.1, tolerance: 1e-6 });
const parameters = model.parameters.map((value, i) => value + x.data[i]);
console.log(outcome, meanLoss({ ...model, parameters }) < loss); // → converged true
