/**
 * A model in jax-js (npm install @jax-js/jax): its automatic differentiation makes the Gauss–Newton operator, a
 * classifier's here. Run: npm run build && node examples/jax-network.mjs
 */
import { grad, init, jvp, linearize, nn, numpy as np, random, vjp } from '@jax-js/jax';
import { solve } from 'hmatrix';
import { curvatureOf } from 'hmatrix/curvature';
import { topEigenvalues, trace } from 'hmatrix/krylov';

await init('wasm');

// 200 points of three classes, a hidden layer of 12 units: W₁ (2 × 12) and W₂ (12 × 3) are the parameters.
const [samples, hidden, classes] = [200, 12, 3];
const shapes = [
  [2, hidden],
  [hidden, classes],
];
const sizes = shapes.map(([rows, cols]) => rows * cols);
const parameters = sizes.reduce((sum, size) => sum + size, 0);
const points = random.normal(random.key(1), [samples, 2]);
const labels = Array.from({ length: samples }, (_, i) => i % classes);
const targets = nn.oneHot(np.array(labels, { dtype: np.int32 }), classes);

/** Outputs of all samples. */
const network = (/** @type {np.Array} */ w1, /** @type {np.Array} */ w2) =>
  np.matmul(np.tanh(np.matmul(points.ref, w1)), w2);
/** The mean cross-entropy, of outputs. */
const lossOf = (/** @type {np.Array} */ f) => np.sum(nn.logSoftmax(f).mul(targets.ref)).mul(-1 / samples);

/** Numbers of hmatrix as arrays of the weights' shapes, and back. */
function toWeights(/** @type {Float64Array} */ v) {
  const [first, second] = [v.subarray(0, sizes[0]), v.subarray(sizes[0])];
  return /** @type {[np.Array, np.Array]} */ (
    [first, second].map((part, k) => np.array(Float32Array.from(part)).reshape(shapes[k]))
  );
}
const toNumbers = (/** @type {np.Array[]} */ arrays) => arrays.flatMap((array) => Array.from(array.dataSync()));
const toOutputs = (/** @type {Float64Array} */ u) => np.array(Float32Array.from(u)).reshape([samples, classes]);

const θ = Float64Array.from(random.normal(random.key(2), [parameters]).dataSync());
const [outputs, push] = linearize(network, toWeights(θ));
const [again, pull] = vjp(network, toWeights(θ));
again.dispose();
const operator = curvatureOf({
  parameters,
  precision: 'f32',
  jvp: (v) => toNumbers([push(...toWeights(v))]),
  vjp: (u) => toNumbers(pull(toOutputs(u))),
  lossHessian: (u) => toNumbers([jvp(grad(lossOf), [outputs.ref], [toOutputs(u)])[1]]),
});
console.log(operator.rows, operator.outputs); // → 60 600

const { values } = await topEigenvalues(operator, 3);
const { value, exact } = await trace(operator);
console.log(exact, values[0] > 0, values[0] + values[1] + values[2] < value); // → true true true

// A damped Gauss–Newton step lowers the loss.
const lossAt = (/** @type {Float64Array} */ at) => lossOf(network(...toWeights(at))).item();
const gradient = Float64Array.from(toNumbers(pull(grad(lossOf)(outputs.ref))));
const { x, outcome } = await solve(
  operator,
  gradient.map((g) => -g),
  { shiftRelative: 0.01, tolerance: 1e-4 },
);
console.log(outcome, lossAt(θ.map((w, p) => w + x.data[p])) < lossAt(θ)); // → converged true
