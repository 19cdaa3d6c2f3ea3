/**
 * A model of one's own, differentiated by hand: three functions of vectors make its Gauss–Newton operator, which then
 * goes into every method for operators. Run: npm run build && node examples/own-network.mjs
 */
import { approximate, solve } from 'hmatrix';
import { curvatureOf } from 'hmatrix/curvature';
import { estimateDiagonal, topEigenvalues } from 'hmatrix/krylov';
import { RandomStream } from 'hmatrix/random';

// f(x) = Σ_k a_k·sin(w_k·x + c_k): 300 samples of one input, 20 waves, 60 parameters θ = [a, w, c].
const [samples, waves] = [300, 20];
const random = new RandomStream(1);
const inputs = Float64Array.from({ length: samples }, (_, i) => -1 + (2 * i) / samples);
const targets = inputs.map((x) => Math.exp(-2 * x * x) * Math.sin(9 * x));
const θ = Float64Array.from({ length: 3 * waves }, (_, p) => (p < waves ? 0.1 : 5) * random.normal());

/** Calls `use` with sample, wave, and the derivatives of f there in a_k, w_k and c_k. */
function derivatives(/** @type {(i: number, k: number, a: number, w: number, c: number) => void} */ use) {
  for (let i = 0; i < samples; i++)
    for (let k = 0; k < waves; k++) {
      const angle = θ[waves + k] * inputs[i] + θ[2 * waves + k];
      const slope = θ[k] * Math.cos(angle);
      use(i, k, Math.sin(angle), slope * inputs[i], slope);
    }
}
const outputs = (/** @type {Float64Array} */ at) =>
  inputs.map((x) => {
    let sum = 0;
    for (let k = 0; k < waves; k++) sum += at[k] * Math.sin(at[waves + k] * x + at[2 * waves + k]);
    return sum;
  });

/** J·v: a number for each sample. */
function jvp(/** @type {Float64Array} */ v) {
  const out = new Float64Array(samples);
  derivatives((i, k, a, w, c) => (out[i] += a * v[k] + w * v[waves + k] + c * v[2 * waves + k]));
  return out;
}
/** Jᵀ·u: a number for each parameter. */
function vjp(/** @type {Float64Array} */ u) {
  const out = new Float64Array(θ.length);
  derivatives((i, k, a, w, c) => {
    out[k] += a * u[i];
    out[waves + k] += w * u[i];
    out[2 * waves + k] += c * u[i];
  });
  return out;
}
// The loss is the mean of half the squared errors: its Hessian in the outputs is 1/samples.
const operator = curvatureOf({ parameters: θ, jvp, vjp, lossHessian: (u) => u.map((value) => value / samples) });
console.log(operator.rows, operator.outputs, operator.symmetric); // → 60 300 true

// A damped Gauss–Newton step (G + λI)·d = −∇f lowers the loss.
const loss = (/** @type {Float64Array} */ at) =>
  outputs(at).reduce((sum, value, i) => sum + (value - targets[i]) ** 2, 0) / (2 * samples);
const gradient = vjp(outputs(θ).map((value, i) => (value - targets[i]) / samples));
const { x, outcome } = await solve(
  operator,
  gradient.map((value) => -value),
  { shiftRelative: 1e-3, tolerance: 1e-8 },
);
console.log(outcome, loss(θ.map((value, p) => value + x.data[p])) < loss(θ)); // → converged true

// What is steep, how much each parameter counts alone, and a small copy of the matrix.
const { values } = await topEigenvalues(operator, 2);
const diagonal = await estimateDiagonal(operator);
console.log(values[0] > values[1], diagonal.exact, diagonal.values.length); // → true true 60
const { error } = await approximate(operator, 'rsvd', { share: 0.5 });
console.log((await error()).relative < 0.05); // → true
